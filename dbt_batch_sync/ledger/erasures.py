"""The journal's rows about erasures: requests to Batch and their state.

`asked` is appended before a request, `pending` with the token from Batch's answer, `done` once Batch reports
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event, read_ledger
from dbt_batch_sync.warehouse import Value, Warehouse
from dbt_batch_sync.warehouse.relations import select

_COLUMNS = {
    **dict.fromkeys(("sync", "event", "key", "endpoint", "request", "run_id", "status", "error"), "text"),
    "recorded_at": "timestamp",
}
_COUNTS = {"sync": "text", "event": "text", "found": "bigint"}


@dataclass(frozen=True)
class Erasure:
    """A request for one person and one app. `app` identifies the app without being its key.

    `token` is for polling. `status` is `pending`, `done`, or `unknown` if Batch no longer knows the token.
    `error` is Batch's text about a request that is done.
    """

    sync: str
    key: str = field(repr=False)
    app: str
    token: str | None
    asked_at: datetime
    run_id: str
    status: str = "pending"
    done_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class ErasureCounts:
    """Counts of a sync: requested people, and requests that are done or pending."""

    people: int = 0
    pending: int = 0
    done: int = 0


def open_erasures(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> list[Erasure]:
    """The requests that are not known to be done, oldest first. Those without a token can't be polled."""
    answered = "select request from journal where event = 'done' and request is not null"
    where = f"event = 'pending' and request is not null and sync in :syncs and request not in ({answered})"
    return _read(warehouse, journal, where, {}, syncs=syncs)


def erasures_of(warehouse: Warehouse, journal: Journal, sync: str, key: str) -> list[Erasure]:
    """All requests for one person, oldest first."""
    where = "sync = :sync and key = :key and event in ('pending', 'done')"
    return _read(warehouse, journal, where, {"sync": sync, "key": key})


def erasure_counts(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> dict[str, ErasureCounts]:
    """The counts of each sync that has requests."""
    query = select(
        """
        select sync, event, count(distinct case when event = 'asked' then key else request end) as found
        from journal where sync in :syncs and event in ('asked', 'pending', 'done') group by sync, event
        """,
        journal=journal.table,
        syncs=syncs,
    )
    found: dict[str, dict[str, int]] = {}
    for row in read_ledger(warehouse, journal.table, query, _COUNTS):
        found.setdefault(row["sync"], {})[row["event"]] = row["found"]
    return {
        sync: ErasureCounts(
            count.get("asked", 0), count.get("pending", 0) - count.get("done", 0), count.get("done", 0)
        )
        for sync, count in found.items()
    }


def append_done(journal: Journal, erasures: Iterable[Erasure]) -> None:
    """Appends Batch's answers about requests. A state must have been read first."""
    journal.append(
        [
            Event(
                journal.stamp(),
                each.sync,
                "done",
                run_id=each.run_id,
                key=each.key,
                request=each.token,
                endpoint=each.app,
                status=each.status,
                error=each.error,
            )
            for each in erasures
        ]
    )


def _read(
    warehouse: Warehouse, journal: Journal, where: str, values: Mapping[str, Value], syncs: Sequence[str] = ()
) -> list[Erasure]:
    query = select(
        "select from journal",
        cells={name: name for name in _COLUMNS},
        where=[where],
        journal=journal.table,
        syncs=syncs,
    )
    rows = read_ledger(warehouse, journal.table, query, _COLUMNS, values)
    done = {row["request"]: row for row in rows if row["event"] == "done"}
    found = []
    for row in rows:
        if row["event"] == "pending":
            end = done.get(row["request"], {})
            found.append(
                Erasure(
                    row["sync"],
                    row["key"],
                    row["endpoint"],
                    row["request"],
                    row["recorded_at"],
                    row["run_id"],
                    end.get("status", "pending"),
                    end.get("recorded_at"),
                    end.get("error"),
                )
            )
    return sorted(found, key=lambda each: each.asked_at)
