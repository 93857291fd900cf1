"""A Snowflake emulator in a thread of the test process, and a `Database` on it.

fakesnow translates Snowflake's SQL with sqlglot and runs it on DuckDB. `_completed` adds what a push needs
and it lacks. Tests access its DuckDB directly, so only the tested SQL is translated.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from threading import Lock, Thread
from typing import Any
from unittest import mock

import pyarrow as pa
import sqlglot
from harness.databases import Row, arrow_column, comparable, quoted
from sqlglot import exp

DATABASE, SCHEMA = "SHOP", "ANALYTICS"


class SnowflakeEmulator:
    """The server. Starts empty."""

    def __init__(self) -> None:
        import uvicorn
        from fakesnow.server import app, shared_fs

        self._completed = contextlib.ExitStack()
        self.arrays: set[str] = set()
        self._completed.enter_context(_completed(self.arrays))
        self.duckdb = shared_fs.duck_conn
        # With an explicit protocol, asyncio sends small answers immediately.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        self._thread = Thread(target=self._server.run, args=([listening],), name="snowflake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self._thread.join()
        self._completed.close()


class SnowflakeDatabase:
    """A database on the emulator."""

    adapter = "snowflake"
    model_config: Mapping[str, object] = {}
    schema = SCHEMA

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
        """Names are quoted, so that they keep their case."""
        self.server.arrays |= {name for name, kind in columns.items() if kind == "array"}
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

    def source(self, table: str) -> str:
        return f"raw.{quoted(table)}"

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """Column names are lower-cased."""
        with self._duckdb() as connection:
            found = connection.execute(sql, dict(values) or None)
            names = [column[0].lower() for column in found.description or ()]
            return [dict(zip(names, map(comparable, row), strict=True)) for row in found.fetchall()]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        with self._snowflake() as cursor:
            cursor.execute(re.sub(r"\$(\w+)", r"%(\1)s", sql), dict(values) or None)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query in Snowflake's SQL."""
        with self._snowflake() as cursor:
            return list(cursor.execute(sql).fetchall())

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


class _Transactions:
    """Rolls back transactions of sessions that are gone. Snowflake does so after minutes."""

    PATIENCE = 1.0
    """Seconds without a statement in a transaction."""

    def __init__(self) -> None:
        self._open: dict[Any, float] = {}
        self._lock = Lock()

    def note(self, session: Any, command: str) -> None:
        """Called before each statement of a session."""
        now = time.monotonic()
        with self._lock:
            for other in [each for each, last in self._open.items() if now - last > self.PATIENCE]:
                if other is not session:
                    del self._open[other]
                    other._duck_conn.rollback()
            if command == "begin" or session in self._open:
                self._open[session] = now
            if command in ("commit", "rollback"):
                self._open.pop(session, None)


def _check_names(session: Any, command: str) -> None:
    """Reject tables and columns whose name differs in case from the created one: DuckDB ignores case."""
    tree = sqlglot.parse_one(command, read="snowflake")
    if not isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create):
        return
    for each in tree.find_all(exp.Identifier):
        if not each.args.get("quoted"):
            each.set("this", each.name.upper())
    tables = {each.name for each in tree.find_all(exp.Table)}
    query = "select table_name, column_name from duckdb_columns() where lower(table_name) = any($names)"
    with session._duck_conn.cursor() as connection:
        found = connection.execute(query, {"names": [name.lower() for name in tables]}).fetchall()
    known = {name for row in found for name in row}
    known |= {each.alias for each in tree.find_all(exp.Alias, exp.CTE, exp.Subquery)}
    written = {each.name for schema in tree.find_all(exp.Schema) for each in schema.expressions}
    used = tables | {each.name for each in tree.find_all(exp.Column)}
    used = used - {tree.this.name} if isinstance(tree, exp.Create) else used | written
    lowered = {name.lower() for name in known}
    for name in used - known:
        if name.lower() in lowered:
            from snowflake.connector.errors import ProgrammingError

            raise ProgrammingError(msg=f"invalid identifier '{name}'", errno=904, sqlstate="42000")


