"""PostgreSQL, on a real server: the shared suite and tests of PostgreSQL's own behavior."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts, plain
from harness.databases import PostgresDatabase, PostgresServer
from harness.faulty_sandbox import FaultyServer
from harness.project import Project
from harness.quick import QuickProject
from harness.rights import check_rights, documented

from dbt_batch_sync import api


@pytest.fixture(scope="module")
def warehouse(postgres: PostgresServer) -> PostgresDatabase:
    return PostgresDatabase(postgres)


class TestPostgres(Behaviour):
    accepts_nul = False
    people_types = {  # noqa: RUF012 - a table
        "tiny": "smallint",
        "unsigned": "numeric(20,0)",
        "huge": "numeric(39,0)",
        "ratio": "double precision",
        "single": "real",
        "coarse_at": "timestamp(0)",
        "fine_at": "timestamp(6)",
        "id": "varchar(80)",
        "lang": "varchar",
        "level": "text",
    }

    def in_zone(self, quick: QuickProject, zone: str) -> AbstractContextManager[None]:
        assert isinstance(quick.warehouse, PostgresDatabase)
        return quick.warehouse.in_zone(zone)


# Types

ODD = {
    "fixed": ("char(6)", "ab", "ab"),
    "loose": ("citext", "MiXed", "MiXed"),
    "mood": ("feeling", "sad", "sad"),
    "moods": ("feeling[]", "{sad,happy}", ("sad", "happy")),
    "small": ("percentage", 7, 7),
    "code": ("uuid", "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000001"),
    "codes": ("uuid[]", "{00000000-0000-4000-8000-000000000001}", ("00000000-0000-4000-8000-000000000001",)),
    "free": ("numeric", "12345678901234567890.50", 12345678901234567890.5),
    "whole": ("numeric", "7.000", 7),
    "short": ("varchar(3)[]", '{"a b","q\\"",null,"{,}"}', None),
    "quoted": ("text[]", '{"a b","q\\"","{,}","NULL"}', ("a b", 'q"', "{,}", "NULL")),
    "label": ("name", "pg", "pg"),
    "body": ("jsonb", '{"b": 1, "a": [2]}', '{"a": [2], "b": 1}'),
    "at": ("timestamptz(0)", "2024-10-27 02:30:00.4+02", "2024-10-27T00:30:00Z"),
    "tiny": ("real", 0.1, 0.1),
}
"""By column: type, value and expected value in Batch. None: rejected."""

REFUSED = {
    "short": "empty_item",
    "day": "not_finite",
    "moment": "not_finite",
    "old": "out_of_range",
    "late": "out_of_range",
    "nan": "not_finite",
    "endless": "not_a_number",
    "exact": "not_a_number",
    "nested": "nested_array",
}
UNSENDABLE = {
    "day": ("date", "infinity"),
    "moment": ("timestamptz", "-infinity"),
    "old": ("date", "0044-03-15 BC"),
    "late": ("timestamp", "12000-01-01"),
    "nan": ("numeric(8,2)", "NaN"),
    "endless": ("numeric", "Infinity"),
    "exact": ("numeric(30,4)", "NaN"),
    "nested": ("text[]", "{{a},{b}}"),
}


def test_native_types(quick: QuickProject) -> None:
    quick.execute("create extension citext schema public")
    quick.execute("create type feeling as enum ('sad', 'happy')")
    quick.execute("create domain share as smallint check (value between 0 and 100)")
    quick.execute("create domain percentage as share")
    columns = {"id": "text", **{name: kind for name, (kind, *_) in {**ODD, **UNSENDABLE}.items()}}
    columns = {
        n: f"shop.{k}" if k.split("[")[0] in ("feeling", "percentage") else k for n, k in columns.items()
    }
    row = {"id": "x", **{name: cell for name, (_, cell, *_) in {**ODD, **UNSENDABLE}.items()}}
    typed = {"body": "string", "whole": "integer"}
    custom = [
        {"column": name, "type": typed[name]} if name in typed else name for name in row if name != "id"
    ]
    quick.map({"identifier": "id", "custom": custom})
    quick.set_rows(columns, [row, {"id": "nobody"}])
    pushed = quick.sync()
    assert pushed.rejected_attributes == len(REFUSED)
    assert plain(quick.profiles()["x"]) == {n: want for n, (_, _, want) in ODD.items() if want is not None}
    assert quick.rejects() == {("x", name): reason for name, reason in REFUSED.items()}
    quick.build()
    assert quick.changes() == {}, "the merged snapshot differs from the model"


def test_columns_with_collations(quick: QuickProject) -> None:
    """Columns with two different collations can't be compared. `C` can be compared with any."""
    quick.map({"identifier": "id", "custom": ["name", "names"]})
    columns = {
        "id": 'text collate "POSIX"',
        "name": 'text collate "ucs_basic"',
        "names": 'text[] collate "POSIX"',
    }
    quick.execute(f"create schema raw create table people ({', '.join(map(' '.join, columns.items()))})")
    quick.execute("insert into raw.people values ('A', 'zoé', '{x}'), ('a', 'Zoe', '{y}'), ('é', 'b', null)")
    assert quick.sync().inserts == 3
    quick.execute("update raw.people set name = 'Zoé' where id = 'A'")
    quick.build()
    assert quick.changes() == {"A": ("update", "name")}


