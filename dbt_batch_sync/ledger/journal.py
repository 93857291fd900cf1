"""The journal: appending and reading. Its rows never change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from threading import RLock
from typing import TypeVar

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.ledger.records import (
    DRIFT,
    DRIFT_COLUMNS,
    JOURNAL_COLUMNS,
    REJECT_COLUMNS,
    REJECTS,
    RUN_COLUMNS,
    RUNS,
    Event,
    Reject,
    Run,
    ledger_rows,
    rows_as,
    typed,
)
from dbt_batch_sync.ledger.state import SyncState, state_of
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import beside, select

_Row = TypeVar("_Row")

SYNCS_AT_ONCE = 200
"""The most syncs in one query of states."""

ROWS_AT_ONCE = 5_000
"""Rows per append, if there may be many."""

_READ = tuple(name for name in JOURNAL_COLUMNS if not name.endswith("seconds") and name != "error")
_STATE_COLUMNS = {"now_at": "timestamp", **{name: JOURNAL_COLUMNS[name] for name in _READ}}


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
        """The state of each sync, by name. Raises what `read` does."""
        found: dict[str, SyncState] = {}
        for start in range(0, len(syncs), SYNCS_AT_ONCE):
            some = syncs[start : start + SYNCS_AT_ONCE]
            with self._lock:
                asked = self._seconds()
                found_rows = self._fetch(_last_events(self.table, tuple(some)), {})
                rows = typed(found_rows, _STATE_COLUMNS).to_pylist()
                now: datetime = rows[0]["now_at"]
                self._learn(now, asked)
            events = [
                Event(**{name: row[name] for name in _READ}) for row in rows if row["recorded_at"] is not None
            ]
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
                self._warehouse.append(self.table, ledger_rows(JOURNAL_COLUMNS, map(asdict, events)))

    def append_rejects(self, sync: str, run_id: str, delta_id: str, rejects: Iterable[Reject]) -> None:
        """Appends rejects. Must come before the checkpoint of their rows. May be repeated."""
        own = {"rejected_at": self.stamp(), "sync": sync, "run_id": run_id, "delta_id": delta_id}
        rows = [{**own, **asdict(reject)} for reject in rejects]
        if rows:
            with self._lock:
                self._warehouse.append(self.rejects_table, ledger_rows(REJECT_COLUMNS, rows))

    def append_doubt(self, sync: str, run_id: str, delta_id: str, keys: Sequence[str], names: str) -> None:
        """Appends, for each key, the attributes that may reach Batch at any time."""
        for start in range(0, len(keys), ROWS_AT_ONCE):
            at = self.stamp()
            some = keys[start : start + ROWS_AT_ONCE]
            self.append([Event(at, sync, "doubt", run_id, delta_id, key=key, names=names) for key in some])

    def append_drift(self, sync: str, audit_id: str, rows: pa.Table) -> None:
        """Appends differences that an audit found: `key`, `attribute`, `difference`."""
        own = {"audited_at": self.stamp(), "sync": sync, "audit_id": audit_id}
        found = ({**own, **row} for row in rows.to_pylist())
        self._warehouse.append(beside(self.table, DRIFT), ledger_rows(DRIFT_COLUMNS, found))

    def recent_runs(self, syncs: Sequence[str], limit: int) -> list[Run]:
        """The last runs, at most `limit` per sync, newest first."""
        query = f"""
            select {", ".join(RUN_COLUMNS)} from (
                select *, row_number() over (partition by sync order by started_at desc) as nth
                from runs where sync in :syncs
            ) as numbered
            where nth <= {limit} order by started_at desc
            """
        return self.read(Run, query, syncs)

    def events(self, condition: str, syncs: Sequence[str] = (), **values: Value) -> list[Event]:
        """The events that meet a condition, oldest first."""
        found = self.read(
            Event, f"select {', '.join(JOURNAL_COLUMNS)} from journal where {condition}", syncs, **values
        )
        return sorted(found, key=lambda each: each.recorded_at)

    def read(
        self, row: Callable[..., _Row], sql: str, syncs: Sequence[str] = (), **values: Value
    ) -> list[_Row]:
        """The result of a select from `journal`, `rejects` or `runs`, as values of a dataclass. Raises
        ConfigurationError if dbt has not created the ledger, or an older version of the macros has.
        """
        query = select(
            sql, journal=self.table, rejects=self.rejects_table, runs=beside(self.table, RUNS), syncs=syncs
        )
        return rows_as(row, self._fetch(query, values))

    def _fetch(self, query: exp.Select, values: Mapping[str, Value]) -> pa.Table:
        try:
            return self._warehouse.fetch(Statement(query, values))
        except WarehouseError:
            read = {table.name for table in query.find_all(exp.Table)}
            expected = {RUNS: RUN_COLUMNS, REJECTS: REJECT_COLUMNS, self.table.name: JOURNAL_COLUMNS}
            for name in read & expected.keys():
                self._check_columns(beside(self.table, name), set(expected[name]))
            raise

    def _check_columns(self, table: exp.Table, expected: set[str]) -> None:
        """Raises ConfigurationError if `dbt run` must create or upgrade the table."""
        found = {column.name.lower() for column in self._warehouse.columns(table)}
        name = table.sql(self._warehouse.dialect)
        if not found:
            raise ConfigurationError(f"there is no {name} in the warehouse yet. Run: dbt run") from None
        if not found >= expected:
            older = f"{name} was created by an older version of the macros. To upgrade it, run: dbt run"
            raise ConfigurationError(older) from None

    def _learn(self, now: datetime, asked: float) -> None:
        """The time is taken as the query's start, so it is never behind. The fastest answer counts."""
        if self._ahead is None or now - self._ahead[0] < timedelta(seconds=asked - self._ahead[1]):
            self._ahead = (now, asked)


