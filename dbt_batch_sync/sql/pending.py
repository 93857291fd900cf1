"""What a push reads: the pending rows of a delta, those that are held back, and their counts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from dbt_batch_sync.sql.relations import Relation, equals, is_null, value, with_commas

NEVER_RESUBSCRIBE = "never_resubscribe"
"""The reason of a blocked consent."""


BLOCKED = "_batch_blocked"
"""The stream's column of consents that are not sent: their names, each with a comma, or null."""


@dataclass(frozen=True)
class Pending:
    """What of a delta is read to be sent: its columns in lower case, and where to look for what is parked or
    blocked.

    `consents` are the subscriptions that must not go from unsubscribed to subscribed by themselves.
    """

    delta: Relation
    snapshot: Relation
    attributes: tuple[str, ...]
    consents: tuple[str, ...]
    rejects: exp.Table | None

    def select(self, *, after: bool, limit: int | None) -> exp.Select:
        """The rows in the order of their keys: `DELTA_COLUMNS`, the names of blocked consents, the
        attributes.
        """
        delta = self.delta
        key = delta.column("custom_id", "d")
        columns = [
            exp.alias_(key, "custom_id"),
            exp.alias_(delta.column("_batch_change", "d"), "_batch_change"),
            exp.alias_(self._changed(), "_batch_changed"),
            exp.alias_(self._parked(), "_batch_parked"),
            *([exp.alias_(self._blocked(), BLOCKED)] if self.consents else []),
            *(exp.alias_(delta.column(name, "d"), name, quoted=True) for name in self.attributes),
        ]
        query = exp.select(*columns).from_(delta.aliased("d"))
        if self.rejects is not None:
            hashes = exp.select(exp.column("custom_id"), exp.column("sent_hash")).from_(self.rejects.copy())
            parked = hashes.where(open_rows()).subquery("parked")
            query = query.join(
                parked, on=equals(exp.column("custom_id", "parked"), key.copy()), join_type="left"
            )
        if self.consents:
            query = self._with_blocked(query, "left")
        query = query.where(sendable(delta, "d")).order_by(key.copy())
        if after:
            query = query.where(exp.GT(this=key.copy(), expression=value("after")))
        return query.limit(limit) if limit is not None else query

    def any_given(self) -> exp.Select:
        """A row if a known profile gives any of the consents: of the delta alone, and most have none."""
        known = exp.NEQ(this=self.delta.column("_batch_change", "d"), expression=exp.Literal.string("insert"))
        found = exp.select(exp.Literal.number(1)).from_(self.delta.aliased("d")).where(known)
        return found.where(exp.or_(*(self._gives(name) for name in self.consents))).limit(1)

    def any_blocked(self) -> exp.Select:
        """A row if there is any consent that must not be sent."""
        found = exp.select(exp.Literal.number(1)).from_(self.delta.aliased("d"))
        return (
            self._with_blocked(found, "")
            .where(exp.or_(*(self._is_blocked(name) for name in self.consents)))
            .limit(1)
        )

    def _parked(self) -> exp.Expr:
        return exp.column("sent_hash", "parked") if self.rejects is not None else exp.cast(exp.null(), "text")

    def _changed(self) -> exp.Expr:
        """The names to send, without the blocked ones.

        An insert sends all that it has: its names, longer than many a row, are left where they are.
        """
        changed: exp.Expr = self.delta.column("_batch_changed", "d")
        if not self.consents:
            known = exp.NEQ(
                this=self.delta.column("_batch_change", "d"), expression=exp.Literal.string("insert")
            )
            return exp.Case().when(known, changed)
        listed = with_commas(changed)
        for name in self.consents:
            shorter = exp.func(
                "replace", listed.copy(), exp.Literal.string(f",{name},"), exp.Literal.string(",")
            )
            listed = exp.Case().when(self._is_blocked(name), shorter).else_(listed)
        return exp.Trim(this=listed, expression=exp.Literal.string(","))

    def _blocked(self) -> exp.Expr:
        names: exp.Expr = exp.Literal.string("")
        for name in self.consents:
            text = exp.Case().when(self._is_blocked(name), exp.Literal.string(f"{name},"))
            names = exp.DPipe(this=names, expression=text.else_(exp.Literal.string("")))
        return exp.Nullif(this=names, expression=exp.Literal.string(""))

    def _is_blocked(self, name: str) -> exp.Expr:
        withheld = _consent(self.snapshot, name, "s", given=False)
        if self.rejects is not None:
            withheld = exp.or_(withheld, self._stays_blocked(name))
        return exp.and_(self._gives(name), withheld)

    def _gives(self, name: str) -> exp.Expr:
        found = exp.StrPosition(
            this=with_commas(self.delta.column("_batch_changed", "d")),
            substr=exp.Literal.string(f",{name},"),
        )
        changed = exp.GT(this=found, expression=exp.Literal.number(0))
        return exp.and_(changed, _consent(self.delta, name, "d", given=True))

    def _with_blocked(self, query: exp.Select, snapshot_join: str) -> exp.Select:
        """A query of the delta `d`, joined with what `_is_blocked` looks at."""
        key = self.delta.column("custom_id", "d")
        same = equals(self.snapshot.column("custom_id", "s"), key)
        query = query.join(self.snapshot.aliased("s"), on=same, join_type=snapshot_join)
        if self.rejects is None:
            return query
        flags = [
            exp.alias_(exp.Max(this=exp.Case().when(_is_attribute(name), exp.Literal.number(1))), name)
            for name in self.consents
        ]
        # A join, because Snowflake takes a subquery with `in` in a condition only.
        withheld = (
            exp.select(exp.column("custom_id"), *flags)
            .from_(self.rejects.copy())
            .where(
                equals(exp.column("sync"), value("sync")),
                equals(exp.column("reason"), exp.Literal.string(NEVER_RESUBSCRIBE)),
                is_null(exp.column("resolved_at")),
            )
            .group_by(exp.column("custom_id"))
            .subquery("withheld")
        )
        same = equals(exp.column("custom_id", "withheld"), key.copy())
        return query.join(withheld, on=same, join_type="left")

    def _stays_blocked(self, name: str) -> exp.Expr:
        """Whether it was blocked before and still is: the snapshot tells the sync's value then, not
        Batch's.
        """
        return exp.not_(is_null(exp.column(name, "withheld")))


