"""The runner's statements as Spark and its table formats take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlglot import exp

from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse.port import Column, Value

TABLE_FORMATS = ("delta", "iceberg")
"""Those with MERGE, UPDATE and DELETE, and commits that are atomic."""


def for_spark(tree: exp.Expr, table_format: str) -> exp.Expr:
    """The statement as Spark takes it; a new table is made in a format."""
    if isinstance(tree, exp.Create):
        using = exp.FileFormatProperty(this=exp.var(table_format))
        tree = tree.copy()
        tree.set("properties", exp.Properties(expressions=[using]))
    elif isinstance(tree, exp.Update | exp.Delete) and tree.find(exp.Query):
        return as_merge(tree)
    return tree


def as_merge(tree: exp.Update | exp.Delete) -> exp.Merge:
    """A statement whose condition has a subquery as a MERGE: Delta takes none in UPDATE and DELETE
    (`DELTA_UNSUPPORTED_SUBQUERY`).

    Whether a row meets the condition is decided by its columns that the condition names: so the rows to
    change are those that are equal in these, null-safe, to one that meets it.
    """
    condition = cast("exp.Where", tree.args["where"])
    table = cast("exp.Table", tree.this)
    names = sorted({each.name: each.this.quoted for each in _own_columns(condition, table)}.items())
    rows = exp.select(*(exp.column(name, quoted=quoted) for name, quoted in names)).distinct()
    rows = rows.from_(table.copy()).where(condition.this.copy())
    same = [
        exp.NullSafeEQ(
            this=exp.column(name, "o", quoted=quoted), expression=exp.column(name, "n", quoted=quoted)
        )
        for name, quoted in names
    ]
    then = exp.Update(expressions=_of_target(tree)) if isinstance(tree, exp.Update) else exp.var("DELETE")
    return exp.Merge(
        this=exp.alias_(table.copy(), "o", table=True),
        using=rows.subquery("n"),
        on=exp.and_(*same),
        whens=exp.Whens(expressions=[exp.When(matched=True, then=then)]),
    )


def described(rows: Sequence[tuple[Value, ...]], table: exp.Table) -> tuple[tuple[Column, ...], str]:
    """The columns and the format of a table, from the answer to `describe table extended`.

    Raises UnsupportedWarehouse for a format that can't be written to as a push does.
    """
    names = [str(name) for name, *_ in rows]
    # Partitions and the rest stand behind an empty row or a heading.
    end = next((n for n, name in enumerate(names) if not name or name.startswith("#")), len(names))
    facts = {str(name): str(fact) for name, fact, *_ in rows[end:]}
    table_format = facts.get("Provider", "").lower()
    check_format(table_format, table)
    return tuple(Column(str(name), str(kind)) for name, kind, *_ in rows[:end]), table_format


def check_format(table_format: str, table: exp.Table) -> None:
    """Raises UnsupportedWarehouse for a table that can't be written to as a push does."""
    if table_format not in TABLE_FORMATS:
        name = ".".join(part.name for part in table.parts)
        raise UnsupportedWarehouse(
            f"{name} is a {table_format or 'foreign'} table, and a push needs MERGE, "
            f"UPDATE and DELETE, which tables with the file_format {' or '.join(TABLE_FORMATS)} have: give "
            "its model such a `+file_format` in dbt_project.yml, drop the table, and run `dbt run`"
        )


def _own_columns(condition: exp.Expr, table: exp.Table) -> list[exp.Column]:
    """The table's columns in a condition: within a subquery, those that are qualified by its name."""
    return [
        column
        for column in condition.find_all(exp.Column)
        if column.table == table.name or not (column.table or column.find_ancestor(exp.Query))
    ]


def _of_target(tree: exp.Update) -> list[exp.Expr]:
    """The assignments, whose right sides name the target: its columns stand beside those of the source."""

    def qualified(node: exp.Expr) -> exp.Expr:
        return exp.column(node.this.copy(), "o") if isinstance(node, exp.Column) else node

    return [
        exp.EQ(this=each.this.copy(), expression=each.expression.transform(qualified))
        for each in tree.expressions
    ]
