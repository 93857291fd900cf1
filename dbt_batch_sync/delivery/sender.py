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
from threading import Event, Lock
from typing import Final

from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.delivery.calls import Halted, Line, Outcome, Send, Settled, settle_chunk
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing
from dbt_batch_sync.errors import BatchSyncError

_POLL_SECONDS: Final = 0.1
"""How late a stop is noticed. A signal handler's event doesn't wake a thread that waits for a future."""


class Interrupted(BatchSyncError):
    """The delivery was stopped on request. The settled prefix was returned before."""


def deliver(
    chunks: Iterable[Chunk],
    send: Send,
    *,
    pacer: Pacer,
    policy: RetryPolicy,
    stop: Event,
    max_in_flight: int = 4,
    ahead: int = 1,
    begun: Callable[[Chunk, bool], None] = lambda chunk, may_be_sent: None,
    repeatable: bool = True,
    drain_seconds: float = 30.0,
    timing: Timing = SYSTEM_TIMING,
) -> Generator[Settled, None, None]:
    """Sends chunks, up to `max_in_flight` at a time. Yields each once it and all before it are settled.

    Reads chunks in the caller's thread, one for each free sender, and holds at most `max_in_flight` plus
    `ahead`. A chunk that `follows` waits until all before it are settled. After an error, or once `stop` is
    set, no request starts, those in flight may end (within `drain_seconds`), the prefix they settle is
    yielded, and the first error or Interrupted is raised. DeliveryError: Batch rejects requests permanently,
    can't be reached within the retries, or rejects most rows of a chunk.

    `begun` is called in a sender's thread with a chunk and whether any of it may be sent: True before its
    first request, False when no request of it has had a connection yet. Unless `repeatable`, no operation is
    sent again that Batch has accepted.
    """
    line = Line(send, pacer, policy, timing, Event(), stop, begun, repeatable)
    delivery = _Delivery(line, max_in_flight, ahead)
    try:
        yield from delivery.run(iter(chunks))
        yield from delivery.drain(drain_seconds)
        delivery.finish()
    finally:
        delivery.abandon()


class _Delivery:
    def __init__(self, line: Line, max_in_flight: int, ahead: int) -> None:
        self._line = line
        self._most = max_in_flight + ahead
        self._next: Chunk | None = None  # read, and waiting for the chunks before it
        self._pool = ThreadPoolExecutor(max_in_flight, thread_name_prefix="batch-sender")
        self._window: deque[tuple[Chunk, Future[Outcome | None]]] = deque()
        self._lock = Lock()
        self._trouble: BaseException | None = None
        self._exhausted = False

    def run(self, source: Iterator[Chunk]) -> Iterator[Settled]:
        """Reads, sends and yields until everything is settled or the line is halted."""
        while not self._line.halted():
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
        return not self._exhausted and len(self._window) < self._most

    def drain(self, seconds: float) -> Iterator[Settled]:
        """Waits for the requests in flight and yields what they add to the prefix."""
        now = self._line.timing.now
        deadline = now() + seconds
        while self._window:
            wait([self._window[0][1]], timeout=max(0.0, deadline - now()))
            settled = self._settled_head()
            if settled is None:
                break
            yield settled
        # Not for the prefix: a request that outlives this push could overwrite what the next one sends.
        wait([future for _, future in self._window], timeout=max(0.0, deadline - now()))

    def finish(self) -> None:
        """Raises the error, if there was one."""
        if self._trouble is not None:
            raise self._trouble
        if self._window or self._next is not None or not self._exhausted:
            raise Interrupted(
                "stopped on request; what was settled before is kept, and the next push resumes after it."
            )

    def abandon(self) -> None:
        """Starts nothing more and doesn't wait."""
        self._line.halt.set()
        self._pool.shutdown(wait=False)

    def _settled_head(self) -> Settled | None:
        if not self._window or not self._window[0][1].done():
            return None
        chunk, future = self._window[0]
        outcome = future.result()
        if outcome is None:
            return None
        self._window.popleft()
        return Settled(chunk, outcome)

    def _read(self, source: Iterator[Chunk]) -> None:
        chunk, self._next = self._next, None
        try:
            if chunk is None:
                chunk = next(source)
        except StopIteration:
            self._exhausted = True
        except Exception as error:  # noqa: BLE001 - raised by finish(), after the prefix
            self._halt_for(error)
        else:
            if chunk.follows and self._window:
                self._next = chunk
            else:
                self._window.append((chunk, self._pool.submit(self._work, chunk)))

    def _work(self, chunk: Chunk) -> Outcome | None:
        """Runs in a sender's thread. Returns None if the chunk is not settled and the line is halted."""
        try:
            return settle_chunk(chunk, self._line)
        except Halted:
            return None
        except BaseException as error:  # noqa: BLE001 - raised by finish(), after the prefix
            self._halt_for(error)
            return None

    def _halt_for(self, trouble: BaseException) -> None:
        with self._lock:
            if self._trouble is None:
                self._trouble = trouble
        self._line.halt.set()
