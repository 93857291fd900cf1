"""A result of PostgreSQL, read in pages: each is a COPY of the rows behind the last key.

Nothing is open between two of them: `dbt run` can replace a delta that is being sent, no statement is as long
as the push, no old version of a row is kept for it, and a lost connection costs a page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.warehouse.copied import CopiedColumn, read_rows
from dbt_batch_sync.warehouse.port import Statement
from dbt_batch_sync.warehouse.postgres_connection import Connection, complete, run

FIRST_PAGE_ROWS = 5_000
"""Rows of the first page, whose width is not known yet."""

PAGE_BYTES = 8 * 1024 * 1024
"""What the next ones aim at; two of them are held at a time."""

MAX_PAGE_ROWS = 100_000

_AFTER = "page_after"


@dataclass
class Pages:
    """A select in the order of one of its columns, whose values are unique and not null."""

    connection: Connection
    query: Statement
    columns: tuple[CopiedColumn, ...] = field(init=False)
    _upcoming: Future[memoryview] | None = None

    def __post_init__(self) -> None:
        def described(cursor: Any) -> tuple[CopiedColumn, ...]:
            run(cursor, Statement(self._select.limit(0), self.query.parameters))
            return tuple(CopiedColumn(c.name, c.type_code, c.precision) for c in cursor.description)

        self.columns = self.connection.run(described)

    @property
    def reading(self) -> bool:
        """Whether a page is being fetched."""
        return self._upcoming is not None and not self._upcoming.done()

    def batches(self, ahead: ThreadPoolExecutor, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in their order; the next page is fetched while one is used."""
        limit, rows_read, rows = self._limit, 0, self._rows(FIRST_PAGE_ROWS, 0)
        place = next(n for n, cell in enumerate(self._select.expressions) if cell.unalias() == self._key)
        self._upcoming = ahead.submit(self._fetch, None, rows)
        while self._upcoming is not None:
            data = self._upcoming.result()
            page = read_rows(data, self.columns)
            rows_read += page.num_rows
            self._upcoming = None
            if page.num_rows == rows and (limit is None or rows_read < limit):
                after = page.column(place)[-1].as_py()
                rows = self._rows(PAGE_BYTES * rows // len(data), rows_read)
                self._upcoming = ahead.submit(self._fetch, after, rows)
            yield from page.to_batches(max_chunksize=batch_rows)

    def _rows(self, wanted: int, rows_read: int) -> int:
        rows = max(1, min(wanted, MAX_PAGE_ROWS))
        return rows if self._limit is None else min(rows, self._limit - rows_read)

    def _fetch(self, after: str | None, rows: int) -> memoryview:
        cells = zip(self._select.expressions, self.columns, strict=True)
        chosen = [_as_json(cell) if column.is_array else cell for cell, column in cells]
        tree = self._select.limit(rows).select(*chosen, append=False)
        parameters = dict(self.query.parameters)
        if after is not None:
            tree = tree.where(exp.GT(this=self._key.copy(), expression=exp.Placeholder(this=_AFTER)))
            parameters[_AFTER] = after
        copy = copied(tree.subquery(), "STDOUT")

        def fetched(cursor: Any) -> memoryview:
            buffer = io.BytesIO()
            cursor.copy_expert(complete(cursor, Statement(copy, parameters)), buffer)
            return buffer.getbuffer()

        return self.connection.run(fetched)

    @property
    def _select(self) -> exp.Select:
        return cast("exp.Select", self.query.tree)

    @property
    def _key(self) -> exp.Expr:
        ordered = self._select.args["order"].expressions[0]
        return cast("exp.Expr", ordered.this if isinstance(ordered, exp.Ordered) else ordered)

    @property
    def _limit(self) -> int | None:
        limit = self._select.args.get("limit")
        return int(limit.expression.name) if limit else None


def copied(source: exp.Expr, end: str) -> exp.Expr:
    """`copy` of a query to STDOUT, or of STDIN into a table, as CSV."""
    parameter = exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var("csv"))
    return exp.Copy(this=source, kind=end == "STDIN", files=[exp.to_identifier(end)], params=[parameter])


def _as_json(cell: exp.Expr) -> exp.Expr:
    json = exp.cast(exp.func("array_to_json", cell.unalias().copy()), "text")
    return exp.alias_(json, cell.alias_or_name, quoted=True)
