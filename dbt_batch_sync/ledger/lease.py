"""One push per sync: a row in the warehouse that is taken by a conditional update and read back.

A holder says every `HEARTBEAT_SECONDS` that it lives. It is dead after three missed heartbeats, or at once
when it ran on this host and its process is gone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import cast

from sqlglot import exp

from dbt_batch_sync.errors import BatchSyncError, Stopped
from dbt_batch_sync.sql.relations import create_table, equals, insert_row, is_null, value
from dbt_batch_sync.warehouse import Statement, Value, Warehouse

LEASES = "batch_sync_leases"
COLUMNS = {
    "sync": "text",
    "run_id": "text",
    "host": "text",
    "process": "bigint",
    "taken_at": "timestamp",
    "heartbeat_at": "timestamp",
}
HEARTBEAT_SECONDS = 20.0
MISSED_HEARTBEATS = 3
_EXPIRY = timedelta(seconds=HEARTBEAT_SECONDS * MISSED_HEARTBEATS)


@dataclass(frozen=True)
class Holder:
    """Who pushes a sync. `host` tells two containers of one name apart."""

    run_id: str
    host: str
    process: int
    taken_at: datetime
    heartbeat_at: datetime

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this host that does not exist any more."""
        return self.host == this_host() and not _exists(self.process)


