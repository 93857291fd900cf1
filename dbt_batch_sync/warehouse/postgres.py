"""PostgreSQL through dbt-postgres: its credentials, and how it connects with them.

Rows are read and appended by COPY, several times as fast as statements. No transaction outlives a call.
"""

from __future__ import annotations

import io
from typing import Any

import psycopg2
import pyarrow as pa
from psycopg2 import errorcodes, errors
from pyarrow import csv
from sqlglot import exp

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Column, Statement
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.copied import CopiedColumn, copied_cells, read_rows
from dbt_batch_sync.warehouse.driver import TELLING, ConnectionLost, Driver
from dbt_batch_sync.warehouse.relations import select
from dbt_batch_sync.warehouse.rows import into, pyformat, without_nulls

_SETTINGS = """
select set_config('datestyle', 'ISO, YMD', false), set_config('extra_float_digits', '1', false),
    set_config('timezone', 'UTC', false)
"""
"""How values are written as text; a role or a database may have other settings."""


class PostgresWarehouse(Driver):
    """See Warehouse."""

    dialect = "postgres"
    checkpoint_seconds = 5.0
    failures = (psycopg2.Error, pa.ArrowException)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        query = select(
            """
            select attname, format_type(atttypid, atttypmod) from pg_catalog.pg_attribute
            where attrelid = to_regclass(:table) and attnum > 0 and not attisdropped order by attnum
            """
        )
        rows = self._execute(Statement(query, {"table": table.sql(self.dialect)}))
        return tuple(Column(name, kind) for name, kind in rows)

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        given = without_nulls(rows)
        target = into(table, given.column_names, self.dialect).sql(self.dialect)
        buffer = io.BytesIO()
        # Quoted, so that an empty text differs from a null, which stays unquoted.
        csv.write_csv(given, buffer, csv.WriteOptions(include_header=False, quoting_style="all_valid"))

        def copy(handle: Any) -> None:
            buffer.seek(0)
            with handle.cursor() as cursor:
                cursor.copy_expert(f"copy {target} from stdin with (format csv)", buffer)

        self._run(copy)

    def _connect(self) -> Any:
        handle = super()._connect()
        # dbt sets the role in a transaction that it leaves open. Rolling back would lose the role.
        handle.commit()
        handle.autocommit = True
        handle.set_client_encoding("UTF8")
        with handle.cursor() as cursor:
            cursor.execute(_SETTINGS)
        return handle

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        result = exp.Subquery(this=query.tree.copy(), alias="result")
        with handle.cursor() as cursor:
            self._send(cursor, Statement(exp.select("*").from_(result).limit(0), query.parameters))
            columns = [CopiedColumn(c.name, c.type_code, c.precision) for c in cursor.description]
            cells = pyformat(copied_cells(query.tree, columns, _cell), self.dialect, has_values=True)
            buffer = pa.BufferOutputStream()
            # COPY accepts no parameters, so the driver inserts the quoted values.
            text = cursor.mogrify(cells, dict(query.parameters)).decode()
            cursor.copy_expert(f"copy ({text}) to stdout with (format csv)", buffer)
        return read_rows(buffer.getvalue(), columns)

    def _send(self, cursor: Any, statement: Statement) -> None:
        values = dict(statement.parameters)
        cursor.execute(pyformat(statement.tree, self.dialect, has_values=bool(values)), values or None)

    def _told(self, error: Exception, handle: Any) -> WarehouseError:
        if not isinstance(error, psycopg2.Error):
            return Conflict("PostgreSQL: the table was replaced while it was being read")
        state = error.pgcode or ""
        message = f"PostgreSQL: {first_line(error)}"
        if state.startswith(TELLING):
            name = errorcodes.lookup(state).lower()
            message = f"PostgreSQL: {name} (SQLSTATE {state}); the server's log has the rest"
        if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure):
            return Conflict(message)
        lost = handle is not None and handle.closed
        return (ConnectionLost if lost else WarehouseError)(message)


def _cell(cell: exp.Expr, column: CopiedColumn) -> exp.Expr | None:
    return exp.cast(exp.func("array_to_json", cell), "text") if column.is_array else None
