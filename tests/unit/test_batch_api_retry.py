"""The retry decision."""

from __future__ import annotations

import pytest

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, BrokenKind, Busy, Fatal, Rejected
from dbt_batch_sync.batch_api.retry import Retry, RetryPolicy, decide, never_sent

POLICY = RetryPolicy(max_attempts=4, base_seconds=1.0, max_seconds=3.0, max_retry_after=100.0)
CUT = Broken(BrokenKind.CUT)


@pytest.mark.parametrize("answer", [Accepted(), Rejected(400), Fatal(401), Fatal(None)], ids=repr)
def test_other_answers_are_not_retried(answer: Answer) -> None:
    assert decide(answer, 1, POLICY, 0.5) is None
    assert decide(answer, 9, POLICY, 0.5) is None


@pytest.mark.parametrize(
    ("answer", "attempt", "chance", "expected"),
    [
        (Busy(503), 1, 0.0, Retry(1.0, everyone=False)),
        (Busy(503), 2, 0.0, Retry(2.0, everyone=False)),
        (Busy(503), 3, 0.0, Retry(3.0, everyone=False)),  # not 4, because of the maximum wait
        (Busy(503), 2, 0.5, Retry(1.5, everyone=False)),
        (CUT, 1, 0.5, Retry(0.75, everyone=False)),
        (Busy(429), 1, 0.0, Retry(1.0, everyone=True)),
        (Busy(503, 7.0), 1, 0.25, Retry(7.25, everyone=True)),
        (Busy(503, 0.0), 3, 0.0, Retry(0.0, everyone=True)),
        (Busy(429, 100.0), 1, 0.0, Retry(100.0, everyone=True)),
    ],
)
def test_busy_and_broken_are_retried(answer: Answer, attempt: int, chance: float, expected: Retry) -> None:
    assert decide(answer, attempt, POLICY, chance) == expected


@pytest.mark.parametrize(
    ("answer", "attempt", "word"),
    [
        (Busy(503), 4, "max_attempts"),
        (CUT, 4, "max_attempts"),
        (Busy(429, 1.0), 4, "max_attempts"),
        (Busy(429, 100.5), 1, "100 s"),
        (Busy(503, 1e9), 1, "100 s"),
    ],
)
def test_retries_end(answer: Answer, attempt: int, word: str) -> None:
    decision = decide(answer, attempt, POLICY, 0.0)
    assert isinstance(decision, str)
    assert word in decision


def test_a_huge_attempt_number_does_not_overflow() -> None:
    assert decide(CUT, 10**6, RetryPolicy(max_attempts=10**9), 0.0) == Retry(60.0, everyone=False)


@pytest.mark.parametrize(
    ("answer", "again"), [(CUT, False), (Broken(BrokenKind.CONNECT), True), (Busy(503), True)]
)
def test_at_most_once_does_not_repeat_uncertain_calls(answer: Answer, again: bool) -> None:
    assert isinstance(decide(answer, 1, RetryPolicy(repeatable=False), 0.0), Retry) is again


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Broken(BrokenKind.CONNECT), True),
        (Fatal(None), True),
        (CUT, False),
        (Broken(BrokenKind.TIMEOUT), False),
        (Busy(503), False),
        (Fatal(401), False),
        (Accepted(), False),
    ],
    ids=repr,
)
def test_only_a_call_without_a_connection_was_never_sent(answer: Answer, expected: bool) -> None:
    assert never_sent(answer) is expected
