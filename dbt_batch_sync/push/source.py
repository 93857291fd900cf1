"""The rows that a push sends: read one range ahead and rendered, with the rejections by validation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.kinds.attributes import CUSTOM_ID, KEY
from dbt_batch_sync.ledger.records import Reject
from dbt_batch_sync.ledger.state import Checkpoint
from dbt_batch_sync.payload.events import PAGE, TIME, Grouping, render_events
from dbt_batch_sync.payload.render import Rendered, render
from dbt_batch_sync.push.pages import last_key, read_ranges
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.warehouse import Warehouse

REASON = "_batch_reason"


@dataclass
class Source:
    """The rows of one delta to send, at most `limit`. Call `rendered` once.

    `now` is the UTC time. For kinds that must not repeat a row, requests end at pages, after `window` rows or
    more.

    Attributes:
        rejected: Rejections by validation, each with the number of its row, counted from 1.
        last_key: The last key of `limit`, once its rows are read.
    """

    warehouse: Warehouse
    work: Work
    phases: Phases
    now: Callable[[], datetime]
    window: int
    limit: int | None = None
    rejected: list[tuple[int, Reject]] = field(default_factory=list)
    last_key: Checkpoint | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.work.rows if self.limit is None else min(self.limit, self.work.rows)

    def rendered(self) -> Generator[pa.RecordBatch, None, None]:
        """The rows in the form that `delivery` reads."""
        with closing(self._batches()) as batches, closing(self._render(batches)) as rendered:
            for part in rendered:
                self.rejected += (
                    (note.position, Reject(note.key, note.attribute, note.reason, "validation"))
                    for note in part.rejected
                )
                yield part.rows

    def _render(self, batches: Iterator[pa.RecordBatch]) -> Generator[Rendered, None, None]:
        kind, mapping = self.work.sync.kind, self.work.sync.mapping
        if not kind.per_operation:
            return render(batches, self.work.attributes, kind.fragment)
        window = self.window if mapping.at_most_once else None
        grouping = Grouping(kind.per_operation, self.now, undated=mapping.undated, window=window)
        return render_events(batches, self.work.attributes, kind.fragment, grouping)

    def settled(self, rows: int) -> list[Reject]:
        """The rejections of the first rows that were not returned before."""
        due = [reject for row, reject in self.rejected if row <= rows]
        self.rejected[:] = [(row, reject) for row, reject in self.rejected if row > rows]
        return due

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        names = [attribute.name for attribute in self.work.attributes]
        ranges = self.work.histogram.ranges(len(names) + 1, self.limit)
        before = 0
        grouped = self.work.sync.kind.per_operation > 0
        order = (CUSTOM_ID, TIME) if grouped else ()
        with closing(read_ranges(self.warehouse, self.work.pending, names, ranges, order)) as reading:
            for range_, rows in self.phases.pulled("reading", reading):
                if range_.limit is not None:
                    self.last_key = last_key(rows)
                if REASON in rows.column_names:
                    self.rejected += _held_back(rows, before, self.work.sync.kind.held_back)
                before += rows.num_rows
                unsent = (REASON,) if grouped else (REASON, PAGE)
                sent = [name for name in rows.column_names if name not in unsent]
                yield from rows.select(sent).to_batches()


def _held_back(rows: pa.Table, before: int, reason: str) -> Iterator[tuple[int, Reject]]:
    """The attributes that the delta left out, each with the number of its row."""
    reasons = rows.column(REASON).cast(pa.string())
    found = pc.starts_with(reasons, f"{reason}:")
    for place in pc.indices_nonzero(found).to_pylist():
        key = str(rows.column(KEY)[place].as_py())
        for name in str(reasons[place].as_py()).partition(":")[2].split(","):
            yield before + place + 1, Reject(key, name, reason, "validation")
