"""How accepted rows become the snapshot's."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbt_batch_sync.sql.pending import open_rows, sendable
from dbt_batch_sync.sql.relations import Relation, equals, insert_into, value


def committed_range(delta: Relation, *, after: bool, of: str | None = None) -> exp.Expr:
    """The rows of this delta behind `:after` and up to `:upto`."""
    key = delta.column("custom_id", of)
    conditions = [
        sendable(delta, of),
        equals(delta.column("_batch_delta_id", of), value("delta_id")),
        exp.LTE(this=key.copy(), expression=value("upto")),
    ]
    if after:
        conditions.append(exp.GT(this=key.copy(), expression=value("after")))
    return exp.and_(*conditions)


def accepted_rows(delta: Relation, snapshot: Relation, rejects: exp.Table, *, after: bool) -> exp.Select:
    """The snapshot's new rows for a range of the delta: all of it but the rows that Batch refused.

    Columns come in the order of `written_columns`.
    """
    left = equals(delta.column("_batch_change"), exp.Literal.string("exit"))
    exited = exp.Case().when(left, _timestamp("now"))
    fixed = {
        "_batch_sent_at": _timestamp("now"),
        "_batch_run_id": value("run_id"),
        "_batch_exited_at": exp.cast(exited, "timestamp"),
    }
    refused = exp.select(exp.column("custom_id")).from_(rejects.copy()).where(open_rows())
    return (
        exp.select(
            *(
                exp.alias_(
                    fixed[name] if name in fixed else delta.column(name), snapshot.name(name), quoted=True
                )
                for name in written_columns(delta, snapshot)
            )
        )
        .from_(delta.table.copy())
        .where(committed_range(delta, after=after))
        .where(exp.not_(exp.In(this=delta.column("custom_id"), query=refused.subquery())))
    )


def written_columns(delta: Relation, snapshot: Relation) -> tuple[str, ...]:
    """What a commit writes, in lower case: the delta's columns that the snapshot has, and when and by which
    run.
    """
    shared = [c.name.lower() for c in delta.columns if snapshot.has(c.name.lower())]
    return (*shared, "_batch_sent_at", "_batch_run_id", "_batch_exited_at")


def replace_rows(
    delta: Relation, snapshot: Relation, rejects: exp.Table, *, after: bool
) -> tuple[exp.Expr, ...]:
    """The commit as delete and insert, for one transaction; only where the delta has every attribute of the
    snapshot.
    """
    rows = accepted_rows(delta, snapshot, rejects, after=after)
    keys = exp.select(
        exp.column(exp.to_identifier(snapshot.name("custom_id"), quoted=True), "accepted")
    ).from_(rows.copy().subquery("accepted"))
    delete = exp.Delete(this=snapshot.table.copy()).where(
        exp.In(this=snapshot.column("custom_id"), query=keys.subquery())
    )
    return delete, _insert(snapshot, written_columns(delta, snapshot), rows)


def merge_rows(
    delta: Relation, snapshot: Relation, rejects: exp.Table, *, after: bool, ranged: bool = False
) -> tuple[exp.Expr, ...]:
    """The commit as one statement, which leaves the columns of removed attributes as they are.

    `ranged` says of the snapshot's keys too what range they are in: then what is stored elsewhere is not
    read. Only for warehouses on which the delta and the snapshot can't have texts in different orders.
    """
    names = written_columns(delta, snapshot)
    rows = accepted_rows(delta, snapshot, rejects, after=after).subquery("d")
    key = snapshot.name("custom_id")
    identifiers = {name: exp.to_identifier(snapshot.name(name), quoted=True) for name in names}
    updates = [
        equals(exp.column(identifiers[name].copy()), exp.column(identifiers[name].copy(), "d"))
        for name in names
        if name != "custom_id"
    ]
    inserts = exp.Insert(
        this=exp.Tuple(expressions=[exp.column(identifiers[name].copy()) for name in names]),
        expression=exp.Tuple(expressions=[exp.column(identifiers[name].copy(), "d") for name in names]),
    )
    quoted = exp.to_identifier(key, quoted=True)
    on = [equals(exp.column(quoted.copy(), "s"), exp.column(quoted.copy(), "d"))]
    if ranged:
        on.append(exp.LTE(this=exp.column(quoted.copy(), "s"), expression=value("upto")))
    if ranged and after:
        on.append(exp.GT(this=exp.column(quoted.copy(), "s"), expression=value("after")))
    return (
        exp.Merge(
            this=snapshot.aliased("s"),
            using=rows,
            on=exp.and_(*on),
            whens=exp.Whens(
                expressions=[
                    exp.When(matched=True, then=exp.Update(expressions=updates)),
                    exp.When(matched=False, then=inserts),
                ]
            ),
        ),
    )


def doubted_rows(delta: Relation, snapshot: Relation, which: exp.Expr) -> exp.Expr:
    """What some rows of the delta would send goes to the snapshot's doubt: it may be in Batch, or not.

    Repeating it changes nothing.
    """
    comma = exp.Literal.string(",")
    doubled = exp.func("replace", delta.column("_batch_changed"), comma.copy(), exp.Literal.string(",,"))
    names = exp.DPipe(this=exp.DPipe(this=comma.copy(), expression=doubled), expression=comma.copy())
    rows = (
        exp.select(exp.alias_(delta.column("custom_id"), "custom_id"), exp.alias_(names, "names"))
        .from_(delta.table.copy())
        .where(sendable(delta), which)
        .where(exp.NEQ(this=delta.column("_batch_changed"), expression=exp.Literal.string("")))
    )
    ids, doubt = (exp.to_identifier(snapshot.name(n), quoted=True) for n in ("custom_id", "_batch_doubt"))
    known = exp.Coalesce(this=snapshot.column("_batch_doubt", "s"), expressions=[exp.Literal.string("")])
    place = exp.StrPosition(this=known.copy(), substr=exp.column("names", "d"))
    has = exp.GT(this=place, expression=exp.Literal.number(0))
    longer = (
        exp.Case().when(has, known).else_(exp.DPipe(this=known.copy(), expression=exp.column("names", "d")))
    )
    insert = exp.Insert(
        this=exp.Tuple(expressions=[exp.column(ids.copy()), exp.column(doubt.copy())]),
        expression=exp.Tuple(expressions=[exp.column("custom_id", "d"), exp.column("names", "d")]),
    )
    update = exp.Update(expressions=[equals(exp.column(doubt.copy()), longer)])
    return exp.Merge(
        this=snapshot.aliased("s"),
        using=rows.subquery("d"),
        on=equals(snapshot.column("custom_id", "s"), exp.column("custom_id", "d")),
        whens=exp.Whens(
            expressions=[exp.When(matched=True, then=update), exp.When(matched=False, then=insert)]
        ),
    )


def refused_rows(delta: Relation, snapshot: Relation, rejects: exp.Table, *, after: bool) -> exp.Expr:
    """`doubted_rows` of those that this run was refused: one of their operations may have been taken."""
    own = equals(exp.column("run_id"), value("run_id"))
    refused = exp.select(exp.column("custom_id")).from_(rejects.copy()).where(open_rows(), own)
    theirs = exp.In(this=delta.column("custom_id"), query=refused.subquery())
    return doubted_rows(delta, snapshot, exp.and_(committed_range(delta, after=after), theirs))


def _insert(relation: Relation, names: Iterable[str], rows: exp.Select) -> exp.Expr:
    return insert_into(
        relation.table, [exp.to_identifier(relation.name(name), quoted=True) for name in names], rows
    )


def _timestamp(name: str) -> exp.Expr:
    return exp.cast(value(name), "timestamp")
