"""PostgreSQL through dbt-postgres: its credentials, and its way to connect with them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

from pyarrow import csv
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import Conflict, UnsupportedWarehouse
from dbt_batch_sync.warehouse.adapter import connect_anew, load_adapter
from dbt_batch_sync.warehouse.copied import schema_of
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value
from dbt_batch_sync.warehouse.postgres_connection import Connection, run, text_of
from dbt_batch_sync.warehouse.postgres_pages import Pages, copied

OLDEST = 15
"""The first version with MERGE."""

ATTEMPTS = 3
"""How often a transaction is tried that another one, of a `dbt run` say, made impossible."""

CREATING = 5_206_421
"""The advisory lock for creating a table: `if not exists` alone fails when two do it at once."""


class PostgresWarehouse:
    """See port.Warehouse."""

    dialect = "postgres"
    transactions = True
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._connect = lambda: _recent(connect_anew(adapter))
        self._main, self._reader = Connection(self._connect), Connection(self._connect)
        self._main.run(lambda _: None)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        kind = exp.func("format_type", exp.column("atttypid"), exp.column("atttypmod"))
        found = exp.func("to_regclass", exp.Placeholder(this="table"))
        query = (
            exp.select(exp.column("attname"), kind)
            .from_("pg_catalog.pg_attribute")
            .where(exp.EQ(this=exp.column("attrelid"), expression=found), "attnum > 0", "not attisdropped")
            .order_by("attnum")
        )
        rows = self.fetch(Statement(query, {"table": table.sql(self.dialect)}))
        return tuple(Column(str(name), str(kind)) for name, kind in rows)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        def fetched(cursor: Any) -> list[tuple[Value, ...]]:
            run(cursor, query)
            return cast("list[tuple[Value, ...]]", cursor.fetchall())

        return self._main.run(fetched)

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        pages = Pages(self._reader, query)
        ahead = ThreadPoolExecutor(1, "batch-read-ahead")
        try:
            yield Rows(schema_of(pages.columns), pages.batches(ahead, batch_rows))
        finally:
            if pages.reading:
                self._reader.cancel()
            ahead.shutdown()
            # A cancellation that came too late would end the next statement.
            self._reader.close()

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._transact(steps)
            except Conflict:
                continue
        return self._transact(steps)

    def twin(self) -> PostgresWarehouse:
        other = object.__new__(PostgresWarehouse)
        other._connect = self._connect
        other._main, other._reader = Connection(self._connect), Connection(self._connect)
        return other

    def close(self) -> None:
        self._main.close()
        self._reader.close()

    def _transact(self, steps: Sequence[Statement | Load]) -> None:
        # A connection that went away while nobody used it is opened again here: nothing has been done yet.
        self._main.run(lambda cursor: cursor.execute("begin"))
        with self._main.cursor() as cursor:
            try:
                for step in steps:
                    _take(cursor, step)
                    crash_point("inside_commit")
                cursor.execute("commit")
            except BaseException:
                if not cursor.connection.closed:
                    cursor.execute("rollback")
                raise


def _take(cursor: Any, step: Statement | Load) -> None:
    if isinstance(step, Statement):
        if isinstance(step.tree, exp.Create):
            run(
                cursor, Statement(exp.select(exp.func("pg_advisory_xact_lock", exp.Literal.number(CREATING))))
            )
        run(cursor, step)
        return
    names = [exp.to_identifier(name, quoted=True) for name in step.rows.column_names]
    target = exp.Schema(this=step.table.copy(), expressions=names)
    buffer = io.BytesIO()
    # Quoted, so that an empty text is none; what is null stays unquoted.
    csv.write_csv(step.rows, buffer, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    buffer.seek(0)
    cursor.copy_expert(text_of(copied(target, "STDIN"), False), buffer)


def _recent(handle: Any) -> Any:
    version = handle.server_version // 10_000
    if version >= OLDEST:
        return handle
    handle.close()
    raise UnsupportedWarehouse(
        f"the server is PostgreSQL {version}; {OLDEST} or later is needed, which has MERGE"
    )
