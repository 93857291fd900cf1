"""Catalogs: the model's items are sent whole, to a catalog with the mapped fields."""

from __future__ import annotations

import pytest
from harness.databases import Row
from harness.project import Project

COLUMNS = {"sku": "varchar", "title": "varchar", "price": "double", "img": "varchar", "tags": "varchar[]"}
MAPPING: dict[str, object] = {
    "kind": "catalog",
    "identifier": "sku",
    "catalog": "products",
    "fields": ["title", "price", {"column": "img", "name": "image", "type": "url"}, "tags"],
    "guards": {"max_exit_ratio": None},
}
BREAD: Row = {"sku": "true", "title": "Bread", "price": 2.5, "img": "https://x.fr/b.png", "tags": ["a", "b"]}
CAKE: Row = {"sku": "cake", "title": "x" * 10_000}


@pytest.fixture
def shop(project: Project) -> Project:
    project.map(MAPPING)
    project.set_rows(COLUMNS, [BREAD, CAKE, {"sku": "pie"}])
    return project


def test_items_are_added_changed_and_removed(shop: Project) -> None:
    pushed = shop.sync()
    assert (pushed.status, pushed.kind, pushed.requests) == ("succeeded", "catalog", 1)
    catalog = shop.sandbox.catalogs["products"]
    assert catalog.fields == {"title": "string", "price": "float", "image": "url", "tags": "array"}
    bread = {"title": "Bread", "price": 2.5, "image": "https://x.fr/b.png", "tags": ("a", "b")}
    assert catalog.items == {"true": bread, "cake": {"title": "x" * 10_000}, "pie": {}}

    shop.set_rows(COLUMNS, [{**BREAD, "price": None}, {"sku": "pie"}])
    pushed = shop.sync()
    assert (pushed.updates, pushed.exits) == (1, 1)
    items = shop.sandbox.catalogs["products"].items
    assert items == {"true": {key: each for key, each in bread.items() if key != "price"}, "pie": {}}
    assert not shop.sync().requests
    assert not shop.sandbox.stats.violations


def test_on_exit_ignore_keeps_items(shop: Project) -> None:
    shop.map({**MAPPING, "on_exit": "ignore"})
    shop.sync()
    shop.set_rows(COLUMNS, [BREAD])
    assert not shop.sync().requests
    assert set(shop.sandbox.catalogs["products"].items) == {"true", "cake", "pie"}
    shop.set_rows(COLUMNS, [BREAD, {"sku": "pie", "title": "Pie"}])
    assert shop.sync().accepted == 1
    assert shop.sandbox.catalogs["products"].items["pie"] == {"title": "Pie"}


def test_new_fields_are_added_and_others_stay(shop: Project) -> None:
    shop.sync()
    shop.map({**MAPPING, "fields": ["title", {"column": "price", "name": "cost"}]})
    shop.sync()
    catalog = shop.sandbox.catalogs["products"]
    assert catalog.fields["cost"] == "float"
    assert catalog.fields["price"] == "float"
    assert catalog.items["true"]["cost"] == 2.5


def test_a_changed_type_stops(shop: Project) -> None:
    shop.sync()
    shop.map({**MAPPING, "fields": ["title", {"column": "price", "type": "string"}]})
    pushed = shop.sync()
    assert pushed.status == "failed"
    assert "`price` is float in Batch and string in the model" in str(pushed.error)
    assert shop.sandbox.catalogs["products"].fields["price"] == "float"


def test_invalid_item_ids(shop: Project) -> None:
    bad = (
        {"sku": None},
        {"sku": " "},
        {"sku": "x" * 512},
        {"sku": "a\nb"},
        {"sku": "a\tb"},
        {"sku": "a\u0085"},
        {"sku": "twice"},
        {"sku": "twice"},
    )
    shop.set_rows(COLUMNS, [BREAD, *bad])
    pushed = shop.sync()
    assert (pushed.status, pushed.invalid) == ("partial", 8)
    assert set(shop.sandbox.catalogs["products"].items) == {"true"}


def test_values_that_batch_would_reject_are_held_back(shop: Project) -> None:
    many, long = ["t"] * 16, ["t" * 65]
    shop.set_rows(COLUMNS, [{**BREAD, "tags": many}, {**CAKE, "title": "x" * 10_001, "tags": long}])
    pushed = shop.sync()
    assert pushed.rejected_attributes == 3
    found = shop.rejects()
    assert found == {
        ("true", "tags"): "too_many_items",
        ("cake", "title"): "too_long",
        ("cake", "tags"): "too_long",
    }