@lru_cache(maxsize=16)
def _last_events(table: exp.Table, syncs: tuple[str, ...]) -> exp.Select:
    """The last event of each sync, run, delta and kind: since the last built delta, of unfinished runs, and
    of the last intent and the last delta that sends everything. Also the warehouse's time, even if there are
    no events. Almost all events are older, so they are filtered before they are numbered. Cached, because
    building it takes as long as asking DuckDB, and every checkpoint does.
    """
    cells = ", ".join(f"j.{name}" for name in _READ)
    return select(
        f"""
        select clock.now_at, {", ".join(f"events.{name}" for name in _READ)}
        from (select current_timestamp as now_at) as clock
        left join (
            select {", ".join(_READ)} from (
                select {cells},
                    row_number() over (
                        partition by j.sync, j.event, j.run_id, j.delta_id order by j.recorded_at desc
                    ) as nth
                from journal as j
                left join (
                    select sync,
                        max(case when event = 'built' then recorded_at end) as built_at,
                        max(case when event = 'intent' then recorded_at end) as intent_at,
                        max(case when event = 'built' and request = 'all' then recorded_at end) as all_at
                    from journal
                    where sync in :syncs and event in ('built', 'intent')
                    group by sync
                ) as marks on marks.sync = j.sync
                left join (
                    select sync, run_id
                    from journal
                    where sync in :syncs and event in ('claimed', 'released', 'ended')
                    group by sync, run_id
                    having max(recorded_at) = max(case when event = 'claimed' then recorded_at end)
                ) as unfinished on unfinished.sync = j.sync and unfinished.run_id = j.run_id
                where j.sync in :syncs
                    and j.event not in ('doubt', 'resend', 'export', 'audited', 'asked', 'pending', 'done')
                    and (
                        j.recorded_at >= marks.built_at or j.recorded_at = marks.intent_at
                        or j.recorded_at = marks.all_at or unfinished.run_id is not null
                    )
            ) as numbered
            where nth = 1
        ) as events on true
        """,
        journal=table,
        syncs=syncs,
    )
