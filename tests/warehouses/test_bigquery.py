"""BigQuery, on an emulator: the shared suite and tests of BigQuery's own behavior."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from harness.behaviour import CONTACTS_MAPPING, Behaviour, plain
from harness.dbt_tests import DbtTests, found, tested
from harness.quick import QuickProject

if TYPE_CHECKING:
    from harness.bigquery import BigQueryEmulator


__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[BigQueryEmulator]:
    from harness.bigquery import BigQueryEmulator

    emulator = BigQueryEmulator()
    yield emulator
    emulator.stop()


class TestBigQuery(Behaviour):
    """The suite. Numbers too long for NUMERIC are text here: the emulator's BIGNUMERIC has only 38 digits."""

    people_types = {  # noqa: RUF012 - a table
        "level": "STRING",
        "unsigned": "NUMERIC",
        "huge": "STRING",
        "exact": "STRING",
        "coarse_at": "DATETIME",
        "fine_at": "DATETIME",
    }
    people_given = dict.fromkeys(("unsigned", "huge", "exact"), "integer")
    odd_names = ("SELECT", "Émile's", "100% sure", "with  two")

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """BigQuery's JSON has no spaces, and its numbers no trailing zeros."""
        note = row["note"]
        if note is None:
            return row
        return {**row, "note": json.dumps(json.loads(str(note)), separators=(",", ":"), ensure_ascii=False)}


class TestFound(DbtTests):
    """The dbt tests. The emulator runs their patterns on DuckDB, which also uses RE2."""


# Types

OWN = {
    "whole": ("NUMERIC", "7", 7),
    "exact": ("NUMERIC", "12345678901234567890.123456789", 12345678901234567890.123456789),
    "long": ("BIGNUMERIC", "1234567890.5", 1234567890.5),
    "day": ("DATE", "2024-02-29", "2024-02-29T00:00:00Z"),
    "instant": ("TIMESTAMP", "2024-03-31 02:30:00+02:00", "2024-03-31T00:30:00Z"),
    "local": ("DATETIME", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59Z"),
    "day_text": ("DATE", "0001-01-01", "0001-01-01"),
    "items": ("ARRAY<STRING>", ["a", 'q"', "\\", "é"], ("a", 'q"', "\\", "é")),
    "none": ("ARRAY<STRING>", [], None),
    "list": ("JSON", '["x", "y"]', ("x", "y")),
}


def test_native_types(quick: QuickProject) -> None:
    given = {"whole": "integer", "day_text": "string", "list": "string_array"}
    custom = [{"column": name, "type": given[name]} if name in given else name for name in OWN]
    quick.map({"identifier": "id", "custom": custom})
    columns = {"id": "STRING", **{name: kind for name, (kind, *_) in OWN.items()}}
    row = {"id": "x", **{name: cell for name, (_, cell, _) in OWN.items()}}
    quick.set_rows(columns, [row, {"id": "nobody"}])
    assert quick.sync().rejected_attributes == 0
    assert plain(quick.profiles()["x"]) == {
        name: value for name, (_, _, value) in OWN.items() if value is not None
    }
    quick.build()
    assert quick.changes() == {}, "the merged snapshot differs from the model"


def test_wider_and_changed_types(quick: QuickProject) -> None:
    quick.map({"identifier": "id", "custom": ["n"]})
    sent = []
    for kind in ("NUMERIC", "FLOAT64", "NUMERIC"):
        quick.set_rows({"id": "STRING", "n": kind}, [{"id": "x", "n": "2.5"}])
        sent.append(quick.sync().sent)
    assert sent == [1, 0, 0], "a wider number was sent again"
    for kind, cell in (("STRING", "2.5"), ("DATE", "2024-02-29"), ("BOOL", "true"), ("INT64", "3")):
        quick.set_rows({"id": "STRING", "n": kind}, [{"id": "x", "n": cell}])
        assert quick.sync().sent == 1, kind


def test_an_unknown_project(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    path = quick.directory / "profiles.yml"
    before = path.read_text()
    path.write_text(before.replace("project: test-project", "project: other-project"))
    try:
        refused = quick.call("push")
    finally:
        path.write_text(before)
    assert refused.returncode in (1, 2)
    assert "Traceback" not in refused.stderr
