"""Small parts of DuckDB's SQL, as text. What comes from outside goes through `column` or `text`.

DuckDB may evaluate an expression for rows that it is not meant for, so a value is only ever tried to be cast.
"""

from __future__ import annotations

from collections.abc import Iterable

Case = tuple[str, str]
"""A condition, and the result if it is true."""

ITEM = "_batch_item"
"""A list item, in a condition for `any_item`."""


def column(name: str) -> str:
    """A column by name, always quoted, because an attribute may have the name of an SQL keyword."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def choose(cases: Iterable[Case], otherwise: str = "null") -> str:
    """`case when … then … else … end`; without cases, the `else`."""
    whens = " ".join(f"when {condition} then {result}" for condition, result in cases)
    return f"case {whens} else {otherwise} end" if whens else otherwise


def any_of(conditions: Iterable[str]) -> str:
    """Whether one of some conditions holds; of none, none does."""
    return f"({' or '.join(conditions) or 'false'})"


def is_one_of(operand: str, words: Iterable[str]) -> str:
    """Whether a text is one of some words.

    An enum finds a word by hash. DuckDB would compare each word of a long list, or turn it into a join, which
    doesn't keep the order of rows.
    """
    return f"try_cast({operand} as enum({', '.join(map(text, words))})) is not null"


def as_json(operand: str) -> str:
    """The JSON text of a text, a finite number or a list of texts."""
    return f"cast(to_json({operand}) as varchar)"


def matches(operand: str, pattern: str) -> str:
    """Whether the whole text matches a pattern (RE2)."""
    return f"regexp_full_match({operand}, {text(pattern)})"


def any_item(items: str, condition: str) -> str:
    """Whether a condition on `ITEM` holds for one of a list's items."""
    return f"len(list_filter({items}, lambda {ITEM}: {condition})) > 0"
