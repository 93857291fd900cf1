"""The journal: appending and reading. Its rows never change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.ledger.records import (
    ARROW_TYPES,
    JOURNAL_COLUMNS,
    REJECTS,
    RUN_COLUMNS,
    RUNS,
    Event,
    Reject,
    Run,
    fetch_ledger,
    typed,
)
from dbt_batch_sync.ledger.state import SyncState, state_of
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.relations import beside, columns_of, equals, is_in, literal

SYNCS_AT_ONCE = 200
"""The most syncs in one query of states."""

ROWS_AT_ONCE = 5_000
"""Rows per append, if there may be many."""

_ASIDE = ("doubt", "resend", "export", "audited", "asked", "pending", "done")
"""Events that say nothing about progress."""

_READ = tuple(name for name in JOURNAL_COLUMNS if not name.endswith("seconds") and name != "error")


def awake() -> float:
    """Seconds on a monotonic clock that also counts while the machine sleeps."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Journal:
    """The journal in one schema, with the events of many syncs. For several threads.

    Its time is the warehouse's: read with a state, plus the `seconds` since then, which must count while the
    machine sleeps. It is never behind the warehouse's time, so a push considers itself dead no later than
    others do.
    """

    def __init__(self, warehouse: Warehouse, table: exp.Table, seconds: Callable[[], float] = awake) -> None:
        self.table = table
        self.rejects_table = beside(table, REJECTS)
        self._warehouse = warehouse
        self._seconds = seconds
        self._lock = RLock()
        self._ahead: tuple[datetime, float] | None = None
        self._stamped = datetime.min

    def states(self, syncs: Sequence[str]) -> dict[str, SyncState]:
        """The state of each sync, by name.

        Raises:
            ConfigurationError: there is no journal yet.
        """
        found: dict[str, SyncState] = {}
        for start in range(0, len(syncs), SYNCS_AT_ONCE):
            some = syncs[start : start + SYNCS_AT_ONCE]
            with self._lock:
                asked = self._seconds()
                rows = fetch_ledger(self._warehouse, self.table, _last_events(self.table, some))
                now, events = _read_events(rows)
                self._learn(now, asked)
            for sync in some:
                found[sync] = state_of(sync, (each for each in events if each.sync == sync), now)
        return found

    def state(self, sync: str) -> SyncState:
        """The state of one sync."""
        return self.states([sync])[sync]

    def stamp(self) -> datetime:
        """The warehouse's time, later than any returned before. A state must have been read first."""
        with self._lock:
            if self._ahead is None:
                raise RuntimeError("no state was read yet")
            at, seconds = self._ahead
            moment = at + timedelta(seconds=self._seconds() - seconds)
            self._stamped = max(moment, self._stamped + timedelta(microseconds=1))
            return self._stamped

    def append(self, events: Sequence[Event]) -> None:
        """Appends events in one insert: all or none."""
        if events:
            with self._lock:
                self._warehouse.append(self.table, _event_rows(events))

    def append_rejects(self, sync: str, run_id: str, delta_id: str, rejects: Iterable[Reject]) -> None:
        """Appends rejects. Must come before the checkpoint of their rows, so that none is lost. May be
        repeated.
        """
        listed = list(rejects)
        if listed:
            with self._lock:
                rows = _reject_rows(sync, run_id, delta_id, listed, self.stamp())
                self._warehouse.append(self.rejects_table, rows)

    def append_doubt(self, sync: str, run_id: str, delta_id: str, keys: Sequence[str], names: str) -> None:
        """Appends, for each key, the attributes that may reach Batch at any time."""
        for start in range(0, len(keys), ROWS_AT_ONCE):
            at = self.stamp()
            some = keys[start : start + ROWS_AT_ONCE]
            self.append([Event(at, sync, "doubt", run_id, delta_id, key=key, names=names) for key in some])

    def recent_runs(self, syncs: Sequence[str], limit: int) -> list[Run]:
        """The last runs, at most `limit` per sync, newest first."""
        names, runs = list(RUN_COLUMNS), beside(self.table, RUNS)
        by_sync = exp.Window(
            this=exp.RowNumber(),
            partition_by=[exp.column("sync")],
            order=exp.Order(expressions=[exp.Ordered(this=exp.column("started_at"), desc=True)]),
        )
        numbered = (
            exp.select(*columns_of(names), exp.alias_(by_sync, "nth"))
            .from_(runs.copy())
            .where(is_in(exp.column("sync"), syncs))
        )
        query = (
            exp.select(*columns_of(names))
            .from_(numbered.subquery("numbered"))
            .where(exp.LTE(this=exp.column("nth"), expression=literal(limit)))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
        )
        rows = typed(fetch_ledger(self._warehouse, runs, Statement(query)), RUN_COLUMNS).to_pylist()
        return [Run(**{name: cell for name, cell in row.items() if cell is not None}) for row in rows]

    def _learn(self, now: datetime, asked: float) -> None:
        """Reads the warehouse's time as that of the query's start, not of its answer, so that it is never
        behind. The fastest answer is the most exact.
        """
        if self._ahead is None or now - self._ahead[0] < timedelta(seconds=asked - self._ahead[1]):
            self._ahead = (now, asked)


