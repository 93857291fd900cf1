"""A result of PostgreSQL, read in pages: each is a COPY of the rows behind the last key.

Nothing is open between two of them: `dbt run` can replace a delta that is being sent (which is noticed), no
statement is as long as the push, no old version of a row is kept for it, and a lost connection costs a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse.copied import CopiedColumn, read_rows
from dbt_batch_sync.warehouse.port import Statement, Value
from dbt_batch_sync.warehouse.postgres_connection import run, text_of

FIRST_PAGE_ROWS = 2_000
"""Rows of the first page, whose width is not known yet."""

MAX_PAGE_ROWS = 50_000

_AFTER = "page_after"


class Pages:
    """A select in the order of one of its columns, whose values are unique and not null."""

    page_bytes = 2 * 1024 * 1024
    """What all pages but the first aim at: with twice as much a push holds 40 MB more, and is not faster."""

    def __init__(self, connection: Any, query: Statement) -> None:
        self._connection = connection
        self._query = query
        select = cast("exp.Select", query.tree)
        ordered = select.args["order"].expressions[0]
        key = ordered.this if isinstance(ordered, exp.Ordered) else ordered
        self._key_place = next(n for n, cell in enumerate(select.expressions) if cell.unalias() == key)
        limit = select.args.get("limit")
        self._limit = int(limit.expression.name) if limit else None
        self._table = select.args["from_"].this
        self._table_id = connection.run(self._found)
        self.columns = self._described(select)
        self._first = select.select(*self._cells(select), append=False)
        self._next = self._first.where(exp.GT(this=key.copy(), expression=exp.Placeholder(this=_AFTER)))
        self._upcoming: Future[Any] | None = None

    @property
    def reading(self) -> bool:
        """Whether a page is being fetched."""
        return self._upcoming is not None and not self._upcoming.done()

    def batches(self, ahead: ThreadPoolExecutor, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in their order; `ahead` fetches the next page while one is used."""
        rows_read, rows = 0, self._rows(FIRST_PAGE_ROWS, 0)
        self._upcoming = ahead.submit(self._fetch, None, rows)
        while self._upcoming is not None:
            page, size = self._read(self._upcoming.result())
            rows_read += page.num_rows
            self._upcoming = None
            if page.num_rows == rows and (self._limit is None or rows_read < self._limit):
                after = page.column(self._key_place)[-1].as_py()
                rows = self._rows(self.page_bytes * rows // size, rows_read)
                self._upcoming = ahead.submit(self._fetch, after, rows)
            yield from page.to_batches(max_chunksize=batch_rows)

    def _rows(self, wanted: int, rows_read: int) -> int:
        rows = max(1, min(wanted, MAX_PAGE_ROWS))
        return rows if self._limit is None else min(rows, self._limit - rows_read)

    def _fetch(self, after: str | None, rows: int) -> Any:
        page = (self._first if after is None else self._next).limit(rows)
        statement = Statement.of(page, {**self._query.parameters, _AFTER: after})

        def fetched(cursor: Any) -> Any:
            data = self._taken(cursor, statement)
            # After the page, so that it was read from the table that the first one was read from.
            if self._found(cursor) != self._table_id:
                raise WarehouseError(
                    f"{self._table.name} was replaced while it was being read: what is not committed goes "
                    "again with the next push"
                )
            return data

        return self._connection.run(fetched)

    def _taken(self, cursor: Any, page: Statement) -> Any:
        """A page as it arrives."""
        buffer = pa.BufferOutputStream()
        # COPY takes no values beside it: the driver puts them in, quoted.
        copy = text_of(copied(cast("exp.Select", page.tree).subquery(), "STDOUT"), True)
        cursor.copy_expert(cursor.mogrify(copy, dict(page.parameters)).decode(), buffer)
        return buffer.getvalue()

    def _read(self, data: Any) -> tuple[pa.Table, int]:
        """The rows of a page, and how many bytes they had."""
        return read_rows(data, self.columns), len(data)

    def _found(self, cursor: Any) -> Value:
        """The number of the table: another one after a `dbt run`."""
        found = exp.cast(
            exp.cast(exp.Placeholder(this="table"), "regclass", dialect="postgres"), "oid", dialect="postgres"
        )
        name = exp.table_(self._table.this, self._table.args.get("db"), self._table.args.get("catalog"))
        run(cursor, Statement(exp.select(found), {"table": name.sql(dialect="postgres")}))
        return cast("Value", cursor.fetchone()[0])

    def _described(self, select: exp.Select) -> tuple[CopiedColumn, ...]:
        def described(cursor: Any) -> tuple[CopiedColumn, ...]:
            run(cursor, Statement(select.limit(0), self._query.parameters))
            return tuple(CopiedColumn(c.name, c.type_code, c.precision) for c in cursor.description)

        return cast("tuple[CopiedColumn, ...]", self._connection.run(described))

    def _cells(self, select: exp.Select) -> Iterator[exp.Expr]:
        for cell, column in zip(select.expressions, self.columns, strict=True):
            json = exp.cast(exp.func("array_to_json", cell.unalias().copy()), "text")
            yield exp.alias_(json, column.name, quoted=True) if column.is_array else cell


def copied(source: exp.Expr, end: str) -> exp.Expr:
    """`copy` of a query to STDOUT, or of STDIN into a table, as CSV."""
    parameter = exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var("csv"))
    return exp.Copy(this=source, kind=end == "STDIN", files=[exp.to_identifier(end)], params=[parameter])
