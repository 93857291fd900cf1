"""Whether to make a call again, and when: one pure function, and the one loop that asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dbt_batch_sync.batch_api.answers import Answer, Broken, BrokenKind, Busy

_T = TypeVar("_T")


@dataclass(frozen=True)
class RetryPolicy:
    """How patient one call is.

    Attributes:
        max_attempts: Calls in all, the first included; at least 1.
        base_seconds: Wait after the first call; doubled after each further one.
        max_seconds: The longest wait of our own.
        repeatable: Whether a call may be made again when nobody knows whether Batch took it.
        max_retry_after: The longest `Retry-After` that is waited for, in seconds; a longer one ends the push.
    """

    max_attempts: int = 8
    base_seconds: float = 1.0
    max_seconds: float = 60.0
    max_retry_after: float = 300.0
    repeatable: bool = True


@dataclass(frozen=True)
class Retry:
    """Call again after so many seconds; `everyone`: no other sender may call earlier either."""

    after: float
    everyone: bool


@dataclass(frozen=True)
class GiveUp:
    """Call no more; `why` completes a sentence about the answer."""

    why: str


@dataclass(frozen=True)
class Stands:
    """The answer counts: another call would get the same."""


Decision = Retry | GiveUp | Stands


def may_be_taken(answer: Answer) -> bool:
    """Whether Batch may have taken a call that says nothing of it. 429 and 503 say that it did not."""
    if isinstance(answer, Busy):
        return answer.status not in (429, 503)
    return isinstance(answer, Broken) and answer.kind is not BrokenKind.CONNECT


def decide(answer: Answer, attempt: int, policy: RetryPolicy, chance: float) -> Decision:
    """What follows the `attempt`-th call (from 1).

    `Busy` and `Broken` are worth another call, where it may be repeated. The server's hint beats our own
    backoff, which is `base · 2^(attempt-1)` up to its maximum, of which `chance` (0 ≤ chance < 1) takes away
    up to a half. A hint is never shortened, but stretched by up to a second, so that several processes do not
    come back together.
    """
    if not isinstance(answer, Busy | Broken):
        return Stands()
    if not policy.repeatable and may_be_taken(answer):
        return GiveUp("Batch may have taken the call, which must not be made twice")
    hint = answer.retry_after if isinstance(answer, Busy) else None
    if hint is not None and hint > policy.max_retry_after:
        return GiveUp(f"longer than the {policy.max_retry_after:.0f} s that a push waits")
    if attempt >= policy.max_attempts:
        return GiveUp("the retries are used up (`max_attempts`)")
    throttled = isinstance(answer, Busy) and answer.status == 429
    if hint is not None:
        return Retry(hint + chance, everyone=True)
    backoff = min(policy.max_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 30))
    return Retry(backoff * (1 - chance / 2), everyone=throttled)


def persist(
    call: Callable[[int], tuple[Answer, _T]],
    policy: RetryPolicy,
    chance: Callable[[], float],
    pause: Callable[[Answer, Retry], None],
) -> tuple[Answer, _T, GiveUp | Stands]:
    """Makes a call, which is told which one it is (from 1), until its answer counts or it is given up.

    `pause` waits before the next one; whatever it or the call raises ends it all.
    """
    attempt = 0
    while True:
        attempt += 1
        answer, found = call(attempt)
        decision = decide(answer, attempt, policy, chance())
        if not isinstance(decision, Retry):
            return answer, found, decision
        pause(answer, decision)
