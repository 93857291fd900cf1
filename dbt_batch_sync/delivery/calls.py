"""One call until it is settled: its pace, its answer, and calling again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from threading import Event
from typing import Final

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Rejected, check_indexes, describe
from dbt_batch_sync.batch_api.reasons import clean_reason
from dbt_batch_sync.batch_api.retry import Retry, RetryPolicy, may_be_taken, never_sent, persist
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import MostlyRejected, Verdict, find_rejected
from dbt_batch_sync.delivery.pacing import Pacer, Timing
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.ledger.records import Reject

TOO_LARGE: Final = "too_large"
"""Reason for a row whose single operation is over the size limit."""


@dataclass(frozen=True)
class Outcome:
    """A settled chunk: every operation is accepted, or is in `rejects`, rows first. A reason is Batch's text
    or code, never a value. `retries` of the `requests` repeated a body; `unsure` rows were in requests that
    were repeated although Batch may have accepted them.
    """

    accepted: int
    rejects: tuple[Reject, ...]
    requests: int = 0
    retries: int = 0
    unsure: int = 0


@dataclass(frozen=True)
class Settled:
    """A chunk whose earlier chunks are all settled, so the delta is settled up to its rows."""

    chunk: Chunk
    outcome: Outcome


def settle(chunk: Chunk, verdict: Verdict, requests: int = 0, retries: int = 0, unsure: int = 0) -> Outcome:
    """Assigns rejections to rows. A repeated one counts once, and a rejected row hides its attributes'."""
    found = [(index, each.message, each.code) for index, each in verdict.rejected]
    of_rows = (each for each in verdict.errors if each.attribute is None)
    found += ((each.index, each.reason, each.category) for each in of_rows)
    rows: dict[int, list[Reject]] = {}
    for index, said, code in found:
        if index not in rows:
            rows[index] = _rejects(chunk, index, None, said, code)
    attributes: dict[tuple[int, str], list[Reject]] = {}
    for each in verdict.errors:
        place, name = each.index, each.attribute
        if name is not None and place not in rows and (place, name) not in attributes:
            attributes[place, name] = _rejects(chunk, place, name, each.reason, each.category)
    oversized = [Reject(key, None, TOO_LARGE, "validation") for key in chunk.oversized]
    rejects = (*chain(*rows.values()), *oversized, *chain(*attributes.values()))
    return Outcome(len(chunk) - len(rows), rejects, requests, retries, unsure)


def _rejects(chunk: Chunk, index: int, attribute: str | None, said: str, code: str) -> list[Reject]:
    """If an operation contains several rows, the answer doesn't tell which one is meant, so all are."""
    reason = clean_reason(said, str(chunk.operations[index].as_py())) or code or "rejected"
    return [Reject(key, attribute, reason, "batch") for key in chunk.rows_of(index)]


Send = Callable[[bytes], Answer]
"""One call with a body, one answer; usable from several threads."""


class Halted(Exception):
    """The sender was stopped while this chunk was not settled. Some of it may have been applied."""


@dataclass(frozen=True)
class Line:
    """What all senders of a delivery share. Once `halt` is set, no further request starts; `stop` halts the
    line as soon as it is noticed. `begun` and `repeatable`: see `deliver`.
    """

    send: Send
    pacer: Pacer
    policy: RetryPolicy
    timing: Timing
    halt: Event
    stop: Event
    begun: Callable[[Chunk, bool], None]
    repeatable: bool = True

    def halted(self) -> bool:
        """Whether no further request may start."""
        if self.stop.is_set():
            self.halt.set()
        return self.halt.is_set()

    def pause(self, seconds: float) -> bool:
        """Sleeps. Returns True if the line was halted instead."""
        return self.timing.wait(self.halt, seconds) or self.halted()


def settle_chunk(chunk: Chunk, line: Line) -> Outcome:
    """Sends a chunk, in parts if need be, until each operation is settled. Raises as `deliver`, or Halted."""
    calls = _Calls(chunk, line)
    try:
        verdict = find_rejected(len(chunk), calls, repeatable=line.repeatable)
    except MostlyRejected as found:
        samples = f", and {found.probes_rejected} of {found.probes} samples" if found.probes else ""
        raise DeliveryError(
            f"{describe(found.answer)}. Most rows of chunk {chunk.number} are rejected one by one: "
            f"{found.rejected} rows{samples}. "
            "The cause is the mapping or the Batch project. Nothing of the chunk counts as sent; fix the "
            "cause and push again."
        ) from None
    return settle(chunk, verdict, calls.requests, calls.retries, calls.unsure)


class _Calls:
    """The requests of one chunk, for one thread."""

    def __init__(self, chunk: Chunk, line: Line) -> None:
        self._chunk = chunk
        self._line = line
        self.requests = 0
        self.retries = 0
        self.unsure = 0
        self._connected = False

    def __call__(self, start: int, stop: int) -> Accepted | Rejected:
        line, body = self._line, self._chunk.body(start, stop)
        before, began = self.requests, line.timing.now()
        answers: list[Answer] = []

        def call() -> tuple[Answer, None]:
            if line.halted() or not line.pacer.acquire(stop - start, line.pause) or line.halted():
                raise Halted
            if not self._connected:
                line.begun(self._chunk, True)
            self.requests += 1
            self.retries += bool(answers)
            granted = line.timing.now()
            answer = check_indexes(line.send(body), stop - start)
            answers.append(answer)
            line.pacer.answered(line.timing.now() - granted)
            self._connected = self._connected or not never_sent(answer)
            if not self._connected:
                line.begun(self._chunk, False)
            return answer, None

        def pause(_: Answer, retry: Retry) -> None:
            if retry.everyone:
                line.pacer.hold(retry.after)
            line.pause(retry.after)

        answer, _, why = persist(call, line.policy, line.timing.chance, pause)
        if isinstance(answer, Accepted | Rejected):
            self.unsure += self._chunk.count(start, stop) if any(map(may_be_taken, answers)) else 0
            return answer
        requests, seconds = self.requests - before, line.timing.now() - began
        raise DeliveryError(
            f"{describe(answer)}{why}. "
            f"Gave up after {requests} request{'s' * (requests > 1)} in {seconds:.0f} s."
        )
