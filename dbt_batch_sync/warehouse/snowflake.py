"""Snowflake through dbt-snowflake: its credentials, and how it connects with them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from snowflake.connector import errors
from snowflake.connector.constants import FIELD_ID_TO_NAME
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Column, Statement
from dbt_batch_sync.warehouse.driver import TELLING, Driver
from dbt_batch_sync.warehouse.rows import Limits, pyformat

SESSION = """\
alter session set
    timezone = 'UTC',
    timestamp_type_mapping = 'TIMESTAMP_NTZ',
    quoted_identifiers_ignore_case = false,
    python_connector_query_result_format = 'ARROW',
    rows_per_resultset = 0
"""
"""Settings that an account or a user may have changed, and that our statements depend on."""

DOWNLOADS = 1
"""Parts of a result that the driver reads ahead; the server chooses their size. The driver's default is four.
"""

EXACT_DIGITS = 18
"""Digits of a whole number that always fit into 64 bits."""

_TYPES = {
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
}

_NO_SUCH_TABLE = 2003
_TOO_MANY_WAIT = 625
_IN_THE_WAY = re.compile(r"number of waiters for this lock|lock timeout|lock_timeout|deadlock", re.IGNORECASE)
_DATA_ERRORS = range(100_000, 101_000)
"""Errors of data, whose messages have values."""


class SnowflakeWarehouse(Driver):
    """See Warehouse.

    The driver repeats requests that the network lost, with the same request id, and renews the session.
    """

    dialect = "snowflake"
    failures = (errors.Error,)
    # A statement may have 1 MB.
    limits = Limits(rows=1_000, values=30_000, bytes=300_000)

    def __init__(self, target: WarehouseTarget) -> None:
        # In the main thread, the driver would catch interruptions, and the push would not see them.
        self._threads = ThreadPoolExecutor(2, "batch-snowflake")
        super().__init__(target)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        try:
            found = self._execute(Statement(exp.Describe(this=table.copy(), kind="TABLE")))
        except _NoSuchTable:
            return ()
        return tuple(Column(str(name), str(kind)) for name, kind, *_ in found)

    def close(self) -> None:
        super().close()
        self._threads.shutdown()

    def _connect(self) -> Any:
        handle = super()._connect()
        handle.client_prefetch_threads = DOWNLOADS
        # Otherwise, a number with decimals is a double. The setter really has this name.
        handle.arrow_number_to_decimal_setter = True
        with handle.cursor() as cursor:
            cursor.execute(SESSION)
        return handle

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        with handle.cursor() as cursor:
            self._send(cursor, query)
            schema = arrow_schema(cursor.description)
            # Not `fetch_arrow_all`, which requires pandas.
            parts = [fitted(part, schema) for part in cursor.fetch_arrow_batches()]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def _send(self, cursor: Any, statement: Statement) -> None:
        """Executes a statement; the driver inserts the quoted values."""
        values = dict(statement.parameters)
        text = pyformat(statement.tree, self.dialect, has_values=bool(values))
        self._threads.submit(cursor.execute, text, values or None).result()

    def _told(self, error: errors.Error, handle: Any) -> WarehouseError:
        state, number = str(error.sqlstate or ""), error.errno or 0
        where = f"(error {number}, SQLSTATE {state or 'unknown'}, query {error.sfqid or 'unknown'})"
        lines = [line.strip() for line in str(error.raw_msg or "").splitlines() if line.strip()]
        message = f"Snowflake: {' '.join(lines[:2])[:300] or type(error).__name__} {where}"
        if state.startswith(TELLING) or number in _DATA_ERRORS:
            message = f"Snowflake: a value was not accepted {where}; the query's history has the rest"
        if number == _NO_SUCH_TABLE:
            return _NoSuchTable(message)
        passing = number == _TOO_MANY_WAIT or _IN_THE_WAY.search(message)
        return (Conflict if passing else WarehouseError)(message)


class _NoSuchTable(WarehouseError):
    """There is no such object, or the role can't see it; Snowflake doesn't tell which."""


def arrow_schema(description: list[Any]) -> pa.Schema:
    return pa.schema([pa.field(column.name, _arrow_type(column)) for column in description])


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Converts a part of a result: the driver gives each part the narrowest types for its rows."""
    # Not safe, because a timestamp may be in nanoseconds and is cut to the schema's precision.
    cells = [cell.cast(kind.type, safe=False) for cell, kind in zip(rows.columns, schema, strict=True)]
    return pa.table(cells, schema=schema)


def _arrow_type(column: Any) -> pa.DataType:
    name = FIELD_ID_TO_NAME[column.type_code]
    if name == "FIXED":
        if not column.scale and column.precision <= EXACT_DIGITS:
            return pa.int64()
        return pa.decimal128(column.precision, column.scale)
    # Semi-structured values arrive as JSON texts.
    return _TYPES.get(name, pa.string())
