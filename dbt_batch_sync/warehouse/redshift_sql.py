"""The runner's statements as Redshift takes them.

What it takes is from its documentation, https://docs.aws.amazon.com/redshift/latest/dg/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import cast

from sqlglot import exp

from dbt_batch_sync.warehouse.port import Statement, Value

TEXT = "varchar(65535)"
"""The longest there is: `text` means 256 bytes (`r_Character_types`)."""

_TYPES: Mapping[type, str] = {
    str: TEXT,
    bool: "boolean",
    int: "bigint",
    float: "double",
    datetime: "timestamp",
}


def for_redshift(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The statements that do what this one does, for one transaction.

    The source of a MERGE can't be a subquery there, and its condition only equates columns (`r_MERGE`).
    """
    if isinstance(tree, exp.Merge):
        yield from _update_and_insert(tree)
    else:
        yield tree.transform(_as_there)


def text_of(statement: Statement) -> str:
    """The SQL with the driver's placeholders, each of which says its type: the server guesses few."""

    def written(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        value: Value = statement.parameters[node.name]
        if value is None:
            return exp.null()
        placeholder = exp.var(f":{node.name}")
        return (
            placeholder if isinstance(node.parent, exp.Cast) else exp.cast(placeholder, _TYPES[type(value)])
        )

    return statement.tree.transform(written).transform(_as_there).sql(dialect="redshift")


def _as_there(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TEXT:
        return exp.DataType.build(TEXT)
    return node


def _update_and_insert(tree: exp.Merge) -> Iterator[exp.Expr]:
    """First the update, so that it meets no row of the insert. Neither changes a column that the condition
    names, and each is empty when it is repeated.
    """
    target, alias = cast("exp.Table", tree.this.copy()), tree.this.alias
    target.set("alias", None)
    source = cast("exp.Subquery", tree.args["using"])
    matches = cast("exp.Expr", tree.args["on"])
    for when in tree.args["whens"].expressions:
        then = when.args["then"]
        if isinstance(then, exp.Update):

            def by_name(node: exp.Expr) -> exp.Expr:
                """A column of the target, which is called by its name: an update has no alias for it."""
                if isinstance(node, exp.Column) and node.table == alias:
                    return exp.column(node.this.copy(), target.this.copy())
                return node

            changes = [
                exp.EQ(this=exp.column(each.this.this.copy()), expression=each.expression.transform(by_name))
                for each in then.expressions
            ]
            yield exp.Update(
                this=target.copy(),
                expressions=changes,
                from_=exp.From(this=source.copy()),
                where=exp.Where(this=matches.transform(by_name)),
            ).transform(_as_there)
        else:
            # Null where nothing matches, and there alone: it is equal to something where something does.
            key = next(
                each.this
                for each in matches.find_all(exp.EQ)
                if isinstance(each.this, exp.Column) and each.this.table == alias
            )
            names = [column.this.copy() for column in then.this.expressions]
            rows = (
                exp.select(*(each.copy() for each in then.expression.expressions))
                .from_(source.copy())
                .join(tree.this.copy(), on=matches.copy(), join_type="left")
                .where(exp.Is(this=key.copy(), expression=exp.null()))
            )
            yield exp.Insert(
                this=exp.Schema(this=target.copy(), expressions=names), expression=rows
            ).transform(_as_there)
