"""Which faults apply to which calls, and faults as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from harness.fault_plan import Decision, FaultPlan
from harness.faults import ENDING, Fault, FaultKind, When
from harness.faulty_sandbox import read_fault

from dbt_batch_sync.sandbox.operations import read_operation


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def decide(plan: FaultPlan, ids: Sequence[str] = (), endpoint: str = "update") -> Decision:
    return plan.decide(endpoint, lambda: ids)


def struck(when: When, calls: int = 12) -> list[int]:
    plan = FaultPlan([Fault(FaultKind.STATUS, when)], Clock())
    return [number for number in range(1, calls + 1) if decide(plan).ending]


@pytest.mark.parametrize(
    ("when", "numbers"),
    [
        (When(), list(range(1, 13))),
        (When(nth=(2,)), [2]),
        (When(nth=(1, 5)), [1, 5]),
        (When(every=4), [4, 8, 12]),
        (When(times=2), [1, 2]),
        (When(every=3, times=2), [3, 6]),
        (When(probability=0.0), []),
        (When(probability=1.0, nth=(3,)), [3]),
        (When(endpoint="update", nth=(1,)), [1]),
        (When(endpoint="mass-update"), []),
        (When(custom_ids=("a",)), []),
    ],
)
def test_when(when: When, numbers: list[int]) -> None:
    assert struck(when) == numbers


def test_probability_is_repeatable_and_depends_on_the_seed() -> None:
    once, again, other = (struck(When(probability=0.5, seed=seed), 200) for seed in (1, 1, 2))
    assert once == again != other
    assert 60 < len(once) < 140


def test_setting_the_same_faults_again_resets_them() -> None:
    plan = FaultPlan([], Clock())
    for _ in range(2):
        plan.set([Fault(FaultKind.STATUS, When(nth=(2,)))])
        assert [bool(decide(plan).ending) for _ in range(3)] == [False, True, False]
    plan.clear()
    assert plan.faults == ()
    assert decide(plan) == Decision()


def test_calls_are_counted_by_endpoint_if_one_is_given() -> None:
    plan = FaultPlan([Fault(FaultKind.STATUS, When(nth=(2,), endpoint="mass-update"))], Clock())
    calls: list[str] = ["mass-update", "update", "mass-update", "mass-update"]
    assert [bool(decide(plan, endpoint=call).ending) for call in calls] == [False, False, True, False]


def test_calls_with_given_profiles() -> None:
    plan = FaultPlan([Fault(FaultKind.CUT_AFTER, When(custom_ids=("b", "z"), times=1))], Clock())
    assert [bool(decide(plan, ids).ending) for ids in (["a"], ["a", "b"], ["b"])] == [False, True, False]


def test_a_storm_of_requests() -> None:
    plan = FaultPlan([Fault(FaultKind.STORM, When(nth=(2,)), requests=3)], Clock())
    assert [bool(decide(plan).ending) for _ in range(6)] == [False, True, True, True, False, False]


def test_a_storm_of_seconds_occurs_once_unless_repeated() -> None:
    clock = Clock()
    plan = FaultPlan([Fault(FaultKind.STORM, seconds=10)], clock)
    seen = []
    for now in (0, 9.9, 10, 11):
        clock.now = now
        seen.append(bool(decide(plan).ending))
    assert seen == [True, True, False, False]


def test_the_first_ending_fault_wins_but_a_storm_goes_first() -> None:
    faults = [
        Fault(FaultKind.GARBAGE),
        Fault(FaultKind.STATUS),
        Fault(FaultKind.STORM, When(nth=(2,)), requests=1),
        Fault(FaultKind.SLOW, seconds=1),
    ]
    plan = FaultPlan(faults, Clock())
    assert [decide(plan).names for _ in range(2)] == [("garbage", "slow"), ("storm", "slow")]


def test_waits_before_and_after() -> None:
    faults = [Fault(FaultKind.SLOW, seconds=1), Fault(FaultKind.SLOW, seconds=2, applied=False)]
    decision = decide(FaultPlan(faults, Clock()))
    assert (decision.seconds(applied=True), decision.seconds(applied=False)) == (1, 2)


def test_rejecting_needs_the_profile_in_the_call() -> None:
    plan = FaultPlan([Fault(FaultKind.REJECT_CALL, custom_ids=("b",))], Clock())
    assert [bool(decide(plan, ids).rejecting) for ids in (["a"], ["a", "b"])] == [False, True]


@pytest.mark.parametrize(
    ("fault", "custom_id", "whole", "refused", "left"),
    [
        (Fault(FaultKind.REFUSE_ROWS), "a", True, [], ["x", "day"]),
        (Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",)), "a", True, [], ["x", "day"]),
        (Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",)), "b", False, [], ["x", "day"]),
        (Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("x", "y")), "a", False, ["x"], ["day"]),
        (Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("day",)), "a", False, ["date(day)"], ["x"]),
        (Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("date(day)",)), "a", False, ["date(day)"], ["x"]),
        (
            Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("x",), custom_ids=("b",)),
            "a",
            False,
            [],
            ["x", "day"],
        ),
    ],
)
def test_rejections(fault: Fault, custom_id: str, whole: bool, refused: list[str], left: list[str]) -> None:
    operation = read_operation(
        {
            "identifiers": {"custom_id": custom_id},
            "attributes": {"x": 1, "date(day)": "2024-01-01T00:00:00Z"},
        }
    )
    row, attributes = decide(FaultPlan([fault], Clock())).refusals(operation)
    assert (row is not None, [refusal.attribute for refusal in attributes]) == (whole, refused)
    assert list(operation.writes) == left


@pytest.mark.parametrize("kind", sorted(ENDING))
def test_applied_can_be_set(kind: FaultKind) -> None:
    by_default = kind in {
        FaultKind.CUT_AFTER,
        FaultKind.TRUNCATE,
        FaultKind.GARBAGE,
        FaultKind.HUGE,
        FaultKind.DRIP,
    }
    assert Fault(kind).applies_first is by_default
    assert Fault(kind, applied=not by_default).applies_first is not by_default


def test_faults_as_json() -> None:
    document = [
        {"kind": "status", "status": 503, "retry_after": 2, "when": {"nth": [3]}},
        {"kind": "storm", "seconds": 1.5, "when": {"nth": [1, 2], "times": 2, "endpoint": "update"}},
        {"kind": "refuse_attribute", "attributes": ["x"], "custom_ids": ["a"]},
    ]
    assert [read_fault(each) for each in document] == [
        Fault(FaultKind.STATUS, When(nth=(3,)), status=503, retry_after=2),
        Fault(FaultKind.STORM, When(nth=(1, 2), times=2, endpoint="update"), seconds=1.5),
        Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("x",), custom_ids=("a",)),
    ]