def this_host() -> str:
    """The host's name and, on Linux, its process namespace: process numbers mean something only within
    both.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid").removeprefix("pid:")
    except OSError:
        namespace = ""
    return socket.gethostname() + namespace


class Lease:
    """The lease of one sync; `table` stands beside its snapshot."""

    def __init__(
        self, warehouse: Warehouse, table: exp.Table, sync: str, run_id: str, now: Callable[[], datetime]
    ) -> None:
        self._warehouse = warehouse
        self._table = table
        self._sync = sync
        self._run_id = run_id
        self._now = now
        self._heard_at = now()
        self._stop = Event()
        self._thread: Thread | None = None

    def take(self) -> None:
        """Takes the lease, from a dead holder if need be. Raises Stopped, naming the holder, when somebody
        has it.
        """
        if not self._warehouse.columns(self._table):
            self._warehouse.execute([Statement(create_table(self._table, COLUMNS))])
        holders = self._holders()
        if not holders:
            # Every column: some warehouses take no row with less.
            free: dict[str, Value] = {**dict.fromkeys(COLUMNS), "sync": self._sync}
            self._warehouse.execute([Statement(insert_row(self._table, COLUMNS), free)])
        gone = next((holder.run_id for holder in holders if holder is not None and holder.is_gone), None)
        self._heard_at = self._now()
        self._warehouse.execute([self._claim(gone)])
        others = [
            holder for holder in self._holders() if holder is not None and holder.run_id != self._run_id
        ]
        if others:
            self.release()
            raise Stopped(_held(self._sync, others[0]))

    def check(self) -> None:
        """Raises Stopped when the lease was lost: this process slept for longer than its heartbeats may be
        missed.
        """
        if not self._is_ours(self._holders()):
            raise Stopped(_lost(self._sync, "another push has taken over"))

    def check_heard(self) -> None:
        """Raises Stopped when this push was not heard of for so long that another may have taken over, and
        sent newer values. Asks nobody: it is for every request, from any thread.
        """
        if self._now() - self._heard_at >= _EXPIRY:
            raise Stopped(_lost(self._sync, "another push may have taken over"))

    def release(self) -> None:
        """Gives it back, if it is still ours."""
        columns: dict[str, exp.Expr] = {name: exp.null() for name in COLUMNS if name != "sync"}
        update = _update(self._table, columns).where(*self._ours())
        self._warehouse.execute([Statement(update, {"sync": self._sync, "run_id": self._run_id})])

    def start_heartbeat(self, twin: Callable[[], Warehouse]) -> None:
        """Says from a thread, over a connection of its own that `twin` opens, that this push lives."""
        self._thread = Thread(target=self._beat, args=(twin,), name="batch-heartbeat", daemon=True)
        self._thread.start()

    def stop_heartbeat(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self, twin: Callable[[], Warehouse]) -> None:
        connection: Warehouse | None = None
        beat = _update(self._table, {"heartbeat_at": exp.cast(value("now"), "timestamp")}).where(
            *self._ours()
        )
        while not self._stop.wait(HEARTBEAT_SECONDS):
            now = self._now()
            values: dict[str, Value] = {"sync": self._sync, "run_id": self._run_id, "now": now}
            try:
                connection = connection or twin()
                connection.execute([Statement(beat, values)])
                if self._is_ours(self._holders(connection)):
                    self._heard_at = now
            except BatchSyncError:
                # A beat may be missed; after too many of them no request is sent any more.
                connection = None
        if connection is not None:
            connection.close()

    def _ours(self) -> tuple[exp.Expr, exp.Expr]:
        return equals(exp.column("sync"), value("sync")), equals(exp.column("run_id"), value("run_id"))

    def _is_ours(self, holders: list[Holder | None]) -> bool:
        taken = [holder for holder in holders if holder is not None]
        return bool(taken) and all(holder.run_id == self._run_id for holder in taken)

    def _holders(self, connection: Warehouse | None = None) -> list[Holder | None]:
        names = [name for name in COLUMNS if name != "sync"]
        query = (
            exp.select(*(exp.column(name) for name in names))
            .from_(self._table.copy())
            .where(equals(exp.column("sync"), value("sync")))
        )
        rows = (connection or self._warehouse).fetch(Statement(query, {"sync": self._sync}))
        return [
            Holder(*cast("tuple[str, str, int, datetime, datetime]", row)) if row[0] else None for row in rows
        ]

    def _claim(self, gone: str | None) -> Statement:
        """Sets the row to us if it is free, expired, or held by the process that is gone."""
        now = self._now()
        values: dict[str, Value] = {
            "sync": self._sync,
            "run_id": self._run_id,
            "host": this_host(),
            "process": os.getpid(),
            "now": now,
            "expired": now - _EXPIRY,
        }
        free = [
            is_null(exp.column("run_id")),
            exp.LT(this=exp.column("heartbeat_at"), expression=exp.cast(value("expired"), "timestamp")),
        ]
        if gone is not None:
            values["gone"] = gone
            free.append(equals(exp.column("run_id"), value("gone")))
        moment = exp.cast(value("now"), "timestamp")
        columns: dict[str, exp.Expr] = {
            "run_id": value("run_id"),
            "host": value("host"),
            "process": exp.cast(value("process"), "bigint"),
            "taken_at": moment,
            "heartbeat_at": moment.copy(),
        }
        update = _update(self._table, columns).where(
            equals(exp.column("sync"), value("sync")), exp.or_(*free)
        )
        return Statement(update, values)


def _update(table: exp.Table, columns: dict[str, exp.Expr]) -> exp.Update:
    assignments = [equals(exp.column(name), expression) for name, expression in columns.items()]
    return exp.Update(this=table.copy(), expressions=assignments)


def _lost(sync: str, why: str) -> str:
    return (
        f"this push of `{sync}` had not been heard of for {_EXPIRY.total_seconds():.0f} s, and {why}; "
        "what it had committed is kept, and no more was sent. Run: dbt-batch-sync push"
    )


def _held(sync: str, holder: Holder) -> str:
    host = holder.host.split("[", maxsplit=1)[0]
    return (
        f"`{sync}` is being pushed already: by process {holder.process} on {host}, since "
        f"{holder.taken_at:%Y-%m-%d %H:%M:%S} UTC (run {holder.run_id}). Wait for it, or end it; a dead "
        "one is taken over "
        f"{HEARTBEAT_SECONDS * MISSED_HEARTBEATS:.0f} s after its last heartbeat"
    )


def _exists(process: int) -> bool:
    if Path("/proc/self/stat").exists():
        try:
            # What follows the name in parentheses is the state; a Z is dead, and only waits for its parent
            # to notice.
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
