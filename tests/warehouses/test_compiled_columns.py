"""Columns derived from compiled SQL must be those that the warehouse reports, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from harness.databases import PostgresDatabase, PostgresServer
from harness.manifests import manifest, model, source

from dbt_batch_sync.artifacts.compiled import CompiledSql
from dbt_batch_sync.artifacts.json_files import CatalogTable

Describe = Callable[[str], tuple[str, ...]]

TABLES = {
    "people": {"id": "int", '"Email"': "text", "s": "pair", "l": "int[]", "m": "document", "d": "date"},
    "orders": {"id": "int", "amount": "decimal(9, 2)", '"Email"': "text"},
}
PAIR = {"duckdb": "struct(a int, b int)", "postgres": "raw.pair"}
DOCUMENT = {"duckdb": "map(varchar, int)", "postgres": "jsonb"}

BOTH = """
select * from people_ natural join orders_
select p.*, o.amount from people_ p, orders_ o
select unnest(l) as x, id from people_
select * from people_ union all select * from people_
select id, "Email" from people_ union select id, "Email" from orders_
select * from (values (1,2)) t(a,b)
select * from (values (1,2)) t
select * from generate_series(1,3) as g
with recursive r(n) as (select 1 union all select n+1 from r where n<3) select * from r
with a(x,y) as (select id, d from people_) select * from a
with a as materialized (select id from people_) select *, 1 as one from a
select id + 1 from people_
select (select max(amount) from orders_)
select id id2 from people_
select distinct on (id) id, d from people_
select p from people_ p
select people from people_
select * from people_ as t(a, b)
select * from (select id, d from people_) as t(a)
select id, * from people_
select *, id from people_
with people as (select 1 as z) select * from people
with people as (select 1 as z) select * from people_
select people.* from people_
select raw.people.id from people_
(select id from people_) order by 1
"""
"""SQL for both the parser and the warehouse."""

DUCKDB = """
from people_
from people_ select id
select * from people_ p join orders_ o on p.id=o.id
select * from people_ join orders_ using (id)
select * from people_ p left join orders_ o using (id, "Email")
select * exclude (l, m) rename (id as key) from people_
select * exclude l from people_
select * replace (id + 1 as id) from people_
select p.* exclude (id) from people_ p
select s.* from people_
select unnest(s) from people_
select unnest(s, recursive := true) from people_
select columns(*) from people_
select columns('i.*'), id from people_
select max(columns(*)) from people_
select * like 'i%' from people_
select id as a from people_ union all by name select amount as b from orders_
select * from range(3) t(x)
select * from range(3)
select * from unnest([1,2]) as u(x)
select p.id, u.x from people_ p, unnest(p.l) as u(x)
select p.*, u.* from people_ p, unnest(p.l) as u(x)
select p.*, lat.* from people_ p, lateral (select p.id+1 as nxt) lat
select id, count(*) from people_ group by all
select id, count(*) as n from people_ group by all
select 1, 2 as b
select id::varchar from people_
select cast(id as varchar) from people_
select (select max(amount) from orders_) as m
select 'x' "My Col"
select p.id, o.id from people_ p join orders_ o on true
select p.*, o.* from people_ p join orders_ o on true
select * from people_ semi join orders_ using (id)
select * from people_ anti join orders_ using (id)
select * from people_ asof join orders_ using (id)
select * from people_ positional join orders_
pivot people_ on id using count(*)
select * from (pivot people_ on id using count(*))
select * from people_ pivot (count(*) for id in (1,2))
unpivot orders_ on id, amount
select * from orders_ unpivot (v for k in (id))
select * from people_ tablesample 10%
select id, row_number() over () as rn from people_ qualify rn = 1
select {'a': 1} as st
select s.a from people_
select s.a, s.b as bb from people_
select m['x'] from people_
select l[1] as first from people_
select id as "ID2", d as D2 from people_
with a as (select * from people_), b as (select * from a where id in (select id from orders_)) select b.*, o.amount from b left join orders_ o on o.id=b.id
select * from (select id, d from people_) as t(a, b)
select t.* from people_ as t(a, b)
select #1 from people_
select *, * from orders_
select * from people_ where id = (select max(id) from orders_)
with "shop" as (select 1 as z) select * from "shop"
select coalesce(id) from people_
select id.x from (select {'x':1} as id)
select * from (select * from (select * from orders_))
select case when id=1 then 2 end from people_
select now(), current_date
select current_date as d
select json '{"a":1}' ->> 'a' as a
(select id from people_ limit 1) union all (select id from orders_)
select * from people_ intersect select * from people_
select struct_extract(s,'a') from people_
select s['a'] from people_
select exists(select 1) as e
select a: id, b: d from people_
select * exclude (id) replace (d as d) from people_
"""

POSTGRES = """
select * from people_ p join orders_ using (id)
select (s).* from people_
select (p.s).* from people_ p
select (s).a from people_
select (p.s).a, id from people_ p
select unnest(l) from people_
select jsonb_each(m) from people_
select (jsonb_each(m)).* from people_
select jsonb_array_elements(m) as e from people_
select p.id, e.* from people_ p, jsonb_each(p.m) e
select p.id, e.key from people_ p cross join lateral jsonb_each(p.m) as e(key, value)
select * from people_ p cross join lateral (select p.id + 1 as nxt) l
select * from generate_series(1,3)
select * from generate_series(1,3) as g(x)
select * from unnest(array[1,2]) with ordinality as u(x, n)
select id::text from people_
select cast(id as text) from people_
select "Email"::varchar(3) from people_
select id::text::int from people_
select (id + 1)::int from people_
select '1'::int
select count(*) from people_
select max(id) from people_
select coalesce(id, 1) from people_
select case when id = 1 then 2 end from people_
select case when id = 1 then 2 else id end from people_
select l[1] from people_
select m->'a' from people_
select m->>'a' as a from people_
select array[1,2]
select row(1,2)
select exists(select 1)
select (select amount from orders_ limit 1)
select (id) from people_
select -id from people_
select 'x'
select now()
select current_date
select current_timestamp as t
select date '2020-01-01'
select interval '1 day'
select true
select null
select extract(year from d) from people_
select date_trunc('day', d) from people_
select id "ID2" from people_
select id, sum(id) over w as s from people_ window w as (partition by d)
with a as (select * from people_) select a.* from a
select raw.people.* from people_
select * from only people_
select * from people_ tablesample system (10)
select * from rows from (generate_series(1,2), generate_series(1,3)) as t(a,b)
select * from json_to_recordset('[]') as x(a int, b text)
select * from people_ p left join orders_ o on p.id = o.id
select "Email" collate "C" from people_
select trim("Email") from people_
select substring("Email" from 1 for 2) from people_
select cast(coalesce(id,1) as int) from people_
select nullif(id,1) from people_
select greatest(id,1) from people_
select * from (select id, max(d) from people_ group by id) x
select * from (select id, id::text from people_) x
select id at time zone 'UTC' from (select now() as id) x
select count(distinct id) filter (where id > 1) from people_
select string_agg("Email", ',' order by id) from people_
"""


def statements(adapter: str) -> Iterator[str]:
    """The statements that create the tables."""
    for name, columns in TABLES.items():
        kinds = {"pair": PAIR[adapter], "document": DOCUMENT[adapter]}
        listed = ", ".join(f"{column} {kinds.get(kind, kind)}" for column, kind in columns.items())
        yield f"create table raw.{name} ({listed})"


@pytest.fixture(scope="module")
def describe_duckdb() -> Describe:
    connection = duckdb.connect(":memory:")
    for statement in ("attach ':memory:' as shop", "use shop", "create schema raw", *statements("duckdb")):
        connection.execute(statement)

    def describe(sql: str) -> tuple[str, ...]:
        connection.execute(f"create or replace view described as {sql}")
        return tuple(str(row[0]).lower() for row in connection.execute("describe described").fetchall())

    return describe


@pytest.fixture(scope="module")
def describe_postgres(postgres: PostgresServer) -> Describe:
    database = PostgresDatabase(postgres)
    connection = postgres.connect(database.name)
    cursor = connection.cursor()
    for statement in ("create schema raw", "create type raw.pair as (a int, b int)", *statements("postgres")):
        cursor.execute(statement)

    def describe(sql: str) -> tuple[str, ...]:
        cursor.execute(sql)
        return tuple(column.name.lower() for column in cursor.description)

    return describe


@pytest.mark.parametrize(("adapter", "own"), [("duckdb", DUCKDB), ("postgres", POSTGRES)])
def test_columns_match_the_warehouse_or_are_unknown(
    request: pytest.FixtureRequest, tmp_path: Path, adapter: str, own: str
) -> None:
    describe: Describe = request.getfixturevalue(f"describe_{adapter}")
    queries = (BOTH + own).strip().splitlines()
    tables = {
        f"source.shop.raw.{name}": CatalogTable(
            "shop", "raw", name, tuple(column.strip('"') for column in columns)
        )
        for name, columns in TABLES.items()
    }
    nodes = [{**source(name), "relation_name": f'"raw"."{name}"'} for name in TABLES]
    wrong, known = [], 0
    for query in filter(None, queries):
        sql = query.replace("people_", '"raw"."people"').replace("orders_", '"raw"."orders"')
        written = manifest(tmp_path, [model("sync", sql)], nodes, adapter)
        found = CompiledSql(written, tables).columns("model.shop.sync")
        known += found is not None
        if found is not None and found != describe(sql):
            wrong.append((sql, found, describe(sql)))
    assert not wrong, "\n".join(map(str, wrong))
    assert known >= 35
