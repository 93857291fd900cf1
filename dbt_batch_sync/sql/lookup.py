"""What the relations hold of one profile."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dbt_batch_sync.sql.relations import Relation, equals, value


def row_of(relation: Relation) -> exp.Select:
    """Its row, all columns in their order. An identifier of several invalid rows has more than one."""
    columns = (relation.column(column.name.lower()) for column in relation.columns)
    return exp.select(*columns).from_(relation.table.copy()).where(_is(relation.column("custom_id"))).limit(1)


def rejects_of(rejects: exp.Table, names: Sequence[str]) -> exp.Select:
    """Its rejects, those that stand first, then the last resolved."""
    own = equals(exp.column("sync"), value("sync"))
    query = exp.select(*(exp.column(name) for name in names)).from_(rejects.copy())
    stands = exp.Is(this=exp.column("resolved_at"), expression=exp.null())
    standing = exp.Case().when(stands, exp.Literal.number(0))
    return query.where(own, _is(exp.column("custom_id"))).order_by(
        standing.else_(exp.Literal.number(1)), exp.Ordered(this=exp.column("last_seen_at"), desc=True)
    )


def _is(column: exp.Expr) -> exp.Expr:
    return equals(column, value("custom_id"))
