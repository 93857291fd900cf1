"""PostgreSQL's CSV as Arrow: every type, and values that Arrow can't represent."""

from __future__ import annotations

import json
import math
from datetime import date, datetime

import duckdb
import pyarrow as pa
import pytest

from dbt_batch_sync.warehouse.copied import CopiedColumn, read_rows, schema_of

TEXT, BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP, NUMERIC, TEXTS = 25, 16, 20, 701, 1082, 1114, 1700, 1009
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)


def cell(type_id: int, text: str, digits: int | None = None) -> object:
    """The Arrow value of a cell written by `copy`, between two other cells."""
    columns = (
        CopiedColumn("a", TEXT, None),
        CopiedColumn("b", type_id, digits),
        CopiedColumn("c", TEXT, None),
    )
    table = read_rows(pa.py_buffer(f"x,{text},\n".encode()), columns)
    assert table.schema == schema_of(columns)
    assert (table["a"][0].as_py(), table["c"][0].as_py()) == ("x", None)
    return table["b"][0].as_py()


@pytest.mark.parametrize(
    ("type_id", "text", "value"),
    [
        (TEXT, "", None),
        (TEXT, '""', ""),
        (TEXT, '"a ""b"", \n\r\nc"', 'a "b", \n\r\nc'),
        (TEXT, "NULL", "NULL"),
        (TEXT, "NaN", "NaN"),
        (TEXT, "\\N", "\\N"),
        (BOOLEAN, "t", True),
        (BOOLEAN, "f", False),
        (BOOLEAN, "", None),
        (BIGINT, "-9223372036854775808", -(2**63)),
        (DOUBLE, "1e+300", 1e300),
        (DOUBLE, "-Infinity", -math.inf),
        (DATE, "0001-01-01", date(1, 1, 1)),
        (TIMESTAMP, "2024-02-29 12:30:15.123456", datetime(2024, 2, 29, 12, 30, 15, 123456)),
        (TIMESTAMP, "9999-12-31 23:59:59.999999", LAST),
        (NUMERIC, "12.500", "12.5"),
        (NUMERIC, "7.000", "7"),
        (NUMERIC, "-0.0100", "-0.01"),
        (NUMERIC, "100", "100"),
        (NUMERIC, "NaN", "NaN"),
        (1043, "character varying", "character varying"),
        (114, '"{""a"": 1}"', '{"a": 1}'),
    ],
)
def test_cells(type_id: int, text: str, value: object) -> None:
    assert cell(type_id, text) == value


@pytest.mark.parametrize(("digits", "value"), [(15, 12.5), (16, "12.5"), (None, "12.5")])
def test_a_numeric_becomes_a_double_if_exact(digits: int | None, value: object) -> None:
    assert cell(NUMERIC, "12.500", digits) == value


def test_a_short_numeric_can_be_nan() -> None:
    found = cell(NUMERIC, "NaN", 12)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("items", "value"),
    [
        (["a"], ["a"]),
        (["a", "b c", "é,😀"], ["a", "b c", "é,😀"]),
        ([], None),
        (['q"', "\\", "x\n"], ['q"', "\\", "x\n"]),
        (['","'], ['","']),
        (["NULL", ""], ["NULL", ""]),
        ([None, "a"], [None, "a"]),
        ([["a"], ["b"]], ["\0[]", "\0[]"]),
    ],
)
def test_arrays(items: list[object], value: object) -> None:
    text = json.dumps(items, ensure_ascii=False, separators=(",", ":")).replace('"', '""')
    assert cell(TEXTS, f'"{text}"') == value


def test_plain_and_other_arrays_keep_their_order() -> None:
    texts = ['["a"]', "[]", '["b\\""]', '["c"]', '["\\\\"]', '["d","e"]']
    lines = "".join(f'"{text.replace(chr(34), chr(34) * 2)}",{n}\n' for n, text in enumerate(texts))
    columns = (CopiedColumn("a", TEXTS, None), CopiedColumn("n", BIGINT, None))
    found = read_rows(pa.py_buffer(lines.encode()), columns)["a"].to_pylist()
    assert found == [["a"], None, ['b"'], ["c"], ["\\"], ["d", "e"]]


@pytest.mark.parametrize(("type_id", "today"), [(DATE, "2024-02-29"), (TIMESTAMP, "2024-02-29 00:00:00")])
@pytest.mark.parametrize(
    ("text", "finite", "year"),
    [
        ("infinity", False, None),
        ("-infinity", False, None),
        ("0044-03-15 BC", True, 10000),
        ("10000-01-01", True, 10000),
    ],
)
def test_dates_that_arrow_cannot_read(
    type_id: int, today: str, text: str, finite: bool, year: int | None
) -> None:
    """They become values that the payload rejects for the same reason. Neighboring cells are unaffected."""
    columns = (CopiedColumn("n", BIGINT, None), CopiedColumn("d", type_id, None))
    table = read_rows(pa.py_buffer(f"1,{today}\n2,{text}\n3,\n".encode()), columns)
    with duckdb.connect() as connection:
        connection.register("days", table)
        query = "select isfinite(d), case when isfinite(d) then year(d) end from days order by n"
        assert connection.execute(query).fetchall() == [(True, 2024), (finite, year), (None, None)]


def test_no_rows() -> None:
    columns = (CopiedColumn("a", TEXT, None), CopiedColumn("b", TEXTS, None))
    assert read_rows(pa.py_buffer(b""), columns).num_rows == 0
