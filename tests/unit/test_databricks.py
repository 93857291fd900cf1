"""What Databricks is asked, and what is told of its errors, without its driver."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest
import sqlglot
from harness.macros import Macros
from harness.project import ROOT
from sqlglot import exp

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Load
from dbt_batch_sync.warehouse.databricks import _named, _statements
from dbt_batch_sync.warehouse.databricks_connection import SessionLost, errors


def test_rows_are_appended_as_one_parameter() -> None:
    rows = pa.table(
        {
            "word": ["it's"],
            "at": pa.array([datetime(2024, 5, 6, 7, 8, 9, 123456)], pa.timestamp("us")),
            "many": pa.array([2**40], pa.int64()),
            "good": [True],
        }
    )
    (statement,) = _statements(Load(exp.to_table("shop.boxes"), rows))
    assert statement.tree.sql(dialect="databricks") == (
        "INSERT INTO shop.boxes (word, at, many, good) "
        "SELECT CAST(word AS STRING), CAST(at AS TIMESTAMP), CAST(many AS BIGINT), CAST(good AS BOOLEAN) "
        "FROM (SELECT INLINE(FROM_JSON(:rows, "
        "'ARRAY<STRUCT<word: STRING, at: STRING, many: BIGINT, good: BOOLEAN>>'))) AS given"
    )
    assert statement.parameters == {
        "rows": '[{"word": "it\'s", "at": "2024-05-06 07:08:09.123456Z", "many": 1099511627776, "good": true}]'
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("SELECT (SELECT 1), (SELECT 2)", "SELECT (SELECT 1) AS c0, (SELECT 2) AS c1"),
        ("SELECT a, b AS c, COUNT(*) FROM t", "SELECT a, b AS c, COUNT(*) AS c2 FROM t"),
        ("SELECT * FROM t", "SELECT * FROM t"),
        ("DESCRIBE EXTENDED t", "DESCRIBE EXTENDED t"),
    ],
)
def test_each_column_has_a_name(given: str, wanted: str) -> None:
    assert _named(sqlglot.parse_one(given, dialect="databricks")).sql(dialect="databricks") == wanted


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
        (
            '[DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES] Cannot resolve "(id = jane)" SQLSTATE: 42K09',
            WarehouseError,
            "Databricks: DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES; the query's history has the rest",
        ),
        ("jane@example.com", WarehouseError, "Databricks: RuntimeError; the query's history has the rest"),
        (
            "[DELTA_CONCURRENT_APPEND] … SQLSTATE: 2D521",
            Conflict,
            "another writer committed to the table first",
        ),
        ("Invalid SessionHandle: …", SessionLost, "the session has ended"),
    ],
)
def test_errors_tell_what_is_no_value(message: str, kind: type[WarehouseError], told: str) -> None:
    with pytest.raises(kind) as raised, errors():
        raise RuntimeError(message)
    assert type(raised.value) is kind
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("string", "cast(`a` as string)"),
        ("string COLLATE UTF8_LCASE", "cast(`a` collate utf8_binary as string)"),
        ("timestamp", "timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`a`) * interval '0.000001' second"),
        ("timestamp_ntz", "cast(`a` as timestamp_ntz)"),
        ("decimal(18, 4)", "cast(`a` as decimal(18,4))"),
    ],
)
def test_a_column_in_the_type_of_the_snapshot(dtype: str, expected: str) -> None:
    macros = Macros(ROOT / "macros", "databricks")
    column = SimpleNamespace(name="a", dtype=dtype)
    assert macros.value_of(column, macros.column_kind(column)) == expected


def test_a_name_with_a_backtick_is_one_identifier() -> None:
    assert Macros(ROOT / "macros", "databricks").column("a`b") == "`a``b`"
