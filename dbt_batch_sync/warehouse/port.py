"""What the rest of the program may ask of a warehouse, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

import pyarrow as pa
from sqlglot import exp

Value: TypeAlias = str | int | float | bool | datetime | None
"""What a statement's parameter may be. Values travel beside the SQL, never in it."""


@dataclass(frozen=True)
class Statement:
    """A tree with named placeholders, and the values for them."""

    tree: exp.Expr
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: exp.Expr, values: Mapping[str, Value]) -> Statement:
        """With only the values that the tree has placeholders for: drivers refuse others."""
        names = {str(placeholder.this) for placeholder in tree.find_all(exp.Placeholder)}
        return cls(tree, {name: values[name] for name in names})


@dataclass(frozen=True)
class Load:
    """Rows to append to a table, whose columns are named like theirs."""

    table: exp.Table
    rows: pa.Table


@dataclass(frozen=True)
class Column:
    """A column as the warehouse reports it: its exact name, and its type in the warehouse's words."""

    name: str
    data_type: str


@dataclass(frozen=True)
class Rows:
    """A result that is read as it comes; the schema is known before the first batch."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Warehouse(Protocol):
    """One open connection, and a second one for a result that is read while the first one writes."""

    dialect: str
    """sqlglot's name for the SQL it speaks."""
    transactions: bool
    """Whether several statements can be made one."""
    checkpoint_seconds: float
    """How often it is worth committing while a push goes on."""

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        """The columns of a table in their order; none when there is no such table."""

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        """All rows of a small result."""

    def stream(self, query: Statement, batch_rows: int) -> AbstractContextManager[Rows]:
        """A result of any size, in its order, in batches of about `batch_rows`; holds a few of them."""

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        """Runs the steps in their order: all or none where there are transactions, else one after another."""

    def twin(self) -> Warehouse:
        """Another connection to the same place, for another thread; closed by itself."""

    def close(self) -> None:
        """Ends the connections; what is not committed is gone."""
