"""Spark through dbt-spark's session, on tables of Delta and Iceberg: there are no transactions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import Conflict, UnsupportedWarehouse, WarehouseError
from dbt_batch_sync.warehouse.adapter import first_line, load_adapter
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value
from dbt_batch_sync.warehouse.spark_sql import TABLE_FORMATS, described, for_spark
from dbt_batch_sync.warehouse.table_commits import is_conflict, is_missing, patiently

_ARROW = {
    "string": pa.string(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "array<string>": pa.list_(pa.string()),
}


class SparkWarehouse:
    """See port.Warehouse."""

    dialect = "spark"
    transactions = False
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        method = target.credentials.get("method")
        if method != "session":
            raise UnsupportedWarehouse(
                f"profile `{target.profile_name}`, target `{target.target_name}` has the method `{method}`; "
                "a push needs `session`, which is a Spark Connect server where the environment variable "
                "SPARK_REMOTE names one"
            )
        adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._session = _opened(adapter.config.credentials.server_side_parameters)
        self._format = TABLE_FORMATS[0]

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
        with _errors():
            frame = self._run(query)
            instants = [field.dataType.simpleString() == "timestamp" for field in frame.schema.fields]
            if any(instants):
                # As a time PySpark would give it in this machine's zone, where an hour is there twice a year.
                names = [f"c{n}" for n in range(len(instants))]
                cells = (f"unix_micros({c})" if i else c for c, i in zip(names, instants, strict=True))
                frame = frame.toDF(*names).selectExpr(*cells)
            rows = frame.collect()
        return [
            tuple(_in_utc(cell) if i else cell for cell, i in zip(row, instants, strict=True)) for row in rows
        ]

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        with _errors():
            frame = self._run(query)
            schema = pa.schema([(field.name, _arrow_type(field)) for field in frame.schema.fields])
            rows = frame.toLocalIterator()
        try:
            yield Rows(schema, _batches(rows, schema, batch_rows))
        finally:
            rows.close()

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        for step in steps:
            patiently(partial(self._take, step))
            crash_point("inside_commit")

    def twin(self) -> SparkWarehouse:
        # A session takes statements from any thread.
        return copy(self)

    def close(self) -> None:
        # The session is the process's: who calls the push from within Spark goes on with it.
        return

    def _run(self, statement: Statement) -> Any:
        values = {name: _sendable(cell) for name, cell in statement.parameters.items()}
        text = for_spark(statement.tree, self._format).sql(dialect=self.dialect)
        return self._session.sql(text, args=values or None)

    def _take(self, step: Statement | Load) -> None:
        with _errors():
            if isinstance(step, Statement):
                self._run(step)
                return
            names = step.rows.column_names
            kinds = ", ".join(f"{name} {_kind(step.rows.schema.field(name).type)}" for name in names)
            rows = [tuple(_aware(row[name]) for name in names) for row in step.rows.to_pylist()]
            frame = self._session.createDataFrame(rows, kinds)
            frame.writeTo(step.table.sql(dialect=self.dialect)).append()


def _opened(parameters: dict[str, str]) -> Any:
    """The session that dbt-spark would use, which it makes as well."""
    try:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.enableHiveSupport()
        for name, setting in parameters.items():
            builder = builder.config(name, setting)
        return builder.getOrCreate()
    except Exception as error:  # noqa: BLE001 - Java's errors, gRPC's, and those of a missing package
        raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None


def _batches(rows: Iterator[Any], schema: pa.Schema, batch_rows: int) -> Iterator[pa.RecordBatch]:
    with _errors():
        while chunk := list(islice(rows, batch_rows)):
            columns = zip(*chunk, strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(cells, kind) for cells, kind in zip(columns, schema.types, strict=True)],
                schema=schema,
            )


def _arrow_type(field: Any) -> pa.DataType:
    kind = field.dataType.simpleString()
    if size := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return pa.decimal128(int(size[1]), int(size[2]))
    if kind not in _ARROW:
        raise WarehouseError(f"Spark: the column `{field.name}` has the type {kind}, which a delta never has")
    return _ARROW[kind]


def _kind(arrow_type: pa.DataType) -> str:
    """Spark's name of a type of the ledger's."""
    if pa.types.is_timestamp(arrow_type):
        return "timestamp"
    return next(name for name, each in _ARROW.items() if each == arrow_type)


def _sendable(cell: Value) -> Value:
    """A time as text with its zone: as a value it would be read in the zone of this machine."""
    return f"{cell.isoformat(' ')}Z" if isinstance(cell, datetime) else cell


def _aware(cell: Any) -> Any:
    return cell.replace(tzinfo=timezone.utc) if isinstance(cell, datetime) else cell


def _in_utc(micros: int | None) -> datetime | None:
    return None if micros is None else datetime(1970, 1, 1) + timedelta(microseconds=micros)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except WarehouseError:
        raise
    except Exception as error:  # noqa: BLE001 - PySpark's, Java's and gRPC's have no common class
        raise _told(error) from None


def _told(error: Exception) -> WarehouseError:
    """An error without the values that those of running statements quote."""
    text = str(error)
    if is_conflict(text):
        return Conflict("Spark: another writer committed to the table first, again and again")
    name = type(error).__name__
    if name in ("AnalysisException", "ParseException"):
        return WarehouseError(f"Spark: {first_line(error)}")
    condition = re.match(r"\s*\[([A-Z0-9_.]+)\]", text)
    return WarehouseError(f"Spark: {condition[1] if condition else name}; the server's log has the rest")
