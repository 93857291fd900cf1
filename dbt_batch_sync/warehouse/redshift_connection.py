"""A connection to Redshift: opened when needed, and again when lost; its errors tell no values."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import redshift_connector

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.port import Statement
from dbt_batch_sync.warehouse.redshift_sql import text_of

_T = TypeVar("_T")

_SETTINGS = ("set datestyle to 'ISO, YMD'", "set extra_float_digits to 2")
"""How values are written as text: a user or a database may have them otherwise."""

_TELLING = ("22", "P0")
"""Classes of SQLSTATE whose messages repeat values: data exceptions, and what the user's procedures raise."""

_IN_THE_WAY = ("40001", "40P01", "42P07")
_WORDS_OF_CONFLICT = ("serializable isolation", "deadlock", "concurrent transaction", "already exists")
"""What says that another transaction was in the way, as a state or in words: many errors are `XX000` there
(https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html). `create table if not exists` fails
when two do it at once.
"""

_LOST_STATES = ("57P01", "57P02", "08")
_LOST = (redshift_connector.InterfaceError, redshift_connector.OperationalError, OSError, struct.error)
"""What the driver raises when the server is gone; of a message that was cut off, `struct.error`."""


class Connection:
    """Statements outside `begin` and `commit` commit by themselves. `connect` gives one of the driver's."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._handle: Any = None

    def run(self, act: Callable[[Any], _T]) -> _T:
        """Does what may be done twice: once more, on a new connection, when this one is gone."""
        try:
            with self.cursor() as cursor:
                return act(cursor)
        except WarehouseError:
            if self._handle is not None:
                raise
        with self.cursor() as cursor:
            return act(cursor)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor, whose errors are WarehouseErrors: Conflict where a transaction may be tried again."""
        if self._handle is None:
            self._handle = self._connected()
        try:
            with self._handle.cursor() as cursor:
                cursor.paramstyle = "named"
                yield cursor
        except _LOST as error:
            self.close()
            raise WarehouseError(f"Redshift: the connection is lost: {first_line(error)}") from None
        except redshift_connector.Error as error:
            state, message = _told(error)
            if state.startswith(_LOST_STATES):
                self.close()
            raise (Conflict if _is_conflict(state, message, error) else WarehouseError)(message) from None

    def close(self) -> None:
        """Closes it; a statement opens it again."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(*_LOST, redshift_connector.Error):
                handle.close()

    def _connected(self) -> Any:
        handle = self._connect()
        # A kept statement would not survive its table's replacement by `dbt run`.
        handle.max_prepared_statements = 0
        try:
            if not handle.autocommit:
                handle.commit()
                handle.autocommit = True
            with handle.cursor() as cursor:
                for setting in _SETTINGS:
                    cursor.execute(setting)
        except (redshift_connector.Error, *_LOST) as error:
            raise WarehouseError(_told(error)[1]) from None
        return handle


def run(cursor: Any, statement: Statement) -> None:
    """Executes a statement with its values."""
    values = {name: cell for name, cell in statement.parameters.items() if cell is not None}
    cursor.execute(text_of(statement), values or None)


def _told(error: BaseException) -> tuple[str, str]:
    """The state, and a message without values. The driver has the server's fields by their letters."""
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state = str(fields.get("C", ""))
    if state.startswith(_TELLING):
        message = f"a value was not accepted (SQLSTATE {state}); `sys_query_history` has the rest"
        return state, f"Redshift: {message}"
    return state, f"Redshift: {first_line(ValueError(fields['M']) if fields.get('M') else error)}"


def _is_conflict(state: str, message: str, error: BaseException) -> bool:
    detail = str(error.args[0].get("D", "")) if error.args and isinstance(error.args[0], dict) else ""
    words = f"{message} {detail}".lower()
    return state in _IN_THE_WAY or any(each in words for each in _WORDS_OF_CONFLICT)
