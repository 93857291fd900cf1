"""Appends to the ledger's tables and reads them. Rows never change here; dbt resolves rejections."""

from __future__ import annotations

import time
from collections import defaultdict
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
    COLUMNS,
    DRIFT,
    JOURNAL,
    REJECTS,
    RUNS,
    Event,
    Reject,
    RejectCount,
    RejectedKey,
    Rejection,
    Run,
    ledger_rows,
    rows_as,
    typed,
)
from dbt_batch_sync.ledger.state import SyncState, state_of
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import beside, select

_Row = TypeVar("_Row")


ROWS_AT_ONCE = 5_000
"""Rows per append, if there may be many."""

_READ = tuple(name for name in COLUMNS[JOURNAL] if not name.endswith("seconds") and name != "error")
_STATE_COLUMNS = {"now_at": "timestamp", **{name: COLUMNS[JOURNAL][name] for name in _READ}}


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
        with self._lock:
            asked = self._seconds()
            found = self._fetch(_last_events(self.table, tuple(syncs)), {})
            rows = typed(found, _STATE_COLUMNS).to_pylist()
            now: datetime = rows[0]["now_at"]
            # The time is taken as the query's start, so it is never behind. The fastest answer counts.
            if self._ahead is None or now - self._ahead[0] < timedelta(seconds=asked - self._ahead[1]):
                self._ahead = (now, asked)
        events = defaultdict[str, list[Event]](list)
        for row in rows:
            if row["recorded_at"] is not None:
                events[row["sync"]].append(Event(**{name: row[name] for name in _READ}))
        return {sync: state_of(sync, events[sync], now) for sync in syncs}

    def state(self, sync: str) -> SyncState:
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
        self._append(JOURNAL, map(asdict, events))

    def append_rejects(self, sync: str, run_id: str, delta_id: str, rejects: Iterable[Reject]) -> None:
        """Appends rejects. Must come before the checkpoint of their rows. May be repeated."""
        own = {"rejected_at": self.stamp(), "sync": sync, "run_id": run_id, "delta_id": delta_id}
        self._append(REJECTS, ({**own, **asdict(reject)} for reject in rejects))

    def append_doubt(self, sync: str, run_id: str, delta_id: str, keys: Sequence[str], names: str) -> None:
        """Appends, for each key, the attributes that may reach Batch at any time."""
        for start in range(0, len(keys), ROWS_AT_ONCE):
            at = self.stamp()
            some = keys[start : start + ROWS_AT_ONCE]
            self.append([Event(at, sync, "doubt", run_id, delta_id, key=key, names=names) for key in some])

    def append_drift(self, sync: str, audit_id: str, rows: pa.Table) -> None:
        """Appends differences that an audit found: `key`, `attribute`, `difference`."""
        own = {"audited_at": self.stamp(), "sync": sync, "audit_id": audit_id}
        self._append(DRIFT, ({**own, **row} for row in rows.to_pylist()))

    def _append(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        appended = ledger_rows(COLUMNS[table], rows)
        if appended.num_rows:
            with self._lock:
                self._warehouse.append(beside(self.table, table), appended)

    def recent_runs(self, syncs: Sequence[str], limit: int) -> list[Run]:
        """The last runs, at most `limit` per sync, newest first."""
        query = f"""
            select {", ".join(COLUMNS[RUNS])} from (
                select *, row_number() over (partition by sync order by started_at desc) as nth
                from runs where sync in :syncs
            ) as numbered
            where nth <= {limit} order by started_at desc
            """
        return self.read(Run, query, syncs)

    def events(self, condition: str, syncs: Sequence[str] = (), **values: Value) -> list[Event]:
        """The events that meet a condition, oldest first."""
        found = self.read(
            Event, f"select {', '.join(COLUMNS[JOURNAL])} from journal where {condition}", syncs, **values
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
            for name in {table.name for table in query.find_all(exp.Table)} & COLUMNS.keys():
                self._check_columns(name)
            raise

    def _check_columns(self, name: str) -> None:
        """Raises ConfigurationError if `dbt run` must create or upgrade the table."""
        table = beside(self.table, name)
        found = {column.name.lower() for column in self._warehouse.columns(table)}
        shown = table.sql(self._warehouse.dialect)
        if not found:
            raise ConfigurationError(f"there is no {shown} in the warehouse yet. Run: dbt run") from None
        if not found >= COLUMNS[name].keys():
            older = f"{shown} was created by an older version of the macros. To upgrade it, run: dbt run"
            raise ConfigurationError(older) from None


def open_counts(journal: Journal, syncs: Sequence[str]) -> list[RejectCount]:
    """The open rejections by sync, attribute, reason and source, most frequent first."""
    query = """
        select sync, attribute, reason, rejected_by, count(distinct key) as rejected,
            min(rejected_at) as first_at, max(rejected_at) as last_at
        from rejects where sync in :syncs and resolved_at is null
        group by sync, attribute, reason, rejected_by
        """
    counts = journal.read(RejectCount, query, syncs)
    return sorted(counts, key=lambda each: (-each.count, each.sync, each.attribute or "", each.reason))


def open_keys(journal: Journal, sync: str, limit: int) -> list[RejectedKey]:
    """The first open rejections of a sync, by key."""
    query = f"""
        select distinct key, attribute, reason from rejects
        where sync = :sync and resolved_at is null order by key, attribute, reason limit {limit}
        """
    return journal.read(RejectedKey, query, sync=sync)


def rejections_of(journal: Journal, sync: str, key: str) -> list[Rejection]:
    """All rejections of one key: the last one of each attribute, open ones first."""
    query = """
        select attribute, reason, rejected_by, run_id, rejected_at, resolved_at from rejects
        where sync = :sync and key = :key
        """
    found = sorted(journal.read(Rejection, query, sync=sync, key=key), key=lambda each: each.rejected_at)
    newest = list({each.attribute: each for each in found}.values())[::-1]
    return sorted(newest, key=lambda each: each.resolved_at is not None)


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
