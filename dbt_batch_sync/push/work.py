"""What a push sends of one sync: the unsettled rows of its delta, and how."""

from __future__ import annotations

from dataclasses import dataclass

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.kinds.attributes import TypedAttribute, parse_types
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.counts import Pending
from dbt_batch_sync.push.known import build_command, relation_of
from dbt_batch_sync.push.pages import Histogram, read_histogram
from dbt_batch_sync.warehouse import Warehouse

DELTA_COLUMNS = tuple(f"_batch_{name}" for name in ("change", "changed", "reason", "page", "delta_id"))


@dataclass(frozen=True)
class Work:
    """A delta with unsettled rows. `state` is the sync's when they were counted.

    `unsure` rows may have been sent by an earlier push of this delta. They are sent again, except for those
    up to the page `given_up`, which are not in the histogram.
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

    @property
    def name(self) -> str:
        """The sync's name."""
        return self.sync.name

    @property
    def rows(self) -> int:
        """The number of rows to send."""
        return self.histogram.rows

    @property
    def envelope(self) -> tuple[bytes, bytes]:
        """The text before and after the rows of a request."""
        return self.sync.kind.envelope(self.sync.mapping)

    @property
    def route(self) -> Route:
        """Where the rows are sent."""
        return self.sync.kind.route(self.sync.mapping.endpoint, self.rows)


def open_work(warehouse: Warehouse, sync: Sync, output: Output, state: SyncState, built: Built) -> Work:
    """Counts the unsettled rows of the last built delta, with two queries.

    Raises:
        ConfigurationError: the delta is not in the warehouse, or lacks columns.
        Stopped: it is not the last built one.
    """
    delta = relation_of(warehouse, sync, "delta")
    attributes = parse_types(built.attribute_types, sync.kind.rules)
    names = (delta.key, *DELTA_COLUMNS, *(attribute.name for attribute in attributes))
    missing = [name for name in names if not delta.has(name)]
    if missing:
        raise ConfigurationError(
            f"{delta.table.sql(warehouse.dialect)} lacks the columns {', '.join(missing)}: it was altered, "
            f"or built by other macros; nothing was sent. Run: {build_command(sync)}"
        )
    at = state.checkpoint
    untouched = at.page < 0 and at.key is None
    pending = Pending(delta, built.delta_id, None if untouched else at.page, at.key)
    histogram = read_histogram(warehouse, pending, built.rows if untouched else None)
    sent = state.sent_page
    if sync.kind.repeatable or sent is None or sent <= at.page:
        return Work(sync, output, state, built, pending, attributes, histogram)
    unsure = histogram.rows_up_to(sent)
    if not sync.mapping.at_most_once:
        return Work(sync, output, state, built, pending, attributes, histogram, unsure)
    left = histogram.behind(sent)
    return Work(sync, output, state, built, pending, attributes, left, unsure, given_up=sent)
