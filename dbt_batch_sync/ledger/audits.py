"""Audits in the ledger: their exports, their results, and the requests to send differences again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from dbt_batch_sync.ledger.journal import ROWS_AT_ONCE, Journal
from dbt_batch_sync.ledger.records import DRIFT, DRIFT_COLUMNS, Event, ledger_rows, read_ledger
from dbt_batch_sync.warehouse import Value, Warehouse
from dbt_batch_sync.warehouse.relations import beside, select

Asked = Literal["drift", "adopted"]
"""What to send again after an audit: what differs, or for an adoption, what Batch lacks."""

_COLUMNS = {
    "sync": "text",
    "run_id": "text",
    "request": "text",
    "names": "text",
    "started_at": "timestamp",
    "recorded_at": "timestamp",
    "compared": "bigint",
    "drifted": "bigint",
    "unknown_profiles": "bigint",
}


@dataclass(frozen=True)
class Begun:
    """The export for a sync: its id in Batch, its start by the warehouse's clock, and its attributes."""

    sync: str
    audit_id: str
    export_id: str
    began: datetime
    names: tuple[str, ...]


@dataclass(frozen=True)
class Audited:
    """The result of an audit of a sync: compared rows, rows that differ in Batch, and profiles that are not
    in the sync.
    """

    sync: str
    audit_id: str
    began: datetime
    ended: datetime
    compared: int
    drifted: int
    unknown_profiles: int


class Audits:
    """The audits in one schema. A state of the journal must have been read first."""

    def __init__(self, warehouse: Warehouse, journal: Journal) -> None:
        self._warehouse = warehouse
        self._journal = journal
        self._drift = beside(journal.table, DRIFT)

    def begin(self, begun: Iterable[Begun]) -> None:
        """Records the start of an export."""
        self._journal.append(
            [
                Event(
                    self._journal.stamp(),
                    each.sync,
                    "export",
                    each.audit_id,
                    request=each.export_id,
                    names=",".join(each.names),
                    started_at=each.began,
                )
                for each in begun
            ]
        )

    def of_export(self, export_id: str) -> list[Begun]:
        """The syncs of an export."""
        rows = self._events("event = 'export' and request = :export", {"export": export_id})
        found = {
            row["sync"]: Begun(
                row["sync"], row["run_id"], row["request"], row["started_at"], tuple(row["names"].split(","))
            )
            for row in rows
        }
        return list(found.values())

    def append_drift(self, sync: str, audit_id: str, rows: pa.Table) -> None:
        """Appends differences (`key`, `attribute`, `difference`), without values."""
        own = {"audited_at": self._journal.stamp(), "sync": sync, "audit_id": audit_id}
        found = ({**own, **row} for row in rows.to_pylist())
        self._warehouse.append(self._drift, ledger_rows(DRIFT_COLUMNS, found))

    def end(self, audited: Audited, request: Asked | None) -> None:
        """Records the result of an audit, after its differences. `request` asks the next `dbt run` to send
        them again.
        """
        events = [
            Event(
                self._journal.stamp(),
                audited.sync,
                "audited",
                audited.audit_id,
                started_at=audited.began,
                compared=audited.compared,
                drifted=audited.drifted,
                unknown_profiles=audited.unknown_profiles,
            )
        ]
        if request is not None:
            events.append(
                Event(self._journal.stamp(), audited.sync, "resend", audited.audit_id, request=request)
            )
        self._journal.append(events)

    def last(self, syncs: Sequence[str]) -> dict[str, Audited]:
        """The last audit of each sync."""
        found: dict[str, Audited] = {}
        rows = self._events("event = 'audited' and sync in :syncs", {}, syncs=syncs)
        for row in sorted(rows, key=lambda each: each["recorded_at"]):
            found[row["sync"]] = Audited(
                row["sync"],
                row["run_id"],
                row["started_at"],
                row["recorded_at"],
                row["compared"] or 0,
                row["drifted"] or 0,
                row["unknown_profiles"] or 0,
            )
        return found

    def _events(
        self, where: str, values: dict[str, Value], syncs: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        query = select(
            "select from journal",
            cells={name: name for name in _COLUMNS},
            where=[where],
            journal=self._journal.table,
            syncs=syncs,
        )
        return read_ledger(self._warehouse, self._journal.table, query, _COLUMNS, values)


DRIFT_ROWS = ROWS_AT_ONCE
"""Rows of one append of differences."""
