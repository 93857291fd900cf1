"""Databricks through dbt-databricks: its credentials, and its way to connect with them.

There are no transactions over several tables: each statement is one commit of one table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse.adapter import load_adapter
from dbt_batch_sync.warehouse.databricks_connection import Connection, errors, send
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value
from dbt_batch_sync.warehouse.spark_sql import TABLE_FORMATS, described, for_spark
from dbt_batch_sync.warehouse.table_commits import is_missing, patiently

DEFAULTS = {"use_cloud_fetch": False}
"""What a profile may set otherwise. Without it results come over the connection itself, in parts of the size
that is asked for; links to files in the cloud expire, and a paced push comes to them late.
"""

BINDING = {"use_inline_params": False}
"""dbt-databricks would have the driver write values into the SQL."""

PART_BYTES = 8 * 1024 * 1024
"""The most that is asked for at a time."""

FETCH_ROWS = 10_000
"""Rows of a small result that are asked for at a time."""

LOAD_ROWS = 5_000
"""Rows of one `insert`, which is one commit."""


class DatabricksWarehouse:
    """See port.Warehouse. A result is read in a session of its own, while the other one writes."""

    dialect = "databricks"
    transactions = False
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        given = cast("Mapping[str, object]", target.credentials.get("connection_parameters") or {})
        credentials = {**target.credentials, "connection_parameters": {**DEFAULTS, **given, **BINDING}}
        self._adapter = load_adapter(target.type, target.profile_name, target.target_name, credentials)
        self._format = TABLE_FORMATS[0]
        self._open()

    def _open(self) -> None:
        self._main, self._reader = Connection(self._adapter), Connection(self._adapter)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        describe = exp.Describe(this=table.copy(), kind="TABLE", style="EXTENDED")
        try:
            rows = self.fetch(Statement(describe))
        except WarehouseError as error:
            if is_missing(str(error)):
                return ()
            raise
        # What the runner creates stands beside tables of the user's, and is made like them.
        columns, self._format = described(rows, table)
        return columns

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        def fetched(cursor: Any) -> list[tuple[Value, ...]]:
            self._send(cursor, named)
            cells = (_naive(column).to_pylist() for column in _in_utc(cursor.fetchall_arrow()).columns)
            return list(zip(*cells, strict=True))

        named = Statement(_named(query.tree), query.parameters)
        return self._main.run(fetched, FETCH_ROWS, PART_BYTES)

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        with self._reader.cursor(batch_rows, PART_BYTES) as cursor:
            with errors():
                self._send(cursor, query)
                first = _in_utc(cursor.fetchmany_arrow(batch_rows))
            yield Rows(first.schema, _batches(cursor, first, batch_rows))

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        for step in steps:
            for statement in _statements(step):
                patiently(partial(self._take, statement))
                crash_point("inside_commit")

    def twin(self) -> DatabricksWarehouse:
        other = object.__new__(DatabricksWarehouse)
        other._adapter, other._format = self._adapter, self._format
        other._open()
        return other

    def close(self) -> None:
        self._reader.close()
        self._main.close()

    def _take(self, statement: Statement) -> None:
        self._main.run(lambda cursor: self._send(cursor, statement), FETCH_ROWS, PART_BYTES)

    def _send(self, cursor: Any, statement: Statement) -> None:
        text = for_spark(statement.tree, self._format).sql(dialect=self.dialect)
        send(cursor, text, statement.parameters)


def _batches(cursor: Any, part: pa.Table, batch_rows: int) -> Iterator[pa.RecordBatch]:
    schema = part.schema
    while part.num_rows:
        yield from part.combine_chunks().to_batches(max_chunksize=batch_rows)
        with errors():
            part = _in_utc(cursor.fetchmany_arrow(batch_rows)).cast(schema)


def _in_utc(part: pa.Table) -> pa.Table:
    """Instants come in the zone of the session; nothing of the server's or of the connection's is kept."""
    kinds = [
        pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind
        for kind in part.schema.types
    ]
    fields = [pa.field(name, kind) for name, kind in zip(part.schema.names, kinds, strict=True)]
    return part.cast(pa.schema(fields))


def _named(tree: exp.Expr) -> exp.Expr:
    """With a name for each column: two subqueries would have the same, which the driver does not take."""
    if not isinstance(tree, exp.Select):
        return tree
    cells = [
        cell if cell.output_name or cell.is_star else exp.alias_(cell.copy(), f"c{place}")
        for place, cell in enumerate(tree.selects)
    ]
    return tree.select(*cells, append=False)


def _naive(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_instant = pa.types.is_timestamp(column.type) and column.type.tz is not None
    return column.cast(pa.timestamp("us")) if is_instant else column


def _statements(step: Statement | Load) -> Iterator[Statement]:
    if isinstance(step, Statement):
        yield step
        return
    for part in step.rows.to_batches(max_chunksize=LOAD_ROWS):
        rows = json.dumps(part.to_pylist(), ensure_ascii=False, default=_utc_text)
        yield Statement(_append(step.table, part.schema), {"rows": rows})


def _append(table: exp.Table, schema: pa.Schema) -> exp.Insert:
    """An `insert` of rows that come as one parameter, in JSON, however many they are."""
    kinds = {field.name: _kind(field.type) for field in schema}
    fields = [
        exp.ColumnDef(this=exp.to_identifier(name), kind=exp.DataType.build(_in_json(kind)))
        for name, kind in kinds.items()
    ]
    struct = exp.DataType(this=exp.DataType.Type.STRUCT, expressions=fields, nested=True)
    array = exp.DataType(this=exp.DataType.Type.ARRAY, expressions=[struct], nested=True)
    parsed = exp.func("from_json", exp.Placeholder(this="rows"), exp.Literal.string(array.sql("databricks")))
    rows = exp.select(exp.func("inline", parsed)).subquery("given")
    cells = [exp.cast(exp.column(name), kind) for name, kind in kinds.items()]
    into = exp.Schema(this=table.copy(), expressions=[exp.to_identifier(name) for name in kinds])
    return exp.Insert(this=into, expression=exp.select(*cells).from_(rows))


def _kind(arrow_type: pa.DataType) -> str:
    """sqlglot's name of a type of the ledger's."""
    if pa.types.is_timestamp(arrow_type):
        return "timestamptz"
    kinds = {pa.string(): "text", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean"}
    return kinds[arrow_type]


def _in_json(kind: str) -> str:
    return "text" if kind == "timestamptz" else kind


def _utc_text(cell: object) -> str:
    if isinstance(cell, datetime):
        return f"{cell.replace(tzinfo=None).isoformat(' ')}Z"
    raise TypeError(type(cell).__name__)
