"""The mappings of audiences, catalogs and events."""

from __future__ import annotations

from datetime import datetime

import pytest

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.catalog import CATALOG, EDIT
from dbt_batch_sync.kinds.events import EVENTS
from dbt_batch_sync.ledger.state import Built
from dbt_batch_sync.mapping.mapping import Mapping, OnExit
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

VIPS: dict[str, object] = {
    "kind": "audience",
    "identifier": "id",
    "audience": "vips",
    "attributes": ["First"],
}
ORDERS: dict[str, object] = {
    "kind": "events", "identifier": "id", "event_id": "order_id", "name": {"value": "bought"}, "time": "at",
}  # fmt: skip
NOW = datetime(2026, 3, 1)
SHOP: dict[str, object] = {"kind": "catalog", "identifier": "sku", "catalog": "products", "fields": ["title"]}


def parse(raw: object) -> Mapping:
    return parse_mapping("s", raw, "f.yml")


def problems(raw: object) -> dict[str, str]:
    with pytest.raises(MappingError) as caught:
        parse(raw)
    return {each.key.removeprefix("batch_sync."): each.message for each in caught.value.problems}


def test_an_audience() -> None:
    mapping = parse(VIPS)
    assert (mapping.kind, mapping.target, mapping.on_exit) == (AUDIENCE, "audience vips", OnExit.FLAG)
    assert [(each.column, each.name, each.key) for each in mapping.attributes] == [
        ("First", "first", "attributes[0]")
    ]
    assert (mapping.guards.min_rows, mapping.guards.max_exit_ratio) == (1, 0.5)
    assert parse({**VIPS, "guards": {"max_exit_ratio": None}}).guards.max_exit_ratio is None
    assert AUDIENCE.envelope(mapping) == (b'{"name":"vips","ids":[', b"]}")
    assert mapping.project_hash("p") == "p/audience vips"
    assert parse({"kind": "audience", "identifier": "id", "audience": "vips"}).attributes == ()


def test_a_catalog() -> None:
    mapping = parse(SHOP)
    assert (mapping.kind, mapping.target, mapping.on_exit) == (CATALOG, "catalog products", OnExit.FLAG)
    assert mapping.guards.max_exit_ratio == 0.2
    ignoring = parse({**SHOP, "on_exit": "ignore", "guards": {"max_exit_ratio": 0.1}})
    assert (ignoring.on_exit, ignoring.guards.max_exit_ratio) == (OnExit.IGNORE, None)
    assert CATALOG.envelope(mapping) == (b'{"name":"products","items":[', b"]}")
    assert CATALOG.route(mapping.endpoint, 10**6) is EDIT


def test_events() -> None:
    mapping = parse({**ORDERS, "label": "shop", "attributes": ["amount"]})
    assert (mapping.kind, mapping.at_most_once, mapping.undated) == (EVENTS, False, False)
    assert [(each.column, each.name) for each in mapping.attributes] == [
        ("order_id", "event_id"), ("at", "batch__time"), ("shop", "batch__label"), ("amount", "amount"),
    ]  # fmt: skip
    assert (mapping.endpoint, mapping.guards.max_rows) == ("update", 100_000)
    named = parse({**ORDERS, "name": "type", "on_doubt": "skip", "too_old": "now"})
    assert (named.at_most_once, named.undated) == (True, True)
    assert ("type", "batch__name") in [(each.column, each.name) for each in named.attributes]


@pytest.mark.parametrize(("on_exit", "rows"), [("remove", 2_000_000), ("ignore", 1_999_990)])
def test_the_most_items_of_a_catalog(on_exit: str, rows: int) -> None:
    """With `ignore`, items that left the model stay in the catalog."""
    mapping, output = parse({**SHOP, "on_exit": on_exit}), Output("sandbox")

    def stops(more: int) -> list[str]:
        known = (
            {"known_rows": rows + more, "inserts": 10} if on_exit == "ignore" else {"known_rows": 3_000_000}
        )
        model = 20 if on_exit == "ignore" else rows + more
        return list(CATALOG.stops(mapping, Built("d", NOW, model_rows=model, **known), output))

    assert stops(0) == []
    assert stops(1) == ["the catalog would have 2,000,001 items, and Batch takes at most 2,000,000"]