def _is_attribute(name: str) -> exp.Expr:
    return equals(exp.column("attribute"), exp.Literal.string(name))


def _consent(relation: Relation, name: str, of: str, *, given: bool) -> exp.Expr:
    """Whether a subscription says yes, or no; null says neither. A boolean column that became one of Batch's
    words keeps its old values as texts.
    """
    kind = next(column.data_type for column in relation.columns if column.name.lower() == name)
    column = relation.column(name, of)
    if kind.lower().startswith("bool"):
        return equals(column, exp.Boolean(this=given))
    words = ("subscribed", "true") if given else ("unsubscribed", "false")
    return exp.In(this=column, expressions=[exp.Literal.string(word) for word in words])


def sendable(delta: Relation, of: str | None = None) -> exp.Expr:
    """All rows but the `invalid` ones."""
    return exp.NEQ(this=delta.column("_batch_change", of), expression=exp.Literal.string("invalid"))


def pending_only(query: exp.Select, delta: Relation, after: bool, of: str | None = None) -> exp.Select:
    """A query of the delta, held to the rows that are not committed: those behind `:after`."""
    query = query.where(sendable(delta, of))
    return (
        query.where(exp.GT(this=delta.column("custom_id", of), expression=value("after"))) if after else query
    )


def open_rows() -> exp.Expr:
    """Rejects of whole rows that still stand."""
    return exp.and_(
        equals(exp.column("sync"), value("sync")),
        is_null(exp.column("attribute")),
        is_null(exp.column("resolved_at")),
    )


def delta_identity(delta: Relation) -> exp.Select:
    """The ids, the mapping and the types that a delta was built with: one row, or none when it is empty."""
    names = ("_batch_delta_id", "_batch_mapping", "_batch_types")
    return exp.select(*(delta.column(name) for name in names)).from_(delta.table.copy()).limit(1)


def last_pending(delta: Relation, *, after: bool) -> exp.Select:
    """How many rows are pending, and the key of the last one."""
    key = delta.column("custom_id")
    return pending_only(
        exp.select(exp.Count(this=exp.Star()), exp.Max(this=key)).from_(delta.table.copy()), delta, after
    )
