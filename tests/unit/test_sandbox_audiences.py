"""The sandbox's audiences: what is applied, when, and what is rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from harness.caller import Caller, held

from dbt_batch_sync.sandbox.record import Violation

VIPS = {"name": "vips", "type": "custom_ids"}


def add(custom_id: object, **attributes: object) -> dict[str, object]:
    return {"action": "add", "id": custom_id, "attributes": attributes}


def remove(custom_id: str) -> dict[str, object]:
    return {"action": "remove", "id": custom_id}


def with_vips(*, indexing_delay: float = 0.0, **settings: Any) -> Caller:
    caller = Caller(rate_limits=False, **settings)
    assert caller.post("audiences/create", {**VIPS, "display_name": "Our VIPs"})[0] == 202
    caller.sandbox.settings = replace(caller.sandbox.settings, indexing_delay=indexing_delay)
    return caller


def update(caller: Caller, *ids: object, name: str = "vips") -> tuple[int, Any]:
    return caller.post("audiences/update", {"name": name, "ids": list(ids)})


def members(caller: Caller) -> dict[str, dict[str, object]]:
    audience = caller.sandbox.audiences.audiences["vips"]
    return {custom_id: held(attributes) for custom_id, attributes in audience.members.items()}


def test_members_are_added_and_removed() -> None:
    caller = with_vips()
    status, answer = update(caller, add("a", n=1), add("b", **{"date(d)": "2024-01-01T00:00:00Z"}), add("c"))
    assert (status, list(answer)) == (202, ["indexing_token"])
    assert (caller.tally.operations, caller.tally.applied, caller.violations) == (3, 3, [])
    assert members(caller) == {"a": {"n": 1}, "b": {"d": "2024-01-01T00:00:00Z"}, "c": {}}
    update(caller, remove("a"), remove("nobody"))
    assert list(members(caller)) == ["b", "c"]


def test_the_last_action_on_an_id_counts() -> None:
    caller = with_vips()
    update(caller, add("a", n=1), remove("a"), remove("b"), add("b", n=2), add("b", n=3))
    assert members(caller) == {"b": {"n": 3}}
    assert caller.violations == [Violation.DUPLICATE_IDENTIFIER]


@pytest.mark.parametrize(("second_write", "attributes"), [("replace", {"y": 2}), ("merge", {"x": 1, "y": 2})])
def test_a_second_add(second_write: str, attributes: dict[str, object]) -> None:
    caller = with_vips(second_write=second_write)
    update(caller, add("a", x=1))
    update(caller, add("a", y=2))
    assert members(caller) == {"a": attributes}


def test_view_and_the_delay_of_indexing() -> None:
    caller = with_vips(indexing_delay=5.0)
    caller.moment.seconds = 6.0
    token = update(caller, add("a"))[1]["indexing_token"]
    described = {
        "name": "vips",
        "display_name": "Our VIPs",
        "type": "CUSTOM_ID",
        "created": "2024-01-01T12:00:00Z",
    }
    before = {**described, "nb_ids": 0, "updated": "2024-01-01T12:00:00Z", "indexing_state": "IN_PROGRESS"}
    assert caller.get("audiences/view", name="vips") == (200, before)
    assert caller.get("audiences/view", name="vips", indexing_token=token) == (200, before)
    caller.moment.seconds = 11.0
    after = {**described, "nb_ids": 1, "updated": "2024-01-01T12:00:11Z", "indexing_state": "APPLIED"}
    assert caller.get("audiences/view", name="vips", indexing_token=token) == (200, after)
    assert caller.get("audiences/view", name="vips") == (200, after)
    assert caller.get("audiences/view", name="other")[0] == 404
    assert caller.get("audiences/view", name="vips", indexing_token="x")[0] == 400


def test_a_new_audience_exists_once_it_is_applied() -> None:
    caller = Caller(rate_limits=False, indexing_delay=5.0)
    assert caller.post("audiences/create", VIPS)[0] == 202
    assert (caller.get("audiences/view", name="vips")[0], update(caller, add("a"))[0]) == (404, 404)
    caller.moment.seconds = 5.0
    assert (caller.get("audiences/view", name="vips")[0], update(caller, add("a"))[0]) == (200, 202)


def test_replace_overrides_pending_changes() -> None:
    caller = with_vips(indexing_delay=5.0)
    first = update(caller, add("a"), add("b"))[1]["indexing_token"]
    caller.moment.seconds = 5.0
    second = update(caller, add("c"))[1]["indexing_token"]
    status, third = caller.post("audiences/replace", {"name": "vips", "ids": [{"id": "d"}, {"id": "a"}]})
    assert status == 202
    caller.moment.seconds = 10.0
    states = [
        caller.get("audiences/view", name="vips", indexing_token=token)[1]["indexing_state"]
        for token in (first, second, third["indexing_token"])
    ]
    assert states == ["APPLIED", "REPLACED", "APPLIED"]
    assert list(members(caller)) == ["d", "a"]


@pytest.mark.parametrize(("form", "status"), [("409", 409), ("400", 400), ("accept", 202)])
def test_creating_an_existing_one(form: str, status: int) -> None:
    caller = with_vips(on_existing=form)
    update(caller, add("a"))
    assert caller.post("audiences/create", {**VIPS, "display_name": "Other"})[0] == status
    assert caller.violations == []
    assert caller.sandbox.audiences.audiences["vips"].display_name == "Our VIPs"
    assert list(members(caller)) == ["a"]
    assert caller.post("audiences/create", {**VIPS, "name": "VIPS"})[0] == 202, (
        "names should be case-sensitive"
    )


@pytest.mark.parametrize(("form", "status"), [("404", 404), ("400", 400), ("accept", 202)])
@pytest.mark.parametrize("route", ["update", "replace", "remove"])
def test_writing_to_a_missing_one(form: str, status: int, route: str) -> None:
    caller = Caller(rate_limits=False, on_missing=form)
    ids = {"update": {"ids": [add("a")]}, "replace": {"ids": [{"id": "a"}]}}.get(route, {})
    assert caller.post(f"audiences/{route}", {"name": "vips", **ids})[0] == status
    assert caller.violations == []
    assert not caller.sandbox.audiences.audiences


def test_remove() -> None:
    caller = with_vips(indexing_delay=5.0)
    update(caller, add("a"))
    assert caller.post("audiences/remove", {"name": "vips"})[0] == 202
    assert caller.get("audiences/view", name="vips")[0] == 404
    caller.moment.seconds = 10.0
    assert caller.get("audiences/list")[1]["audiences"] == []


def test_list_by_pages() -> None:
    caller = Caller(rate_limits=False)
    for number in range(3):
        caller.post("audiences/create", {**VIPS, "name": f"a{number}"})
    _, first = caller.get("audiences/list", limit="2")
    assert ([each["name"] for each in first["audiences"]], first["count"]) == (["a0", "a1"], 2)
    assert first["has_more"] is True
    assert "indexing_state" not in first["audiences"][0]
    _, rest = caller.get("audiences/list", **{"from": first["next_from"]})
    assert ([each["name"] for each in rest["audiences"]], rest["has_more"]) == (["a2"], False)
    assert "next_from" not in rest
    for parameters in ({"limit": "101"}, {"limit": "0"}, {"limit": "x"}, {"page": "1"}):
        assert caller.get("audiences/list", **parameters)[0] == 400


def test_one_call_per_second_not_counting_rejected_calls() -> None:
    caller = Caller()
    assert caller.post("audiences/create", VIPS)[0] == 202
    assert update(caller, add(""))[0] == 400
    assert update(caller, add("a"))[0] == 429
    assert dict(caller.reply("audiences/view", {"name": "vips"}).headers)["retry-after"] == "1"
    caller.moment.seconds = 1.0
    assert update(caller, add("a"))[0] == 202
    assert list(members(caller)) == ["a"]


def test_an_id_rejected_on_demand_rejects_its_call() -> None:
    caller = with_vips(reject_ids=frozenset({"b"}))
    assert update(caller, add("a"), add("b"))[0] == 400
    assert (members(caller), caller.violations) == ({}, [])
    assert update(caller, add("a"))[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {"type": "custom_ids"},
        {"name": "a"},
        {**VIPS, "name": ""},
        {**VIPS, "name": "a b"},
        {**VIPS, "name": "é"},
        {**VIPS, "name": "a\n"},
        {**VIPS, "name": "a" * 256},
        {**VIPS, "name": 1},
        {**VIPS, "type": "emails"},
        {**VIPS, "display_name": ""},
        {**VIPS, "display_name": None},
        {**VIPS, "ids": []},
    ],
)
def test_rejected_creations(body: object) -> None:
    caller = Caller(rate_limits=False)
    assert caller.post("audiences/create", body)[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert not caller.sandbox.audiences.audiences


@pytest.mark.parametrize(
    "ids",
    [
        [],
        {},
        [add(f"c{number}") for number in range(10_001)],
        [1],
        [{"action": "add"}],
        [{"id": "a"}],
        [{"action": "set", "id": "a"}],
        [{**add("a"), "name": "x"}],
        [add("")],
        [add(1)],
        [add("null")],
        [add("a" * 512)],
        [{**remove("a"), "attributes": {}}],
        [add("a", **{f"x{number}": 1 for number in range(16)})],
        [{**add("a"), "attributes": []}],
        [add("a", X=1)],
        [add("a", n=None)],
        [add("a", n=True)],
        [add("a", n={})],
        [add("a", n={"$add": ["x"]})],
        [add("a", n="x" * 301)],
        [add("a", **{"date(d)": "2024-01-01"})],
        [add("a", **{"date(d)": 1.5})],
        [add("a", **{"url(u)": "example"})],
        [add("a", **{"$language": "fr"})],
        [add("a", **{"d": "x", "url(d)": "https://e.com"})],
    ],
)
def test_updates_rejected_as_a_whole(ids: list[object]) -> None:
    caller = with_vips()
    assert caller.post("audiences/update", {"name": "vips", "ids": ids})[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert members(caller) == {}


def test_ten_thousand_ids_with_every_type() -> None:
    caller = with_vips()
    typed: dict[str, object] = {"s": "x" * 300, "n": 2**63 - 1, "f": 1.5, "l": ["x"]}
    good = add("good", **typed, **{"date(d)": 1704067200, "url(u)": "https://e.com"})
    assert update(caller, good, *(add(f"c{number}") for number in range(9_999)))[0] == 202
    assert len(members(caller)) == 10_000


def test_a_reset_clears_audiences_and_pending_changes() -> None:
    caller = with_vips(indexing_delay=5.0)
    update(caller, add("a"))
    caller.sandbox.reset()
    caller.moment.seconds = 10.0
    assert caller.get("audiences/list")[1]["audiences"] == []
