"""Statements for Spark and Databricks, and messages for Databricks' errors, without their drivers."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest
from sqlglot import exp

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Column
from dbt_batch_sync.warehouse.databricks import DatabricksWarehouse
from dbt_batch_sync.warehouse.driver import ConnectionLost
from dbt_batch_sync.warehouse.lake import inserts


@pytest.mark.parametrize("dialect", ["spark", "databricks"])
def test_rows_are_appended_as_one_parameter(dialect: str) -> None:
    rows = pa.table(
        {
            "word": ["it's"],
            "seen_at": pa.array([datetime(2024, 5, 6, 7, 8, 9, 123456)], pa.timestamp("us")),
            "many": pa.array([2**40], pa.int64()),
            "part": [0.1],
            "good": [True],
        }
    )
    columns = [
        Column(name, kind)
        for name, kind in (
            ("word", "string"),
            ("Many", "bigint"),
            ("part", "double"),
            ("good", "boolean"),
            ("seen_at", "timestamp_ntz"),
            ("other", "string"),
        )
    ]
    (statement,) = inserts(exp.to_table("shop.boxes"), columns, rows, dialect)
    assert statement.tree.sql(dialect=dialect) == (
        "INSERT INTO shop.boxes (`word`, `Many`, `part`, `good`, `seen_at`, `other`) "
        "SELECT CAST(`word` AS STRING) AS `word`, CAST(`many` AS BIGINT) AS `Many`, CAST(`part` AS DOUBLE) AS `part`, "
        "CAST(`good` AS BOOLEAN) AS `good`, CAST(`seen_at` AS TIMESTAMP_NTZ) AS `seen_at`, CAST(NULL AS STRING) AS `other` "
        "FROM (SELECT INLINE(FROM_JSON(:rows, "
        "'array<struct<`word`: string, `seen_at`: string, `many`: bigint, `part`: string, `good`: boolean>>'"
        "))) AS given"
    )
    assert statement.parameters == {
        "rows": '[{"word": "it\'s", "seen_at": "2024-05-06 07:08:09.123456Z", "many": 1099511627776, '
        '"part": "0.1", "good": true}]'
    }


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        (
            "[TABLE_OR_VIEW_NOT_FOUND] The table `a`.`b` cannot be found. SQLSTATE: 42P01",
            WarehouseError,
            "Databricks: [TABLE_OR_VIEW_NOT_FOUND] The table `a`.`b` cannot be found. SQLSTATE: 42P01",
        ),
        (
            "[CAST_INVALID_INPUT] The value 'jane@example.com' of … SQLSTATE: 22018",
            WarehouseError,
            "Databricks: CAST_INVALID_INPUT; the query's history has the rest",
        ),
        ("jane@example.com", WarehouseError, "Databricks: RuntimeError; the query's history has the rest"),
        (
            "[DELTA_CONCURRENT_APPEND] … SQLSTATE: 2D521",
            Conflict,
            "another writer committed to the table first",
        ),
        ("Invalid SessionHandle: …", ConnectionLost, "the session has ended"),
    ],
)
def test_errors_contain_no_value(message: str, kind: type[WarehouseError], told: str) -> None:
    warehouse = object.__new__(DatabricksWarehouse)
    error = warehouse._told(RuntimeError(message), None)
    assert type(error) is kind
    assert told in str(error)
