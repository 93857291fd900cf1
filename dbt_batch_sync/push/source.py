"""The rows that a push sends: read one range ahead and rendered, with the rejections by validation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import call_size
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.kinds.attributes import CUSTOM_ID, KEY, TypedAttribute, parse_types
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.ledger.records import Reject
from dbt_batch_sync.ledger.state import Built, Checkpoint, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.payload.events import PAGE, TIME, Grouping, render_events
from dbt_batch_sync.payload.render import Rendered, render
from dbt_batch_sync.push.known import Pending, build_command, relation_of
from dbt_batch_sync.push.pages import Histogram, read_histogram, read_ranges
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.warehouse import Warehouse

DELTA_COLUMNS = tuple(f"_batch_{name}" for name in ("change", "changed", "reason", "page", "delta_id"))


@dataclass(frozen=True)
class Work:
    """A delta with unsettled rows. `state` is the sync's when they were counted.

    `unsure` rows may have been sent by an earlier push of this delta. They are sent again, except for those
    up to the page `given_up`, which are not in the histogram. At most `limit` rows are sent.
    """

    sync: Sync
    output: Output
    state: SyncState
    built: Built
    pending: Pending
    attributes: tuple[TypedAttribute, ...]
    histogram: Histogram
    unsure: int = 0
    given_up: int | None = None
    limit: int | None = None

    @property
    def name(self) -> str:
        return self.sync.name

    @property
    def rows(self) -> int:
        """The number of rows to send."""
        return self.histogram.rows if self.limit is None else min(self.limit, self.histogram.rows)

    @property
    def envelope(self) -> tuple[bytes, bytes]:
        """The text before and after the rows of a request."""
        return self.sync.kind.envelope(self.sync.mapping)

    @cached_property
    def route(self) -> Route:
        return self.sync.kind.route(self.sync.mapping.endpoint, self.histogram.rows)

    @property
    def call_size(self) -> int:
        """The most rows of a request."""
        return call_size(self.route, self.output.max_profiles_per_second)

    @property
    def max_in_flight(self) -> int:
        """The most requests at a time."""
        return min(self.output.max_in_flight, self.route.max_in_flight or self.output.max_in_flight)

    @property
    def rate(self) -> int:
        """The most rows per second that an intent covers; 0 if there is no rate limit."""
        rate, route = self.output.max_profiles_per_second, self.route
        return int((route.rate or route.calls * route.max_rows) if rate is None else rate)


def open_work(
    warehouse: Warehouse, sync: Sync, output: Output, state: SyncState, built: Built, limit: int | None = None
) -> Work:
    """Counts the unsettled rows of the last built delta, with two queries. Raises ConfigurationError: the
    delta is not in the warehouse, or lacks columns. Raises Stopped: it is not the last built one.
    """
    delta = relation_of(warehouse, sync, "delta")
    attributes = parse_types(built.attribute_types, sync.kind.rules)
    names = tuple(attribute.name for attribute in attributes)
    missing = [name for name in (delta.key, *DELTA_COLUMNS, *names) if name not in delta.names]
    if missing:
        raise ConfigurationError(
            f"{delta.table.sql(warehouse.dialect)} lacks the columns {', '.join(missing)}: it was altered, "
            f"or built by other macros; nothing was sent. Run: {build_command(sync)}"
        )
    pending = Pending(delta, built.delta_id, state.checkpoint, names)
    untouched = state.checkpoint == Checkpoint()
    histogram = read_histogram(warehouse, pending, built.rows if untouched else None)
    sent, unsure, given_up = state.sent_page, 0, None
    if not sync.kind.repeatable and sent is not None and sent > state.checkpoint.page:
        unsure = histogram.rows_up_to(sent)
        if sync.mapping.at_most_once:
            histogram, given_up = histogram.behind(sent), sent
    return Work(sync, output, state, built, pending, attributes, histogram, unsure, given_up, limit)


REASON = "_batch_reason"


@dataclass
class Source:
    """The rows of one delta to send. Call `rendered` once.

    `now` is the UTC time. For kinds that must not repeat a row, requests end at pages, once they are full.

    Attributes:
        rejected: Rejections by validation, each with the number of its row, counted from 1.
        last_key: The last key with a limit, once its rows are read.
    """

    warehouse: Warehouse
    work: Work
    phases: Phases
    now: Callable[[], datetime]
    rejected: list[tuple[int, Reject]] = field(default_factory=list)
    last_key: Checkpoint | None = None

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
        window = self.work.call_size if mapping.at_most_once else None
        grouping = Grouping(kind.per_operation, self.now, undated=mapping.undated, window=window)
        return render_events(batches, self.work.attributes, kind.fragment, grouping)

    def settled(self, rows: int) -> list[Reject]:
        """The rejections of the first rows that were not returned before."""
        due = [reject for row, reject in self.rejected if row <= rows]
        self.rejected[:] = [(row, reject) for row, reject in self.rejected if row > rows]
        return due

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        work, before = self.work, 0
        ranges = work.histogram.ranges(len(work.pending.names) + 1, work.limit)
        grouped = work.sync.kind.per_operation > 0
        order = (CUSTOM_ID, TIME) if grouped else ()
        with closing(read_ranges(self.warehouse, work.pending, ranges, order)) as reading:
            for rows, reached in self.phases.pulled("reading", reading):
                self.last_key = reached
                if REASON in rows.column_names:
                    self.rejected += _held_back(rows, before, work.sync.kind.held_back)
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
