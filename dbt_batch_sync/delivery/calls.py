"""Sends one request until it is settled: rate limit, answer, retries by tenacity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from tenacity import RetryCallState, Retrying, retry_if_result

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Rejected, check_indexes
from dbt_batch_sync.batch_api.messages import describe
from dbt_batch_sync.batch_api.retry import (
    Decision,
    GiveUp,
    Retry,
    RetryPolicy,
    decide,
    may_be_taken,
    never_sent,
)
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import MostlyRejected, find_rejected
from dbt_batch_sync.delivery.outcomes import Outcome, settle
from dbt_batch_sync.delivery.pacing import Pacer
from dbt_batch_sync.delivery.timing import Timing
from dbt_batch_sync.errors import DeliveryError


class Send(Protocol):
    """Sends one body and returns the answer. Usable from several threads.

    `Client.send` with its endpoint bound.
    """

    def __call__(self, body: bytes, /) -> Answer: ...


class Halted(Exception):
    """The sender was stopped while this chunk was not settled."""


@dataclass(frozen=True)
class Line:
    """What all senders of a delivery share.

    Attributes:
        halt: No further request may start; wakes those that wait. `stop` halts the line as soon as it is
            noticed.
        begun: Called with a chunk and whether any of it may be sent: True before its first request, False
            when no request of it has had a connection yet.
    """

    send: Send
    pacer: Pacer
    policy: RetryPolicy
    timing: Timing
    halt: Event
    stop: Event
    begun: Callable[[Chunk, bool], None]

    def halted(self) -> bool:
        """Whether no further request may start."""
        if self.stop.is_set():
            self.halt.set()
        return self.halt.is_set()

    def pause(self, seconds: float) -> bool:
        """Sleeps. Returns True if the line was halted instead."""
        return self.timing.wait(self.halt, seconds) or self.halted()

    def sleep(self, seconds: float) -> None:
        """Waits for the next attempt, unless the line is halted.

        Not a method of `_Calls`, because tenacity's objects keep a reference to it until they are collected,
        and so would keep the chunk.
        """
        self.pause(seconds)


def settle_chunk(chunk: Chunk, line: Line) -> Outcome:
    """Sends a chunk, with retries and in parts, until each operation is accepted or rejected.

    Raises:
        DeliveryError: when Batch rejects requests permanently, can't be reached within the retries, or
            rejects most rows.
        Halted: the chunk is not settled; some of its operations may have been applied.
    """
    calls = _Calls(chunk, line)
    verdict = find_rejected(len(chunk), calls)
    if isinstance(verdict, MostlyRejected):
        raise DeliveryError(
            f"{describe(verdict.answer)}. Most rows of chunk {chunk.number} are rejected one by one: "
            f"{verdict.rejected} rows, and {verdict.probes_rejected} of {verdict.probes} samples. "
            "The cause is the mapping or the Batch project. Nothing of the chunk counts as sent; fix the "
            "cause and push again."
        )
    return settle(chunk, verdict, calls.requests, calls.retries, calls.unsure)


@dataclass(frozen=True)
class _Tried:
    answer: Answer
    decision: Decision


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
        body = self._chunk.body(start, stop)
        before, began = self.requests, self._line.timing.now()
        answers: list[Answer] = []

        def attempt() -> _Tried:
            tried = self._attempt(body, stop - start, self.requests - before + 1)
            answers.append(tried.answer)
            return tried

        tried: _Tried = Retrying(retry=retry_if_result(_is_retry), wait=_wait, sleep=self._line.sleep)(
            attempt
        )
        if isinstance(tried.answer, Accepted | Rejected):
            self.unsure += self._chunk.count(start, stop) if any(map(may_be_taken, answers)) else 0
            return tried.answer
        requests, seconds = self.requests - before, self._line.timing.now() - began
        why = f", {tried.decision.why}" if isinstance(tried.decision, GiveUp) else ""
        raise DeliveryError(
            f"{describe(tried.answer)}{why}. "
            f"Gave up after {requests} request{'s' * (requests > 1)} in {seconds:.0f} s."
        )

    def _attempt(self, body: bytes, operations: int, number: int) -> _Tried:
        line = self._line
        if line.halted() or not line.pacer.acquire(operations, line.pause) or line.halted():
            raise Halted
        if not self._connected:
            line.begun(self._chunk, True)
        self.requests += 1
        self.retries += number > 1
        granted = line.timing.now()
        answer = check_indexes(line.send(body), operations)
        line.pacer.answered(line.timing.now() - granted)
        self._connected = self._connected or not never_sent(answer)
        if not self._connected:
            line.begun(self._chunk, False)
        decision = decide(answer, number, line.policy, line.timing.chance())
        if isinstance(decision, Retry) and decision.everyone:
            line.pacer.hold(decision.after)
        return _Tried(answer, decision)


def _is_retry(tried: _Tried) -> bool:
    return isinstance(tried.decision, Retry)


def _wait(state: RetryCallState) -> float:
    tried = state.outcome.result() if state.outcome else None
    return tried.decision.after if tried and isinstance(tried.decision, Retry) else 0.0
