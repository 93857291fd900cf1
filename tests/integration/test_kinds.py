"""An audience and a catalog in one project: what the verbs report, on DuckDB and PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness.databases import PostgresDatabase, PostgresServer, Row
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

VIPS: dict[str, object] = {
    "kind": "audience",
    "identifier": "id",
    "audience": "vips",
    "attributes": ["first"],
    "guards": {"max_exit_ratio": None},
}
SHOP: dict[str, object] = {
    "kind": "catalog",
    "identifier": "sku",
    "catalog": "products",
    "fields": ["title", "price", "sold_at", "tags"],
    "guards": {"max_exit_ratio": None},
}
PEOPLE: list[Row] = [{"id": "ann", "first": "Ann"}, {"id": "bob"}]
ITEMS: list[Row] = [
    {"sku": "p1", "title": "Bread", "price": "2.5", "sold_at": "2026-01-02 03:04:05", "tags": ["a"]},
    {"sku": "p2", "title": "Pie"},
]


def columns(postgres: bool) -> tuple[dict[str, str], dict[str, str]]:
    text, array = ("text", "text[]") if postgres else ("varchar", "varchar[]")
    number = "double precision" if postgres else "double"
    items = {"sku": text, "title": text, "price": number, "sold_at": "timestamp", "tags": array}
    return {"id": text, "first": text}, items


def fill(project: Project, people: list[Row], items: list[Row]) -> None:
    of_people, of_items = columns(project.warehouse.adapter == "postgres")
    project.set_rows(of_people, people, "vips")
    project.set_rows(of_items, items, "shop")


def held(project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    members = project.sandbox.audiences["vips"].members
    found = {key: {name: each.value for name, each in cells.items()} for key, cells in members.items()}
    return found, project.sandbox.catalogs["products"].items


@pytest.fixture(params=["duckdb", "postgres"])
def both(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    warehouse = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        warehouse = PostgresDatabase(server)
    batch.reset()
    project = Project(tmp_path_factory.mktemp("kinds"), batch, warehouse)
    project.map(VIPS, "vips")
    project.map(SHOP, "shop")
    fill(project, PEOPLE, ITEMS)
    return project


def test_both_match_their_models(both: Project) -> None:
    both.build()
    assert {each.sync: each.status for each in both.push(wait=True).syncs} == {
        "vips": "succeeded",
        "shop": "succeeded",
    }
    bread = {"title": "Bread", "price": 2.5, "sold_at": "2026-01-02T03:04:05Z", "tags": ("a",)}
    assert held(both) == ({"ann": {"first": "Ann"}, "bob": {}}, {"p1": bread, "p2": {"title": "Pie"}})
    fill(both, [{"id": "bob", "first": "Bob"}, {"id": "cy"}], [{**ITEMS[0], "price": None}, {"sku": "p3"}])
    both.build()
    both.push()
    del bread["price"]
    assert held(both) == ({"bob": {"first": "Bob"}, "cy": {}}, {"p1": bread, "p3": {}})
    both.build()
    assert not any(each.requests for each in both.push().syncs)
    both.resend("all")
    assert {each.sync: each.accepted for each in both.push().syncs} == {"vips": 2, "shop": 2}
    assert not both.sandbox.stats.violations


def test_output_of_the_verbs(project: Project) -> None:
    project.map(VIPS, "vips")
    project.map(SHOP, "shop")
    fill(project, PEOPLE, [{**ITEMS[0], "title": "x" * 10_001}, ITEMS[1]])
    project.build()
    plans = {each["sync"]: each for each in json.loads(project.call("plan", "--json").stdout)["syncs"]}
    assert (plans["vips"]["kind"], plans["vips"]["steps"]) == ("audience", ["create the audience `vips`"])
    assert plans["shop"]["steps"][0].startswith("create the catalog `products` with the fields title string")
    assert plans["shop"]["attributes"] == {"title": 2, "price": 1, "sold_at": 1, "tags": 1}
    assert "before that, a push would create the audience `vips`" in project.call("plan").stdout
    project.outputs(sandbox={"max_profiles_per_second": None})
    with project.sandbox.changed(rate_limits=True):
        checked = project.call("validate", "--online").stdout
    project.outputs()
    assert "the next push would create the audience `vips` (`vips`)" in checked
    project.push()
    assert not json.loads(project.call("plan", "--json").stdout)["syncs"][0]["steps"]

    found = {each["sync"]: each for each in json.loads(project.call("status", "--json").stdout)["syncs"]}
    counts = {name: (each["expected"], each["in_batch"], each["note"]) for name, each in found.items()}
    assert counts == {"vips": (2, 2, None), "shop": (2, 2, None)}
    assert "2 members in Batch, 2 expected" in project.call("status").stdout
    assert "\n  Items  Attribute" in project.call("rejects", "--select", "shop").stdout
    told = project.call("profile", "p1").stdout
    assert told.startswith("shop: last accepted ")
    assert told.endswith("\nNeither sent, queued nor rejected by vips\n")
    shown = json.loads(project.call("profile", "p1", "--select", "shop", "--json").stdout)
    assert shown["syncs"][0]["kind"] == "catalog"
    assert set(shown["syncs"][0]["attributes"]) == {"price", "sold_at", "tags"}

    fill(project, PEOPLE[:1], ITEMS)
    project.build()
    assert "2 members in Batch, 2 expected" in project.call("status").stdout
    project.push()
    assert "1 member in Batch, 1 expected" in project.call("status").stdout
    left = json.loads(project.call("profile", "bob", "--select", "vips", "--json").stdout)["syncs"][0]
    assert (left["attributes"], left["in_doubt"], left["pending"]) == ({}, [], None)
    assert left["exited_at"] is not None


def test_an_audit_compares_sizes(project: Project) -> None:
    project.map(VIPS, "vips")
    project.map(SHOP, "shop")
    fill(project, PEOPLE, ITEMS)
    project.build()
    project.push()
    assert project.call("audit").returncode == 0
    project.sandbox.audiences["vips"].members["stranger"] = {}
    project.sandbox.catalogs["products"].items.pop("p2")
    done = project.call("audit", "--tolerance", "0.4")
    assert done.returncode == 1
    assert "3 in Batch, 2 expected" in done.stdout
    assert "1 in Batch, 2 expected" in done.stdout
    assert "resend --all --select shop vips" in done.stdout
    assert project.call("audit", "--tolerance", "0.5").returncode == 0
    status = {each["sync"]: each for each in json.loads(project.call("status", "--json").stdout)["syncs"]}
    assert (status["vips"]["audit"]["drifted"], status["shop"]["audit"]["drifted"]) == (1, 1)

    fill(project, [], ITEMS)
    project.build()
    project.push(force=True)
    (_, found) = json.loads(project.call("audit", "--json").stdout)["syncs"]
    assert (found["compared"], found["in_batch"], found["share"]) == (0, 1, 1.0)


def test_an_adoption_from_an_export_leaves_other_kinds_alone(project: Project) -> None:
    project.map(VIPS, "vips")
    project.map({"identifier": "id", "custom": ["first"]})
    fill(project, PEOPLE, ITEMS)
    project.set_rows(columns(False)[0], PEOPLE)
    project.build()
    done = project.call("adopt", "--from-export", "--yes")
    assert done.returncode == 0, done.stderr
    project.build()
    # Bob has no value, so that Batch lacks nothing of him.
    assert {each.sync: each.accepted for each in project.push().syncs} == {"vips": 2, "people": 1}
    for shared in (False, True):  # whether exports count towards the rate of audiences
        with project.sandbox.changed(rate_limits=True, share_rate=shared):
            assert project.call("audit").returncode == 0
    done = project.call("adopt", "--from-export", "--yes", "--select", "vips")
    assert (done.returncode, "no selected sync was compared" in done.stderr) == (2, True)


def test_two_models_on_one_audience(project: Project) -> None:
    project.map(VIPS, "vips")
    project.map(VIPS, "others")
    project.dbt("parse")
    done = project.call("validate")
    assert done.returncode == 2
    assert "the audience `vips` is that of the sync `others` too" in done.stderr.replace("\n", " ")
