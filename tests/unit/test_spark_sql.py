"""Statements as Spark takes them: what `as_merge` makes of one does the same as it, which DuckDB shows."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse.spark_sql import as_merge, check_format, for_spark

TABLES = """
    create table queue as select * from values
        ('a', 'update', 'x', 'p'), ('b', 'update', '', null), ('c', 'insert', 'x,y', 'p'), ('c', 'invalid', '', 'p'),
        (null, 'invalid', '', null), ('d', 'update', 'y', 'q') as rows(id, change, names, kind);
    create table known as select * from values ('a', 'p'), ('b', 'p'), ('c', 'q'), ('e', null) as rows(id, kind);
"""

STATEMENTS = (
    "update queue set names = names || ',z' where change = 'update' and id in (select id from known)",
    "update queue set names = case when names = '' then 'z' else names || ',z' end where kind is null and id in (select id from known)",
    "update queue set change = 'gone' where not exists (select 1 from known as k where k.id = queue.id)",
    "update queue set change = 'gone' where exists (select 1 from known as k where k.id = queue.id and k.kind = queue.kind)",
    "delete from queue where change <> 'invalid' and id in (select id from known where kind in (select kind from queue))",
    "delete from queue where not exists (select 1 from known as k where k.id = queue.id) or kind is null",
)


def rows_after(tree: exp.Expr) -> list[tuple[object, ...]]:
    """What is in the queue after a statement."""
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        before = connection.execute("from queue order by all").fetchall()
        connection.execute(tree.sql(dialect="duckdb"))
        after = connection.execute("from queue order by all").fetchall()
    assert after != before, "it changes nothing"
    return after


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_merge_does_the_same(sql: str) -> None:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Update | exp.Delete)
    merge = as_merge(tree)
    assert rows_after(merge) == rows_after(tree)
    (when,) = merge.args["whens"].expressions
    assert not when.find(exp.Query), "Delta takes no subquery there"
    assert not merge.args["on"].find(exp.Query)


@pytest.mark.parametrize(
    "sql", ["update queue set names = 'x' where id = 'a'", "delete from queue where id is null", "select 1"]
)
def test_others_stay_as_they_are(sql: str) -> None:
    tree = sqlglot.parse_one(sql)
    assert for_spark(tree, "delta") is tree


def test_tables_are_made_in_a_format() -> None:
    tree = sqlglot.parse_one("create table if not exists a.b (id text)")
    expected = "CREATE TABLE IF NOT EXISTS a.b (id STRING) USING iceberg"
    assert for_spark(tree, "iceberg").sql(dialect="spark") == expected.replace("iceberg", "ICEBERG")


@pytest.mark.parametrize("table_format", ["parquet", "hudi", ""])
def test_other_formats_are_refused(table_format: str) -> None:
    with pytest.raises(UnsupportedWarehouse, match="file_format delta or iceberg"):
        check_format(table_format, exp.to_table("shop.people_delta"))
