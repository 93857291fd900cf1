"""The rows of the ledger's tables: events, rejects, and runs, which are a view of the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

import pyarrow as pa

JOURNAL = "batch_sync_journal"
REJECTS = "batch_sync_rejects"
DRIFT = "batch_sync_drift"
RUNS = "batch_sync_runs"

_Row = TypeVar("_Row")

Phase = Literal["reading", "rendering", "sending", "recording"]

PHASES: tuple[Phase, ...] = ("reading", "rendering", "sending", "recording")
"""Waiting for rows from the warehouse, rendering them, waiting for Batch, appending to the ledger."""

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
    """An open rejection of one key; of the whole row without an `attribute`. Invalid rows may have no key."""

    key: str | None
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


_TYPES = {"int": "bigint", "float": "double", "datetime": "timestamp"}


def columns_of(row: type[Any]) -> dict[str, str]:
    """The columns that a dataclass's fields are named like, with their types, in order."""
    return {f.name: _TYPES.get(str(f.type).partition(" ")[0], "text") for f in fields(row)}


_REJECT_TEXTS = ("sync", "run_id", "delta_id", "key", "attribute", "reason", "rejected_by", "sent_hash")
_DRIFT_TEXTS = ("sync", "audit_id", "key", "attribute", "difference")

COLUMNS: Mapping[str, Mapping[str, str]] = {
    JOURNAL: columns_of(Event),
    RUNS: columns_of(Run),
    REJECTS: {"rejected_at": "timestamp", **dict.fromkeys(_REJECT_TEXTS, "text"), "resolved_at": "timestamp"},
    DRIFT: {"audited_at": "timestamp", **dict.fromkeys(_DRIFT_TEXTS, "text")},
}
"""The columns of each table, with their types, in order."""

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


def rows_as(row: Callable[..., _Row], rows: pa.Table) -> list[_Row]:
    """A result as values of a dataclass with fields in its order. A null is the default, if there is one."""
    kind = cast("type[Any]", row)
    optional = {f.name for f in fields(kind) if f.default is not MISSING}
    return [
        row(**{name: cell for name, cell in cells.items() if cell is not None or name not in optional})
        for cells in typed(rows, columns_of(kind)).to_pylist()
    ]
