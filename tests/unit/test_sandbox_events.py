"""The sandbox's events: rules, times, partial errors, and counts by id."""

from __future__ import annotations

from typing import Any

import pytest
from harness.caller import Caller, held

from dbt_batch_sync.sandbox.record import Violation

NOW = "2024-01-01T12:00:00Z"


def event(name: object = "order", time: object = NOW, **attributes: object) -> dict[str, object]:
    return {"name": name, "time": time, "attributes": attributes}


def send(caller: Caller, *events: object, custom_id: str = "a", **attributes: object) -> list[dict[str, Any]]:
    """Send events and return the partial errors."""
    operation: dict[str, object] = {"identifiers": {"custom_id": custom_id}, "events": list(events)}
    status, answer = caller.post(
        "update", [{**operation, "attributes": attributes} if attributes else operation]
    )
    assert status == 202
    errors: list[dict[str, Any]] = answer.get("errors", [])
    return errors


def names(caller: Caller) -> list[str]:
    return [stored.event.name for stored in caller.sandbox.events.last]


def test_an_event_is_stored_and_its_profile_created() -> None:
    caller = Caller()
    assert send(caller, event(amount=3.99), {"name": "login"}, x=1) == []
    assert (caller.violations, caller.tally.events, caller.tally.applied) == ([], 2, 1)
    assert held(caller.sandbox.store.profiles["a"].attributes) == {"x": 1}
    assert caller.sandbox.events.seen == {
        ("a", "order", NOW, '{"amount": 3.99}'): 1,
        ("a", "login", None, "{}"): 1,
    }
    assert [stored.event.name for stored in caller.sandbox.events.of("a")] == ["login", "order"]
    assert caller.sandbox.events.of("b") == []


def test_each_event_is_counted_by_its_id() -> None:
    caller = Caller()
    for number in (1, 2, 2):
        send(caller, event(order_id=number))
    assert caller.sandbox.events.seen_by("order_id") == {1: 1, 2: 2}
    assert caller.sandbox.events.total == 3
    caller.sandbox.reset()
    assert (caller.sandbox.events.seen, names(caller)) == ({}, [])


def test_counts_are_complete_or_an_error() -> None:
    caller = Caller(count_events=2)
    send(caller, event("a"), event("b"), event("a"))
    assert sorted(caller.sandbox.events.seen.values()) == [1, 2]
    send(caller, event("c"))
    with pytest.raises(RuntimeError, match="count_events"):
        _ = caller.sandbox.events.seen
    assert caller.sandbox.events.repeated == 1
    caller.sandbox.reset()
    assert caller.sandbox.events.seen == {}


def test_memory_is_bounded_and_counting_can_be_disabled() -> None:
    caller = Caller(keep_events=2, count_events=0)
    send(caller, *(event(f"e{number}") for number in range(5)))
    assert (names(caller), caller.sandbox.events.seen) == (["e3", "e4"], {})
    assert caller.sandbox.events.total == 5


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2023-12-31T12:00:00Z", None),
        ("2023-12-31T11:59:59Z", "the event is older than 24 hours"),
        ("2024-01-01T12:00:01Z", "the event is in the future"),
    ],
)
def test_old_and_future_events_are_rejected_individually(time: str, reason: str | None) -> None:
    caller = Caller()
    errors = send(caller, event("good"), event("other", time), x=1)
    if reason is None:
        assert (errors, names(caller)) == ([], ["good", "other"])
    else:
        assert errors == [{"category": "INVALID_EVENT_TIME", "bulk_index": 0, "reason": reason}]
        assert (names(caller), caller.violations) == (["good"], [Violation.UNTIMELY_EVENT])
        assert held(caller.sandbox.store.profiles["a"].attributes) == {"x": 1}
        assert send(Caller(event_skew=1.0), event("other", time)) == []


@pytest.mark.parametrize(("form", "attribute"), [("none", None), ("name", "late"), ("place", "events[1]")])
@pytest.mark.parametrize("on_demand", [False, True])
def test_the_format_of_a_partial_error(form: str, attribute: str | None, on_demand: bool) -> None:
    rejected = frozenset({"late"} if on_demand else ())
    caller = Caller(event_errors=form, reject_events=rejected)
    errors = send(caller, event("good"), event("late", NOW if on_demand else "2020-01-01T00:00:00Z"))
    assert [(error["bulk_index"], error.get("attribute")) for error in errors] == [(0, attribute)]
    assert names(caller) == ["good"]
    assert caller.violations == ([] if on_demand else [Violation.UNTIMELY_EVENT])


def deep(levels: int) -> object:
    return {"a": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    "good",
    [
        {"name": "0_a"},
        {"name": "a" * 30, "time": NOW},
        event(s="x" * 300, i=2**63 - 1, f=1.5, b=False, l=["x"] * 25, o={"a": {"b": 1}}),
        event(**{"$label": "x" * 200, "$tags": ["x" * 64] * 10, "date(d)": NOW, "url(u)": "https://e.com"}),
        event(items=[{"name": "Tee", "price": 23.99}, {"url(item)": "https://e.com"}] * 12),
        event(**{f"a{number}": number for number in range(20)}),
    ],
)
def test_accepted(good: object) -> None:
    caller = Caller()
    assert (send(caller, good), caller.violations, len(names(caller))) == ([], [], 1)


@pytest.mark.parametrize(
    "bad",
    [
        1,
        {},
        {"time": NOW},
        {"name": "a", "id": "x"},
        {"name": "a", "attributes": None},
        {"name": "a", "attributes": []},
        {"name": "a", "time": None},
        event(""),
        event("A"),
        event("a" * 31),
        event(1),
        event(time="2024-01-01"),
        event(time="2024-01-01T12:00:00.5Z"),
        event(time=1704110400),
        event(A=1),
        event(n=None),
        event(s=""),
        event(s="x" * 301),
        event(i=2**63),
        event(l=[]),
        event(l=["x"] * 26),
        event(l=["x", {"a": 1}]),
        event(l=[["x"]]),
        event(l=[1]),
        event(l=[{"a": None}]),
        event(o={"a": {"b": {"c": 1}}}),
        event(o={"$label": "x"}),
        event(**{"$label": ""}),
        event(**{"$label": "x" * 201}),
        event(**{"$tags": ["x"] * 11}),
        event(**{"$tags": ["x" * 65]}),
        event(**{"$tags": []}),
        event(**{"$other": "x"}),
        event(**{"date(d)": "2024-01-01"}),
        event(**{"date(d)": NOW, "d": 1}),
        event(**{"url(u)": "e.com"}),
        event(**{f"a{number}": number for number in range(21)}),
        event(items=[{f"s{number}": "x" * 100 for number in range(20)}] * 13),
    ],
)
def test_refused_alone(bad: object) -> None:
    caller = Caller()
    errors = send(caller, event("good"), bad)
    assert [(error["bulk_index"], error.get("attribute")) for error in errors] == [(0, None)]
    assert (names(caller), caller.violations) == (["good"], [Violation.REFUSED_EVENT])


def test_fifteen_events_per_profile_and_call() -> None:
    caller = Caller()
    assert send(caller, *[event()] * 15) == []
    assert [error["category"] for error in send(caller, *[event()] * 16)] == ["TOO_MANY_EVENTS"]
    assert len(names(caller)) == 15


def test_events_of_an_erased_profile_are_discarded() -> None:
    caller = Caller()
    person = {"type": "custom_id", "value": "a"}
    caller.post("gdpr/request", {"request_type": "remove", "id": person})
    assert send(caller, event()) == []
    assert names(caller) == []
