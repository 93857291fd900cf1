"""What a delta holds, in figures: for the plan and the guards."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dbt_batch_sync.sql.pending import pending_only
from dbt_batch_sync.sql.relations import Relation, count_of, equals, is_null, value, with_commas


def delta_counts(delta: Relation, after: bool) -> exp.Select:
    """Rows by change, of what is not committed: those behind `:after`, and the invalid ones."""
    query = exp.select(delta.column("_batch_change"), exp.Count(this=exp.Star())).from_(delta.table.copy())
    if after:
        invalid = equals(delta.column("_batch_change"), exp.Literal.string("invalid"))
        query = query.where(
            exp.or_(invalid, exp.GT(this=delta.column("custom_id"), expression=value("after")))
        )
    return query.group_by(delta.column("_batch_change"))


def attribute_counts(delta: Relation, names: Sequence[str], *, after: bool) -> exp.Select:
    """How many pending rows have an operation, and how many send each attribute, in the order of `names`."""
    changed = delta.column("_batch_changed")
    sums = [count_of(exp.NEQ(this=changed, expression=exp.Literal.string("")))]
    sums += [count_of(_lists(delta, name)) for name in names]
    return pending_only(exp.select(*sums).from_(delta.table.copy()), delta, after)


def again_counts(delta: Relation, snapshot: Relation, names: Sequence[str], *, after: bool) -> exp.Select:
    """How many pending updates change each attribute anew, of profiles that the delta `:last` sent: those
    whose value is not the first.
    """
    counts = [
        count_of(exp.and_(_lists(delta, name, "d"), exp.not_(is_null(snapshot.column(name, "s")))))
        for name in names
    ]
    query = (
        exp.select(*counts)
        .from_(delta.aliased("d"))
        .join(
            snapshot.aliased("s"),
            on=equals(snapshot.column("custom_id", "s"), delta.column("custom_id", "d")),
        )
        .where(equals(delta.column("_batch_change", "d"), exp.Literal.string("update")))
        .where(equals(snapshot.column("_batch_delta_id", "s"), value("last")))
    )
    return pending_only(query, delta, after, "d")


def sent_by(snapshot: Relation) -> exp.Select:
    """How many profiles the delta `:last` sent, and no later one."""
    query = exp.select(exp.Count(this=exp.Star())).from_(snapshot.table.copy())
    return query.where(equals(snapshot.column("_batch_delta_id"), value("last")))


def _lists(delta: Relation, name: str, of: str | None = None) -> exp.Expr:
    """Whether a row sends an attribute."""
    listed = with_commas(delta.column("_batch_changed", of))
    found = exp.StrPosition(this=listed, substr=exp.Literal.string(f",{name},"))
    return exp.GT(this=found, expression=exp.Literal.number(0))


def reason_counts(delta: Relation) -> exp.Select:
    """Invalid rows by their reason."""
    reason = delta.column("_batch_reason")
    invalid = equals(delta.column("_batch_change"), exp.Literal.string("invalid"))
    counts = exp.select(reason, exp.Count(this=exp.Star())).from_(delta.table.copy()).where(invalid)
    return counts.group_by(reason.copy()).order_by(reason.copy())


def samples(
    delta: Relation, snapshot: Relation, names: Sequence[str], *, after: bool, limit: int
) -> exp.Select:
    """Some pending rows that send something: id, change, changed names, then the old and the new value of
    each attribute.
    """
    held = [snapshot.column(name, "s") if snapshot.has(name) else exp.null() for name in names]
    columns: list[exp.Expr] = [
        delta.column(name, "d") for name in ("custom_id", "_batch_change", "_batch_changed")
    ]
    columns += [exp.alias_(cell, f"old_{n}") for n, cell in enumerate(held)]
    columns += [exp.alias_(delta.column(name, "d"), f"new_{n}") for n, name in enumerate(names)]
    query = (
        exp.select(*columns)
        .from_(delta.aliased("d"))
        .join(
            snapshot.aliased("s"),
            on=equals(snapshot.column("custom_id", "s"), delta.column("custom_id", "d")),
            join_type="left",
        )
        .where(exp.NEQ(this=delta.column("_batch_changed", "d"), expression=exp.Literal.string("")))
    )
    updates_first = exp.Case().when(
        equals(delta.column("_batch_change", "d"), exp.Literal.string("update")), exp.Literal.number(0)
    )
    ordered = pending_only(query, delta, after, "d").order_by(
        updates_first.else_(exp.Literal.number(1)), delta.column("custom_id", "d")
    )
    return ordered.limit(limit)


def known_counts(delta: Relation, snapshot: Relation) -> exp.Select:
    """Profiles in the snapshot that have not left, and those that left and are in the delta as coming
    back.
    """
    exited = snapshot.column("_batch_exited_at")
    back = (
        exp.select(exp.Count(this=exp.Star()))
        .from_(delta.aliased("d"))
        .join(
            snapshot.aliased("s"),
            on=equals(snapshot.column("custom_id", "s"), delta.column("custom_id", "d")),
        )
        .where(equals(delta.column("_batch_change", "d"), exp.Literal.string("update")))
        .where(exp.not_(is_null(snapshot.column("_batch_exited_at", "s"))))
    )
    known = exp.select(exp.Count(this=exp.Star())).from_(snapshot.table.copy()).where(is_null(exited))
    return exp.select(known.subquery(), back.subquery())


def any_rows(tables: Sequence[exp.Table]) -> exp.Query:
    """The places in the list of those tables that have a row."""
    found: list[exp.Query] = [
        exp.select(exp.alias_(exp.Literal.number(place), "place")).from_(table.copy()).limit(1).subquery()
        for place, table in enumerate(tables)
    ]
    selects: list[exp.Query] = [exp.select("place").from_(query.as_("found")) for query in found]
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)


def ledger_states(runs: exp.Table) -> exp.Select:
    """By sync and Batch project: runs that have not ended, and when the last that sent something began."""
    running = equals(exp.column("status"), exp.Literal.string("running"))
    sent = exp.GT(this=exp.column("intent_position"), expression=exp.Literal.number(0))
    keys = (exp.column("sync"), exp.column("project_hash"))
    began = exp.Case().when(sent, exp.column("started_at"))
    return exp.select(*keys, count_of(running), exp.Max(this=began)).from_(runs.copy()).group_by(*keys)


def reject_states(rejects: exp.Table) -> exp.Select:
    """By sync: the rows that are parked, and when the oldest of the others was resolved."""
    parked = exp.and_(is_null(exp.column("resolved_at")), is_null(exp.column("attribute")))
    key, oldest = exp.column("sync"), exp.Min(this=exp.column("resolved_at"))
    return exp.select(key, count_of(parked), oldest).from_(rejects.copy()).group_by(key.copy())
