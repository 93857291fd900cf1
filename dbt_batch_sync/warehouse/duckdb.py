"""DuckDB through dbt-duckdb. One process at a time opens a file; within it, cursors are connections of their
own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import duckdb
import pyarrow.compute as pc
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse.adapter import connect, first_line, load_adapter
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value

MEMORY_LIMIT_MB = 150
"""For DuckDB's cache of its file and what it works in, unless the profile sets `memory_limit`; beyond it,
it spills to disk. With more, a push is not faster.
"""

MB_A_COLUMN = 2.6
"""What DuckDB must have for each column that is written, and can't spill: it fails with 2 (300 columns)."""

THREADS = 2
"""Unless the profile sets `threads`. Each one holds blocks of every column: eight run out of what is enough
for two, and a push waits for its rendering.
"""

LOCK_WAIT_SECONDS = 10.0
"""How long a file that another process has open is tried again: about what a `dbt run` of a small project
takes.
"""


_KEEPS_ORDER = "select 1 where current_setting('preserve_insertion_order')"

_Handle = TypeVar("_Handle")


class DuckDbWarehouse:
    """See port.Warehouse."""

    dialect = "duckdb"
    transactions = True
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        _refuse_missing_file(target)
        opened = _open_file(target) if _is_plain(target) else _open_through_adapter(target)
        self._connection, self._close_file = opened
        given = _settings(target)
        if not {"threads", "worker_threads"} & given:
            self._connection.execute(f"set threads = {THREADS}")
        self._limit = None if {"memory_limit", "max_memory"} & given else 0
        self._make_room(0)
        self._reader = self._connection.cursor()
        self._owner = True

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        # Not from `duckdb_columns()`, which lists those of every table.
        with _errors():
            try:
                found = self._connection.execute(f"describe {_sql(table)}").fetchall()
            except duckdb.CatalogException:
                return ()
        return tuple(Column(name, kind) for name, kind, *_ in found)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        with _errors():
            return self._connection.execute(_sql(query.tree), dict(query.parameters)).fetchall()

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        with _errors():
            tree, batches = query.tree, _batches
            if self._is_stored_in_order(query):
                tree, batches = query.tree.copy(), _ascending_batches
                tree.set("order", None)
            relation = self._reader.sql(_sql(tree), params=dict(query.parameters))
            reader = relation.to_arrow_reader(batch_rows)
        try:
            yield Rows(reader.schema, batches(reader))
        finally:
            reader.close()

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        with _errors():
            self._make_room(max((_width(step) for step in steps), default=0))
            self._connection.begin()
            try:
                for step in steps:
                    self._run(step)
                    crash_point("inside_commit")
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def twin(self) -> DuckDbWarehouse:
        other = copy(self)
        other._connection, other._reader, other._owner = self._connection.cursor(), self._reader, False
        return other

    def close(self) -> None:
        if not self._owner:
            self._connection.close()
            return
        self._reader.close()
        self._connection.close()
        self._close_file()

    def _is_stored_in_order(self, query: Statement) -> bool:
        """Whether a query of one table asks for the order that its rows are stored in, by its first column.

        DuckDB keeps that order, and sorting wide rows is most of what reading them costs (0.7 CPU seconds
        and 450 MB a million).
        """
        tree = query.tree
        if not isinstance(tree, exp.Select) or tree.args.get("order") is None or tree.args.get("joins"):
            return False
        (key, *_) = tree.args["order"].expressions
        if tree.expressions[0].unalias() != key or not self._connection.execute(_KEEPS_ORDER).fetchone():
            return False
        before = exp.Window(this=exp.Lag(this=key.copy()))
        pairs = tree.copy().select(key.copy().as_("key"), before.as_("before"), append=False)
        for part in ("order", "limit"):
            pairs.set(part, None)
        wrong = exp.LT(this=exp.column("key"), expression=exp.column("before"))
        found = exp.select(exp.Literal.number(1)).from_(pairs.subquery("pairs")).where(wrong).limit(1)
        return not self.fetch(Statement(found, query.parameters))

    def _make_room(self, columns: int) -> None:
        """Raises the memory limit to what writing so many columns takes, unless the profile has set it."""
        wanted = max(MEMORY_LIMIT_MB, round(columns * MB_A_COLUMN))
        if self._limit is not None and wanted > self._limit:
            self._connection.execute(f"set memory_limit = '{wanted}MB'")
            self._limit = wanted

    def _run(self, step: Statement | Load) -> None:
        if isinstance(step, Statement):
            self._connection.execute(_sql(step.tree), dict(step.parameters))
            return
        self._connection.register("batch_sync_load", step.rows)
        try:
            rows = exp.select(*(exp.column(name, quoted=True) for name in step.rows.column_names))
            target = [exp.to_identifier(name, quoted=True) for name in step.rows.column_names]
            into = exp.Schema(this=step.table.copy(), expressions=target)
            self._connection.execute(_sql(exp.Insert(this=into, expression=rows.from_("batch_sync_load"))))
        finally:
            self._connection.unregister("batch_sync_load")


def _width(step: Statement | Load) -> int:
    """How many columns the widest select of a statement has."""
    if isinstance(step, Load):
        return len(step.rows.column_names)
    return max((len(select.expressions) for select in step.tree.find_all(exp.Select)), default=0)


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


def _ascending_batches(reader: Any) -> Iterator[Any]:
    """The batches, held to the order of their first column, the key."""
    last: str | None = None
    for batch in _batches(reader):
        keys = batch.column(0)
        steps = pc.less(keys[1:], keys[:-1])
        if pc.any(steps).as_py() or (last is not None and len(keys) and keys[0].as_py() < last):
            raise WarehouseError(
                "DuckDB did not give the rows in the order they are stored in: nothing more was sent"
            )
        last = keys[-1].as_py() if len(keys) else last
        yield batch


def _batches(reader: Any) -> Iterator[Any]:
    with _errors():
        yield from reader


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
