"""The journal's rows about erasures: requests to Batch and their state.

`asked` is appended before a request, `pending` with the token from Batch's answer, `done` once Batch reports
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlglot import exp

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event, fetch_ledger, typed
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import columns_of, equals, is_in, is_null, value

EVENTS = ("asked", "pending", "done")

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
    done = exp.select("request").from_(journal.table.copy()).where(_is_event("done"), _with_token())
    answered = exp.In(this=exp.column("request"), query=done.subquery())
    conditions = (_is_event("pending"), _with_token(), is_in(exp.column("sync"), syncs), exp.not_(answered))
    return _read(warehouse, journal, conditions, {})


def erasures_of(warehouse: Warehouse, journal: Journal, sync: str, key: str) -> list[Erasure]:
    """All requests for one person, oldest first."""
    own = (equals(exp.column(name), value(name)) for name in ("sync", "key"))
    events = is_in(exp.column("event"), EVENTS[1:])
    return _read(warehouse, journal, (*own, events), {"sync": sync, "key": key})


def erasure_counts(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> dict[str, ErasureCounts]:
    """The counts of each sync that has requests."""
    event = exp.column("event")
    what = exp.Case().when(equals(event.copy(), exp.Literal.string("asked")), exp.column("key"))
    counted = exp.Count(this=exp.Distinct(expressions=[what.else_(exp.column("request"))]))
    query = (
        exp.select(*columns_of(["sync", "event"]), exp.alias_(counted, "found"))
        .from_(journal.table.copy())
        .where(is_in(exp.column("sync"), syncs), is_in(event, EVENTS))
        .group_by(*columns_of(["sync", "event"]))
    )
    found: dict[str, dict[str, int]] = {}
    for row in typed(fetch_ledger(warehouse, journal.table, Statement(query)), _COUNTS).to_pylist():
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
    warehouse: Warehouse, journal: Journal, conditions: Iterable[exp.Expr], values: dict[str, Value]
) -> list[Erasure]:
    query = exp.select(*columns_of(_COLUMNS)).from_(journal.table.copy()).where(*conditions)
    rows = typed(fetch_ledger(warehouse, journal.table, Statement(query, values)), _COLUMNS).to_pylist()
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


def _is_event(name: str) -> exp.Expr:
    return equals(exp.column("event"), exp.Literal.string(name))


def _with_token() -> exp.Expr:
    return exp.not_(is_null(exp.column("request")))
