"""Redshift through dbt-redshift: its credentials, and how it connects with them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import redshift_connector
from sqlglot import exp

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Column, Statement, Value
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.copied import CopiedColumn, copied_cells, schema_of, typed
from dbt_batch_sync.warehouse.driver import TELLING, ConnectionLost, Driver
from dbt_batch_sync.warehouse.relations import select
from dbt_batch_sync.warehouse.rows import Limits

TEXT = "varchar(65535)"
"""The longest text type: `text` means 256 bytes (AWS, r_Character_types)."""

_TYPES: Mapping[type, str] = {
    str: TEXT,
    bool: "boolean",
    int: "bigint",
    float: "double",
    datetime: "timestamp",
}

_SETTINGS = ("set datestyle to 'ISO, YMD'", "set extra_float_digits to 2", "set timezone to 'UTC'")
"""How values are written as text; a user or a database may have other settings."""

_IN_THE_WAY = ("40001", "40P01")
_WORDS_OF_CONFLICT = ("serializable isolation", "deadlock", "concurrent transaction")
"""States and texts of conflicts with another transaction. Many errors have `XX000` (AWS, c_serial_isolation).
"""

_LOST_STATES = ("57P01", "57P02", "08")
_LOST = (redshift_connector.InterfaceError, redshift_connector.OperationalError, OSError, struct.error)
"""The driver's exceptions when the server is gone; `struct.error` for a message that was cut off."""


class RedshiftWarehouse(Driver):
    """See Warehouse."""

    dialect = "redshift"
    failures = (*_LOST, redshift_connector.Error, pa.ArrowException)
    # The protocol counts values in 16 bits, and a statement may have 16 MB.
    limits = Limits(rows=1_000, values=30_000, bytes=4_000_000)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        # Names are case-insensitive unless the session changes that; stored names may be in lower case.
        query = select(
            """
            select column_name, data_type from information_schema.columns
            where lower(cast(table_schema as varchar(128))) = lower(:schema)
                and lower(cast(table_name as varchar(128))) = lower(:name)
            order by ordinal_position
            """
        )
        rows = self._execute(Statement(query, {"schema": table.db, "name": table.name}))
        return tuple(Column(str(name), str(kind)) for name, kind in rows)

    def _connect(self) -> Any:
        handle = super()._connect()
        # A prepared statement would not survive the replacement of its table by `dbt run`.
        handle.max_prepared_statements = 0
        if not handle.autocommit:
            handle.commit()
            handle.autocommit = True
        with handle.cursor() as cursor:
            for setting in _SETTINGS:
                cursor.execute(setting)
        return handle

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        result = exp.Subquery(this=query.tree.copy(), alias="result")
        with handle.cursor() as cursor:
            self._send(cursor, Statement(exp.select("*").from_(result).limit(0), query.parameters))
            columns = [CopiedColumn(str(name), kind, None) for name, kind, *_ in cursor.description]
            self._send(cursor, Statement(copied_cells(query.tree, columns, _cell), query.parameters))
            rows = cursor.fetchall()
        cells = zip(*rows, strict=True) if rows else [()] * len(columns)
        arrays = [_array(each, column) for each, column in zip(cells, columns, strict=True)]
        return pa.table(arrays, schema=schema_of(columns))

    def _send(self, cursor: Any, statement: Statement) -> None:
        cursor.paramstyle = "named"
        values = {name: cell for name, cell in statement.parameters.items() if cell is not None}
        cursor.execute(_text(statement), values or None)

    def _told(self, error: Exception, handle: Any) -> WarehouseError:
        """The driver names the server's fields by letters."""
        if isinstance(error, pa.ArrowException):
            return Conflict("Redshift: the table was replaced while it was being read")
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        state = str(fields.get("C", ""))
        message = f"Redshift: {first_line(fields.get('M') or error)}"
        if state.startswith(TELLING):
            rest = "`sys_query_history` has the rest"
            message = f"Redshift: a value was not accepted (SQLSTATE {state}); {rest}"
        if isinstance(error, _LOST) or state.startswith(_LOST_STATES):
            return ConnectionLost(message)
        words = f"{message} {fields.get('D', '')}".lower()
        passing = state in _IN_THE_WAY or any(each in words for each in _WORDS_OF_CONFLICT)
        return (Conflict if passing else WarehouseError)(message)


def _text(statement: Statement) -> str:
    """The SQL with the driver's placeholders, each with a type, because the server infers few."""

    def written(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TEXT:
            return exp.DataType.build(TEXT)
        if not isinstance(node, exp.Placeholder):
            return node
        value: Value = statement.parameters[node.name]
        if value is None:
            return exp.null()
        placeholder = exp.var(f":{node.name}")
        is_typed = isinstance(node.parent, exp.Cast)
        return placeholder if is_typed else exp.cast(placeholder, _TYPES[type(value)])

    return statement.tree.transform(written).sql(dialect="redshift")


def _cell(cell: exp.Expr, column: CopiedColumn) -> exp.Expr | None:
    """Numbers and times as texts, which are exact and which the driver doesn't parse."""
    return exp.cast(cell, "varchar(64)") if _is_text(column) else None


def _is_text(column: CopiedColumn) -> bool:
    return column.is_long or pa.types.is_temporal(column.arrow_type)


def _array(cells: Any, column: CopiedColumn) -> pa.ChunkedArray:
    arrived = pa.array(cells, pa.string() if _is_text(column) else column.arrow_type)
    return typed(pa.chunked_array([arrived]), column)
