"""Redshift through dbt-redshift: its credentials, and its way to connect with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import connect_anew, load_adapter
from dbt_batch_sync.warehouse.copied import CopiedColumn, schema_of, typed
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value
from dbt_batch_sync.warehouse.postgres_pages import Pages
from dbt_batch_sync.warehouse.redshift_connection import Connection, run
from dbt_batch_sync.warehouse.redshift_sql import for_redshift

ATTEMPTS = 6
"""How often a transaction is tried that another one made impossible."""

LOAD_ROWS, LOAD_VALUES = 1_000, 30_000
"""Rows of one `insert`, and its values: the protocol counts them in 16 bits."""


class RedshiftWarehouse:
    """See port.Warehouse."""

    dialect = "redshift"
    transactions = True
    # Commits of a whole cluster wait for each other.
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        self._adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._open()
        self._main.run(lambda _: None)

    def _open(self) -> None:
        self._main, self._reader = (Connection(lambda: connect_anew(self._adapter)) for _ in range(2))

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        query = (
            exp.select(exp.column("column_name"), exp.column("data_type"))
            .from_(exp.table_("columns", "information_schema", quoted=False))
            .where(_is_named("table_schema", "schema"), _is_named("table_name", "name"))
            .order_by("ordinal_position")
        )
        rows = self.fetch(Statement(query, {"schema": table.db, "name": table.name}))
        return tuple(Column(str(name), str(kind)) for name, kind in rows)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        def fetched(cursor: Any) -> list[tuple[Value, ...]]:
            run(cursor, query)
            return [tuple(row) for row in cursor.fetchall()]

        return self._main.run(fetched)

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        pages = RedshiftPages(self._reader, query)
        # A page that is being fetched is waited for: it is small, and the driver can't end it.
        with ThreadPoolExecutor(1, "batch-read-ahead") as ahead:
            yield Rows(schema_of(pages.columns), pages.batches(ahead, batch_rows))

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        statements = [statement for step in steps for statement in _statements(step)]
        for _ in range(ATTEMPTS - 1):
            try:
                return self._transact(statements)
            except Conflict:
                continue
        return self._transact(statements)

    def twin(self) -> RedshiftWarehouse:
        other = object.__new__(RedshiftWarehouse)
        other._adapter = self._adapter
        other._open()
        return other

    def close(self) -> None:
        self._main.close()
        self._reader.close()

    def _transact(self, statements: Sequence[Statement]) -> None:
        # A connection that went away while nobody used it is opened again here: nothing has been done yet.
        self._main.run(lambda cursor: cursor.execute("begin"))
        try:
            with self._main.cursor() as cursor:
                for statement in statements:
                    run(cursor, statement)
                    crash_point("inside_commit")
                cursor.execute("commit")
        except BaseException:
            with suppress(WarehouseError), self._main.cursor() as cursor:
                cursor.execute("rollback")
            raise


class RedshiftPages(Pages):
    """Pages as rows: there is no `copy … to stdout`, and the driver reads a whole result at once."""

    page_bytes = 8 * 1024 * 1024
    """More than on PostgreSQL: without an index each page looks at all rows behind the last key."""

    def _taken(self, cursor: Any, page: Statement) -> Any:
        run(cursor, page)
        return cursor.fetchall()

    def _read(self, data: Any) -> tuple[pa.Table, int]:
        columns = zip(*data, strict=True) if data else [()] * len(self.columns)
        cells = [
            typed(
                pa.chunked_array([pa.array(cells, pa.string() if _is_text(column) else column.arrow_type)]),
                column,
            )
            for cells, column in zip(columns, self.columns, strict=True)
        ]
        page = pa.table(cells, schema=schema_of(self.columns))
        return page, max(page.nbytes, 1)

    def _found(self, cursor: Any) -> Value:
        """The number of the table: another one after a `dbt run`."""
        query = (
            exp.select(exp.cast(exp.column("oid", "c"), "bigint"))
            .from_(exp.alias_(exp.table_("pg_class", "pg_catalog"), "c", table=True))
            .join(
                exp.alias_(exp.table_("pg_namespace", "pg_catalog"), "n", table=True),
                on=exp.EQ(this=exp.column("oid", "n"), expression=exp.column("relnamespace", "c")),
            )
            .where(_is_named("nspname", "schema"), _is_named("relname", "name"))
        )
        run(cursor, Statement(query, {"schema": self._table.db, "name": self._table.name}))
        row = cursor.fetchone()
        return cast("Value", row[0]) if row else None

    def _described(self, select: exp.Select) -> tuple[CopiedColumn, ...]:
        def described(cursor: Any) -> tuple[CopiedColumn, ...]:
            run(cursor, Statement(select.limit(0), self._query.parameters))
            names = select.named_selects
            return tuple(
                CopiedColumn(name, kind, None)
                for name, (_, kind, *_) in zip(names, cursor.description, strict=True)
            )

        return cast("tuple[CopiedColumn, ...]", self._connection.run(described))

    def _cells(self, select: exp.Select) -> Iterator[exp.Expr]:
        """Numbers and times as texts, which are exact, and which the driver does not parse."""
        for cell, column in zip(select.expressions, self.columns, strict=True):
            text = exp.cast(cell.unalias().copy(), "varchar(64)")
            yield exp.alias_(text, column.name, quoted=True) if _is_text(column) else cell


def _is_text(column: CopiedColumn) -> bool:
    """Whether it comes as a text that is something else."""
    return column.is_long or pa.types.is_temporal(column.arrow_type)


def _is_named(column: str, value: str) -> exp.Expr:
    """Names have no case there, unless a session wants it: the stored one may be in lower case."""
    return exp.EQ(
        this=exp.Lower(this=exp.cast(exp.column(column), "varchar(128)")),
        expression=exp.Lower(this=exp.Placeholder(this=value)),
    )


def _statements(step: Statement | Load) -> Iterator[Statement]:
    if isinstance(step, Statement):
        for tree in for_redshift(step.tree):
            yield Statement.of(tree, step.parameters)
        return
    names = [exp.to_identifier(name) for name in step.rows.column_names]
    into = exp.Schema(this=step.table.copy(), expressions=names)
    room = min(LOAD_ROWS, LOAD_VALUES // max(len(names), 1))
    for part in step.rows.to_batches(max_chunksize=room):
        cells = [list(row.values()) for row in part.to_pylist()]
        values = {f"c{y}_{x}": cell for y, row in enumerate(cells) for x, cell in enumerate(row)}
        rows = [
            exp.Tuple(expressions=[exp.Placeholder(this=f"c{y}_{x}") for x in range(len(row))])
            for y, row in enumerate(cells)
        ]
        yield Statement(exp.Insert(this=into.copy(), expression=exp.Values(expressions=rows)), values)
