"""Sends several chunks at a time and returns them in order: its output is the settled prefix.

How a delivery ends:

all chunks are read and settled     the generator ends
`stop` was set before that          `Interrupted`, after the prefix: no `for` loop can take it for the end
Batch rejects, or is out of reach   `DeliveryError`, after the prefix
reading the chunks fails            that exception, after the prefix
the caller leaves (close, Ctrl-C)   at once; requests under way end by their time-outs, in their own threads
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    PartialError,
    Rejected,
    check_indexes,
    describe,
)
from dbt_batch_sync.batch_api.reasons import clean_reason
from dbt_batch_sync.batch_api.retry import Retry, RetryPolicy, may_be_taken, never_sent, persist
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import MostlyRejected, find_rejected
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing
from dbt_batch_sync.errors import BatchSyncError, DeliveryError
from dbt_batch_sync.ledger.records import Reject

TOO_LARGE: Final = "too_large"
"""Reason for a row whose single operation is over the size limit."""

_POLL_SECONDS: Final = 0.1
"""How late a stop is noticed. A signal handler's event doesn't wake a thread that waits for a future."""


class Interrupted(BatchSyncError):
    """The delivery was stopped on request. The settled prefix was returned before."""


class Halted(Exception):
    """No further request may start, and this chunk is not settled. Some of it may have been applied."""


@dataclass(frozen=True)
class Settled:
    """A settled chunk: every operation is accepted, or is in `rejects`, rows first. A reason is Batch's text
    or code, never a value. `retries` of the `requests` repeated a body; `unsure` rows were in requests that
    were repeated although Batch may have accepted them.
    """

    chunk: Chunk
    rejects: tuple[Reject, ...]
    requests: int = 0
    retries: int = 0
    unsure: int = 0


def rejects_of(chunk: Chunk, errors: Iterable[PartialError]) -> tuple[Reject, ...]:
    """Assigns errors to rows. A repeated one counts once, and a rejected row hides its attributes'."""
    rows: dict[int, PartialError] = {}
    attributes: dict[tuple[int, str], PartialError] = {}
    for each in errors:
        if each.attribute is None:
            rows.setdefault(each.index, each)
        else:
            attributes.setdefault((each.index, each.attribute), each)
    oversized = (Reject(key, None, TOO_LARGE, "validation") for key in chunk.oversized)
    others = (each for each in attributes.values() if each.index not in rows)
    return (*_rejects(chunk, rows.values()), *oversized, *_rejects(chunk, others))


def _rejects(chunk: Chunk, errors: Iterable[PartialError]) -> Iterator[Reject]:
    """If an operation contains several rows, the answer doesn't tell which one is meant, so all are."""
    for each in errors:
        reason = clean_reason(each.reason, str(chunk.operations[each.index].as_py()))
        for key in chunk.rows_of(each.index):
            yield Reject(key, each.attribute, reason or each.category or "rejected", "batch")


