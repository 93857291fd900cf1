"""Tables and columns, and the smallest parts of statements.

Values are always named placeholders. The user's identifiers are always quoted, with the name that the
warehouse reports. The ledger's own names are lower case and unquoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from dbt_batch_sync.warehouse.port import Column


@dataclass(frozen=True)
class Relation:
    """A table of a sync: its columns' exact names by their lower-case names, and its key column."""

    table: exp.Table
    columns: tuple[Column, ...]
    key: str

    def has(self, name: str) -> bool:
        """Whether there is such a column, regardless of case."""
        return any(column.name.lower() == name for column in self.columns)

    def name(self, name: str) -> str:
        """The name that the warehouse reports for a column."""
        return next(column.name for column in self.columns if column.name.lower() == name)

    def column(self, name: str, of: str | None = None) -> exp.Column:
        """A column as an expression, with an alias if given."""
        return exp.column(exp.to_identifier(self.name(name), quoted=True), table=of)

    def aliased(self, alias: str) -> exp.Expr:
        """The table under an alias."""
        return exp.alias_(self.table.copy(), alias, table=True)


def parse_table(relation_name: str, dialect: str) -> exp.Table:
    """A relation as dbt rendered it, including quotes."""
    return exp.to_table(relation_name, dialect=dialect)


def beside(table: exp.Table, name: str) -> exp.Table:
    """A table of this project in the same database and schema."""
    parts = {key: table.args[key].copy() for key in ("db", "catalog") if table.args.get(key) is not None}
    return exp.Table(this=exp.to_identifier(name), **parts)


def value(name: str) -> exp.Expr:
    """A named placeholder."""
    return exp.Placeholder(this=name)


def equals(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """`left = right`."""
    return exp.EQ(this=left, expression=right)


def is_null(operand: exp.Expr) -> exp.Expr:
    """`operand is null`."""
    return exp.Is(this=operand, expression=exp.null())


def is_in(operand: exp.Expr, texts: Iterable[str]) -> exp.Expr:
    """`operand in ('a', 'b')` for names of syncs and events, which are not secret."""
    return exp.In(this=operand, expressions=[exp.Literal.string(text) for text in texts])


def literal(number: int) -> exp.Expr:
    """A whole number."""
    return exp.Literal.number(number) if number >= 0 else exp.Neg(this=exp.Literal.number(-number))


def columns_of(names: Iterable[str]) -> list[exp.Expr]:
    """The ledger's columns by name, lower case and unquoted."""
    return [exp.column(name) for name in names]


def with_commas(names: exp.Expr) -> exp.Expr:
    """Names as `,a,b,`, in which each can be found as `,a,`."""
    comma = exp.Literal.string(",")
    return exp.DPipe(this=exp.DPipe(this=comma, expression=names), expression=comma.copy())


def count_of(condition: exp.Expr) -> exp.Expr:
    """The number of rows that meet a condition."""
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    return exp.Sum(this=exp.Case().when(condition, one).else_(zero))
