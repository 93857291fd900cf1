"""PostgreSQL through dbt-postgres: its credentials, and its way to connect with them.

Rows come and go by COPY, which is several times as fast as statements. No transaction outlives a call.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg2
import pyarrow as pa
from psycopg2 import errorcodes, errors
from pyarrow import csv
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import connect_anew, first_line, load_adapter
from dbt_batch_sync.warehouse.copied import CopiedColumn, copied_cells, read_rows
from dbt_batch_sync.warehouse.port import Column, Statement
from dbt_batch_sync.warehouse.rows import in_utc, into, without_nulls
from dbt_batch_sync.warehouse.sessions import ConnectionLost, Sessions

_TELLING = ("22", "P0")
"""Classes of SQLSTATE whose messages repeat values: data exceptions, and what the user's functions raise."""

_SETTINGS = {"datestyle": "ISO, YMD", "extra_float_digits": "1", "timezone": "UTC"}
"""How values are written as text; a role or a database may have them otherwise."""

_T = TypeVar("_T")


class PostgresWarehouse:
    """See port.Warehouse."""

    dialect = "postgres"
    checkpoint_seconds = 5.0

    def __init__(self, target: WarehouseTarget) -> None:
        adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._sessions = Sessions(lambda: _opened(connect_anew(adapter)), _close)
        self._sessions.run(lambda _: None)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        kind = exp.func("format_type", exp.column("atttypid"), exp.column("atttypmod"))
        found = exp.func("to_regclass", exp.Placeholder(this="table"))
        query = (
            exp.select(exp.column("attname"), kind)
            .from_("pg_catalog.pg_attribute")
            .where(exp.EQ(this=exp.column("attrelid"), expression=found), "attnum > 0", "not attisdropped")
            .order_by("attnum")
        )

        def listed(cursor: Any) -> tuple[Column, ...]:
            _run(cursor, Statement(query, {"table": table.sql(self.dialect)}))
            return tuple(Column(str(name), str(kind)) for name, kind in cursor.fetchall())

        return self._run(listed)

    def fetch(self, query: Statement) -> pa.Table:
        def fetched(cursor: Any) -> tuple[pa.Buffer, list[CopiedColumn]]:
            _run(cursor, Statement(exp.select("*").from_(_subquery(query)).limit(0), query.parameters))
            columns = [CopiedColumn(c.name, c.type_code, c.precision) for c in cursor.description]
            select = copied_cells(query.tree, columns, _cell)
            text = _text(exp.Copy(this=exp.paren(select), kind=False, **_csv("STDOUT")), has_values=True)
            buffer = pa.BufferOutputStream()
            # COPY takes no values beside it: the driver puts them in, quoted.
            cursor.copy_expert(cursor.mogrify(text, dict(query.parameters)).decode(), buffer)
            return buffer.getvalue(), columns

        return in_utc(read_rows(*self._run(fetched)))

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        given = without_nulls(rows)
        target = into(table, given.column_names, self.dialect)
        text = _text(exp.Copy(this=target, kind=True, **_csv("STDIN")), has_values=False)
        buffer = io.BytesIO()
        # Quoted, so that an empty text is one; what is null stays unquoted.
        csv.write_csv(given, buffer, csv.WriteOptions(include_header=False, quoting_style="all_valid"))

        def copy(cursor: Any) -> None:
            buffer.seek(0)
            cursor.copy_expert(text, buffer)

        self._run(copy)

    def close(self) -> None:
        self._sessions.close()

    def _run(self, act: Callable[[Any], _T]) -> _T:
        def on(handle: Any) -> _T:
            with _errors(handle), handle.cursor() as cursor:
                return act(cursor)

        return self._sessions.run(on)


def _opened(handle: Any) -> Any:
    with _errors(handle):
        # dbt sets the role in a transaction that it leaves open: rolled back, the role would be gone.
        handle.commit()
        handle.autocommit = True
        handle.set_client_encoding("UTF8")
        settings = [
            exp.func("set_config", exp.Literal.string(name), exp.Literal.string(text), exp.false())
            for name, text in _SETTINGS.items()
        ]
        with handle.cursor() as cursor:
            _run(cursor, Statement(exp.select(*settings)))
    return handle


def _close(handle: Any) -> None:
    with suppress(psycopg2.Error):
        handle.close()


def _run(cursor: Any, statement: Statement) -> None:
    values = dict(statement.parameters)
    cursor.execute(_text(statement.tree, has_values=bool(values)), values or None)


def _subquery(query: Statement) -> exp.Expr:
    return exp.Subquery(this=query.tree.copy(), alias=exp.TableAlias(this=exp.to_identifier("result")))


def _cell(cell: exp.Expr, column: CopiedColumn) -> exp.Expr | None:
    return exp.cast(exp.func("array_to_json", cell), "text") if column.is_array else None


def _csv(end: str) -> dict[str, Any]:
    parameter = exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var("csv"))
    return {"files": [exp.to_identifier(end)], "params": [parameter]}


def _text(tree: exp.Expr, *, has_values: bool) -> str:
    """The SQL. Beside values a `%` is the driver's, and doubled where it means itself."""

    def doubled(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier | exp.Literal) and "%" in node.name:
            node.set("this", node.name.replace("%", "%%"))
        return node

    return (tree.transform(doubled) if has_values else tree).sql(dialect="postgres")


@contextmanager
def _errors(handle: Any) -> Iterator[None]:
    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure) as error:
        raise Conflict(_message(error)) from None
    except psycopg2.Error as error:
        raise (ConnectionLost if handle.closed else WarehouseError)(_message(error)) from None


def _message(error: psycopg2.Error) -> str:
    state = error.pgcode or ""
    if state.startswith(_TELLING):
        name = errorcodes.lookup(state).lower()
        return f"PostgreSQL: {name} (SQLSTATE {state}); the server's log has the rest"
    return f"PostgreSQL: {first_line(error)}"
