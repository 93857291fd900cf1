"""The databases of a `Bench`. Their clock shows what the bench tells them: no wait is real."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, Protocol

import duckdb
import pyarrow as pa
from harness.databases import Database, DuckDbFile, PostgresDatabase, PostgresServer, running_postgres
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse
from dbt_batch_sync.warehouse.postgres import PostgresWarehouse

BEGIN = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
"""The real time, because the sandbox rejects events older than a day."""


Engine = Literal["duckdb", "postgres"]


class ClockedDatabase(Database, Protocol):
    """A database that was opened once, by its bench."""

    def open(self) -> Warehouse:
        """The warehouse that pushes use. dbt's adapter is that of the bench's project."""

    def set_clock(self, seconds: float) -> None:
        """Set the database's time, in seconds since `BEGIN`. No two readings of it are equal."""


@contextlib.contextmanager
def clocked(engine: Engine) -> Iterator[ClockedDatabase]:
    """A database of this engine, for one bench."""
    if engine == "duckdb":
        yield DuckDbInMemory()
        return
    with running_postgres() as server:
        yield PostgresOnClock(server)


class DuckDbInMemory(DuckDbFile):
    """DuckDB in this process, in one thread."""

    def __init__(self) -> None:
        super().__init__(Path(":memory:"))
        self._warehouse: DuckDbWarehouse

    @property
    def credentials(self) -> dict[str, object]:
        return {**super().credentials, "settings": {"threads": 1}}

    def open(self) -> Warehouse:
        self._warehouse = DuckDbWarehouse(_target(self))
        with self.connection() as connection:
            for statement in _DUCKDB_CLOCK:
                connection.execute(statement)
        return self._warehouse

    def set_clock(self, seconds: float) -> None:
        with self.connection() as connection:
            connection.execute(f"update bench.clock set seconds = {seconds!r}")

    def clear(self) -> None:
        query = "select table_type, table_name from information_schema.tables where table_schema = 'main'"
        with self.connection() as connection:
            for kind, name in connection.execute(query).fetchall():
                connection.execute(f'drop {"view" if kind == "VIEW" else "table"} main."{name}"')

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._warehouse._file.cursor() as connection:
            yield connection


class PostgresOnClock(PostgresDatabase):
    """A database of a server, without concurrent connections."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(server)
        self._clock = server.connect(self.name)

    @property
    def credentials(self) -> dict[str, object]:
        # `pg_catalog` would come first if it weren't named.
        return {**super().credentials, "search_path": f"bench, pg_catalog, {self.schema}"}

    def open(self) -> Warehouse:
        return _PostgresWarehouse(_target(self))

    def set_clock(self, seconds: float) -> None:
        with self._clock.cursor() as cursor:
            cursor.execute(f"select setval('bench.microseconds', {round(seconds * 1_000_000) + 1})")

    def clear(self) -> None:
        super().clear()
        for statement in _POSTGRES_CLOCK:
            self.execute(statement, {})


class _PostgresWarehouse(PostgresWarehouse):
    """Reads the clock where a query asks for `current_timestamp`, which is a keyword."""

    def fetch(self, query: Statement) -> pa.Table:
        return super().fetch(Statement(query.tree.transform(_read_clock), query.parameters))


def _read_clock(node: exp.Expr) -> exp.Expr:
    return exp.func("clock_timestamp") if isinstance(node, exp.CurrentTimestamp) else node


_NOW = f"""
(select timestamptz '{BEGIN}+00' + to_microseconds(cast(round(seconds * 1000000) as bigint) + nextval('bench.calls'))
from bench.clock)
"""
_DUCKDB_CLOCK = (
    "create schema bench",
    "create table bench.clock as select 0.0::double as seconds",
    "create sequence bench.calls",
    f"create macro now() as {_NOW}",
    f"create macro get_current_timestamp() as {_NOW}",
)
_POSTGRES_CLOCK = (
    "create schema bench",
    "create sequence bench.microseconds",
    f"""
    create function bench.clock_timestamp() returns timestamptz language sql volatile
    return timestamptz '{BEGIN}+00' + nextval('bench.microseconds') * interval '1 microsecond'
    """,
)
"""The sequences make every reading unique."""


def _target(database: Database) -> WarehouseTarget:
    credentials: Mapping[str, Any] = database.credentials
    chosen = {key: value for key, value in credentials.items() if key not in ("type", "threads")}
    return WarehouseTarget("shop", "dev", database.adapter, chosen)
