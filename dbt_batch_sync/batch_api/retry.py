"""Whether to make a call again, and when: one pure function, and the one loop that asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from dbt_batch_sync.batch_api.answers import Answer, Broken, BrokenKind, Busy, Fatal


@dataclass(frozen=True)
class RetryPolicy:
    """The retry policy of one request: attempts in total, the wait after the first one, which doubles up to
    the longest, and the longest `Retry-After` to wait for. `repeatable`: whether to retry if Batch may have
    accepted the request. `throttled_seconds`: the wait after a 429 without `Retry-After`, instead of ours.
    """

    max_attempts: int = 8
    base_seconds: float = 1.0
    max_seconds: float = 60.0
    max_retry_after: float = 300.0
    repeatable: bool = True
    throttled_seconds: float | None = None


@dataclass(frozen=True)
class Retry:
    """Retry after some seconds. `everyone`: all senders pause until then."""

    after: float
    everyone: bool


Decision = Retry | str | None
"""A text: don't retry, with the reason, which completes a sentence about the answer. None: it is final."""


def may_be_taken(answer: Answer) -> bool:
    """Whether Batch may have accepted a request despite this answer. After 429 and 503, it has not."""
    if isinstance(answer, Busy):
        return answer.status not in (429, 503)
    return isinstance(answer, Broken) and not never_sent(answer)


def never_sent(answer: Answer) -> bool:
    """Whether there was no connection to send a call by."""
    if isinstance(answer, Fatal):
        return answer.status is None
    return isinstance(answer, Broken) and answer.kind is BrokenKind.CONNECT


def decide(answer: Answer, attempt: int, policy: RetryPolicy, chance: float) -> Decision:
    """Decides what follows attempt number `attempt` (from 1).

    `Busy` and `Broken` are retried if the request is repeatable. The server's hint takes precedence over our
    own backoff, which is `base · 2^(attempt-1)` up to its maximum, reduced by up to half by `chance` (0 ≤
    chance < 1). A hint is never shortened, but extended by up to a second, so that several processes don't
    return at the same moment.
    """
    if not isinstance(answer, Busy | Broken):
        return None
    if not policy.repeatable and may_be_taken(answer):
        return "Batch may have taken the call, which must not be made twice"
    throttled = isinstance(answer, Busy) and answer.status == 429
    hint = answer.retry_after if isinstance(answer, Busy) else None
    if hint is None and throttled:
        hint = policy.throttled_seconds
    if hint is not None and hint > policy.max_retry_after:
        return f"longer than the longest wait, {policy.max_retry_after:.0f} s"
    if attempt >= policy.max_attempts:
        return "the retries are used up (`max_attempts`)"
    if hint is not None:
        return Retry(hint + chance, everyone=True)
    backoff = min(policy.max_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 30))
    return Retry(backoff * (1 - chance / 2), everyone=throttled)


def persist(
    call: Callable[[], Answer],
    policy: RetryPolicy,
    chance: Callable[[], float],
    pause: Callable[[Answer, Retry], None],
) -> tuple[Answer, str]:
    """Repeats a call until its answer counts or it is given up. Returns also why, to follow the answer's
    description. `pause` waits before the next call; whatever it or the call raises ends it all.
    """
    for attempt in count(1):
        answer = call()
        decision = decide(answer, attempt, policy, chance())
        if not isinstance(decision, Retry):
            break
        pause(answer, decision)
    return answer, f", {decision}" if decision else ""
