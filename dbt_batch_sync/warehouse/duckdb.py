"""DuckDB through dbt-duckdb. One process at a time opens a file; within it, cursors are connections of their
own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.profiles import WarehouseTarget
from dbt_batch_sync.warehouse.adapter import connect, first_line, load_adapter
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value

LOCK_WAIT_SECONDS = 10.0
"""How long a file that another process has open is tried again: about what a `dbt run` of a small project
takes.
"""


class DuckDbWarehouse:
    """See port.Warehouse."""

    dialect = "duckdb"
    transactions = True
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        _refuse_missing_file(target)
        self._adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        handle = _unlocked(self._adapter)
        # dbt-duckdb's own cursor is one object for everybody: a statement on it would end a result that is
        # being read.
        self._connection: duckdb.DuckDBPyConnection = handle.cursor()._cursor.cursor()
        self._reader = self._connection.cursor()
        self._owner = True

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        query = (
            exp.select("column_name", "data_type")
            .from_("duckdb_columns()")
            .where(
                "lower(schema_name) = lower($schema)", "lower(table_name) = lower($name)", dialect="duckdb"
            )
            .where(
                "lower(database_name) = lower(coalesce(nullif($catalog, ''), current_database()))",
                dialect="duckdb",
            )
            .order_by("column_index")
        )
        names: dict[str, Value] = {"schema": table.db, "name": table.name, "catalog": table.catalog}
        return tuple(Column(str(name), str(kind)) for name, kind in self.fetch(Statement(query, names)))

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        with _errors():
            return self._connection.execute(_sql(query.tree), dict(query.parameters)).fetchall()

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        with _errors():
            relation = self._reader.sql(_sql(query.tree), params=dict(query.parameters))
            reader = relation.to_arrow_reader(batch_rows)
        try:
            yield Rows(reader.schema, _batches(reader))
        finally:
            reader.close()

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        with _errors():
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
        self._adapter.cleanup_connections()
        # The environment that holds the file is a class attribute of dbt-duckdb: without this the lock
        # outlives the push.
        self._adapter.connections.close_all_connections()

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


def _unlocked(adapter: Any) -> Any:
    """The handle, waiting a while for a file that another process has open."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            return connect(adapter)
        except WarehouseError as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise WarehouseError(
                    f"the DuckDB file is locked by another process, still after {LOCK_WAIT_SECONDS:.0f} s: "
                    "end the `dbt run`, the push or the shell that has it open, and try again"
                ) from None
        time.sleep(0.25)


def _batches(reader: Any) -> Iterator[Any]:
    with _errors():
        yield from reader


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB: {first_line(error)}") from error
