"""A connection to PostgreSQL: opened when needed, and again when lost; its errors tell no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errorcodes, errors
from sqlglot import exp

from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.port import Statement

_T = TypeVar("_T")

_TELLING = ("22", "P0")
"""Classes of SQLSTATE whose messages repeat values: data exceptions, and what the user's functions raise."""

_SETTINGS = {"datestyle": "ISO, YMD", "extra_float_digits": "1"}
"""How values are written as text: PostgreSQL's own defaults, which a role or a database may have changed."""


class Connection:
    """Statements outside `begin` and `commit` commit by themselves. `connect` gives a psycopg2 connection."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._handle: Any = None

    def run(self, act: Callable[[Any], _T]) -> _T:
        """Does what may be done twice: once more, on a new connection, when this one is gone."""
        try:
            with self.cursor() as cursor:
                return act(cursor)
        except WarehouseError:
            if self._handle is None or not self._handle.closed:
                raise
        with self.cursor() as cursor:
            return act(cursor)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor, whose errors are WarehouseErrors: Conflict where a transaction may be tried again."""
        if self._handle is None or self._handle.closed:
            self._handle = self._connected()
        try:
            with self._handle.cursor() as cursor:
                yield cursor
        except (errors.DeadlockDetected, errors.SerializationFailure) as error:
            raise Conflict(_message(error)) from None
        except psycopg2.Error as error:
            raise WarehouseError(_message(error)) from None

    def cancel(self) -> None:
        """Ends the statement that another thread is waiting for."""
        with suppress(psycopg2.Error):
            self._handle.cancel()

    def close(self) -> None:
        """Closes it; a statement opens it again."""
        if self._handle is not None:
            self._handle.close()

    def _connected(self) -> Any:
        handle = self._connect()
        try:
            # dbt sets the role in a transaction that it leaves open: rolled back, the role would be gone.
            handle.commit()
            handle.autocommit = True
            handle.set_client_encoding("UTF8")
            cells = [exp.Literal.string(text) for pair in _SETTINGS.items() for text in pair]
            settings = [
                exp.func("set_config", *cells[n : n + 2], exp.false()) for n in range(0, len(cells), 2)
            ]
            with handle.cursor() as cursor:
                run(cursor, Statement(exp.select(*settings)))
        except psycopg2.Error as error:
            raise WarehouseError(_message(error)) from None
        return handle


def run(cursor: Any, statement: Statement) -> None:
    """Executes a statement with its values."""
    values = dict(statement.parameters)
    cursor.execute(text_of(statement.tree, bool(values)), values or None)


def text_of(tree: exp.Expr, has_values: bool) -> str:
    """The SQL. Beside values a `%` is the driver's, and doubled where it means itself."""

    def doubled(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier | exp.Literal) and "%" in node.name:
            node.set("this", node.name.replace("%", "%%"))
        return node

    return (tree.transform(doubled) if has_values else tree).sql(dialect="postgres")


def _message(error: psycopg2.Error) -> str:
    state = error.pgcode or ""
    if state.startswith(_TELLING):
        name = errorcodes.lookup(state).lower()
        return f"PostgreSQL: {name} (SQLSTATE {state}); the server's log has the rest"
    return f"PostgreSQL: {first_line(error)}"
