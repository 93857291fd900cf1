"""The pages of a delta: counts the rows to send, and reads them, one range ahead."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import accumulate, groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import KEY
from dbt_batch_sync.ledger.records import typed
from dbt_batch_sync.ledger.state import Checkpoint
from dbt_batch_sync.push.known import Pending
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.relations import select

RANGE_ROWS = 30_000
RANGE_CELLS = 600_000
"""The most rows of a range, unless it is a single page. A few ranges are held at a time."""

_COLUMNS = {"page": "bigint", "change": "text", "row_count": "bigint", "sending": "bigint"}


@dataclass(frozen=True)
class Range:
    """Pages from `first` to `last`, with `rows` rows to send. `inserts`: all of them are inserts.

    `limit`: reads at most this many, in the order of page and key.
    """

    first: int
    last: int
    rows: int
    inserts: bool
    limit: int | None = None


class Page(NamedTuple):
    """A page: the rows to send, and whether they are all inserts. `valid` rows may have nothing to send."""

    number: int
    sending: int
    valid: int
    inserts: bool


@dataclass(frozen=True)
class Histogram:
    """The unsettled pages in order. `counts` are all their rows by change."""

    pages: tuple[Page, ...]
    counts: dict[str, int]

    @cached_property
    def _reached(self) -> tuple[int, ...]:
        return tuple(accumulate(page.sending for page in self.pages))

    @property
    def rows(self) -> int:
        """The total of rows to send."""
        return self._reached[-1] if self._reached else 0

    def settled_page(self, rows: int) -> int | None:
        """The last page with nothing left to send once the first `rows` rows are settled."""
        place = bisect_right(self._reached, rows)
        return self.pages[place - 1].number if place else None

    def _place(self, page: int) -> int:
        return bisect_right(self.pages, page, key=attrgetter("number"))

    def rows_up_to(self, page: int) -> int:
        """The rows to send up to a page, including it."""
        place = self._place(page)
        return self._reached[place - 1] if place else 0

    def behind(self, page: int) -> Histogram:
        """The pages after one."""
        return Histogram(self.pages[self._place(page) :], self.counts)

    def settled_rows(self, rows: int, page: int) -> int:
        """The rows that a checkpoint settles, if all rows after the page come before its key."""
        valid = sum(each.valid for each in self.pages[: self._place(page)])
        return valid + max(0, rows - self.rows_up_to(page))

    def page_of(self, row: int) -> int | None:
        """The page of a row to send, counted from 1. For a later row, the last page with rows."""
        if not self.rows or row < 1:
            return None
        return self.pages[bisect_left(self._reached, min(row, self.rows))].number

    def ranges(self, columns: int, limit: int | None = None) -> Iterator[Range]:
        """The ranges to read, in order: neighboring pages with up to `RANGE_ROWS` or `limit` rows."""
        most = max(1, min(RANGE_ROWS, RANGE_CELLS // max(1, columns)))
        left, inserts = self.rows if limit is None else min(limit, self.rows), True
        for start, stop in neighbours([page.sending for page in self.pages], most):
            pages = self.pages[start:stop]
            rows = sum(page.sending for page in pages)
            # After the first row that is not an insert, all ranges are read alike: each kind of range has its
            # own statements.
            inserts = inserts and all(page.inserts for page in pages)
            if rows and left > 0:
                cut = left if rows > left else None
                yield Range(pages[0].number, pages[-1].number, min(rows, left), inserts, cut)
                left -= rows


def neighbours(rows: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """From where up to, but not including, where pages have at most so many rows together; at least one."""
    start = 0
    while start < len(rows):
        stop, together = start + 1, rows[start]
        while stop < len(rows) and together + rows[stop] <= most:
            together += rows[stop]
            stop += 1
        yield start, stop
        start = stop


def read_histogram(warehouse: Warehouse, pending: Pending, expected: int | None) -> Histogram:
    """Counts the unsettled rows by page. Raises Stopped if the delta in the warehouse is another one, or does
    not have the rows that are `expected` if none is settled.
    """
    found = warehouse.fetch(Statement(histogram_of(pending), pending.values))
    listed = typed(found, _COLUMNS).sort_by("page").to_pylist()
    if not listed or (expected is not None and sum(row["row_count"] for row in listed) != expected):
        raise replaced(pending)
    pages: list[Page] = []
    counts = Counter[str]()
    for number, rows in groupby(listed, itemgetter("page")):
        changes = list(rows)
        counts.update({row["change"]: row["row_count"] for row in changes})
        valid = sum(row["row_count"] for row in changes if row["change"] != "invalid")
        inserts = all(row["change"] == "insert" or not row["sending"] for row in changes)
        pages.append(Page(number, sum(row["sending"] for row in changes), valid, inserts))
    return Histogram(tuple(pages), counts)


def read_ranges(
    warehouse: Warehouse, pending: Pending, ranges: Iterable[Range], order: Sequence[str] = ()
) -> Generator[tuple[pa.Table, Checkpoint | None], None, None]:
    """The rows of each range, in the order of pages and of the columns `order`, and the checkpoint after a
    range with a limit. A thread reads the next range meanwhile.

    Columns are `KEY`, `_batch_page` and the attributes' in lower case; for rows that may be known also
    `_batch_change`, `_batch_changed` and `_batch_reason`. Raises Stopped: the delta was replaced.
    """
    selects = cache(partial(rows_of, pending))  # nearly all ranges have the same one
    by = ["_batch_page", *order, KEY] if order else ["_batch_page"]

    def read(range_: Range) -> tuple[pa.Table, Checkpoint | None]:
        query, columns = selects(inserts=range_.inserts, limit=range_.limit)
        values = {**pending.values, "first": range_.first, "last": range_.last}
        rows = warehouse.fetch(Statement(query, values)).rename_columns(columns)
        if rows.num_rows != range_.rows:
            raise replaced(pending)
        reached = None
        if range_.limit is not None:
            # Before sorting: only the warehouse knows which key of the last page is the greatest.
            page, key = (rows.column(name)[-1].as_py() for name in ("_batch_page", KEY))
            reached = Checkpoint(int(str(page)) - 1, str(key))
        # DuckDB and others keep the order in which rows are stored.
        return rows if _in_order(rows, by) else rows.sort_by([(name, "ascending") for name in by]), reached

    with ThreadPoolExecutor(1, thread_name_prefix="batch-reader") as pool:
        reading = (pool.submit(read, each) for each in ranges)  # each when it is asked for
        following = next(reading, None)
        while following is not None:
            found = following.result()
            following = next(reading, None)
            yield found
            del found


def replaced(pending: Pending) -> Stopped:
    """The message of a push that finds another delta than the one that was built."""
    name = pending.delta.table.name
    return Stopped(
        f"{name} is not the delta that the ledger says was built last: it was rebuilt during the push, or "
        "altered. What was sent since the last checkpoint is sent again. "
        f"Run: dbt run --select {name}"
    )


def _in_order(rows: pa.Table, names: Iterable[str]) -> bool:
    """Whether the rows are sorted by these columns. Sorting them costs as much as rendering them."""
    tied = pa.scalar(True)
    for name in names:
        values = rows.column(name).combine_chunks()
        if pc.any(pc.and_(tied, pc.greater(values[:-1], values[1:]))).as_py():
            return False
        tied = pc.and_(tied, pc.equal(values[:-1], values[1:]))
    return True


def histogram_of(pending: Pending) -> exp.Select:
    """By page and change: all rows, and those to read."""
    return select(
        """
        select _batch_page as page, _batch_change as change, count(*) as row_count
        from delta group by _batch_page, _batch_change
        """,
        delta=pending.delta,
        cells={"sending": f"sum(case when {_SENDS} then 1 else 0 end)"},
        where=pending.conditions(),
    )


def rows_of(pending: Pending, *, inserts: bool, limit: int | None) -> tuple[exp.Select, list[str]]:
    """The rows of the pages from `:first` to `:last` to read, and the names of the columns.

    `inserts`: all are inserts, so their change is not read. An insert sends all its values, so its list of
    names, longer than many a row, is not read either. `limit`: at most this many, by page and key.
    """
    cells = {name: name for name in (KEY, "_batch_page")}
    if not inserts:
        changed = "case when _batch_change <> 'insert' then _batch_changed end"
        cells |= {
            "_batch_change": "_batch_change",
            "_batch_changed": changed,
            "_batch_reason": "_batch_reason",
        }
    cells |= {name: f'"{name}"' for name in pending.names}
    order = "" if limit is None else f"order by _batch_page, _batch_key limit {limit}"
    query = select(
        f"select from delta where _batch_page between :first and :last {order}",
        delta=pending.delta,
        cells=cells,
        where=[*pending.conditions(), _SENDS],
    )
    return query, list(cells)


_SENDS = "_batch_change <> 'invalid' and (_batch_changed <> '' or _batch_reason <> '')"
"""Rows that send something, or whose rejections by the delta must be recorded."""