def test_display_names_do_not_change_the_hash() -> None:
    assert parse({**VIPS, "display_name": "VIPs"}).hash == parse(VIPS).hash
    assert parse({**VIPS, "audience": "others"}).hash != parse(VIPS).hash


@pytest.mark.parametrize(
    ("raw", "key", "said"),
    [
        ({**VIPS, "audience": "a b"}, "audience", "is not an audience's name"),
        ({**VIPS, "audience": "x" * 256}, "audience", "is not an audience's name"),
        (
            {**VIPS, "standard": {}},
            "standard",
            "unknown key; accepted keys: `kind`, `identifier`, `audience`",
        ),
        ({**VIPS, "guards": {"never_resubscribe": True}}, "guards.never_resubscribe", "unknown key"),
        ({**VIPS, "attributes": [f"a{n}" for n in range(16)]}, "attributes", "lists 16 columns"),
        ({**VIPS, "attributes": ["a", "A"]}, "attributes[1]", "already listed as `a`"),
        ({**VIPS, "attributes": ["custom_id"]}, "attributes[0]", "reserved"),
        (
            {**VIPS, "attributes": [{"column": "a", "on_null": "keep"}]},
            "attributes[0].on_null",
            "unknown key",
        ),
        (
            {**VIPS, "attributes": [{"column": "a", "type": "boolean"}]},
            "attributes[0].type",
            "must be one of `string`, `integer`, `float`, `date`, `url`, `string_array`, not `boolean`",
        ),
        ({**ORDERS, "guards": {"max_rows": None}}, "guards.max_rows", "null"),
        ({**ORDERS, "guards": {"min_rows": 1}}, "guards.min_rows", "unknown key"),
        ({**ORDERS, "name": {"value": "Order placed"}}, "name.value", "for example `order_placed`"),
        ({**ORDERS, "name": {}}, "name.value", "the events' name"),
        ({**ORDERS, "name": {"value": "a", "column": "type"}}, "name.column", "unknown key"),
        ({**ORDERS, "on_doubt": "never"}, "on_doubt", "must be one of `resend`, `skip`, not `never`"),
        ({**ORDERS, "too_old": "send"}, "too_old", "must be one of `reject`, `now`, not `send`"),
        ({**ORDERS, "memory_days": 1}, "memory_days", "2 to 90"),
        ({**ORDERS, "attributes": [f"a{n}" for n in range(21)]}, "attributes", "21 columns"),
        (
            {**ORDERS, "label": "l", "tags": "t", "attributes": [f"a{n}" for n in range(19)]},
            "attributes",
            "at most 18",
        ),
        ({**ORDERS, "attributes": ["event_id"]}, "attributes[0]", "reserved"),
        ({**SHOP, "catalog": "Products"}, "catalog", "is not a catalog's name"),
        ({**SHOP, "fields": []}, "fields", "must list 1 to 25 columns"),
        ({**SHOP, "fields": [f"f{n}" for n in range(26)]}, "fields", "at most 25"),
        ({**SHOP, "on_exit": "clear"}, "on_exit", "must be one of `remove`, `ignore`, not `clear`"),
    ],
)
def test_invalid_values(raw: dict[str, object], key: str, said: str) -> None:
    found = problems(raw)
    assert list(found) == [key]
    assert said in found[key]


def test_missing_keys() -> None:
    assert set(problems({"kind": "audience"})) == {"identifier", "audience"}
    assert set(problems({"kind": "catalog"})) == {"identifier", "catalog", "fields"}
