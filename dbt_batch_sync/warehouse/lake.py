"""Delta and Iceberg tables on Spark and Databricks: each statement is one commit of one table.

Of two conflicting commits, the later one fails without effect and is retried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

import pyarrow as pa
from sqlglot import exp, parse_one

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Column, Statement
from dbt_batch_sync.warehouse.driver import Driver
from dbt_batch_sync.warehouse.rows import without_nulls

INSERT_ROWS = 5_000
"""Rows per `insert`, which is one commit."""

_JSON_TYPES = {pa.int64(): "bigint", pa.bool_(): "boolean"}

_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NoSuchTableException", "NoSuchNamespaceException")

CONFLICT = re.compile(
    r"DELTA_CONCURRENT|DELTA_METADATA_CHANGED|Concurrent\w*Exception|MetadataChangedException"
    r"|CommitFailedException|Found conflicting files|ConflictException"
)
"""Delta's and Iceberg's names of a commit that came too late."""


class LakeDriver(Driver):
    """What Spark and Databricks share."""

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        try:
            answer = self.fetch(Statement(exp.Describe(this=table.copy(), kind="TABLE", style="EXTENDED")))
        except WarehouseError as error:
            if any(word in str(error) for word in _MISSING):
                return ()
            raise
        names, kinds = (answer.column(place).to_pylist() for place in range(2))
        # Partitions and other parts follow an empty row or a heading.
        end = next((n for n, name in enumerate(names) if not name or name.startswith("#")), len(names))
        return tuple(
            Column(str(name), str(kind)) for name, kind in zip(names[:end], kinds[:end], strict=True)
        )

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        for insert in inserts(table, self.columns(table), rows, self.dialect):
            self._execute(insert)


def inserts(table: exp.Table, columns: Sequence[Column], rows: pa.Table, dialect: str) -> Iterator[Statement]:
    """Inserts rows that are passed as one JSON parameter, whatever their number.

    Names every column of the table, with its type, because some formats don't fill in missing ones, and so
    that a time with or without a zone is the same instant as in the rows.
    """
    given = _as_json_has_it(without_nulls(rows))
    in_json = {each.name.lower(): _JSON_TYPES.get(each.type, "string") for each in given.schema}
    form = ", ".join(f"`{name}`: {kind}" for name, kind in in_json.items())
    cells = [
        f"cast({f'`{name}`' if name in in_json else 'null'} as {column.data_type}) as `{column.name}`"
        for name, column in ((each.name.lower(), each) for each in columns)
    ]
    tree = parse_one(
        f"""
        insert into {table.sql(dialect)} ({", ".join(f"`{column.name}`" for column in columns)})
        select {", ".join(cells)} from (select inline(from_json(:rows, 'array<struct<{form}>>'))) as given
        """,
        dialect=dialect,
    )
    for part in given.rename_columns(list(in_json)).combine_chunks().to_batches(max_chunksize=INSERT_ROWS):
        text = json.dumps(part.to_pylist(), ensure_ascii=False, default=_utc_text)
        yield Statement(tree, {"rows": text})


def _as_json_has_it(rows: pa.Table) -> pa.Table:
    """With doubles as texts, because some JSON readers don't preserve a number exactly."""
    doubles = [name for name in rows.column_names if pa.types.is_floating(rows.schema.field(name).type)]
    for name in doubles:
        rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(pa.string()))
    return rows


def _utc_text(cell: object) -> str:
    return f"{cast('datetime', cell).replace(tzinfo=None).isoformat(' ')}Z"
