"""An emulator of Snowflake, in a thread of the tests' process, and the database that a `Project` stands on there.

fakesnow translates Snowflake's SQL with sqlglot and runs it on DuckDB. What it lacks and a push needs is added here, in
`_completed`. Rows are written to its DuckDB and read from there directly: only what is tested is translated.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from threading import Thread
from typing import Any
from unittest import mock

import pyarrow as pa
from harness.databases import Row, arrow_column, comparable, quoted

DATABASE, SCHEMA = "SHOP", "ANALYTICS"


class SnowflakeEmulator:
    """The server; empty at first."""

    def __init__(self) -> None:
        import uvicorn
        from fakesnow.server import app, shared_fs

        self._completed = contextlib.ExitStack()
        self._completed.enter_context(_completed())
        self.duckdb = shared_fs.duck_conn
        # With the protocol given, asyncio sends small answers at once.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        self._thread = Thread(target=self._server.run, args=([listening],), name="snowflake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.should_exit = True
        self._thread.join()
        self._completed.close()


class SnowflakeDatabase:
    """A database of its own on the emulator."""

    adapter = "snowflake"

    def __init__(self, server: SnowflakeEmulator) -> None:
        self.server = server
        self.clear()

    @property
    def credentials(self) -> dict[str, object]:
        return {
            "type": "snowflake",
            "account": "fakesnow",
            "user": "fake",
            "password": "unused",
            "host": "127.0.0.1",
            "port": self.server.port,
            "protocol": "http",
            "role": "SYSADMIN",
            "warehouse": "WH",
            "database": DATABASE,
            "schema": SCHEMA,
            "threads": 1,
        }

    def clear(self) -> None:
        with self._snowflake() as cursor:
            for schema in ("RAW", SCHEMA):
                cursor.execute(f"drop schema if exists {DATABASE}.{schema} cascade")
                cursor.execute(f"create schema {DATABASE}.{schema}")

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Names are quoted, so that they have the case given here."""
        declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        with self._snowflake() as cursor:
            cursor.execute(f"create or replace table {DATABASE}.RAW.{quoted(table)} ({declared})")
        place = f"{DATABASE}.RAW.{quoted(table)}"
        with self._duckdb() as connection:
            kinds = {name: kind for name, kind, *_ in connection.execute(f"describe {place}").fetchall()}
            given = pa.table({name: arrow_column([row.get(name) for row in rows]) for name in columns})
            cells = ", ".join(f"{_cell(name, kinds[name])} as {quoted(name)}" for name in columns)
            connection.register("given", given)
            connection.execute(f"insert into {place} select {cells} from given")
            connection.unregister("given")

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """Names of columns come in lower case."""
        with self._duckdb() as connection:
            found = connection.execute(sql, dict(values) or None)
            names = [column[0].lower() for column in found.description or ()]
            return [dict(zip(names, map(comparable, row), strict=True)) for row in found.fetchall()]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        with self._snowflake() as cursor:
            cursor.execute(re.sub(r"\$(\w+)", r"%(\1)s", sql), dict(values) or None)

    def has_table(self, name: str) -> bool:
        found = "from duckdb_tables() where lower(table_name) = $name and database_name = $database"
        return bool(self.query(found, {"name": name, "database": DATABASE}))

    @contextlib.contextmanager
    def _duckdb(self) -> Iterator[Any]:
        with self.server.duckdb.cursor() as connection:
            connection.execute(f"use {DATABASE}.{SCHEMA}")
            yield connection

    @contextlib.contextmanager
    def _snowflake(self) -> Iterator[Any]:
        import snowflake.connector

        given = {name: cell for name, cell in self.credentials.items() if name not in ("type", "threads")}
        with snowflake.connector.connect(**given) as connection, connection.cursor() as cursor:
            yield cursor


@contextlib.contextmanager
def _completed() -> Iterator[None]:
    """The emulator with what it lacks."""
    from fakesnow.cursor import FakeSnowflakeCursor
    from snowflake.connector.errors import Error, ProgrammingError

    execute = FakeSnowflakeCursor.execute

    def executed(cursor: Any, command: str, *arguments: Any, **options: Any) -> Any:
        # It knows none of the parameters; its session is in UTC anyway.
        if command.startswith("alter session set"):
            command = "select 'Statement executed successfully.' as status"
        try:
            return execute(cursor, command, *arguments, **options)
        except Error:
            raise
        except Exception as error:
            # As a fault of the server's it would be tried again for minutes.
            raise ProgrammingError(msg=f"{type(error).__name__}: {error}", errno=1, sqlstate="XX000") from error

    with mock.patch.object(FakeSnowflakeCursor, "execute", executed):
        yield


def _cell(name: str, kind: str) -> str:
    given = f"given.{quoted(name)}"
    return f"to_json({given})" if kind == "JSON" else f"cast({given} as {kind})"

