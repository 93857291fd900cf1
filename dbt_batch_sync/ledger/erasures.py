"""What the journal knows of people who are to be erased: requests to Batch, and what became of them.

`asked` is appended before a request, `pending` with the token that Batch gave for it, `done` once Batch says
so.
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
    """A request for one person and one app, which `app` tells from others without being its key.

    `token` is what Batch is asked by. `status` is `pending`, `done`, or `unknown` when Batch does not know
    the token any more; `error` is Batch's word about a request that is done.
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
    """Of a sync: people who were asked for, and requests that Batch has answered, or not yet."""

    people: int = 0
    pending: int = 0
    done: int = 0


def open_erasures(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> list[Erasure]:
    """The requests that Batch was not yet heard to have done, the oldest first. Those without a token can't
    be asked for.
    """
    done = exp.select("request").from_(journal.table.copy()).where(_is_event("done"), _with_token())
    answered = exp.In(this=exp.column("request"), query=done.subquery())
    conditions = (_is_event("pending"), _with_token(), is_in(exp.column("sync"), syncs), exp.not_(answered))
    return _read(warehouse, journal, conditions, {})


def erasures_of(warehouse: Warehouse, journal: Journal, sync: str, key: str) -> list[Erasure]:
    """All requests of one person, the oldest first."""
    own = (equals(exp.column(name), value(name)) for name in ("sync", "key"))
    events = is_in(exp.column("event"), EVENTS[1:])
    return _read(warehouse, journal, (*own, events), {"sync": sync, "key": key})


def erasure_counts(warehouse: Warehouse, journal: Journal, syncs: Sequence[str]) -> dict[str, ErasureCounts]:
    """The counts of each sync that has any."""
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
    """Appends what Batch says of requests. Only after a state was read."""
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
