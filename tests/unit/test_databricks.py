"""What Databricks is asked, and what is told of its errors, without its driver."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from harness.macros import Macros
from harness.project import ROOT


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
