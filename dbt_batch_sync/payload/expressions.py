"""Small builders of DuckDB expressions, so that the rest of the package reads like the SQL it generates."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

Case = tuple[exp.Expr, exp.Expr]
"""A condition, and the result if it is true."""

ITEM = "_batch_item"
"""A list item, in a condition for `any_item`."""


def column(name: str) -> exp.Expr:
    """A column by name, always quoted, because an attribute may have the name of an SQL keyword."""
    return exp.column(name, quoted=True)


def item() -> exp.Expr:
    """The item that `any_item` checks."""
    return exp.column(ITEM)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A DuckDB function by name."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def text(value: str) -> exp.Expr:
    """A string literal of our own."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """An integer literal."""
    return exp.Literal.number(value)


def literal_of(type_name: str, value: str) -> exp.Expr:
    """A constant of another type, as text."""
    return exp.cast(text(value), type_name, dialect="duckdb")


def is_null(operand: exp.Expr) -> exp.Expr:
    """`operand is null`."""
    return exp.Is(this=operand.copy(), expression=exp.null())


def is_present(operand: exp.Expr) -> exp.Expr:
    """`not operand is null`."""
    return exp.not_(is_null(operand))


def differs(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """`left <> right`."""
    return exp.NEQ(this=left.copy(), expression=right.copy())


def exceeds(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """`left > right`."""
    return exp.GT(this=left.copy(), expression=right.copy())


def choose(cases: Iterable[Case], otherwise: exp.Expr | None = None) -> exp.Expr:
    """`case when … then … else … end`; without cases, the `else`."""
    case = exp.Case()
    for condition, result in cases:
        case = case.when(condition.copy(), result.copy(), copy=False)
    if not case.args.get("ifs"):
        return otherwise.copy() if otherwise is not None else exp.null()
    return case.else_(otherwise.copy(), copy=False) if otherwise is not None else case


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """Whether any of the conditions is true."""
    return exp.or_(*(condition.copy() for condition in conditions), copy=False)


def attempt(operand: exp.Expr, type_name: str) -> exp.Expr:
    """`try_cast`: null if the value can't be converted.

    A plain cast may fail for rows that it is not meant for, because DuckDB may evaluate branches that a row
    doesn't take.
    """
    return exp.TryCast(this=operand.copy(), to=exp.DataType.build(type_name, dialect="duckdb"))


def is_one_of(operand: exp.Expr, words: Iterable[str]) -> exp.Expr:
    """Whether a text is one of some words.

    An enum finds a word by hash. DuckDB would compare each word of a long list, or turn it into a join, which
    doesn't keep the order of rows.
    """
    kind = exp.DataType(this=exp.DataType.Type.ENUM, expressions=[text(word) for word in words])
    return is_present(exp.TryCast(this=operand.copy(), to=kind))


def as_text(operand: exp.Expr) -> exp.Expr:
    """`cast(operand as varchar)`."""
    return exp.cast(operand.copy(), "varchar", dialect="duckdb")


def as_json(operand: exp.Expr) -> exp.Expr:
    """The JSON text of a text, a finite number or a list of texts."""
    return as_text(call("to_json", operand))


def matches(operand: exp.Expr, pattern: str) -> exp.Expr:
    """Whether the whole text matches a pattern (RE2)."""
    return call("regexp_full_match", operand, text(pattern))


def any_item(items: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """Whether a condition on `item()` is true for any item of a list."""
    return exceeds(call("len", call("list_filter", items, of_item(condition))), number(0))


def of_item(condition: exp.Expr) -> exp.Expr:
    """A condition on `item()` as a lambda.

    `colon` is for sqlglot before 30.30, which would write an arrow; DuckDB 2.0 rejects it.
    """
    return exp.Lambda(this=condition.copy(), expressions=[exp.to_identifier(ITEM)], colon=True)
