"""What the rest of the program may ask of a warehouse, whichever it is: to select, and to append."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

import pyarrow as pa
from sqlglot import exp

Value: TypeAlias = str | int | float | bool | datetime | None
"""What a parameter of a statement may be. Values travel beside the SQL, never in it."""


@dataclass(frozen=True)
class Statement:
    """A select with named placeholders, and the values for them."""

    tree: exp.Expr
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: exp.Expr, values: Mapping[str, Value]) -> Statement:
        """With only the values that the tree has placeholders for: drivers accept no others."""
        names = {str(placeholder.this) for placeholder in tree.find_all(exp.Placeholder)}
        return cls(tree, {name: values[name] for name in names})


@dataclass(frozen=True)
class Column:
    """A column as the warehouse reports it: its exact name, and its type in the warehouse's words."""

    name: str
    data_type: str


class Warehouse(Protocol):
    """A warehouse that is open. Two threads may call it at once; nothing stays open between two calls.

    What is in the way for a moment (a full queue, a conflict, a lost connection) is tried again for about
    half a minute. Every call raises WarehouseError, whose message contains no value.
    """

    dialect: str
    """sqlglot's name for the SQL it speaks."""
    checkpoint_seconds: float
    """How often it is worth appending a checkpoint while a push goes on."""

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        """The columns of a table in their order; none when there is no such table."""

    def fetch(self, query: Statement) -> pa.Table:
        """The whole result of a select, which the caller bounds: some tens of thousands of rows.

        The columns have the names of the select's aliases, each one its own. Times are UTC, in microseconds
        and without a zone. A whole number may be an integer, a decimal or a text, as the warehouse has it.
        """

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        """Inserts rows; columns go by their names, and those that the rows lack are null.

        Some hundred rows are one insert, all or none; more may be several. Where a connection is lost after
        an insert was sent and the warehouse can't say whether it was made, it is sent again: so rows may be
        in the table twice, and their readers take that for once.
        """

    def close(self) -> None:
        """Closes every connection."""
