"""What the drivers share: a connection per call, retries, and inserts of values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
from sqlglot import exp
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import BatchSyncError, Conflict, WarehouseError
from dbt_batch_sync.warehouse import Statement
from dbt_batch_sync.warehouse.adapter import connect, load_adapter
from dbt_batch_sync.warehouse.rows import Limits, in_utc, inserts, named

ATTEMPTS = 8
"""How often a statement is tried after temporary errors."""

WAITS = wait_random_exponential(0.2, max=16)
"""The waits before each further attempt: half a minute at most in total."""

TELLING = ("22", "P0")
"""Classes of SQLSTATE whose messages contain values: data exceptions, and errors of users' functions."""

_T = TypeVar("_T")


class ConnectionLost(Conflict):
    """The connection was lost. It is unknown whether the server executed the last statement."""


class Driver:
    """A warehouse (see Warehouse) on connections of a dbt adapter.

    A subclass says how to execute a statement, read a result and interpret errors.
    """

    dialect: ClassVar[str]
    checkpoint_seconds: ClassVar[float] = 60.0
    failures: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    """The exceptions of the engine's driver."""
    limits: ClassVar[Limits]
    """The limits of one insert."""

    def __init__(self, target: WarehouseTarget) -> None:
        self._adapter = load_adapter(target)
        self._free: list[Any] = []
        self._was_connected = False
        self._run(lambda _: None)

    def fetch(self, query: Statement) -> pa.Table:
        return in_utc(named(self._run(lambda handle: self._fetched(handle, query)), query.tree))

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        for insert in inserts(table, rows, self.dialect, self.limits):
            self._execute(insert)

    def close(self) -> None:
        """Closes idle connections."""
        while self._free:
            self._disconnect(self._free.pop())

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        """The result of a select."""
        raise NotImplementedError

    def _send(self, cursor: Any, statement: Statement) -> None:
        """Executes a statement with the driver's placeholders."""
        raise NotImplementedError

    def _executed(self, handle: Any, statement: Statement) -> Any:
        """The rows of a statement, or None or what the driver returns for a statement without rows."""
        with handle.cursor() as cursor:
            self._send(cursor, statement)
            return cursor.fetchall() if cursor.description else None

    def _told(self, error: Any, handle: Any) -> WarehouseError:
        """The exception for a failure, a Conflict if the statement may be retried. The handle may be None."""
        raise NotImplementedError

    def _connect(self) -> Any:
        return connect(self._adapter)

    def _disconnect(self, handle: Any) -> None:
        with suppress(Exception):
            handle.close()

    def _execute(self, statement: Statement) -> Any:
        return self._run(lambda handle: self._executed(handle, statement))

    def _run(self, act: Callable[[Any], _T]) -> _T:
        """Runs `act` with a connection. Retries temporary failures."""
        retrying = Retrying(
            retry=retry_if_exception_type(Conflict),
            stop=stop_after_attempt(ATTEMPTS),
            wait=WAITS,
            reraise=True,
        )
        found: _T = retrying(self._once, act)
        return found

    def _once(self, act: Callable[[Any], _T]) -> _T:
        try:
            handle = self._free.pop()
        except IndexError:
            handle = self._connected()
        try:
            result = self._mapped(act, handle)
        except ConnectionLost:
            self._disconnect(handle)
            # The other connections were most likely lost with it.
            self.close()
            raise
        except WarehouseError:
            self._free.append(handle)
            raise
        except BaseException:
            # Interrupted in the middle of a statement.
            self._disconnect(handle)
            raise
        self._free.append(handle)
        return result

    def _mapped(self, act: Callable[[Any], _T], handle: Any) -> _T:
        try:
            return act(handle)
        except BatchSyncError:
            raise
        except self.failures as error:
            raise self._told(error, handle) from None

    def _connected(self) -> Any:
        try:
            handle = self._mapped(lambda _: self._connect(), None)
        except WarehouseError as error:
            # Once the server was reached, a failure to connect may be temporary.
            raise (Conflict(str(error)) if self._was_connected else error) from None
        self._was_connected = True
        return handle
