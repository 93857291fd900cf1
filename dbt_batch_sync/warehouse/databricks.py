"""Databricks through dbt-databricks: its credentials, and how it connects with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, cast

import pyarrow as pa

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Statement, Value
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.driver import ConnectionLost
from dbt_batch_sync.warehouse.lake import CONFLICT, LakeDriver

BINDING = {"use_inline_params": False}
"""Otherwise, dbt-databricks has the driver write values into the SQL."""

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
_STATE = re.compile(r"SQLSTATE:? (\w{5})")
_OF_NAMES = ("42501", "42601", "42703", "42704", "42P01", "42P07")
"""SQLSTATEs about rights, syntax and names. Messages of others may contain values."""


class DatabricksWarehouse(LakeDriver):
    """See Warehouse."""

    dialect = "databricks"

    def __init__(self, target: WarehouseTarget) -> None:
        given = cast("Mapping[str, object]", target.credentials.get("connection_parameters") or {})
        credentials = {**target.credentials, "connection_parameters": {**given, **BINDING}}
        super().__init__(replace(target, credentials=credentials))

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        with self._sent(handle, query) as cursor:
            return cursor.fetchall_arrow()

    def _executed(self, handle: Any, statement: Statement) -> None:
        with self._sent(handle, statement):
            return

    @contextmanager
    def _sent(self, handle: Any, statement: Statement) -> Iterator[Any]:
        values = [_parameter(name, cell) for name, cell in statement.parameters.items()]
        with handle._conn.cursor() as cursor:
            cursor.execute(statement.tree.sql(dialect=self.dialect), values or None)
            yield cursor

    def _told(self, error: Exception, handle: Any) -> WarehouseError:
        """An error, without its message if that may contain values."""
        text = str(error)
        if CONFLICT.search(text):
            return Conflict("Databricks: another writer committed to the table first, again and again")
        if "Invalid SessionHandle" in text:
            return ConnectionLost("Databricks: the session has ended")
        condition, state = _CONDITION.search(text), _STATE.search(text)
        if condition and state and state[1] in _OF_NAMES:
            return WarehouseError(f"Databricks: {first_line(error)}")
        code = (getattr(error, "context", None) or {}).get("http-code")
        told = condition[1] if condition else type(error).__name__ + (f", HTTP {code}" if code else "")
        return WarehouseError(f"Databricks: {told}; the query's history has the rest")


def _parameter(name: str, cell: Value) -> Any:
    """In a type that can hold it: the driver would use 32 bits for a float and drop a time's zone."""
    from databricks.sql.parameters import native

    if isinstance(cell, datetime):
        return native.TimestampParameter(cell.replace(tzinfo=timezone.utc), name)
    if isinstance(cell, float):
        return native.DoubleParameter(cell, name)
    return native.dbsql_parameter_from_primitive(cell, name)
