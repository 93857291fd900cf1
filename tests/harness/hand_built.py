"""An in-memory DuckDB with a sync's relations and ledger, written by hand: states that are slow to reach with
dbt and pushes.

`people` has three attributes. `build` writes what dbt's macros write; `add` appends what pushes append. All
tables have the columns that the runner reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from harness.manifests import manifest, model
from sqlglot import exp

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.ledger.records import COLUMNS, JOURNAL, REJECTS, RUNS, Event
from dbt_batch_sync.mapping.syncs import Sync, read_syncs
from dbt_batch_sync.push.known import Known, read_known
from dbt_batch_sync.warehouse import Column, Statement, Warehouse
from dbt_batch_sync.warehouse.rows import in_utc

NOW = datetime(2026, 4, 1, 6)
TYPES = "name:string,points:integer,batch__email_marketing:string"
ATTRIBUTES = {"name": "varchar", "points": "bigint", "batch__email_marketing": "boolean"}
MAPPING: Mapping[str, object] = {
    "identifier": "id",
    "standard": {"email_marketing": "optin"},
    "custom": ["name", "points"],
}
OUTPUT = Output(
    "sandbox", rest_api_key="sandbox", project_key="project_sandbox", api_url="http://localhost:1"
)

_SNAPSHOT = {
    "custom_id": "varchar",
    **ATTRIBUTES,
    **{f"_batch_{name}": "varchar" for name in ("run_id", "delta_id", "doubt")},
    **{f"_batch_{name}": "timestamp" for name in ("sent_at", "exited_at")},
}
_DELTA = {
    "custom_id": "varchar",
    **{f"_batch_{name}": "varchar" for name in ("change", "changed", "reason", "delta_id")},
    "_batch_page": "bigint",
    **ATTRIBUTES,
}
_OF_RUNS = (
    "status", "endpoint", "inserts", "updates", "exits", "invalid", "parked", "sent", "accepted",
    "rejected_rows", "rejected_attributes", "requests", "retries", "settled", "seconds", "reading_seconds",
    "rendering_seconds", "sending_seconds", "recording_seconds", "error",
)  # fmt: skip


class HandBuilt:
    """A project in `directory`: its manifest, and a database with empty tables."""

    def __init__(
        self, directory: Path, mapping: Mapping[str, object] = MAPPING, syncs: Sequence[str] = ("people",)
    ) -> None:
        self.at = NOW - timedelta(hours=1)
        models = [
            each
            for name in syncs
            for each in (
                model(name, None, config={"meta": {"batch_sync": mapping}}),
                model(f"{name}_delta", None, relation_name=f'"main"."{name}_delta"'),
                model(f"{name}_sent_snapshot", None, relation_name=f'"main"."{name}_sent_snapshot"'),
            )
        ]
        self.syncs: tuple[Sync, ...] = read_syncs(manifest(directory / "target", models))
        self.connection = duckdb.connect(config={"threads": 1})
        self.warehouse: Warehouse = Memory(self.connection)
        for name in syncs:
            self.execute(_table(f"{name}_sent_snapshot", _SNAPSHOT))
            self.execute(_table(f"{name}_delta", _DELTA))
        self.execute(_table(JOURNAL, COLUMNS[JOURNAL]))
        self.execute(_table(REJECTS, COLUMNS[REJECTS]))
        self.execute(_RUNS)

    def insert(self, table: str, *rows: Mapping[str, object]) -> None:
        """Insert rows. Missing cells are null."""
        for row in rows:
            names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            self.connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def execute(self, sql: str) -> None:
        """Run a statement."""
        self.connection.execute(sql)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        return self.connection.sql(sql).to_arrow_table().to_pylist()

    def add(self, event: Any, sync: str = "people", **cells: Any) -> None:
        """Append an event, one second after the last."""
        self.at += timedelta(seconds=1)
        given = asdict(Event(self.at, sync, event, **cells))
        self.insert("batch_sync_journal", {name: cell for name, cell in given.items() if cell is not None})

    def build(
        self,
        *rows: tuple[str | None, str, str, Mapping[str, object]],
        delta_id: str = "d1",
        sync: str = "people",
        page_rows: int = 2,
        **built: Any,
    ) -> None:
        """Replace the delta by these rows (key, change, changed names, cells) and record the build in the
        journal.
        """
        self.execute(f"delete from {sync}_delta")
        counts = dict.fromkeys(("insert", "update", "exit", "invalid", "parked"), 0)
        for place, (key, change, changed, cells) in enumerate(rows):
            counts["parked" if cells.get("_batch_reason") == "parked" else change] += 1
            own = {"custom_id": key, "_batch_change": change, "_batch_changed": changed}
            page = {"_batch_delta_id": delta_id, "_batch_page": place // page_rows}
            self.insert(f"{sync}_delta", {**own, **page, **cells})
        told = {
            **{f"{name}s": counts[name] for name in ("insert", "update", "exit")},
            **{name: counts[name] for name in ("invalid", "parked")},
            "model_rows": 100,
            "known_rows": 100,
            "target": "dev",
            "attribute_types": TYPES,
            "mapping_hash": self.sync(sync).mapping.hash,
            "page": (len(rows) - 1) // page_rows if rows else None,
        }
        self.add("built", sync, delta_id=delta_id, **{**told, **built})

    def ended(self, run_id: str = "r1", delta_id: str = "d1", sync: str = "people", **cells: Any) -> None:
        """Record a run that has ended."""
        self.add("claimed", sync, run_id=run_id, delta_id=delta_id)
        told = {"status": "succeeded", "endpoint": "update", "started_at": self.at, **cells}
        self.add("ended", sync, run_id=run_id, delta_id=delta_id, **told)
        self.add("released", sync, run_id=run_id, delta_id=delta_id)

    def reject(self, key: str, attribute: str | None, reason: str, **cells: object) -> None:
        """Record a reject of `people`, one second after the last event."""
        self.at += timedelta(seconds=1)
        told = {"rejected_at": self.at, "sync": "people", "run_id": "r1", "delta_id": "d1", "key": key}
        by = "batch" if attribute is None else "validation"
        cause = {"attribute": attribute, "reason": reason, "rejected_by": by}
        self.insert("batch_sync_rejects", {**told, **cause, **cells})

    def sync(self, name: str = "people") -> Sync:
        """A sync from the manifest."""
        return next(each for each in self.syncs if each.name == name)

    def known(self) -> list[Known]:
        """All syncs with their state."""
        return read_known(self.warehouse, self.syncs)


class Memory:
    """See `port.Warehouse`."""

    dialect = "duckdb"
    checkpoint_seconds = 5.0

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        try:
            found = self.connection.execute(f"describe {table.sql('duckdb')}").fetchall()
        except duckdb.CatalogException:
            return ()
        return tuple(Column(name, kind) for name, kind, *_ in found)

    def fetch(self, query: Statement) -> pa.Table:
        try:
            found = self.connection.sql(query.tree.sql("duckdb"), params=dict(query.parameters) or None)
            return in_utc(found.to_arrow_table())
        except duckdb.Error as error:
            raise WarehouseError(str(error)) from None

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        self.connection.register("given", rows)
        self.connection.execute(f"insert into {table.sql('duckdb')} by name select * from given")

    def close(self) -> None: ...


def output(**changes: Any) -> Output:
    """A default output with changes."""
    return replace(OUTPUT, **changes)


def _table(name: str, columns: Mapping[str, str]) -> str:
    listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    return f"create table {name} ({listed})"


_RUNS = f"""
create view batch_sync_runs as
select {", ".join(f"e.{name}" for name in COLUMNS[RUNS] if name in _OF_RUNS)},
    c.run_id, c.sync, coalesce(e.started_at, c.started_at, c.recorded_at) as started_at,
    e.recorded_at as finished_at,
    {", ".join(f"c.{name}" for name in COLUMNS[RUNS] if name not in (*_OF_RUNS, "run_id", "sync", "started_at", "finished_at"))}
from batch_sync_journal as c
left join batch_sync_journal as e on e.run_id = c.run_id and e.sync = c.sync and e.event = 'ended'
where c.event = 'claimed'
"""
