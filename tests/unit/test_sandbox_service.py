"""Whole calls without HTTP: what is applied, answered and counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

import pytest
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultySandbox

from dbt_batch_sync.sandbox.gate import RefusedCallError, check_caller, check_content
from dbt_batch_sync.sandbox.record import Recorder, Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply, retry_after_header
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings

NOON = datetime(2024, 1, 1, 12, 0, 0, 500_000, tzinfo=timezone.utc)
SUCCESS = {"code": "SUCCESS"}


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def op(custom_id: object, **attributes: object) -> dict[str, object]:
    return {"identifiers": {"custom_id": custom_id}, "attributes": attributes or {"a": 1}}


class Caller:
    """A sandbox and its counts, called without HTTP."""

    def __init__(self, *faults: Fault, **settings: Any) -> None:
        self.clock = Clock()
        made: Any = partial(FaultySandbox, faults=faults) if faults else Sandbox
        self.sandbox: Sandbox = made(SandboxSettings(**settings), clock=self.clock, now=lambda: NOON)
        self.tally = Tally()

    def reply(self, operations: object, endpoint: str = "update") -> Reply:
        self.tally = Tally()
        try:
            return self.sandbox.settle(
                self.sandbox.admit(endpoint, json.dumps(operations).encode(), self.tally)
            )
        except RefusedCallError as refused:
            return refused.reply

    def call(self, operations: object, endpoint: str = "update") -> tuple[int, Any]:
        reply = self.reply(operations, endpoint)
        return reply.status, json.loads(reply.body)

    @property
    def violations(self) -> list[Violation]:
        return [violation for violation, _ in self.tally.violations]

    @property
    def held(self) -> dict[str, dict[str, object]]:
        return {
            custom_id: {name: typed.value for name, typed in profile.attributes.items()}
            for custom_id, profile in self.sandbox.store.profiles.items()
        }


def test_a_valid_call() -> None:
    caller = Caller()
    assert caller.call([op("a", x=1), op("b", x=None, y="é")]) == (202, SUCCESS)
    assert caller.held == {"a": {"x": 1}, "b": {"y": "é"}}
    assert caller.violations == []
    assert (caller.tally.operations, caller.tally.applied) == (2, 2)
    assert (caller.tally.attributes, caller.tally.custom_ids) == (["x", "x", "y"], ["a", "b"])


@pytest.mark.parametrize(("endpoint", "most"), [("update", 200), ("mass-update", 10_000)])
def test_maximum_number_of_operations(endpoint: str, most: int) -> None:
    caller = Caller(rate_limits=False)
    operations = [op(f"c{n}") for n in range(most + 1)]
    assert caller.call(operations, endpoint)[0] == 400
    assert caller.held == {}
    assert caller.violations == [Violation.TOO_MANY_OPERATIONS]
    assert caller.call(operations[:most], endpoint) == (202, SUCCESS)
    assert len(caller.held) == most


@pytest.mark.parametrize(
    ("body", "violation"),
    [([], Violation.EMPTY_CALL), ({}, Violation.MALFORMED), (None, Violation.MALFORMED)],
)
def test_invalid_bodies(body: object, violation: Violation) -> None:
    caller = Caller()
    status, answer = caller.call(body)
    assert (status, set(answer)) == (400, {"error_code", "error_message"})
    assert caller.violations == [violation]


def test_a_bad_attribute_is_a_partial_error_and_the_rest_is_applied() -> None:
    caller = Caller()
    status, answer = caller.call(
        [op("a", x=1), op("b", **{"Bad": 1, "date(day)": "x", "y": 2}), op("c", z="")]
    )
    assert status == 202
    assert answer["code"] == "SUCCESS_WITH_PARTIAL_ERRORS"
    assert [(error["bulk_index"], error["attribute"]) for error in answer["errors"]] == [
        (1, "Bad"),
        (1, "date(day)"),
        (2, "z"),
    ]
    assert all(error["reason"] and error["category"] for error in answer["errors"])
    assert caller.held == {"a": {"x": 1}, "b": {"y": 2}, "c": {}}
    assert caller.violations == [Violation.REFUSED_ATTRIBUTE] * 3
    assert caller.tally.errors == 3


def test_partial_errors_can_name_attributes_without_wrapper() -> None:
    caller = Caller(error_attribute="plain")
    _, answer = caller.call([op("a", **{"date(day)": "x", "Bad": 1}), op("")])
    assert [error.get("attribute") for error in answer["errors"]] == ["day", "Bad", None]


def test_a_bad_operation_is_a_partial_error_without_attribute() -> None:
    caller = Caller()
    status, answer = caller.call([op("a"), op("null"), op("c")])
    assert status == 202
    assert answer["errors"] == [
        {"category": "INVALID_IDENTIFIER", "bulk_index": 1, "reason": "custom_id is a reserved word"}
    ]
    assert set(caller.held) == {"a", "c"}
    assert caller.violations == [Violation.REFUSED_OPERATION]
    assert caller.tally.applied == 2


def test_a_bad_operation_can_reject_the_whole_call() -> None:
    caller = Caller(bad_row="400")
    assert caller.call([op("a"), op("null"), op("c")])[0] == 400
    assert caller.held == {}
    assert caller.tally.applied == 0
    assert caller.call([op("a", Bad=1)])[0] == 202


def test_the_same_profile_twice_is_applied_in_order_and_recorded() -> None:
    caller = Caller()
    assert caller.call([op("a", x=1), op("b"), op("a", x=2), op("a", x=3)]) == (202, SUCCESS)
    assert caller.held["a"] == {"x": 3}
    assert caller.violations == [Violation.DUPLICATE_IDENTIFIER] * 2


def test_an_empty_operation_is_recorded() -> None:
    caller = Caller()
    empty = {"identifiers": {"custom_id": "a"}}
    assert caller.call([empty, {**empty, "attributes": {}}])[0] == 202
    assert caller.violations.count(Violation.EMPTY_OPERATION) == 2


def test_rejections_on_demand_are_no_violations() -> None:
    caller = Caller(reject_ids=frozenset({"b"}), reject_attributes=frozenset({"day", "n"}))
    _, answer = caller.call([op("a", x=1, n=2), op("b"), op("c", **{"date(day)": "2024-01-01T00:00:00Z"})])
    assert [(error["bulk_index"], error.get("attribute")) for error in answer["errors"]] == [
        (0, "n"),
        (1, None),
        (2, "date(day)"),
    ]
    assert caller.held == {"a": {"x": 1}, "c": {}}
    assert caller.violations == []


@pytest.mark.parametrize(
    ("form", "header"),
    [("none", None), ("seconds", "1"), ("date", "Mon, 01 Jan 2024 12:00:02 GMT")],
)
def test_rate_limiting(form: str, header: str | None) -> None:
    caller = Caller(retry_after=form)
    for _ in range(5):
        assert caller.call([op(f"c{n}") for n in range(200)])[0] == 202
    reply = caller.reply([op(f"d{n}") for n in range(200)])
    assert (reply.status, dict(reply.headers).get("retry-after")) == (429, header)
    assert caller.tally.throttled
    assert caller.violations == []
    assert "d0" not in caller.held
    caller.clock.now += 1
    assert caller.call([op(f"d{n}") for n in range(200)])[0] == 202


def test_the_two_endpoints_have_their_own_rates_and_reset_fills_them() -> None:
    caller = Caller()
    full = [op(f"c{n}") for n in range(10_000)]
    assert caller.call(full, "mass-update")[0] == 202
    assert caller.call([op("a")], "mass-update")[0] == 429
    assert caller.call([op("a")], "update")[0] == 202
    caller.sandbox.reset(profiles=False)
    assert caller.call([op("a")], "mass-update")[0] == 202
    assert len(caller.held) == 10_001
    caller.sandbox.reset()
    assert caller.held == {}


def test_invalid_calls_take_no_tokens() -> None:
    caller = Caller()
    for _ in range(10):
        assert caller.call([op("a")] * 201)[0] == 400
    for _ in range(5):
        assert caller.call([op(f"c{n}") for n in range(200)])[0] == 202


@pytest.mark.parametrize(
    ("fault", "status", "applied"),
    [
        (Fault(FaultKind.STATUS), 503, False),
        (Fault(FaultKind.STATUS, status=500, applied=True), 500, True),
        (Fault(FaultKind.STATUS, status=202), 202, False),
        (Fault(FaultKind.STORM, requests=1), 429, False),
        (Fault(FaultKind.REDIRECT), 307, False),
        (Fault(FaultKind.REJECT_CALL, custom_ids=("a",)), 400, False),
        (Fault(FaultKind.REJECT_CALL, custom_ids=("z",)), 202, True),
        (Fault(FaultKind.GARBAGE), 202, True),
        (Fault(FaultKind.CUT_BEFORE), 0, False),
        (Fault(FaultKind.CUT_AFTER, reset=True), 0, True),
        (Fault(FaultKind.SLOW, seconds=0.001), 202, True),
    ],
)
def test_faults_before_and_after_applying(fault: Fault, status: int, applied: bool) -> None:
    caller = Caller(fault)
    assert caller.reply([op("a")]).status == status
    assert bool(caller.held) is applied
    assert bool(caller.tally.applied) is applied
    assert caller.violations == []


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        (Fault(FaultKind.STATUS, retry_after=7), "7"),
        (Fault(FaultKind.STORM, requests=1, retry_after=7), "7"),
        (Fault(FaultKind.STATUS, retry_after=7, retry_after_date=True), "Mon, 01 Jan 2024 12:00:08 GMT"),
        (Fault(FaultKind.STATUS), None),
    ],
)
def test_retry_after_of_a_fault(fault: Fault, header: str | None) -> None:
    assert dict(Caller(fault).reply([op("a")]).headers).get("retry-after") == header


def test_row_rejections_on_demand_are_no_violations() -> None:
    caller = Caller(
        Fault(FaultKind.REFUSE_ROWS, custom_ids=("b",), reason="no thanks", category="X"),
        Fault(FaultKind.REFUSE_ATTRIBUTE, When(times=1), attributes=("y",)),
    )
    _, answer = caller.call([op("c", Bad=1), op("b", x=1), op("a", x=1, y=1)])
    assert [(error["bulk_index"], error.get("attribute")) for error in answer["errors"]] == [
        (0, "Bad"),
        (1, None),
        (2, "y"),
    ]
    assert answer["errors"][1] == {"category": "X", "bulk_index": 1, "reason": "no thanks"}
    assert caller.held == {"c": {}, "a": {"x": 1}}
    assert caller.violations == [Violation.REFUSED_ATTRIBUTE]
    assert (caller.tally.custom_ids, caller.tally.attributes) == (["c", "a"], ["x"])


def test_retry_after_is_never_too_early() -> None:
    assert retry_after_header(0.2, NOON, as_date=False) == "1"
    assert retry_after_header(0.5, NOON, as_date=True) == "Mon, 01 Jan 2024 12:00:01 GMT"
    assert retry_after_header(0.6, NOON, as_date=True) == "Mon, 01 Jan 2024 12:00:02 GMT"


GOOD = {
    "authorization": "Bearer sandbox",
    "x-batch-project": "project_sandbox",
    "content-type": "application/json",
}


def test_valid_headers() -> None:
    tally = Tally()
    check_caller(SandboxSettings(), "2.11", GOOD, tally)
    for content_type in (
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
    ):
        check_content({**GOOD, "content-type": content_type}, tally)
    assert tally.violations == []


@pytest.mark.parametrize(
    ("version", "changes", "status"),
    [
        ("2.99", {}, 404),
        ("1.0", {}, 404),
        ("v2", {"authorization": ""}, 404),
        ("2.11", {"authorization": None}, 401),
        ("2.11", {"authorization": "sandbox"}, 401),
        ("2.11", {"authorization": "Bearer sandboxx"}, 401),
        ("2.11", {"authorization": "bearer sandbox"}, 401),
        ("2.11", {"authorization": "Bearer é"}, 401),
        ("2.11", {"x-batch-project": None}, 400),
        ("2.11", {"x-batch-project": ""}, 400),
        ("2.11", {"x-batch-project": "project_other"}, 401),
    ],
)
def test_rejected_callers(version: str, changes: dict[str, str | None], status: int) -> None:
    headers = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    tally = Tally()
    with pytest.raises(RefusedCallError) as refused:
        check_caller(SandboxSettings(), version, headers, tally)
    assert refused.value.reply.status == status
    assert b"sandboxx" not in refused.value.reply.body
    assert len(tally.violations) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"content-type": None},
        {"content-type": "text/plain"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
)
def test_rejected_content(changes: dict[str, str | None]) -> None:
    tally = Tally()
    with pytest.raises(RefusedCallError) as refused:
        check_content(
            {name: value for name, value in {**GOOD, **changes}.items() if value is not None}, tally
        )
    assert refused.value.reply.status == 400
    assert [violation for violation, _ in tally.violations] == [Violation.WRONG_CONTENT]


def test_the_recorder_keeps_the_last_requests_and_fewer_bodies() -> None:
    recorder = Recorder(keep_requests=4, keep_bodies=2)
    for number in range(6):
        tally = recorder.begin()
        tally.size, tally.body, tally.answer = 1, bytes([number]), bytes([number, 0])
        recorder.finish(tally, at="", method="POST", path="/", status=202, seconds=0.0)
    assert [(entry.number, entry.body, entry.answer) for entry in recorder.requests] == [
        (3, None, None),
        (4, None, None),
        (5, b"\x04", b"\x04\x00"),
        (6, b"\x05", b"\x05\x00"),
    ]
    assert recorder.stats().statuses == {202: 6}


def test_the_recorder_counts_requests_in_flight_and_can_be_cleared() -> None:
    recorder = Recorder(keep_requests=2, keep_bodies=0)
    for _ in range(3):
        recorder.begin()
    tally = Tally(custom_ids=["a"], body=b"x")
    tally.violate(Violation.MALFORMED, "why")
    recorder.finish(tally, at="", method="POST", path="/", status=0, seconds=0.0)
    stats = recorder.stats()
    assert (stats.in_flight, stats.max_in_flight, stats.statuses) == (2, 3, {0: 1})
    assert (stats.violations, stats.examples) == ({"malformed_body": 1}, ["malformed_body: why"])
    assert recorder.requests[0].body is None
    assert recorder.stats(custom_ids=False).custom_ids == {}
    late = recorder.begin()
    recorder.clear()
    recorder.finish(late, at="", method="POST", path="/", status=202, seconds=0.0)
    stats = recorder.stats()
    assert (stats.in_flight, stats.requests, stats.statuses, recorder.requests) == (0, 0, {}, ())


def test_a_call_started_before_a_reset_changes_nothing() -> None:
    sandbox = Caller().sandbox
    admitted = sandbox.admit("update", json.dumps([op("a")]).encode(), sandbox.recorder.begin())
    sandbox.reset()
    assert sandbox.settle(admitted).status == 202
    assert dict(sandbox.store.profiles) == {}


def test_examples_are_bounded_and_counts_are_not() -> None:
    caller = Caller(keep_requests=1)
    caller.call([op("a", **{f"B{n}": 1 for n in range(50)}), op("b", **{f"B{n}": 1 for n in range(50)})])
    recorder = caller.sandbox.recorder
    recorder.begin()
    recorder.finish(caller.tally, at="", method="POST", path="/", status=202, seconds=0.0)
    assert (recorder.stats().violations.total(), len(recorder.stats().examples)) == (100, 50)
