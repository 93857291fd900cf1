"""A profile's history: which request changed what."""

from __future__ import annotations

from harness.caller import Caller

from dbt_batch_sync.sandbox.history import Change, Entry, History
from dbt_batch_sync.sandbox.values import TypedValue


def write(caller: Caller, custom_id: str, **attributes: object) -> None:
    caller.post("update", [{"identifiers": {"custom_id": custom_id}, "attributes": attributes}])


def number(value: int) -> TypedValue:
    return TypedValue("integer", value)


def test_old_and_new_values_by_request() -> None:
    caller = Caller()
    write(caller, "a", x=1, y=1)
    write(caller, "a", x=2, y=1, z=None)
    write(caller, "a", y=None, l={"$add": ["k"]})
    write(caller, "b", x=1)
    third, second, first = caller.sandbox.store.history.of("a")
    assert first.changes == [Change("x", None, number(1)), Change("y", None, number(1))]
    assert second.changes == [Change("x", number(1), number(2))]
    assert third.changes == [
        Change("l", None, TypedValue("string_array", ("k",))),
        Change("y", number(1), None),
    ]
    caller.sandbox.reset()
    assert caller.sandbox.store.history.of("a") == []


def test_only_the_latest_changes_are_kept() -> None:
    history = History(keep=3)
    for request, custom_id in enumerate("abab", 1):
        history.add(custom_id, Entry(request, "", {}, {}))
    assert [entry.request for entry in history.of("a")] == [3]
    assert [entry.request for entry in history.of("b")] == [4, 2]
    for request in (5, 6, 7):
        history.add("c", Entry(request, "", {}, {}))
    assert history.of("a") == history.of("b") == []
    assert not History(keep=0).keeps