def _last_events(table: exp.Table, syncs: Sequence[str]) -> Statement:
    """The last event of each sync, run, delta and kind: since the last built delta, of unfinished runs, and
    of the last intent and the last delta that sends everything. Also the warehouse's time, even if there are
    no events.
    """
    event = exp.column("event")

    def is_event(*names: str) -> exp.Expr:
        return is_in(event.copy(), names)

    def last(condition: exp.Expr, *by: str) -> exp.Expr:
        moments = exp.Case().when(condition, exp.column("recorded_at"))
        return exp.Window(this=exp.Max(this=moments), partition_by=columns_of(["sync", *by]))

    sends_all = exp.and_(is_event("built"), equals(exp.column("request"), exp.Literal.string("all")))
    order = [exp.Ordered(this=exp.column("recorded_at"), desc=True)]
    nth = exp.Window(
        this=exp.RowNumber(),
        partition_by=columns_of(["sync", "event", "run_id", "delta_id"]),
        order=exp.Order(expressions=order),
    )
    known = (
        exp.select(
            *columns_of(_READ),
            exp.alias_(nth, "nth"),
            exp.alias_(last(is_event("built")), "built_at"),
            exp.alias_(last(is_event("intent")), "intent_at"),
            exp.alias_(last(sends_all), "all_at"),
            exp.alias_(last(is_event("claimed"), "run_id"), "claimed_at"),
            exp.alias_(last(is_event("released", "ended"), "run_id"), "ended_at"),
        )
        .from_(table.copy())
        .where(is_in(exp.column("sync"), syncs), exp.not_(is_event(*_ASIDE)))
    )
    at, none = exp.column("recorded_at"), exp.null()
    claimed, ended = exp.column("claimed_at"), exp.column("ended_at")
    is_open = exp.or_(exp.Is(this=ended, expression=none), exp.GT(this=claimed, expression=ended.copy()))
    wanted = exp.or_(
        exp.GTE(this=at, expression=exp.column("built_at")),
        equals(at.copy(), exp.column("intent_at")),
        equals(at.copy(), exp.column("all_at")),
        exp.and_(exp.not_(exp.Is(this=claimed.copy(), expression=none)), is_open),
    )
    events = exp.select(*columns_of(_READ)).from_(known.subquery("known"))
    events = events.where(equals(exp.column("nth"), literal(1)), wanted)
    clock = exp.select(exp.alias_(exp.CurrentTimestamp(), "now_at")).subquery("clock")
    query = exp.select(exp.column("now_at", "clock"), *(exp.column(name, "events") for name in _READ))
    joined = query.from_(clock).join(events.subquery("events"), on=exp.true(), join_type="left")
    return Statement(joined)


def _read_events(rows: pa.Table) -> tuple[datetime, list[Event]]:
    kinds = {"now_at": "timestamp", **{name: JOURNAL_COLUMNS[name] for name in _READ}}
    listed: list[dict[str, Any]] = typed(rows, kinds).to_pylist()
    now: datetime = listed[0]["now_at"]
    events = [
        Event(**{name: row[name] for name in _READ}) for row in listed if row["recorded_at"] is not None
    ]
    return now, events


def _event_rows(events: Sequence[Event]) -> pa.Table:
    """The columns for which any event has a value."""
    names = [f.name for f in fields(Event)]
    columns = {name: [getattr(event, name) for event in events] for name in names}
    return pa.table(
        {
            name: pa.array(cells, ARROW_TYPES[JOURNAL_COLUMNS[name]])
            for name, cells in columns.items()
            if any(cell is not None for cell in cells)
        }
    )


def _reject_rows(sync: str, run_id: str, delta_id: str, rejects: Sequence[Reject], now: datetime) -> pa.Table:
    count = len(rejects)
    return pa.table(
        {
            "rejected_at": pa.array([now] * count, pa.timestamp("us")),
            "sync": pa.array([sync] * count, pa.string()),
            "run_id": pa.array([run_id] * count, pa.string()),
            "delta_id": pa.array([delta_id] * count, pa.string()),
            "key": pa.array([reject.key for reject in rejects], pa.string()),
            "attribute": pa.array([reject.attribute for reject in rejects], pa.string()),
            "reason": pa.array([reject.reason for reject in rejects], pa.string()),
            "rejected_by": pa.array([reject.rejected_by for reject in rejects], pa.string()),
        }
    )