@dataclass(eq=False)
class Delivery:
    """Sends chunks. Call `run` once.

    Attributes:
        send: One call with a body, one answer. Called from several threads.
        max_in_flight: Chunks sent at a time. At most `ahead` more are held.
        begun: Called in a sender's thread with a chunk and whether any of it may be sent: True before its
            first request, False when no request of it has had a connection yet.
        repeatable: Unless set, no operation is sent again that Batch has accepted.
        drain_seconds: The longest wait for requests in flight after an error or a stop.
    """

    send: Callable[[bytes], Answer]
    pacer: Pacer
    policy: RetryPolicy
    stop: Event
    max_in_flight: int = 4
    ahead: int = 1
    begun: Callable[[Chunk, bool], None] = lambda chunk, may_be_sent: None
    repeatable: bool = True
    drain_seconds: float = 30.0
    timing: Timing = field(default_factory=lambda: SYSTEM_TIMING)

    def __post_init__(self) -> None:
        self._halt = Event()  # no further request starts
        self._pool = ThreadPoolExecutor(self.max_in_flight, thread_name_prefix="batch-sender")
        self._window: deque[tuple[Chunk, Future[Settled]]] = deque()
        self._next: Chunk | None = None  # read, and waiting for the chunks before it
        self._trouble: Exception | None = None  # in reading
        self._exhausted = False

    def run(self, chunks: Iterable[Chunk]) -> Generator[Settled, None, None]:
        """Yields each chunk once it and all before it are settled.

        Reads chunks in the caller's thread, one for each free sender. A chunk that `follows` waits until all
        before it are settled. After an error, or once `stop` is set, no request starts, those in flight may
        end, the prefix they settle is yielded, and an error or Interrupted is raised. DeliveryError: Batch
        rejects requests permanently, can't be reached within the retries, or rejects most rows of a chunk.
        """
        try:
            yield from self._deliver(iter(chunks))
            yield from self._drain()
            self._finish()
        finally:  # starts nothing more and doesn't wait
            self._halt.set()
            self._pool.shutdown(wait=False)

    def halted(self) -> bool:
        """Whether no further request may start."""
        if self.stop.is_set():
            self._halt.set()
        return self._halt.is_set()

    def pause(self, seconds: float) -> bool:
        """Sleeps. Returns True if the delivery was halted instead."""
        return self.timing.wait(self._halt, seconds) or self.halted()

    def _deliver(self, source: Iterator[Chunk]) -> Iterator[Settled]:
        """Reads, sends and yields until everything is settled or the delivery is halted."""
        while not self.halted():
            settled = self._settled_head()
            if settled is not None:
                yield settled
            elif self._has_room():
                self._read(source)
            elif self._window:
                wait([self._window[0][1]], timeout=_POLL_SECONDS)
            else:
                return

    def _has_room(self) -> bool:
        if self._next is not None:
            return not self._window
        return not self._exhausted and len(self._window) < self.max_in_flight + self.ahead

    def _drain(self) -> Iterator[Settled]:
        """Waits for the requests in flight and yields what they add to the prefix."""
        now = self.timing.now
        deadline = now() + self.drain_seconds
        while self._window:
            wait([self._window[0][1]], timeout=max(0.0, deadline - now()))
            settled = self._settled_head()
            if settled is None:
                break
            yield settled
        # Not for the prefix: a request that outlives this push could overwrite what the next one sends.
        wait([future for _, future in self._window], timeout=max(0.0, deadline - now()))

    def _finish(self) -> None:
        """Raises the error, if there was one."""
        if self._trouble is not None:
            raise self._trouble
        for _, future in self._window:
            error = future.exception() if future.done() else None
            if error is not None and not isinstance(error, Halted):
                raise error
        if self._window or self._next is not None or not self._exhausted:
            raise Interrupted(
                "stopped on request; what was settled before is kept, and the next push resumes after it."
            )

    def _settled_head(self) -> Settled | None:
        future = self._window[0][1] if self._window else None
        if future is None or not future.done() or future.exception() is not None:
            return None
        self._window.popleft()
        return future.result()

    def _read(self, source: Iterator[Chunk]) -> None:
        chunk, self._next = self._next, None
        try:
            if chunk is None:
                chunk = next(source)
        except StopIteration:
            self._exhausted = True
        except Exception as error:  # noqa: BLE001 - raised by _finish(), after the prefix
            self._trouble = error
            self._halt.set()
        else:
            if chunk.follows and self._window:
                self._next = chunk
            else:
                self._window.append((chunk, self._pool.submit(self._settle, chunk)))

    def _settle(self, chunk: Chunk) -> Settled:
        """Sends a chunk, in a sender's thread. Its error halts the delivery and is raised by _finish()."""
        try:
            return _Calls(chunk, self).settle()
        except BaseException:
            self._halt.set()
            raise


class _Calls:
    """The requests of one chunk, for one thread."""

    def __init__(self, chunk: Chunk, delivery: Delivery) -> None:
        self._chunk = chunk
        self._delivery = delivery
        self._requests = self._retries = self._unsure = 0
        self._connected = False

    def settle(self) -> Settled:
        """Sends the chunk, in parts if need be, until each operation is settled."""
        chunk = self._chunk
        try:
            errors = find_rejected(len(chunk), self._send, repeatable=self._delivery.repeatable)
        except MostlyRejected as found:
            samples = f", and {found.probes_rejected} of {found.probes} samples" if found.probes else ""
            raise DeliveryError(
                f"{describe(found.answer)}. Most rows of chunk {chunk.number} are rejected one by one: "
                f"{found.rejected} rows{samples}. "
                "The cause is the mapping or the Batch project. Nothing of the chunk counts as sent; fix the "
                "cause and push again."
            ) from None
        return Settled(chunk, rejects_of(chunk, errors), self._requests, self._retries, self._unsure)

    def _send(self, start: int, stop: int) -> Accepted | Rejected:
        delivery, chunk, body = self._delivery, self._chunk, self._chunk.body(start, stop)
        before, began = self._requests, delivery.timing.now()
        answers: list[Answer] = []

        def call() -> Answer:
            if (
                delivery.halted()
                or not delivery.pacer.acquire(stop - start, delivery.pause)
                or delivery.halted()
            ):
                raise Halted
            if not self._connected:
                delivery.begun(chunk, True)
            self._requests += 1
            self._retries += bool(answers)
            granted = delivery.timing.now()
            answer = check_indexes(delivery.send(body), stop - start)
            answers.append(answer)
            delivery.pacer.answered(delivery.timing.now() - granted)
            self._connected = self._connected or not never_sent(answer)
            if not self._connected:
                delivery.begun(chunk, False)
            return answer

        def pause(_: Answer, retry: Retry) -> None:
            if retry.everyone:
                delivery.pacer.hold(retry.after)
            delivery.pause(retry.after)

        answer, why = persist(call, delivery.policy, delivery.timing.chance, pause)
        if isinstance(answer, Accepted | Rejected):
            self._unsure += chunk.count(start, stop) if any(map(may_be_taken, answers)) else 0
            return answer
        requests, seconds = self._requests - before, delivery.timing.now() - began
        raise DeliveryError(
            f"{describe(answer)}{why}. "
            f"Gave up after {requests} request{'s' * (requests > 1)} in {seconds:.0f} s."
        )
