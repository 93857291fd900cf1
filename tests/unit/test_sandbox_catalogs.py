"""The sandbox's catalogs: fields, items, and what is rejected."""

from __future__ import annotations

from typing import Any

import pytest
from harness.caller import Caller

from dbt_batch_sync.sandbox.record import Violation

TYPES = {
    "tags": "array",
    "new": "bool",
    "since": "date",
    "price": "float",
    "stock": "integer",
    "title": "string",
    "image": "url",
}
WHOLE: dict[str, object] = {
    "tags": ["x" * 64] * 15,
    "new": True,
    "date(since)": "2024-01-01T00:00:00Z",
    "price": 1,
    "stock": -(2**63),
    "title": "x" * 10_000,
    "url(image)": "https://e.com/" + "x" * 2034,
}


def fields(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in types.items()]


def add(item: object, **attributes: object) -> dict[str, object]:
    return {"id": item, "action": "add", "attributes": attributes}


def with_products(**settings: Any) -> Caller:
    caller = Caller(rate_limits=False, **settings)
    assert caller.post("catalogs/create", {"name": "products", "fields": fields(**TYPES)}) == (201, {})
    return caller


def edit(caller: Caller, *items: object, name: str = "products") -> tuple[int, Any]:
    return caller.post("catalogs/items/edit", {"name": name, "items": list(items)})


def items(caller: Caller) -> dict[str, dict[str, Any]]:
    return caller.sandbox.catalogs.catalogs["products"].items


def test_items_are_added_changed_and_removed() -> None:
    caller = with_products()
    status, answer = edit(caller, add("a", **WHOLE), add("b", title="B"), add("c"))
    assert (status, list(answer)) == (202, ["indexing_token"])
    assert (caller.tally.operations, caller.tally.applied, caller.violations) == (3, 3, [])
    assert items(caller)["a"]["since"] == "2024-01-01T00:00:00Z"
    assert items(caller)["b"] == {"title": "B"}
    edit(caller, {"id": "a", "action": "remove"}, {"id": "nothing", "action": "remove"}, add("b", stock=1))
    assert items(caller) == {"b": {"stock": 1}, "c": {}}
    edit(caller, add("b", stock=2), add("b", stock=3))
    assert (items(caller)["b"], caller.violations) == ({"stock": 3}, [Violation.DUPLICATE_IDENTIFIER])


@pytest.mark.parametrize(
    ("second_write", "item"), [("replace", {"stock": 1}), ("merge", {"title": "B", "stock": 1})]
)
def test_a_second_write(second_write: str, item: dict[str, object]) -> None:
    caller = with_products(second_write=second_write)
    edit(caller, add("b", title="B"))
    edit(caller, add("b", stock=1))
    assert items(caller) == {"b": item}


@pytest.mark.parametrize(
    ("form", "statuses"),
    [("wrapped", [202, 400, 400]), ("plain", [400, 202, 400]), ("either", [202, 202, 400])],
)
def test_names_of_dates_and_urls(form: str, statuses: list[int]) -> None:
    caller = with_products(item_names=form)
    date, url = "2024-01-01T00:00:00Z", "https://e.com"
    names = [("date(since)", "url(image)"), ("since", "image"), ("url(since)", "date(image)")]
    assert [edit(caller, add("a", **{one: date, other: url}))[0] for one, other in names] == statuses
    assert items(caller) == {"a": {"since": date, "image": url}}


@pytest.mark.parametrize(
    ("form", "second_write", "status", "item"),
    [
        ("400", "merge", 400, {"title": "B", "stock": 1}),
        ("clear", "merge", 202, {"stock": 1}),
        ("clear", "replace", 202, {}),
    ],
)
def test_nulls(form: str, second_write: str, status: int, item: dict[str, object]) -> None:
    caller = with_products(item_nulls=form, second_write=second_write)
    edit(caller, add("b", title="B", stock=1))
    assert edit(caller, add("b", title=None))[0] == status
    assert items(caller) == {"b": item}


def test_view_and_the_delay_of_indexing() -> None:
    caller = with_products(indexing_delay=5.0)
    token = edit(caller, add("a", title="x"))[1]["indexing_token"]
    described = {"name": "products", "fields": fields(**TYPES), "created": "2024-01-01T12:00:00Z"}
    before = {
        **described,
        "items": 0,
        "size": 0,
        "updated": "2024-01-01T12:00:00Z",
        "indexing_state": "IN_PROGRESS",
    }
    assert caller.get("catalogs/view", name="products", indexing_token=token) == (200, before)
    caller.moment.seconds = 5.0
    status, after = caller.get("catalogs/view", name="products", indexing_token=token)
    assert (status, after["items"], after["indexing_state"]) == (200, 1, "APPLIED")
    assert after["size"] == len('{"title": "x"}')
    edit(caller, add("a", title="xy"), add("b", stock=1), {"id": "b", "action": "remove"})
    caller.moment.seconds = 10.0
    assert caller.get("catalogs/view", name="products")[1]["size"] == len('{"title": "xy"}')
    assert caller.get("catalogs/view", name="other")[0] == 404
    assert caller.get("catalogs/view", name="products", indexing_token="x")[0] == 400


def test_fields_are_added_and_removed_with_their_values() -> None:
    caller = with_products()
    edit(caller, add("a", title="A", stock=1))
    changes = [{"action": "remove", "name": "title"}, {"action": "add", "name": "colour", "type": "string"}]
    assert caller.post("catalogs/update", {"name": "products", "fields": changes}) == (202, {})
    assert items(caller) == {"a": {"stock": 1}}
    assert edit(caller, add("b", title="B"))[0] == 400
    assert edit(caller, add("b", colour="red"))[0] == 202


