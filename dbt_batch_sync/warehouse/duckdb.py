"""DuckDB through dbt-duckdb. One process at a time opens a file; within it, cursors are connections of their
own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import duckdb
import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse.adapter import connect, first_line, load_adapter
from dbt_batch_sync.warehouse.port import Column, Statement

MEMORY_LIMIT_MB = 150
"""For DuckDB's cache of its file and what it works in, unless the profile sets `memory_limit`; beyond it,
it spills to disk. With more, a push is not faster.
"""

THREADS = 2
"""Unless the profile sets `threads`. Each one holds blocks of every column: eight run out of what is enough
for two, and a push waits for its rendering.
"""

LOCK_WAIT_SECONDS = 10.0
"""How long a file that another process has open is tried again: about what a `dbt run` of a small project
takes.
"""


_Handle = TypeVar("_Handle")


class DuckDbWarehouse:
    """See port.Warehouse."""

    dialect = "duckdb"
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        _refuse_missing_file(target)
        opened = _open_file(target) if _is_plain(target) else _open_through_adapter(target)
        self._connection, self._close_file = opened
        given = _settings(target)
        if not {"threads", "worker_threads"} & given:
            self._connection.execute(f"set threads = {THREADS}")
        if not {"memory_limit", "max_memory"} & given:
            self._connection.execute(f"set memory_limit = '{MEMORY_LIMIT_MB}MB'")

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        # Not from `duckdb_columns()`, which lists those of every table.
        with _errors():
            try:
                found = self._connection.execute(f"describe {_sql(table)}").fetchall()
            except duckdb.CatalogException:
                return ()
        return tuple(Column(name, kind) for name, kind, *_ in found)

    def fetch(self, query: Statement) -> pa.Table:
        with _errors():
            cursor = self._connection.cursor()
            try:
                rows = cursor.sql(_sql(query.tree), params=dict(query.parameters)).to_arrow_table()
            finally:
                cursor.close()
        fields = [
            field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
            for field in rows.schema
        ]
        return rows.cast(pa.schema(fields))

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        names = [exp.to_identifier(name, quoted=True) for name in rows.column_names]
        select = exp.select(*(exp.column(name.copy()) for name in names)).from_("batch_sync_rows")
        into = exp.Schema(this=table.copy(), expressions=names)
        with _errors():
            cursor = self._connection.cursor()
            try:
                cursor.register("batch_sync_rows", rows)
                cursor.execute(_sql(exp.Insert(this=into, expression=select)))
            finally:
                cursor.close()

    def close(self) -> None:
        self._connection.close()
        self._close_file()


def _sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb")


def _refuse_missing_file(target: WarehouseTarget) -> None:
    """DuckDB creates what it opens, in its own version's format: never the user's file."""
    path = str(target.credentials.get("path") or "")
    if re.match(r"^[a-z]+:", path) or path in ("", ":memory:") or Path(path).exists():
        return
    raise WarehouseError(
        f"there is no DuckDB file {path} (relative to the current directory). Build it first: dbt run"
    )


def _settings(target: WarehouseTarget) -> set[str]:
    """The names of DuckDB's settings that the profile makes."""
    given = (target.credentials.get(key) for key in ("settings", "config_options"))
    return {str(name).lower() for settings in given if isinstance(settings, dict) for name in settings}


def _is_plain(target: WarehouseTarget) -> bool:
    """Whether the profile names a local file and nothing else: then opening it is all that the adapter would
    do, and importing that would nearly double what a push without changes costs.
    """
    path, database = str(target.credentials.get("path") or ""), target.credentials.get("database")
    named = Path(path).is_file() and database in (None, Path(path).stem)
    return named and target.credentials.keys() <= {"path", "database", "schema"}


_Opened: TypeAlias = "tuple[duckdb.DuckDBPyConnection, Callable[[], None]]"
"""A connection of our own, and what closes the file."""


def _open_file(target: WarehouseTarget) -> _Opened:
    def connect_file() -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(target.credentials["path"]))
        except duckdb.Error as error:
            raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None

    connection = _unlocked(connect_file)
    return connection.cursor(), connection.close


def _open_through_adapter(target: WarehouseTarget) -> _Opened:
    adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
    handle = _unlocked(lambda: connect(adapter))

    def close() -> None:
        adapter.cleanup_connections()
        # The environment that holds the file is a class attribute of dbt-duckdb: without this the lock
        # outlives the push.
        adapter.connections.close_all_connections()

    # dbt-duckdb's own cursor is one object for everybody: a statement on it would end a result that is
    # being read.
    return handle.cursor()._cursor.cursor(), close


def _unlocked(open_file: Callable[[], _Handle]) -> _Handle:
    """What opens, waiting a while for a file that another process has open."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            return open_file()
        except WarehouseError as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise WarehouseError(
                    f"the DuckDB file is locked by another process, still after {LOCK_WAIT_SECONDS:.0f} s: "
                    "end the `dbt run`, the push or the shell that has it open, and try again"
                ) from None
        time.sleep(0.25)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (duckdb.DataError, duckdb.IntegrityError) as error:
        kind = first_line(error).partition(":")[0]  # what follows quotes the value
        raise WarehouseError(
            f"DuckDB: {kind}: a value does not fit its column. Did somebody alter the snapshot?"
        ) from None
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB: {first_line(error)}") from error
