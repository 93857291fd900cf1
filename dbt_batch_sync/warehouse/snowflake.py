"""Snowflake through dbt-snowflake: its credentials, and its way to connect with them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, cast

import pyarrow as pa
from snowflake.connector import errors
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse.adapter import connect_anew, load_adapter
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value
from dbt_batch_sync.warehouse.snowflake_rows import arrow_schema, fitted

SESSION = """\
alter session set
    timezone = 'UTC',
    timestamp_type_mapping = 'TIMESTAMP_NTZ',
    quoted_identifiers_ignore_case = false,
    python_connector_query_result_format = 'ARROW',
    rows_per_resultset = 0
"""
"""What an account or a user may have set otherwise, and what our statements mean depends on."""

DOWNLOADS = 1
"""Parts of a result, whose size the server chooses, that the driver reads ahead: its own default is four."""

LOAD_ROWS, LOAD_BYTES = 1_000, 300_000
"""Rows of one `insert`, and bytes of their cells: a statement may be 1 MB long."""

_NO_SUCH_TABLE = 2003
_DATA_ERRORS = range(100_000, 101_000)
_TELLING = ("22", "P0")
"""Errors whose messages repeat values: of data, by number or class of SQLSTATE, and raised by users' code."""


class SnowflakeWarehouse:
    """See port.Warehouse. A result is the server's own: one connection reads it and writes meanwhile.

    The driver repeats what the network lost, and renews the session.
    """

    dialect = "snowflake"
    transactions = True
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._adapter = adapter
        self._open()

    def _open(self) -> None:
        self._handle = _opened(self._adapter)
        # In the main thread the driver takes an interruption for itself, and the push would not hear of it.
        self._thread = ThreadPoolExecutor(1, "batch-snowflake")

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        try:
            with self._cursor() as cursor:
                self._run(cursor, Statement(exp.Describe(this=table.copy(), kind="TABLE")))
                return tuple(Column(str(name), str(kind)) for name, kind, *_ in cursor.fetchall())
        except _NoSuchTable:
            return ()

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        with self._cursor() as cursor:
            self._run(cursor, query)
            return cast("list[tuple[Value, ...]]", cursor.fetchall())

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        names = cast("exp.Query", query.tree).named_selects
        cursor = self._handle.cursor()
        try:
            with _errors():
                self._run(cursor, query)
                # A name without quotes comes back in upper case.
                schema = arrow_schema(names, cursor.description)
            yield Rows(schema, _batches(cursor, schema, batch_rows))
        finally:
            cursor.close()

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        statements = [statement for step in steps for statement in _statements(step)]
        with self._cursor() as cursor:
            if len(statements) == 1:
                self._run(cursor, statements[0])
                return
            self._send(cursor, "begin")
            try:
                for statement in statements:
                    self._run(cursor, statement)
                    crash_point("inside_commit")
                self._send(cursor, "commit")
            except BaseException:
                with suppress(errors.Error):
                    self._send(cursor, "rollback")
                raise

    def twin(self) -> SnowflakeWarehouse:
        other = object.__new__(SnowflakeWarehouse)
        other._adapter = self._adapter
        other._open()
        return other

    def close(self) -> None:
        self._thread.shutdown()
        with suppress(errors.Error):
            self._handle.close()

    def _run(self, cursor: Any, statement: Statement) -> None:
        """Executes a statement; the driver puts its values in, quoted."""
        values = dict(statement.parameters)
        self._send(cursor, text_of(statement.tree, bool(values)), values or None)

    def _send(self, cursor: Any, sql: str, values: Mapping[str, Value] | None = None) -> None:
        self._thread.submit(cursor.execute, sql, values).result()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with _errors(), self._handle.cursor() as cursor:
            yield cursor


class _NoSuchTable(WarehouseError):
    """There is none, or the role may not see it: Snowflake makes no difference."""


def text_of(tree: exp.Expr, has_values: bool) -> str:
    """The SQL with the driver's placeholders. Beside values a `%` is the driver's, and doubled where it means
    itself.
    """

    def written(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder):
            return exp.var(f"%({node.name})s")
        if isinstance(node, exp.Identifier | exp.Literal) and "%" in node.name:
            node.set("this", node.name.replace("%", "%%"))
        return node

    return (tree.transform(written) if has_values else tree).sql(dialect="snowflake")


def _opened(adapter: Any) -> Any:
    with warnings.catch_warnings():
        # dbt-snowflake sets a property of the driver that has another name by now.
        warnings.simplefilter("ignore", DeprecationWarning)
        handle = connect_anew(adapter)
    with _errors():
        handle.client_prefetch_threads = DOWNLOADS
        # Without it, a number with decimals is a double. That is the setter's real name.
        handle.arrow_number_to_decimal_setter = True
        with handle.cursor() as cursor:
            cursor.execute(SESSION)
    return handle


def _batches(cursor: Any, schema: pa.Schema, batch_rows: int) -> Iterator[pa.RecordBatch]:
    with _errors():
        for part in cursor.fetch_arrow_batches():
            yield from fitted(part, schema).to_batches(max_chunksize=batch_rows)


def _statements(step: Statement | Load) -> Iterator[Statement]:
    if isinstance(step, Statement):
        yield step
        return
    names = [exp.to_identifier(name) for name in step.rows.column_names]
    into = exp.Schema(this=step.table.copy(), expressions=names)
    room = LOAD_BYTES * step.rows.num_rows // max(step.rows.nbytes, 1)
    for part in step.rows.to_batches(max_chunksize=max(1, min(LOAD_ROWS, room))):
        cells = [list(row.values()) for row in part.to_pylist()]
        values = {f"c{y}_{x}": cell for y, row in enumerate(cells) for x, cell in enumerate(row)}
        rows = [
            exp.Tuple(expressions=[exp.Placeholder(this=f"c{y}_{x}") for x in range(len(row))])
            for y, row in enumerate(cells)
        ]
        yield Statement(exp.Insert(this=into.copy(), expression=exp.Values(expressions=rows)), values)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except errors.Error as error:
        kind = _NoSuchTable if error.errno == _NO_SUCH_TABLE else WarehouseError
        raise kind(_message(error)) from None


def _message(error: errors.Error) -> str:
    state, number = str(error.sqlstate or ""), error.errno or 0
    where = f"(error {number}, SQLSTATE {state or 'unknown'}, query {error.sfqid or 'unknown'})"
    if state.startswith(_TELLING) or number in _DATA_ERRORS:
        return f"Snowflake: a value was not accepted {where}; the query's history has the rest"
    lines = [line.strip() for line in str(error.raw_msg or "").splitlines() if line.strip()]
    return f"Snowflake: {' '.join(lines[:2])[:300] or type(error).__name__} {where}"
