"""The rows of the ledger's tables: events, rejects, and runs, which are a view of the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.warehouse import Statement, Value, Warehouse

JOURNAL = "batch_sync_journal"
REJECTS = "batch_sync_rejects"
DRIFT = "batch_sync_drift"
RUNS = "batch_sync_runs"

Phase = Literal["reading", "rendering", "sending", "recording"]

PHASES: tuple[Phase, ...] = ("reading", "rendering", "sending", "recording")
"""The phases of a push: waiting for rows from the warehouse, rendering them, waiting for Batch, appending to
the ledger.
"""

EventName = Literal[
    "building",
    "built",
    "claimed",
    "beat",
    "intent",
    "checkpoint",
    "released",
    "ended",
    "doubt",
    "resend",
    "export",
    "audited",
    "asked",
    "pending",
    "done",
]


@dataclass(frozen=True)
class Run:
    """One push of one sync: a row of `batch_sync_runs`, with fields named like its columns.

    Times are UTC without a zone. The seconds of `PHASES` don't overlap and don't add up to the total.
    `project_hash` identifies the Batch project and is not a secret.
    """

    run_id: str
    sync: str
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    delta_id: str | None = None
    endpoint: str | None = None
    output: str | None = None
    project_hash: str | None = None
    mapping_hash: str | None = None
    version: str | None = None
    target: str | None = None
    host: str | None = None
    process: int | None = None
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    parked: int = 0
    unsure: int = 0
    sent: int = 0
    accepted: int = 0
    rejected_rows: int = 0
    rejected_attributes: int = 0
    requests: int = 0
    retries: int = 0
    settled: int = 0
    seconds: float = 0.0
    reading_seconds: float = 0.0
    rendering_seconds: float = 0.0
    sending_seconds: float = 0.0
    recording_seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Event:
    """An event of a sync: a row of the journal, with fields named like its columns.

    Fields that don't apply are None. `recorded_at` is the warehouse's time, in UTC without a zone.
    """

    recorded_at: datetime
    sync: str
    event: EventName
    run_id: str | None = None
    delta_id: str | None = None
    page: int | None = None
    key: str | None = None
    names: str | None = None
    request: str | None = None
    answered: str | None = None
    target: str | None = None
    mapping_hash: str | None = None
    attribute_types: str | None = None
    mode: str | None = None
    version: str | None = None
    model_rows: int | None = None
    known_rows: int | None = None
    inserts: int | None = None
    updates: int | None = None
    exits: int | None = None
    invalid: int | None = None
    parked: int | None = None
    unsure: int | None = None
    output: str | None = None
    project_hash: str | None = None
    endpoint: str | None = None
    host: str | None = None
    process: int | None = None
    status: str | None = None
    started_at: datetime | None = None
    sent: int | None = None
    accepted: int | None = None
    rejected_rows: int | None = None
    rejected_attributes: int | None = None
    requests: int | None = None
    retries: int | None = None
    settled: int | None = None
    seconds: float | None = None
    reading_seconds: float | None = None
    rendering_seconds: float | None = None
    sending_seconds: float | None = None
    recording_seconds: float | None = None
    retention_days: int | None = None
    error: str | None = None
    compared: int | None = None
    drifted: int | None = None
    unknown_profiles: int | None = None


@dataclass(frozen=True)
class Reject:
    """A rejected attribute of a row, or the whole row (no attribute), without values."""

    key: str = field(repr=False)
    attribute: str | None
    reason: str
    rejected_by: Literal["batch", "validation"]


@dataclass(frozen=True)
class RejectCount:
    """The number of open rejections of rows (no attribute) or of an attribute's values, for one reason."""

    sync: str
    attribute: str | None
    reason: str
    rejected_by: str
    count: int
    first_rejected_at: datetime
    last_rejected_at: datetime


@dataclass(frozen=True)
class RejectedKey:
    """An open rejection of one key; of the whole row if there is no `attribute`."""

    key: str
    attribute: str | None
    reason: str


@dataclass(frozen=True)
class Rejection:
    """A rejection of one attribute, or of the whole row, of a key. `resolved_at` is None while it is open."""

    attribute: str | None
    reason: str
    rejected_by: str
    run_id: str
    rejected_at: datetime
    resolved_at: datetime | None


_TYPES = {"str": "text", "EventName": "text", "int": "bigint", "float": "double", "datetime": "timestamp"}

JOURNAL_COLUMNS = {f.name: _TYPES[str(f.type).split(" |", maxsplit=1)[0]] for f in fields(Event)}
RUN_COLUMNS = {f.name: _TYPES[str(f.type).split(" |", maxsplit=1)[0]] for f in fields(Run)}
REJECT_COLUMNS = {
    "rejected_at": "timestamp",
    "sync": "text",
    "run_id": "text",
    "delta_id": "text",
    "key": "text",
    "attribute": "text",
    "reason": "text",
    "rejected_by": "text",
    "sent_hash": "text",
    "resolved_at": "timestamp",
}
DRIFT_COLUMNS = {
    "audited_at": "timestamp",
    "sync": "text",
    "audit_id": "text",
    "key": "text",
    "attribute": "text",
    "difference": "text",
}
_COLUMNS_OF: dict[str, Mapping[str, str]] = {
    JOURNAL: JOURNAL_COLUMNS,
    REJECTS: REJECT_COLUMNS,
    DRIFT: DRIFT_COLUMNS,
    RUNS: RUN_COLUMNS,
}
ARROW_TYPES = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
}


def ledger_rows(columns: Mapping[str, str], rows: Iterable[Mapping[str, object]] = ()) -> pa.Table:
    """Rows to append; what they lack is null."""
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    return pa.Table.from_pylist(list(rows), schema=schema)


def typed(rows: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """Converts a result to these names and types, in order, because warehouses return their own."""
    cells = [rows.column(place).cast(ARROW_TYPES[kind]) for place, kind in enumerate(columns.values())]
    return pa.table(cells, names=list(columns))


def read_ledger(
    warehouse: Warehouse,
    table: exp.Table,
    query: exp.Select,
    columns: Mapping[str, str],
    values: Mapping[str, Value] | None = None,
) -> list[dict[str, Any]]:
    """The rows that a query of the ledger finds, as `columns`.

    Raises:
        ConfigurationError: there is no such table yet, or an older version of the macros created it.
    """
    try:
        result = warehouse.fetch(Statement(query, values or {}))
    except WarehouseError:
        found = {column.name.lower() for column in warehouse.columns(table)}
        name = table.sql(warehouse.dialect)
        if not found:
            raise ConfigurationError(f"there is no {name} in the warehouse yet. Run: dbt run") from None
        if found >= set(_COLUMNS_OF.get(table.name.lower(), ())):
            raise
        older = f"{name} was created by an older version of the macros. To upgrade it, run: dbt run"
        raise ConfigurationError(older) from None
    rows: list[dict[str, Any]] = typed(result, columns).to_pylist()
    return rows