@contextlib.contextmanager
def _completed(arrays: set[str]) -> Iterator[None]:
    """The emulator with additions. `arrays`: names of array columns."""
    from fakesnow import arrow, info_schema, transforms
    from fakesnow.cursor import FakeSnowflakeCursor
    from snowflake.connector.errors import Error, ProgrammingError

    execute, describe, lengths = (
        FakeSnowflakeCursor.execute,
        transforms.describe_table,
        info_schema.insert_text_lengths_sql,
    )
    moments, transactions = arrow.timestamp_to_sf_struct, _Transactions()

    def executed(cursor: Any, command: str, *arguments: Any, **options: Any) -> Any:
        transactions.note(cursor._conn, command)
        # It supports no session parameters; its sessions are in UTC anyway.
        if command.startswith("alter session set"):
            command = "select 'Statement executed successfully.' as status"
        try:
            _check_names(cursor._conn, command)
            execute(cursor, command, *arguments, **options)
        except Error:
            raise
        except Exception as error:
            # An internal server error would be retried for minutes.
            raise ProgrammingError(
                msg=f"{type(error).__name__}: {error}", errno=1, sqlstate="XX000"
            ) from error
        if str(cursor._last_sql).startswith("MERGE"):
            cursor._last_sql = (
                'select 0 as "number of rows inserted"'  # the emulator describes the result from this query
            )
        return cursor

    def described(tree: exp.Expr, *place: Any) -> exp.Expr:
        """Report array columns as arrays. The emulator stores them as JSON and reports all JSON as VARIANT."""
        found = describe(tree, *place)
        if found is tree or not arrays:
            return found
        name, kind = exp.column("name", quoted=True), exp.column("type", quoted=True)
        is_array = exp.and_(kind.eq("VARIANT"), name.isin(*sorted(arrays)))
        kinds = exp.Case().when(is_array, exp.Literal.string("ARRAY")).else_(kind)
        return exp.select(name, kinds.as_("type", quoted=True)).from_(found.subquery("found"))

    def whole_number(tree: exp.Expr) -> exp.Expr:
        """Keep NUMBER(38,0) wide. The emulator makes it a 64-bit integer."""
        if isinstance(tree, exp.DataType) and tree.this == exp.DataType.Type.DECIMAL and not tree.expressions:
            return exp.DataType.build("decimal(38, 0)")
        if tree.this in (exp.DataType.Type.INT, exp.DataType.Type.SMALLINT, exp.DataType.Type.TINYINT):
            return exp.DataType.build("bigint")
        return tree

    def escaped(catalog: str, schema: str, table: str, columns: list[tuple[str, int]]) -> str:
        return lengths(catalog, schema, table, [(name.replace("'", "''"), size) for name, size in columns])

    def with_nulls(times: pa.ChunkedArray) -> pa.Array:
        """Keep nulls. The emulator turns them into 1970."""
        whole = times.combine_chunks()
        made = moments(whole.fill_null(datetime(1970, 1, 1, tzinfo=timezone.utc if whole.type.tz else None)))
        return pa.StructArray.from_arrays(made.flatten(), fields=list(made.type), mask=whole.is_null())

    with contextlib.ExitStack() as patches:
        for place, name, ours in (
            (FakeSnowflakeCursor, "execute", executed),
            (transforms, "describe_table", described),
            (transforms, "integer_precision", whole_number),
            # The emulator's sums are doubles, and its merges are several statements with a temporary table.
            (transforms, "numeric_agg_implicit_cast", lambda tree: tree),
            (transforms, "merge", lambda tree: [tree]),
            (arrow, "timestamp_to_sf_struct", with_nulls),
            (info_schema, "insert_text_lengths_sql", escaped),
        ):
            patches.enter_context(mock.patch.object(place, name, ours))
        yield


def _cell(name: str, kind: str) -> str:
    given = f"given.{quoted(name)}"
    return f"to_json({given})" if kind == "JSON" else f"cast({given} as {kind})"
