"""What the ledger's tables hold: a run, a reject, and where a delta goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import pyarrow as pa

RUNS = "batch_sync_runs"
REJECTS = "batch_sync_rejects"

Phase = Literal["reading", "rendering", "sending", "committing"]

PHASES: tuple[Phase, ...] = ("reading", "rendering", "sending", "committing")
"""What a push spends its time on: reading the delta from the warehouse; rendering it; waiting for Batch with
nothing else to do; writing to the snapshot and the ledger.
"""


@dataclass(frozen=True)
class Run:
    """One push of one sync: a row of `batch_sync_runs`, whose columns are named like the fields.

    Times are UTC without a zone. The seconds of `PHASES` are the push's own, one after the other; there
    is a rest. `project_hash` tells Batch's projects apart and is no secret;
    `attribute_types` is the delta's `_batch_types`.
    """

    run_id: str
    sync: str
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    delta_id: str | None = None
    endpoint: str | None = None
    output: str | None = None
    project_hash: str | None = None
    mapping_hash: str | None = None
    attribute_types: str | None = None
    tool_version: str | None = None
    host: str | None = None
    process: int | None = None
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    sent: int = 0
    accepted: int = 0
    rejected_rows: int = 0
    rejected_attributes: int = 0
    parked: int = 0
    requests: int = 0
    retries: int = 0
    committed: int = 0
    seconds: float = 0.0
    reading_seconds: float = 0.0
    rendering_seconds: float = 0.0
    sending_seconds: float = 0.0
    committing_seconds: float = 0.0
    intent_position: int | None = None
    committed_position: int | None = None
    committed_key: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Reject:
    """A refused attribute, or row (no attribute); `sent_hash` of a row is what parks it. Never a value."""

    custom_id: str
    attribute: str | None
    reason: str
    rejected_by: str
    sent_hash: str | None = None
    attempts: int = 1


@dataclass(frozen=True)
class RejectCount:
    """How many rows (no attribute) or values of an attribute stand refused for one reason."""

    attribute: str | None
    reason: str
    rejected_by: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    attempts: int


@dataclass(frozen=True)
class Resume:
    """Where the last commit of a delta ended."""

    position: int = 0
    key: str | None = None


_TYPES = {"str": "text", "int": "bigint", "float": "double", "datetime": "timestamp"}


RUN_COLUMNS = {f.name: _TYPES[str(f.type).split(" |", maxsplit=1)[0]] for f in fields(Run)}


REJECT_COLUMNS = {
    "sync": "text",
    "custom_id": "text",
    "attribute": "text",
    "reason": "text",
    "rejected_by": "text",
    "first_seen_at": "timestamp",
    "last_seen_at": "timestamp",
    "attempts": "bigint",
    "run_id": "text",
    "sent_hash": "text",
    "resolved_at": "timestamp",
    "staged": "boolean",
}
ARROW_TYPES = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
}


def run_rows(runs: Sequence[Run]) -> pa.Table:
    """Runs as rows of their table."""
    return pa.table(
        {
            name: pa.array([getattr(run, name) for run in runs], ARROW_TYPES[kind])
            for name, kind in RUN_COLUMNS.items()
        }
    )
