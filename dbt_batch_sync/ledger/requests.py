"""Requests to send rows again: `resend` appends them, the next `dbt run` answers them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event, read_ledger
from dbt_batch_sync.warehouse import Warehouse
from dbt_batch_sync.warehouse.relations import select

Scope = Literal["all", "rejected", "drift", "adopted"]

_COLUMNS = {
    "sync": "text",
    "run_id": "text",
    "request": "text",
    "recorded_at": "timestamp",
    "answered": "text",
}


@dataclass(frozen=True)
class Request:
    """A request of a sync: for `all` rows, for those with an open rejection, or for the differences that an
    audit (`drift`) or an adoption found; then the id is the audit's.
    """

    sync: str
    id: str
    request: Scope
    recorded_at: datetime


def append_requests(journal: Journal, scope: Scope, syncs: Sequence[str]) -> list[Request]:
    """Appends a request for each sync. A state must have been read first."""
    requests = [Request(sync, str(uuid.uuid4()), scope, journal.stamp()) for sync in syncs]
    journal.append(
        [Event(each.recorded_at, each.sync, "resend", run_id=each.id, request=scope) for each in requests]
    )
    return requests


def open_requests(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> list[Request]:
    """The requests that no built delta has answered, oldest first."""
    query = select(
        """
        select sync, run_id, request, recorded_at, answered from journal
        where sync in :syncs and (event = 'resend' or (event = 'built' and answered is not null))
        """,
        journal=journal.table,
        syncs=syncs,
    )
    rows = read_ledger(warehouse, journal.table, query, _COLUMNS)
    answered = {each for row in rows for each in str(row["answered"] or "").split(",")}
    found = {
        row["run_id"]: Request(row["sync"], row["run_id"], row["request"], row["recorded_at"])
        for row in rows
        if row["request"] in get_args(Scope) and row["run_id"] and row["run_id"] not in answered
    }
    return sorted(found.values(), key=lambda each: each.recorded_at)
