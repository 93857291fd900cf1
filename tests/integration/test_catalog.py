"""Catalogs: the model's items are sent whole, to a catalog with the mapped fields."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from harness.databases import PostgresDatabase, Row
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import ON_DUCKDB, SOONER_ON_DUCKDB
from harness.quick import QuickProject

COLUMNS = {
    **{"sku": "varchar", "title": "varchar", "price": "double precision"},
    **{"img": "varchar", "tags": "varchar[]"},
}
MAPPING: dict[str, object] = {
    "kind": "catalog",
    "identifier": "sku",
    "catalog": "products",
    "fields": ["title", "price", {"column": "img", "name": "image", "type": "url"}, "tags"],
    "guards": {"max_exit_ratio": None},
}
BREAD: Row = {"sku": "true", "title": "Bread", "price": 2.5, "img": "https://x.fr/b.png", "tags": ["a", "b"]}
CAKE: Row = {"sku": "cake", "title": "x" * 10_000}


@pytest.fixture(scope="module")
def shared(
    either: PostgresDatabase | None, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    return QuickProject(tmp_path_factory.mktemp("catalog"), batch, either, mapping=MAPPING)


@pytest.fixture
def shop(shared: QuickProject, request: pytest.FixtureRequest) -> Iterator[QuickProject]:
    shared.clear()
    shared.map(MAPPING)
    shared.set_rows(COLUMNS, [BREAD, CAKE, {"sku": "pie"}])
    yield shared
    marker = request.node.get_closest_marker("forbidden")
    stats = shared.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples


def test_items_are_added_changed_and_removed(shop: QuickProject) -> None:
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


@SOONER_ON_DUCKDB
def test_on_exit_ignore_keeps_items(shop: QuickProject) -> None:
    shop.map({**MAPPING, "on_exit": "ignore"})
    shop.sync()
    shop.set_rows(COLUMNS, [BREAD])
    assert not shop.sync().requests
    assert set(shop.sandbox.catalogs["products"].items) == {"true", "cake", "pie"}
    shop.set_rows(COLUMNS, [BREAD, {"sku": "pie", "title": "Pie"}])
    assert shop.sync().accepted == 1
    assert shop.sandbox.catalogs["products"].items["pie"] == {"title": "Pie"}


def test_new_fields_are_added_and_others_stay(shop: QuickProject) -> None:
    shop.sync()
    shop.map({**MAPPING, "fields": ["title", {"column": "price", "name": "cost"}]})
    shop.sync()
    catalog = shop.sandbox.catalogs["products"]
    assert catalog.fields["cost"] == "float"
    assert catalog.fields["price"] == "float"
    assert catalog.items["true"]["cost"] == 2.5


@SOONER_ON_DUCKDB
def test_a_changed_type_stops(shop: QuickProject) -> None:
    shop.sync()
    shop.map({**MAPPING, "fields": ["title", {"column": "price", "type": "string"}]})
    pushed = shop.sync()
    assert pushed.status == "failed"
    assert "`price` is float in Batch and string in the model" in str(pushed.error)
    assert shop.sandbox.catalogs["products"].fields["price"] == "float"


@SOONER_ON_DUCKDB
def test_invalid_item_ids(shop: QuickProject) -> None:
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


@SOONER_ON_DUCKDB
def test_values_that_batch_would_reject_are_held_back(shop: QuickProject) -> None:
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


@ON_DUCKDB
@pytest.mark.forbidden("refused_call")
def test_a_sixth_catalog(shop: QuickProject) -> None:
    headers = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}
    for number in range(5):
        document = {"name": f"c{number}", "fields": [{"name": "title", "type": "string"}]}
        url = f"{shop.sandbox.url}/2.11/catalogs/create"
        assert requests.post(url, json=document, headers=headers, timeout=10).ok
    pushed = shop.sync()
    assert (pushed.status, pushed.requests) == ("failed", 0)
    assert "(a project has 5 catalogs): Batch rejected it" in str(pushed.error)


PLAIN = pytest.param("plain", marks=pytest.mark.forbidden("refused_call"))


@ON_DUCKDB
@pytest.mark.parametrize("form", ["wrapped", "either", PLAIN])
def test_undocumented_names_of_dates_and_urls(shop: QuickProject, form: str) -> None:
    """If Batch doesn't accept wrapped names, items with a date or a URL are rejected, not lost."""
    with shop.sandbox.changed(item_names=form):
        pushed = shop.sync()
    accepted = {"cake", "pie"} if form == "plain" else {"true", "cake", "pie"}
    assert (pushed.status, pushed.accepted) == (
        "succeeded" if len(accepted) == 3 else "partial",
        len(accepted),
    )
    assert set(shop.rejects()) == {(key, None) for key in {"true"} - accepted}
    assert set(shop.sandbox.catalogs["products"].items) == accepted