@pytest.mark.parametrize("relation", ["table", "materialized view"])
def test_a_sync_materialized_as_a_table(shop: Project, relation: str) -> None:
    config = relation.replace(" ", "_")
    shop.map(CONTACTS_MAPPING, materialized=config)
    shop.set_rows(CONTACTS, contacts(2))
    assert shop.sync().inserts == 2
    shop.set_rows(CONTACTS, contacts(2)[:1])
    assert shop.sync().exits == 1


# Names


def test_an_unusual_schema_name(postgres: PostgresServer, shop: Project) -> None:
    odd = PostgresDatabase(postgres)
    odd.schema = 'Sh 100%s "order'.replace('"', "")
    odd.clear()
    project = Project(shop.directory / "odd", shop.sandbox, odd, whole=True)
    project.map({**CONTACTS_MAPPING, "guards": {"never_resubscribe": True}})
    project.set_rows(CONTACTS, contacts(3))
    assert project.sync(select=["people"]).status == "succeeded"
    project.sandbox.faults.set([])
    project.resend("all")
    assert project.push_one().accepted == 3
    assert len(project.snapshot()) == 3


def test_columns_that_differ_only_in_case(shop: Project) -> None:
    """An exact match wins. A name that only matches ambiguously is an error."""
    names = {"id": "text", "Nick": "text", "nick": "text", "NICK": "text"}
    row = {"id": "x", "Nick": "first", "nick": "second", "NICK": "third"}
    shop.set_rows(names, [row])
    for spelled in ("Nick", "nick", "NICK"):
        shop.map({"identifier": "ID", "custom": [{"column": spelled, "name": "n"}]})
        shop.sync()
        assert plain(shop.profiles()["x"]) == {"n": row[spelled]}
    shop.map({"identifier": "id", "custom": [{"column": "nICK", "name": "n"}]})
    refused = shop.dbt("run", fails=True).messages
    assert "names the column `nICK`, which could be `Nick` or `nick` or `NICK`: write one of them" in refused
    shop.map({"identifier": "id", "custom": "all"})
    assert "two attributes are called `nick`" in shop.dbt("run", fails=True).messages
    shop.set_rows({name: kind for name, kind in names.items() if name != "NICK"}, [row])
    shop.map({"identifier": "id", "custom": "all", "exclude": ["Nick"]})
    shop.sync()
    assert shop.sent.attributes == {"x": {"nick": "second"}}


# Query plan of a merge


def test_a_merge_does_not_scan_the_snapshot_for_each_row(quick: QuickProject) -> None:
    """A merge of 1,000 changes into 200,000 profiles uses an index or a hash, also with rejects."""
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, [])
    quick.execute(
        "insert into raw.people select 'p' || n, n || '@example.com', n, 'Nick' from generate_series(1, 200000) as n"
    )
    quick.build()
    api.adopt(quick.options())
    quick.build()
    quick.execute("update raw.people set points = -1 where points <= 1000")
    quick.build()
    assert len(quick.changes()) == 1000
    api.adopt(quick.options())
    quick.execute(
        "insert into batch_sync_rejects (rejected_at, sync, delta_id, key) "
        "select now(), 'people', _batch_delta_id, custom_id from people_delta limit 300"
    )
    plans = []
    with quick.explained("merge into", plans):
        quick.build()
    assert plans, "no merge ran"
    for plan in plans:
        for node in nodes(plan):
            if node["Node Type"] == "Nested Loop":
                inner = {
                    each.get("Relation Name")
                    for each in nodes(node["Plans"][1])
                    if "Seq" in each["Node Type"]
                }
                assert "people_sent_snapshot" not in inner, json.dumps(plan, indent=1)
    named = {each["Relation Name"] for plan in plans for each in nodes(plan) if "Relation Name" in each}
    assert "people_sent_snapshot" in named


def nodes(plan: Any) -> Iterator[Any]:
    """All nodes of a plan."""
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


# Grants and connection errors


def test_minimal_grants(postgres: PostgresServer, batch: FaultyServer, tmp_path: Path) -> None:
    project = Project(tmp_path, batch, PostgresDatabase(postgres), whole=True)
    project.clear()
    check_rights(project, documented("postgres"))


def test_a_missing_grant_is_named(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(3))
    quick.build()
    quick.execute("drop role if exists reader")
    quick.execute("create role reader login")
    quick.execute("grant usage on schema shop to reader")
    quick.execute("grant select on all tables in schema shop to reader")
    path = quick.directory / "profiles.yml"
    before = path.read_text()
    path.write_text(before.replace("user: postgres", "user: reader"))
    try:
        pushed = quick.call("push")
    finally:
        path.write_text(before)
        quick.execute("drop owned by reader")
        quick.execute("drop role reader")
    assert pushed.returncode == 1
    assert "permission denied for table batch_sync_journal" in " ".join(
        (pushed.stdout + pushed.stderr).split()
    )
    assert not quick.sandbox.requests


def test_an_unreachable_server(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    path = quick.directory / "profiles.yml"
    before = path.read_text()
    path.write_text(before.replace("port: 5432", "port: 1"))
    try:
        refused = quick.call("push")
    finally:
        path.write_text(before)
    assert refused.returncode == 1
    told = " ".join(refused.stderr.split())
    assert "can't connect to the warehouse" in told
    assert "Traceback" not in told
