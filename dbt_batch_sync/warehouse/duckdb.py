"""DuckDB through dbt-duckdb. One process at a time can open a file; its cursors are independent."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock, Timer
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Column, Statement
from dbt_batch_sync.warehouse.adapter import connect, first_line, load_adapter
from dbt_batch_sync.warehouse.rows import in_utc, into, without_nulls

SCAN_MEGABYTES, JOIN_MEGABYTES = 64, 150
"""The memory for DuckDB's cache and work space, plus half a megabyte for each column of a select, because a
scan holds a block of each. Applies unless the profile sets `memory_limit`. Beyond it, DuckDB spills to disk.
More memory doesn't make a push faster.
"""

THREADS = 2
"""Unless the profile sets `threads`. Each thread holds blocks of every column: eight would exceed the memory
that is enough for two, and a push waits for rendering anyway.
"""

LOCK_WAIT_SECONDS = 10.0
"""How long a file that another process has open is retried at first: a small `dbt run`."""

LOCK_WAIT_AGAIN_SECONDS = 300.0
"""How long it is retried during a push, because a `dbt run` may have started meanwhile."""

HOLD_SECONDS = 0.25
"""How long the file stays open after a call: opening takes longer than reading a page."""

_log = logging.getLogger("dbt_batch_sync")


class DuckDbWarehouse:
    """See Warehouse. Closes the file when it was not used for `HOLD_SECONDS`."""

    dialect = "duckdb"
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        path, settings = str(target.credentials.get("path") or ""), _settings(target)
        is_file = not (re.match(r"^[a-z]+:", path) or path in ("", ":memory:"))
        if is_file and not Path(path).exists():  # DuckDB would create it, in its own version's format
            raise WarehouseError(f"there is no DuckDB file {path}. Build it first: dbt run")
        self._limits = not {"memory_limit", "max_memory"} & settings
        opens_itself = _is_plain(target)
        self._file = _File(
            partial(_open_file, path) if opens_itself else partial(_open_through, load_adapter(target)),
            lets_go=is_file,
            limits_threads=not {"threads", "worker_threads"} & settings,
        )

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        # Not from `duckdb_columns()`, which reads those of every table.
        with self._file.cursor() as cursor:
            try:
                found = cursor.execute(f"describe {_sql(table)}").fetchall()
            except duckdb.CatalogException:
                return ()
        return tuple(Column(name, kind) for name, kind, *_ in found)

    def fetch(self, query: Statement) -> pa.Table:
        with self._file.cursor(_needed_megabytes(query.tree) if self._limits else 0) as cursor:
            found = cursor.sql(_sql(query.tree), params=dict(query.parameters)).to_arrow_table()
        return in_utc(found)

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        given = without_nulls(rows)
        chosen = exp.select(*(exp.column(name, quoted=True) for name in given.column_names))
        source = "batch_sync_rows"
        insert = exp.Insert(
            this=into(table, given.column_names, self.dialect), expression=chosen.from_(source)
        )
        with self._file.cursor() as cursor:
            cursor.register(source, given)
            cursor.execute(_sql(insert))

    def close(self) -> None:
        self._file.close()


_Opened: TypeAlias = "tuple[duckdb.DuckDBPyConnection, Callable[[], None]]"
"""A connection, and a function that closes the file."""


class _File:
    """A file that is opened on demand and closed some time later if it `lets_go`."""

    def __init__(self, open_file: Callable[[], _Opened], *, lets_go: bool, limits_threads: bool) -> None:
        self._open_file = open_file
        self._lets_go = lets_go
        self._limits_threads = limits_threads
        self._lock = Lock()
        self._users = 0
        self._timer: Timer | None = None
        self._megabytes = 0
        self._opened: _Opened | None = self._open(LOCK_WAIT_SECONDS)
        self._set_timer()

    @contextmanager
    def cursor(self, megabytes: int = 0) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one thread, with this memory limit if it isn't 0, or more while another thread has
        more. Raises WarehouseError.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._open(LOCK_WAIT_AGAIN_SECONDS)
            if megabytes and (megabytes > self._megabytes or not self._users):
                self._opened[0].execute(f"set memory_limit = '{megabytes}MB'")
                self._megabytes = megabytes
            self._users += 1
            cursor = self._opened[0].cursor()
        try:
            with _errors():
                yield cursor
        finally:
            cursor.close()
            with self._lock:
                self._users -= 1
                self._set_timer()

    def close(self) -> None:
        """Closes the file. The next call opens it again."""
        with self._lock:
            self._let_go()

    def _open(self, seconds: float) -> _Opened:
        connection, close_file = _unlocked(self._open_file, seconds)
        self._megabytes = 0
        if self._limits_threads:
            connection.execute(f"set threads = {THREADS}")
        return connection, close_file

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._lets_go:
            self._timer = Timer(HOLD_SECONDS, self._close_unused)
            self._timer.daemon = True
            self._timer.start()

    def _close_unused(self) -> None:
        with self._lock:
            if not self._users:
                self._let_go()

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        opened, self._opened = self._opened, None
        if opened is not None:
            connection, close_file = opened
            connection.close()
            close_file()


@lru_cache(maxsize=16)  # takes as long as reading a thousand rows
def _sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb")


def _needed_megabytes(query: exp.Expr) -> int:
    joins = any(join.args["on"].find(exp.EQ) for join in query.find_all(exp.Join) if join.args.get("on"))
    columns = len(query.selects) if isinstance(query, exp.Query) else 0
    return (JOIN_MEGABYTES if joins else SCAN_MEGABYTES) + columns // 2


def _settings(target: WarehouseTarget) -> set[str]:
    settings = (target.credentials.get(key) for key in ("settings", "config_options"))
    return {str(name).lower() for each in settings if isinstance(each, dict) for name in each}


def _is_plain(target: WarehouseTarget) -> bool:
    """Whether the profile only names a local file. Then the adapter would only open it, and importing the
    adapter nearly doubles the cost of a push without changes.
    """
    path, database = str(target.credentials.get("path") or ""), target.credentials.get("database")
    named = Path(path).is_file() and database in (None, Path(path).stem)
    return named and target.credentials.keys() <= {"path", "database", "schema", "retries"}


def _open_file(path: str) -> _Opened:
    try:
        connection = duckdb.connect(path)
    except duckdb.Error as error:
        raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None
    return connection.cursor(), connection.close


def _open_through(adapter: Any) -> _Opened:
    handle = connect(adapter)

    def close() -> None:
        adapter.cleanup_connections()
        # dbt-duckdb keeps the environment that holds the file in a class attribute. Otherwise, the lock would
        # outlive the push.
        adapter.connections.close_all_connections()

    # dbt-duckdb shares one cursor object.
    return handle.cursor()._cursor.cursor(), close


def _unlocked(open_file: Callable[[], _Opened], seconds: float) -> _Opened:
    """Opens a file, and waits if another process has it open."""
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            return open_file()
        except WarehouseError as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise WarehouseError(
                    f"the DuckDB file is locked by another process, still after {seconds:.0f} s: "
                    "end the `dbt run`, the push or the shell that has it open, and try again"
                ) from None
        if not told:
            told = True
            _log.warning(
                "The DuckDB file is locked by another process; waiting up to %.0f s for it.", seconds
            )
        time.sleep(0.25)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (duckdb.DataError, duckdb.IntegrityError) as error:
        kind = first_line(error).partition(":")[0]  # what follows quotes the value
        raise WarehouseError(f"DuckDB: {kind}: a value does not fit its column") from None
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB: {first_line(error)}") from error
