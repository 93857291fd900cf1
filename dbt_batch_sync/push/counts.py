"""Figures and samples of a delta, for the plan and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dbt_batch_sync.kinds.attributes import PRESENT
from dbt_batch_sync.warehouse import Value
from dbt_batch_sync.warehouse.relations import Relation, count_of, equals, is_null, value, with_commas


@dataclass(frozen=True)
class Pending:
    """The unsettled rows of one build of a delta: those after `page`, and in the page after it those after
    `key`.
    """

    delta: Relation
    delta_id: str
    page: int | None = None
    key: str | None = None

    @property
    def values(self) -> dict[str, Value]:
        """The values of a query with `conditions`."""
        given: dict[str, Value] = {"delta_id": self.delta_id, "page": self.page, "key": self.key}
        return {name: each for name, each in given.items() if each is not None}

    def conditions(self, of: str | None = None) -> list[exp.Expr]:
        """The condition for unsettled rows of this build."""
        found = [equals(self.delta.column("_batch_delta_id", of), value("delta_id"))]
        page, key = self.delta.column("_batch_page", of), self.delta.column(self.delta.key, of)
        if self.page is not None:
            found.append(exp.GT(this=page, expression=value("page")))
        if self.key is not None:
            begun = exp.Literal.number(0 if self.page is None else self.page + 1)
            later = exp.GT(this=page.copy(), expression=begun)
            found.append(exp.or_(later, exp.GT(this=key, expression=value("key"))))
        return found


def change_counts(pending: Pending, names: Sequence[str]) -> exp.Select:
    """By change and reason: `row_count`, `sending` (rows that send something), and `sends_<n>` for each
    attribute, in the order of `names`. Invalid rows are counted whether settled or not.
    """
    delta = pending.delta
    change, reason = delta.column("_batch_change"), delta.column("_batch_reason")
    sending = exp.NEQ(this=delta.column("_batch_changed"), expression=exp.Literal.string(""))
    cells = {
        "change": change,
        "reason": reason,
        "row_count": exp.Count(this=exp.Star()),
        "sending": count_of(sending),
        **{f"sends_{place}": count_of(_sends(delta, name)) for place, name in enumerate(names)},
    }
    of_build, *unsettled = pending.conditions()
    query = exp.select(*(exp.alias_(cell, name) for name, cell in cells.items()))
    query = query.from_(delta.table.copy()).where(of_build)
    if unsettled:
        invalid = equals(change.copy(), exp.Literal.string("invalid"))
        query = query.where(exp.or_(invalid, exp.and_(*unsettled)))
    return query.group_by(change.copy(), reason.copy())


def _sends(delta: Relation, name: str, of: str | None = None) -> exp.Expr:
    listed = with_commas(delta.column("_batch_changed", of))
    found = exp.StrPosition(this=listed, substr=exp.Literal.string(f",{name},"))
    return exp.GT(this=found, expression=exp.Literal.number(0))


def again_counts(pending: Pending, snapshot: Relation, names: Sequence[str]) -> exp.Select:
    """How many pending updates change each attribute (`again_<n>`) of profiles that the delta `:last` sent
    with a value. Attributes in doubt are ignored, because they are sent whatever their value.
    """
    counts = [
        exp.alias_(
            count_of(exp.and_(_sends(pending.delta, name, "d"), exp.not_(is_null(_held(snapshot, name))))),
            f"again_{place}",
        )
        for place, name in enumerate(names)
    ]
    updates = equals(pending.delta.column("_batch_change", "d"), exp.Literal.string("update"))
    last = equals(snapshot.column("_batch_delta_id", "s"), value("last"))
    query = exp.select(*counts).from_(pending.delta.aliased("d"))
    query = query.join(snapshot.aliased("s"), on=_same_key(pending.delta, snapshot))
    settled = is_null(snapshot.column("_batch_doubt", "s"))
    return query.where(updates, last, settled, *pending.conditions("d"))


def samples(pending: Pending, snapshot: Relation, names: Sequence[str], limit: int) -> exp.Select:
    """Some pending rows that send something, updates first: `change`, `changed`, `sample_key`, and each
    attribute's value before (`old_<n>`) and after (`new_<n>`).
    """
    delta = pending.delta
    change, key = delta.column("_batch_change"), delta.column(delta.key)
    updates_first = exp.Case().when(equals(change, exp.Literal.string("update")), exp.Literal.number(0))
    order = updates_first.else_(exp.Literal.number(1)), key
    needed = (delta.key, "_batch_change", "_batch_changed", *names)
    picked = exp.select(*(delta.column(name) for name in needed)).from_(delta.table.copy())
    picked = picked.where(
        exp.NEQ(this=change.copy(), expression=exp.Literal.string("invalid")),
        exp.NEQ(this=delta.column("_batch_changed"), expression=exp.Literal.string("")),
        *pending.conditions(),
    )
    picked = picked.order_by(*(each.copy() for each in order)).limit(limit)
    cells = {
        "change": delta.column("_batch_change", "d"),
        "changed": delta.column("_batch_changed", "d"),
        "sample_key": delta.column(delta.key, "d"),
        **{f"old_{place}": _held(snapshot, name) for place, name in enumerate(names)},
        **{f"new_{place}": delta.column(name, "d") for place, name in enumerate(names)},
    }
    query = exp.select(*(exp.alias_(cell, name) for name, cell in cells.items())).from_(picked.subquery("d"))
    return query.join(snapshot.aliased("s"), on=_same_key(delta, snapshot), join_type="left")


def present_rows(delta: Relation, snapshot: Relation, rejects: exp.Table, *, within_page: bool) -> exp.Select:
    """How many rows Batch has (`present`), according to the snapshot and, over it, the delta `:delta_id` up
    to `:page`, except for rejected rows of `:sync`; with `within_page`, also the rows of the next page up to
    `:key`.
    """
    page, key = delta.column("_batch_page"), delta.column(delta.key)
    reached: exp.Expr = exp.LTE(this=page, expression=value("page"))
    if within_page:
        of_key = exp.LTE(this=key, expression=value("key"))
        reached = exp.or_(reached, exp.and_(equals(page.copy(), value("page_after")), of_key))
    nothing = exp.Literal.string("")
    sent = exp.NEQ(this=delta.column("_batch_changed"), expression=nothing)
    own = equals(delta.column("_batch_delta_id"), value("delta_id"))
    rejected = (
        exp.select(exp.column("key"))
        .from_(rejects.copy())
        .where(
            equals(exp.column("sync"), value("sync")),
            equals(exp.column("delta_id"), value("delta_id")),
            is_null(exp.column("attribute")),
            exp.not_(is_null(exp.column("key"))),
        )
    )
    accepted = exp.not_(exp.In(this=key.copy(), query=rejected.subquery()))
    settled = (
        exp.select(key.copy(), delta.column(PRESENT))
        .from_(delta.table.copy())
        .where(own, sent, reached, accepted)
    )
    held = exp.Coalesce(this=delta.column(PRESENT, "d"), expressions=[snapshot.column(PRESENT, "s")])
    query = exp.select(exp.alias_(count_of(held), "present")).from_(snapshot.aliased("s"))
    return query.join(settled.subquery("d"), on=_same_key(delta, snapshot), join_type="full")


def _held(snapshot: Relation, name: str) -> exp.Expr:
    return snapshot.column(name, "s") if snapshot.has(name) else exp.null()


def _same_key(delta: Relation, snapshot: Relation) -> exp.Expr:
    return equals(snapshot.column(snapshot.key, "s"), delta.column(delta.key, "d"))
