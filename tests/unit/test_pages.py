"""Reading a delta's pages when the warehouse returns rows in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from harness.hand_built import OUTPUT, HandBuilt

from dbt_batch_sync.kinds.attributes import KEY
from dbt_batch_sync.push.pages import read_ranges
from dbt_batch_sync.push.source import open_work

ROWS = [("b", 2, "x"), ("a", 0, "x"), ("d", 0, "w"), ("c", 1, "y"), ("e", 0, "x")]
"""Key, page and a text to sort by, in stored order."""


@pytest.mark.parametrize(
    ("rows", "order", "expected"),
    [
        (ROWS, (), "adecb"),
        (ROWS, ("name",), "daecb"),
        (sorted(ROWS, key=lambda row: (row[1], row[2], row[0])), ("name",), "daecb"),
        ([("b", 0, "x"), ("a", 0, "x")], ("name",), "ab"),
        ([("b", 0, "x"), ("a", 0, "y")], ("name",), "ba"),
        ([("a", 0, "y"), ("b", 0, "x")], ("name",), "ba"),
        ([("b", 0, "x")], ("name",), "b"),
    ],
)
def test_rows_are_ordered_by_page_and_columns(
    tmp_path: Path, rows: Sequence[tuple[str, int, str]], order: Sequence[str], expected: str
) -> None:
    """Within a page and without sort columns, rows keep their stored order."""
    shop = HandBuilt(tmp_path)
    shop.build(*((key, "insert", "name", {"name": name, "_batch_page": page}) for key, page, name in rows))
    (known,) = shop.known()
    assert known.state.built is not None
    work = open_work(shop.warehouse, shop.sync(), OUTPUT, known.state, known.state.built)
    (range_,) = work.histogram.ranges(2)
    ((read, _),) = read_ranges(shop.warehouse, replace(work.pending, names=("name",)), [range_], order)
    assert "".join(read.column(KEY).to_pylist()) == expected
