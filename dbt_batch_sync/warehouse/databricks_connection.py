"""One session of Databricks, through dbt-databricks' handle and databricks-sql-connector's cursors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from threading import Timer
from typing import Any, TypeVar

from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.port import Value
from dbt_batch_sync.warehouse.table_commits import is_conflict

STATEMENT_SECONDS = 3_600.0
"""After this a statement is cancelled: the driver itself would ask for its state for ever."""

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
_STATE = re.compile(r"SQLSTATE:? (\w{5})")
_OF_NAMES = ("42501", "42601", "42703", "42704", "42P01", "42P07")
"""SQLSTATEs of rights, syntax and names. The messages of others may quote values."""

_Result = TypeVar("_Result")


class SessionLost(WarehouseError):
    """The server knows the session no more, and did nothing."""


class Connection:
    """A session that is opened when it is first used, and once more where the server has forgotten it."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self._handle: Any = None

    def run(self, call: Callable[[Any], _Result], rows: int, size: int) -> _Result:
        """What `call` makes of a cursor; it fetches so many rows and bytes at once. Raises WarehouseError."""
        try:
            with self.cursor(rows, size) as cursor, errors():
                return call(cursor)
        except SessionLost:
            self.close()
            with self.cursor(rows, size) as cursor, errors():
                return call(cursor)

    @contextmanager
    def cursor(self, rows: int, size: int) -> Iterator[Any]:
        """A cursor, closed afterwards."""
        if self._handle is None:
            self._handle = _opened(self._adapter)
        with errors():
            cursor = self._handle._conn.cursor(arraysize=rows, buffer_size_bytes=size)
        try:
            yield cursor
        finally:
            with suppress(Exception):
                cursor.close()

    def close(self) -> None:
        """Ends the session."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(Exception):
                handle.close()


def send(cursor: Any, sql: str, values: Mapping[str, Value]) -> None:
    """Executes a statement, its values beside it. Raises WarehouseError when it takes too long."""
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        with suppress(Exception):
            cursor.cancel()

    timer = Timer(STATEMENT_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        cursor.execute(sql, [_parameter(name, cell) for name, cell in values.items()] or None)
    except Exception:
        if not ended:
            raise
    finally:
        timer.cancel()
    if ended:
        raise WarehouseError(
            f"Databricks: a statement took longer than {STATEMENT_SECONDS:.0f} seconds, and was cancelled"
        )


def _opened(adapter: Any) -> Any:
    """A handle of its own: dbt keeps one for a thread, which is told to forget it."""
    try:
        adapter.acquire_connection("dbt_batch_sync")
        handle = adapter.connections.get_thread_connection().handle
        adapter.connections.clear_thread_connection()
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - adapters raise what they like
        raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None
    return handle


def _parameter(name: str, cell: Value) -> Any:
    """A value in a type that holds it: the driver would take 32 bits for a float, and no zone for a time."""
    from databricks.sql.parameters import native

    if isinstance(cell, datetime):
        return native.TimestampParameter(cell.replace(tzinfo=timezone.utc), name)
    if isinstance(cell, float):
        return native.DoubleParameter(cell, name)
    return native.dbsql_parameter_from_primitive(cell, name)


@contextmanager
def errors() -> Iterator[None]:
    """Raises WarehouseError for what the driver raises."""
    try:
        yield
    except BatchSyncError:
        raise
    except Exception as error:  # noqa: BLE001 - the driver's, Thrift's and urllib3's have no common class
        raise _told(error) from None


def _told(error: Exception) -> WarehouseError:
    """An error without the values that those of running statements quote."""
    text = str(error)
    if is_conflict(text):
        return Conflict("Databricks: another writer committed to the table first, again and again")
    if "Invalid SessionHandle" in text:
        return SessionLost("Databricks: the session has ended")
    condition, state = _CONDITION.search(text), _STATE.search(text)
    if condition and state and state[1] in _OF_NAMES:
        return WarehouseError(f"Databricks: {first_line(error)}")
    code = (getattr(error, "context", None) or {}).get("http-code")
    told = condition[1] if condition else type(error).__name__ + (f", HTTP {code}" if code else "")
    return WarehouseError(f"Databricks: {told}; the query's history has the rest")
