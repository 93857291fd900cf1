"""A result of Snowflake as Arrow: the driver gives each part of it the narrowest types that hold its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from snowflake.connector.constants import FIELD_ID_TO_NAME

EXACT_DIGITS = 18
"""Digits of a whole number that always fit into 64 bit."""

_TYPES = {
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
}


def arrow_schema(names: Sequence[str], description: Sequence[Any]) -> pa.Schema:
    """The schema of a whole result, under these names; `description` is the cursor's."""
    return pa.schema(
        [pa.field(name, _arrow_type(column)) for name, column in zip(names, description, strict=True)]
    )


def fitted(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part of the result in the whole one's types."""
    # Not safe, because a timestamp may be in nanoseconds, and what is finer than the schema is cut off.
    cells = [cell.cast(kind.type, safe=False) for cell, kind in zip(part.columns, schema, strict=True)]
    return pa.table(cells, schema=schema)


def _arrow_type(column: Any) -> pa.DataType:
    name = FIELD_ID_TO_NAME[column.type_code]
    if name == "FIXED":
        if not column.scale and column.precision <= EXACT_DIGITS:
            return pa.int64()
        return pa.decimal128(column.precision, column.scale)
    # What is semi-structured comes as its JSON text.
    return _TYPES.get(name, pa.string())
