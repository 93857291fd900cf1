"""Columns and origins from compiled SQL. What is unknown is never guessed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from harness.manifests import manifest, model, source

from dbt_batch_sync.artifacts.compiled import CompiledSql, Origin, trace
from dbt_batch_sync.artifacts.json_files import Catalog, CatalogTable
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync

PEOPLE = '"shop"."raw"."people"'
STAGED = '"shop"."main"."staged"'


def catalog(*columns: str, of: str = "source.shop.raw.people") -> Catalog:
    return {of: CatalogTable("shop", "raw", "people", tuple(columns))}


def compiled(
    path: Path,
    sql: str | None,
    *,
    staged: str | None = f"select id, email as mail from {PEOPLE}",
    known: Catalog | None = None,
    adapter: str = "duckdb",
    **changes: object,
) -> CompiledSql:
    models = [model("sync", sql, **changes), model("staged", staged)]
    written = manifest(path, models, [source("people")], adapter)
    return CompiledSql(written, known or {})


def columns(path: Path, sql: str | None, **options: object) -> tuple[str, ...] | None:
    return compiled(path, sql, **options).columns("model.shop.sync")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f'select ID, "Email" as e from {PEOPLE}', ("id", "e")),
        (f"select * from {STAGED}", ("id", "mail")),
        (f"select s.*, 1 as one from {STAGED} as s", ("id", "mail", "one")),
        (
            f"with a as (select * from {STAGED}), b as (select * exclude (id) from a) select * from b",
            ("mail",),
        ),
        (f"select * replace (upper(mail) as mail) from {STAGED}", ("id", "mail")),
        (f"select id from {STAGED} union all select id from {PEOPLE}", ("id",)),
        (f"select shop.main.staged.id from {STAGED}", ("id",)),
        (f"select a.id, b.mail from {STAGED} a join {STAGED} b using (id)", ("id", "mail")),
        (f"select id from {PEOPLE} where exists (select * from {PEOPLE})", ("id",)),
    ],
)
def test_known_columns(tmp_path: Path, sql: str, expected: tuple[str, ...]) -> None:
    assert columns(tmp_path, sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        None,
        f"select * from {PEOPLE}",
        f"select * from {STAGED}, {PEOPLE}",
        f"select id, max(mail) from {STAGED} group by 1",
        f"select * from (select id, count(*) from {STAGED} group by 1)",
        f"select columns('i.*') from {STAGED}",
        f"select unnest(s) from (select struct_pack(a := 1, b := 2) as s from {STAGED})",
        f"pivot {STAGED} on id using count(*)",
        f"select id from {STAGED} union all by name select 1 as other",
        "select * from read_csv('people.csv')",
        "select * from elsewhere.people",
        "this is not SQL (",
        "create table x as select 1 as id",
    ],
)
def test_unknown_columns(tmp_path: Path, sql: str | None) -> None:
    assert columns(tmp_path, sql) is None


def test_a_star_over_a_source_needs_the_catalog(tmp_path: Path) -> None:
    assert columns(tmp_path, f"select * from {PEOPLE}", known=catalog("ID", "Name")) == ("id", "name")


def test_declared_columns_of_a_source_may_be_incomplete(tmp_path: Path) -> None:
    written = manifest(tmp_path, [model("sync", f"select * from {PEOPLE}")], [source("people", ["id"])])
    assert CompiledSql(written, {}).columns("model.shop.sync") is None
    known = compiled(tmp_path, f"select a, p.b from {PEOPLE} p", known=catalog("id"))
    assert known.columns("model.shop.sync") == ("a", "b"), "an old catalog's columns should be unknown too"
    assert known.origins("model.shop.sync", "b") == {person("b")}


def test_a_contract_defines_the_columns(tmp_path: Path) -> None:
    config = {"contract": {"enforced": True}}
    contract = {"config": config, "columns": {"ID": {"name": "ID"}}}
    assert columns(tmp_path, None, **contract) == ("id",)


def test_custom_materializations_may_add_columns(tmp_path: Path) -> None:
    sql = f"select id from {PEOPLE}"
    assert columns(tmp_path, sql, config={"materialized": "scd2"}) is None
    assert columns(tmp_path, sql, language="python") is None


@pytest.mark.parametrize(
    "adapter",
    ["postgres", "snowflake", "bigquery", "redshift", "databricks", "spark", "trino", "athena", "clickhouse"],
)
def test_every_dialect_reads_its_own_quotes(tmp_path: Path, adapter: str) -> None:
    quote = "`" if adapter in ("bigquery", "databricks", "spark") else '"'
    relations = {"relation_name": '"shop"."main"."staged"'.replace('"', quote)}
    models = [
        model("sync", f"select * from {relations['relation_name']} as x"),
        model("staged", 'select 1 as ID, 2 as "Mail"'.replace('"', quote), **relations),
    ]
    read = CompiledSql(manifest(tmp_path, models, adapter=adapter), {})
    assert read.columns("model.shop.sync") == ("id", "mail")


def test_an_unknown_dialect_gives_no_columns(tmp_path: Path) -> None:
    read = compiled(tmp_path, "select 1 as id", adapter="mainframe")
    assert read.columns("model.shop.sync") is None
    (origin,) = read.origins("model.shop.sync", "id")
    assert origin.kind == "unknown"


def person(column: str) -> Origin:
    return Origin("source", "raw.people", column)


@pytest.mark.parametrize(
    ("sql", "column", "expected"),
    [
        (f"select mail from {STAGED}", "mail", {person("email")}),
        (f"select lower(mail) || id as m from {STAGED}", "M", {person("email"), person("id")}),
        (f"select * from {STAGED}", "mail", {person("email")}),
        (f"with a as (select * from {PEOPLE}) select name as n from a", "n", {person("name")}),
        (f"select id from {STAGED} union all select key from {PEOPLE}", "id", {person("id"), person("key")}),
        (f"select (select max(p.age) from {PEOPLE} p) as oldest from {STAGED}", "oldest", {person("age")}),
        (f"select count(*) as n from {STAGED}", "n", set()),
        ("select 1 as one", "one", set()),
        ("select a from elsewhere.people", "a", {Origin("table", "elsewhere.people", "a")}),
        (f"select sum(a) over (partition by b) as x from {PEOPLE}", "x", {person("a"), person("b")}),
    ],
)
def test_origins(tmp_path: Path, sql: str, column: str, expected: set[Origin]) -> None:
    assert compiled(tmp_path, sql).origins("model.shop.sync", column) == expected


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"custom": ["mail"]}, {"custom_id": "id", "mail": "mail"}),
        (
            {
                "kind": "events",
                "event_id": "n",
                "name": {"value": "seen"},
                "time": "at",
                "attributes": ["mail"],
            },
            {"custom_id": "id", "event_id": "n", "batch__time": "at", "mail": "mail"},
        ),
        ({"kind": "catalog", "catalog": "c", "fields": ["mail"]}, {"item_id": "id", "mail": "mail"}),
        ({"kind": "audience", "audience": "a", "attributes": ["n"]}, {"custom_id": "id", "n": "n"}),
        (
            {"kind": "deletions", "confirm": "erase", "requested_at": "at"},
            {"custom_id": "id", "requested_at": "at"},
        ),
    ],
)
def test_the_lineage_of_each_kind(tmp_path: Path, meta: dict[str, object], expected: dict[str, str]) -> None:
    sql = compiled(tmp_path, f"select id, mail, mail as n, mail as at from {STAGED}")
    mapping = parse_mapping("sync", {"identifier": "id", **meta}, "")
    found = trace(Sync(mapping, SimpleNamespace(name="sync", unique_id="model.shop.sync"), None, None), sql)  # type: ignore[arg-type]
    assert [(each.attribute, each.column) for each in found.attributes] == list(expected.items())


def test_origins_through_a_star_of_a_single_source(tmp_path: Path) -> None:
    read = compiled(tmp_path, f"select * from {STAGED}", staged=f"select * from {PEOPLE}")
    assert read.origins("model.shop.sync", "name") == {person("name")}


@pytest.mark.parametrize(
    ("sql", "staged", "column", "words"),
    [
        (f"select mail from {STAGED}", None, "mail", "staged has no compiled SQL: run `dbt compile`"),
        (f"select * from {PEOPLE}, elsewhere.orders", "select 1 as id", "a", "run `dbt docs generate`"),
        (f"select a from {PEOPLE}, elsewhere.orders", "select 1 as id", "a", "several tables that `a`"),
        (f"select b from {STAGED}", "select 1 as id", "b", "the SQL of staged has no column `b`"),
        (f"select * from {PEOPLE} as t(a, b)", "select 1 as id", "a", "renames the columns of a table"),
        (f"select b as a from {PEOPLE} as t(a, b)", "select 1 as id", "a", "renames the columns of a table"),
        ("not SQL (", "select 1 as id", "a", "the SQL of sync is not a query that can be read"),
    ],
)
def test_an_unknown_origin_has_a_reason(
    tmp_path: Path, sql: str, staged: str | None, column: str, words: str
) -> None:
    (origin,) = compiled(tmp_path, sql, staged=staged).origins("model.shop.sync", column)
    assert origin.kind == "unknown"
    assert words in (origin.reason or "")