@pytest.mark.parametrize(("form", "status"), [("409", 409), ("400", 400), ("accept", 201)])
def test_creating_an_existing_one(form: str, status: int) -> None:
    caller = with_products(on_existing=form)
    edit(caller, add("a"))
    again = {"name": "products", "fields": fields(other="string")}
    assert caller.post("catalogs/create", again)[0] == status
    assert caller.violations == []
    assert caller.sandbox.catalogs.catalogs["products"].fields == TYPES
    assert list(items(caller)) == ["a"]


@pytest.mark.parametrize(("form", "status"), [("404", 404), ("400", 400), ("accept", 202)])
def test_writing_to_a_missing_one(form: str, status: int) -> None:
    caller = Caller(rate_limits=False, on_missing=form)
    assert edit(caller, add("a"))[0] == status
    change = [{"action": "add", "name": "a", "type": "url"}]
    assert caller.post("catalogs/update", {"name": "products", "fields": change})[0] == status
    assert caller.violations == []
    assert not caller.sandbox.catalogs.catalogs


def test_maximum_of_five_catalogs_and_their_items() -> None:
    caller = Caller(rate_limits=False, max_items=2)
    created = [
        caller.post("catalogs/create", {"name": f"c{number}", "fields": fields(a="bool")})[0]
        for number in range(6)
    ]
    assert created == [201] * 5 + [400]
    assert edit(caller, add("a"), add("b"), name="c0")[0] == 202
    assert edit(caller, add("b"), {"id": "a", "action": "remove"}, name="c0")[0] == 202
    assert edit(caller, add("c"), add("d"), name="c0")[0] == 400
    assert edit(caller, add("c"), name="c0")[0] == 202


def test_five_calls_and_a_thousand_items_per_second() -> None:
    caller = Caller()
    caller.post("catalogs/create", {"name": "products", "fields": fields(a="bool")})
    full = [add(f"c{number}") for number in range(200)]
    assert [edit(caller, *full)[0] for _ in range(5)] == [202] * 4 + [429]
    caller.moment.seconds = 0.2
    assert [edit(caller, *full)[0] for _ in range(2)] == [202, 429]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"name": "a"},
        {"name": "a", "fields": []},
        {"name": "a", "fields": {}},
        {"name": "a", "fields": fields(**{f"f{number}": "bool" for number in range(26)})},
        {"name": "a", "fields": fields(a="boolean")},
        {"name": "a", "fields": [{"name": "a", "type": []}]},
        {"name": "a", "fields": [{"name": "a"}]},
        {"name": "a", "fields": fields(A="bool")},
        {"name": "a", "fields": [*fields(a="bool"), *fields(a="url")]},
        {"name": "A", "fields": fields(a="bool")},
        {"name": "a", "fields": fields(a="bool"), "type": "x"},
    ],
)
def test_rejected_creations(body: object) -> None:
    caller = Caller(rate_limits=False)
    assert caller.post("catalogs/create", body)[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert not caller.sandbox.catalogs.catalogs


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [{"action": "add", "name": "title", "type": "string"}],
        [{"action": "add", "name": "title", "type": "url"}],
        [{"action": "add", "name": "colour"}],
        [{"action": "remove", "name": "colour"}],
        [{"action": "remove", "name": "title", "type": "string"}],
        [{"action": "set", "name": "title"}],
        [{"action": "remove", "name": name} for name in TYPES],
        [{"action": "add", "name": f"f{number}", "type": "bool"} for number in range(19)],
    ],
)
def test_rejected_updates(changes: object) -> None:
    caller = with_products()
    assert caller.post("catalogs/update", {"name": "products", "fields": changes})[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert caller.sandbox.catalogs.catalogs["products"].fields == TYPES


@pytest.mark.parametrize(
    "item",
    [
        1,
        {"id": "a"},
        {"action": "add"},
        {"id": "a", "action": "update"},
        {"id": "a", "action": "remove", "attributes": {}},
        {"id": "a", "action": "add", "attributes": []},
        add(""),
        add(1),
        add("x" * 512),
        add("a", colour="red"),
        add("a", title=None),
        add("a", title=1),
        add("a", title=""),
        add("a", title="x" * 10_001),
        add("a", tags=[]),
        add("a", tags=["x"] * 16),
        add("a", tags=["x" * 65]),
        add("a", tags=[1]),
        add("a", tags="x"),
        add("a", new=1),
        add("a", stock=1.5),
        add("a", stock=True),
        add("a", stock=2**63),
        add("a", price="1"),
        add("a", price=True),
        add("a", since="2024-01-01T00:00:00Z"),
        add("a", **{"date(since)": "2024-01-01"}),
        add("a", image="https://e.com"),
        add("a", **{"url(image)": "e.com"}),
        add("a", **{"url(title)": "https://e.com"}),
    ],
)
def test_edits_rejected_as_a_whole(item: object) -> None:
    caller = with_products()
    assert edit(caller, add("good"), item)[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert items(caller) == {}


def test_two_hundred_items_per_call_and_rejection_on_demand() -> None:
    caller = with_products(reject_ids=frozenset({"c7"}))
    every = [add(f"c{number}") for number in range(201)]
    assert edit(caller, *every)[0] == 400
    assert edit(caller, *every[:200])[0] == 400
    assert caller.violations == []
    assert edit(caller, *every[:7], *every[8:])[0] == 202
    assert len(items(caller)) == 200
