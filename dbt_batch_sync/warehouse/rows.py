"""Converts results to the types that the program expects, and builds inserts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dbt_batch_sync.warehouse import Statement

_PER_SECOND = {"s": 1_000_000, "ms": 1_000}
_MOST = {"s": 9_000_000_000_000, "ms": 9_000_000_000_000_000}
"""Ticks that fit into microseconds, far beyond the years that are sent."""


def in_utc(rows: pa.Table) -> pa.Table:
    """The rows with times in UTC microseconds without a zone. A column without a type is text."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_null(field.type):
            rows = rows.set_column(place, field.name, rows.column(place).cast(pa.string()))
        if pa.types.is_timestamp(field.type) and field.type != pa.timestamp("us"):
            cells = rows.column(place).combine_chunks()
            rows = rows.set_column(place, field.name, _microseconds(cells))
    return rows


def _microseconds(cells: pa.Array) -> pa.Array:
    unit = cells.type.unit
    if unit == "ns":
        floored = pc.floor_temporal(cells.view(pa.timestamp("ns")), unit="microsecond")
        return floored.cast(pa.timestamp("us"))
    if unit in _PER_SECOND:
        # An invalid or very distant time stays one.
        ticks = pc.min_element_wise(cells.view(pa.int64()), _MOST[unit], skip_nulls=False)
        ticks = pc.max_element_wise(ticks, -_MOST[unit], skip_nulls=False)
        return pc.multiply(ticks, _PER_SECOND[unit]).view(pa.timestamp("us"))
    return cells.view(pa.timestamp("us"))


def shortest(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as texts without trailing zeros: 5.00 is the integer 5."""
    shorter = pc.replace_substring_regex(numbers, r"(\.[0-9]*[1-9])0+$", r"\1")
    return pc.replace_substring_regex(shorter, r"\.0*$", "")


def named(rows: pa.Table, query: exp.Expr) -> pa.Table:
    """The result with the select's aliases, whose case some warehouses change."""
    if not isinstance(query, exp.Query) or query.is_star:
        return rows
    return rows.rename_columns(query.named_selects)


def without_nulls(rows: pa.Table) -> pa.Table:
    """The rows without columns of nulls: what is not inserted is null. Without rows, all columns stay."""
    if not rows.num_rows:
        return rows
    return rows.select([name for name in rows.column_names if rows.column(name).null_count < rows.num_rows])


def pyformat(tree: exp.Expr, dialect: str, *, has_values: bool) -> str:
    """The SQL with `%(name)s` as placeholders, beside which a `%` must be doubled."""

    def written(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder):
            return exp.var(f"%({node.name})s")
        if isinstance(node, exp.Identifier | exp.Literal) and "%" in node.name:
            node.set("this", node.name.replace("%", "%%"))
        return node

    return (tree.transform(written) if has_values else tree).sql(dialect=dialect)


def into(table: exp.Table, names: list[str], dialect: str) -> exp.Schema:
    """The table and columns of an insert."""
    # A quoted name would be lower case there, but the ledger's are upper case.
    quoted = dialect != "snowflake"
    return exp.Schema(
        this=table.copy(), expressions=[exp.to_identifier(name, quoted=quoted) for name in names]
    )


@dataclass(frozen=True)
class Limits:
    """The most rows, values and bytes of one insert."""

    rows: int
    values: int
    bytes: int

    def parts(self, rows: pa.Table) -> list[pa.RecordBatch]:
        by_size = int(self.bytes * rows.num_rows // max(rows.nbytes, 1))
        most = max(1, min(self.rows, self.values // max(rows.num_columns, 1), by_size))
        return list(rows.combine_chunks().to_batches(max_chunksize=most))


def inserts(table: exp.Table, rows: pa.Table, dialect: str, limits: Limits) -> Iterator[Statement]:
    """`insert into … values …`, as many statements as needed."""
    given = without_nulls(rows)
    target = into(table, given.column_names, dialect)
    for part in limits.parts(given):
        cells = [list(row.values()) for row in part.to_pylist()]
        values = {f"c{y}_{x}": cell for y, row in enumerate(cells) for x, cell in enumerate(row)}
        tuples = [
            exp.Tuple(expressions=[exp.Placeholder(this=f"c{y}_{x}") for x in range(given.num_columns)])
            for y in range(len(cells))
        ]
        tree = exp.Insert(this=target.copy(), expression=exp.Values(expressions=tuples))
        yield Statement(tree, values)
