"""What is to be pushed of one sync: its delta's rows that are not settled, and how they are sent."""

from __future__ import annotations

from dataclasses import dataclass

from dbt_batch_sync.attributes import TypedAttribute, parse_types
from dbt_batch_sync.batch_api.limits import Endpoint
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.mapping import EndpointChoice
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.known import build_command, relation_of
from dbt_batch_sync.push.pages import Histogram, read_histogram
from dbt_batch_sync.sql.counts import Pending
from dbt_batch_sync.warehouse import Warehouse

MASS_UPDATE_FROM = 10_001
"""Rows of a delta from which `endpoint: auto` takes mass-update: up to 10,000 take 30 s or less at update's
rate.
"""

DELTA_COLUMNS = (
    "custom_id",
    "_batch_change",
    "_batch_changed",
    "_batch_reason",
    "_batch_page",
    "_batch_delta_id",
)


@dataclass(frozen=True)
class Work:
    """A delta with rows that are not settled; `state` is the sync's when they were counted."""

    sync: Sync
    output: Output
    state: SyncState
    built: Built
    pending: Pending
    attributes: tuple[TypedAttribute, ...]
    histogram: Histogram

    @property
    def name(self) -> str:
        """The sync's name."""
        return self.sync.name

    @property
    def rows(self) -> int:
        """Rows to send."""
        return self.histogram.rows

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that the rows go to."""
        return endpoint_for(self.sync.mapping.endpoint, self.rows)


def endpoint_for(choice: EndpointChoice, rows: int) -> Endpoint:
    """The endpoint that a mapping asks for; `auto` decides by the number of rows."""
    if choice is EndpointChoice.AUTO:
        return Endpoint.MASS_UPDATE if rows >= MASS_UPDATE_FROM else Endpoint.UPDATE
    return Endpoint(choice.value)


def open_work(warehouse: Warehouse, sync: Sync, output: Output, state: SyncState, built: Built) -> Work:
    """Counts what is not settled of the delta that was built last. Two queries.

    Raises:
        ConfigurationError: the delta is not in the warehouse, or lacks columns.
        Stopped: it is not the one that was built last.
    """
    delta = relation_of(warehouse, sync, "delta")
    attributes = parse_types(built.attribute_types)
    names = (*DELTA_COLUMNS, *(attribute.name for attribute in attributes))
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
    return Work(sync, output, state, built, pending, attributes, histogram)
