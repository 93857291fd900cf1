"""Spark through dbt-spark's session, with Delta and Iceberg tables."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pyarrow as pa

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, UnsupportedWarehouse, WarehouseError
from dbt_batch_sync.warehouse import Statement, Value
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.lake import CONFLICT, LakeDriver

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


class SparkWarehouse(LakeDriver):
    """See Warehouse. A session accepts statements from any thread."""

    dialect = "spark"

    def __init__(self, target: WarehouseTarget) -> None:
        method = target.credentials.get("method")
        if method != "session":
            raise UnsupportedWarehouse(
                f"profile `{target.profile_name}`, target `{target.target_name}` has the method `{method}`; "
                "a push needs `session`, which is a Spark Connect server where the environment variable "
                "SPARK_REMOTE names one"
            )
        super().__init__(target)

    def _connect(self) -> Any:
        """The session that dbt-spark would use or create."""
        try:
            from pyspark.sql import SparkSession

            builder = SparkSession.builder.enableHiveSupport()
            for name, setting in self._adapter.config.credentials.server_side_parameters.items():
                builder = builder.config(name, setting)
            return builder.getOrCreate()
        except Exception as error:  # noqa: BLE001 - Java's errors, gRPC's, and those of a missing package
            raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None

    def _disconnect(self, handle: Any) -> None:
        """The session belongs to the process; a caller within Spark continues to use it."""

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        return _table(self._executed(handle, query))

    def _executed(self, handle: Any, statement: Statement) -> Any:
        values = {name: _sendable(cell) for name, cell in statement.parameters.items()}
        return handle.sql(statement.tree.sql(dialect=self.dialect), args=values or None)

    def _told(self, error: Exception, handle: Any) -> WarehouseError:
        """An error, without its message if that may contain values."""
        text, name = str(error), type(error).__name__
        if CONFLICT.search(text):
            return Conflict("Spark: another writer committed to the table first, again and again")
        if name in ("AnalysisException", "ParseException"):
            return WarehouseError(f"Spark: {first_line(error)}")
        condition = re.match(r"\s*\[([A-Z0-9_.]+)\]", text)
        return WarehouseError(f"Spark: {condition[1] if condition else name}; the server's log has the rest")


def _table(frame: Any) -> pa.Table:
    if hasattr(frame, "toArrow"):
        return frame.toArrow()
    # PySpark 3 returns an instant in this machine's zone, in which an hour repeats once a year.
    kinds = [_arrow_type(field) for field in frame.schema.fields]
    names = [f"c{n}" for n in range(len(kinds))]
    is_instant = [pa.types.is_timestamp(kind) and kind.tz is not None for kind in kinds]
    cells = [f"unix_micros({c})" if i else c for c, i in zip(names, is_instant, strict=True)]
    rows = frame.toDF(*names).selectExpr(*cells).collect()
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    arrays = [
        pa.array(cells, pa.int64()).cast(kind) if instant else pa.array(cells, kind)
        for cells, kind, instant in zip(columns, kinds, is_instant, strict=True)
    ]
    return pa.table(arrays, names=[field.name for field in frame.schema.fields])


def _arrow_type(field: Any) -> pa.DataType:
    kind = field.dataType.simpleString()
    if size := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return pa.decimal128(int(size[1]), int(size[2]))
    if kind not in _ARROW:
        raise WarehouseError(f"Spark: the column `{field.name}` has the type {kind}, which a delta never has")
    return _ARROW[kind]


def _sendable(cell: Value) -> Value:
    """A time as text with its zone; as a value, it would be read in this machine's zone."""
    return f"{cell.isoformat(' ')}Z" if isinstance(cell, datetime) else cell
