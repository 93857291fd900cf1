"""The runner's statements, as sqlglot trees: what is read from a delta, and how accepted rows become the
snapshot's.

A value is always a named placeholder; an identifier of the user's is always quoted, with the name that the
warehouse reports. The ledger's own tables are this project's, so their plain lower-case names are left to the
warehouse's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from dbt_batch_sync.warehouse import Column

RUNS = "batch_sync_runs"
REJECTS = "batch_sync_rejects"


@dataclass(frozen=True)
class Relation:
    """A table of the user's project, and its columns' real names by their lower-case ones."""

    table: exp.Table
    columns: tuple[Column, ...]

    def has(self, name: str) -> bool:
        """Whether there is such a column, whatever its case."""
        return any(column.name.lower() == name for column in self.columns)

    def name(self, name: str) -> str:
        """The name that the warehouse reports for a column."""
        return next(column.name for column in self.columns if column.name.lower() == name)

    def column(self, name: str, of: str | None = None) -> exp.Column:
        """A column as an expression, of an alias if one is given."""
        return exp.column(exp.to_identifier(self.name(name), quoted=True), table=of)

    def aliased(self, alias: str) -> exp.Expr:
        """The table under an alias."""
        return exp.alias_(self.table.copy(), alias, table=True)


def parse_table(relation_name: str, dialect: str) -> exp.Table:
    """A relation as dbt rendered it, quotes and all."""
    return exp.to_table(relation_name, dialect=dialect)


def beside(table: exp.Table, name: str) -> exp.Table:
    """A table of this project in the same database and schema."""
    parts = {key: table.args[key].copy() for key in ("db", "catalog") if table.args.get(key) is not None}
    return exp.Table(this=exp.to_identifier(name), **parts)


def value(name: str) -> exp.Expr:
    """A named placeholder."""
    return exp.Placeholder(this=name)


def equals(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """`left = right`."""
    return exp.EQ(this=left, expression=right)


def is_null(operand: exp.Expr) -> exp.Expr:
    """`operand is null`."""
    return exp.Is(this=operand, expression=exp.null())


def delta_identity(delta: Relation) -> exp.Select:
    """The ids, the mapping and the types that a delta was built with: one row, or none when it is empty."""
    names = ("_batch_delta_id", "_batch_mapping", "_batch_types")
    return exp.select(*(delta.column(name) for name in names)).from_(delta.table.copy()).limit(1)


def delta_counts(delta: Relation, after: bool) -> exp.Select:
    """Rows by change, of what is not committed: those behind `:after`, and the invalid ones."""
    query = exp.select(delta.column("_batch_change"), exp.Count(this=exp.Star())).from_(delta.table.copy())
    if after:
        invalid = equals(delta.column("_batch_change"), exp.Literal.string("invalid"))
        query = query.where(
            exp.or_(invalid, exp.GT(this=delta.column("custom_id"), expression=value("after")))
        )
    return query.group_by(delta.column("_batch_change"))


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
            same = equals(self.snapshot.column("custom_id", "s"), key.copy())
            query = query.join(self.snapshot.aliased("s"), on=same, join_type="left")
        query = query.where(_sendable(delta, "d")).order_by(key.copy())
        if after:
            query = query.where(exp.GT(this=key.copy(), expression=value("after")))
        return query.limit(limit) if limit is not None else query

    def any_blocked(self) -> exp.Select:
        """A row if there is any consent that must not be sent."""
        same = equals(self.snapshot.column("custom_id", "s"), self.delta.column("custom_id", "d"))
        found = exp.select(exp.Literal.number(1)).from_(self.delta.aliased("d"))
        joined = found.join(self.snapshot.aliased("s"), on=same)
        return joined.where(exp.or_(*(self._is_blocked(name) for name in self.consents))).limit(1)

    def _parked(self) -> exp.Expr:
        return exp.column("sent_hash", "parked") if self.rejects is not None else exp.cast(exp.null(), "text")

    def _changed(self) -> exp.Expr:
        """The names to send, without the blocked ones."""
        changed: exp.Expr = self.delta.column("_batch_changed", "d")
        if not self.consents:
            return changed
        listed = _with_commas(changed)
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
        found = exp.StrPosition(
            this=_with_commas(self.delta.column("_batch_changed", "d")),
            substr=exp.Literal.string(f",{name},"),
        )
        withheld = _consent(self.snapshot, name, "s", given=False)
        if self.rejects is not None:
            withheld = exp.or_(withheld, self._stays_blocked(name))
        return exp.and_(
            exp.GT(this=found, expression=exp.Literal.number(0)),
            withheld,
            _consent(self.delta, name, "d", given=True),
        )

    def _stays_blocked(self, name: str) -> exp.Expr:
        """Whether it was blocked before and still is: the snapshot tells the segment's value then, not
        Batch's.
        """
        assert self.rejects is not None
        blocked = (
            exp.select(exp.column("custom_id"))
            .from_(self.rejects.copy())
            .where(
                equals(exp.column("segment"), value("segment")),
                equals(exp.column("attribute"), exp.Literal.string(name)),
                equals(exp.column("reason"), exp.Literal.string(NEVER_RESUBSCRIBE)),
                is_null(exp.column("resolved_at")),
            )
        )
        return exp.In(this=self.delta.column("custom_id", "d"), query=blocked.subquery())


NEVER_RESUBSCRIBE = "never_resubscribe"
"""The reason of a blocked consent."""

BLOCKED = "_batch_blocked"
"""The stream's column of consents that are not sent: their names, each with a comma, or null."""


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


def _sendable(delta: Relation, of: str | None = None) -> exp.Expr:
    return exp.NEQ(this=delta.column("_batch_change", of), expression=exp.Literal.string("invalid"))


def open_rows() -> exp.Expr:
    """Rejects of whole rows that still stand."""
    return exp.and_(
        equals(exp.column("segment"), value("segment")),
        is_null(exp.column("attribute")),
        is_null(exp.column("resolved_at")),
    )


def committed_range(delta: Relation, *, after: bool, of: str | None = None) -> exp.Expr:
    """The rows of this delta behind `:after` and up to `:upto`."""
    key = delta.column("custom_id", of)
    conditions = [
        _sendable(delta, of),
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
    delta: Relation, snapshot: Relation, rejects: exp.Table, *, after: bool
) -> tuple[exp.Expr, ...]:
    """The commit as one statement, which leaves the columns of removed attributes as they are."""
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
    return (
        exp.Merge(
            this=snapshot.aliased("s"),
            using=rows,
            on=equals(exp.column(quoted.copy(), "s"), exp.column(quoted.copy(), "d")),
            whens=exp.Whens(
                expressions=[
                    exp.When(matched=True, then=exp.Update(expressions=updates)),
                    exp.When(matched=False, then=inserts),
                ]
            ),
        ),
    )


def insert_into(table: exp.Table, columns: Iterable[exp.Identifier], rows: exp.Select) -> exp.Expr:
    """`insert into table (columns) select …`."""
    return exp.Insert(this=exp.Schema(this=table.copy(), expressions=list(columns)), expression=rows)


def _insert(relation: Relation, names: Iterable[str], rows: exp.Select) -> exp.Expr:
    return insert_into(
        relation.table, [exp.to_identifier(relation.name(name), quoted=True) for name in names], rows
    )


def _timestamp(name: str) -> exp.Expr:
    return exp.cast(value(name), "timestamp")


def attribute_counts(delta: Relation, names: Sequence[str], *, after: bool) -> exp.Select:
    """How many pending rows have an operation, and how many send each attribute, in the order of `names`."""
    changed = delta.column("_batch_changed")
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    listed = _with_commas(changed)
    sums = [
        exp.Sum(
            this=exp.Case()
            .when(exp.NEQ(this=changed.copy(), expression=exp.Literal.string("")), one.copy())
            .else_(zero.copy())
        )
    ]
    for name in names:
        found = exp.StrPosition(this=listed.copy(), substr=exp.Literal.string(f",{name},"))
        sums.append(
            exp.Sum(
                this=exp.Case()
                .when(exp.GT(this=found, expression=zero.copy()), one.copy())
                .else_(zero.copy())
            )
        )
    return _pending_only(exp.select(*sums).from_(delta.table.copy()), delta, after)


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
    ordered = _pending_only(query, delta, after, "d").order_by(
        updates_first.else_(exp.Literal.number(1)), delta.column("custom_id", "d")
    )
    return ordered.limit(limit)


def _pending_only(query: exp.Select, delta: Relation, after: bool, of: str | None = None) -> exp.Select:
    query = query.where(_sendable(delta, of))
    return (
        query.where(exp.GT(this=delta.column("custom_id", of), expression=value("after"))) if after else query
    )


def _with_commas(names: exp.Expr) -> exp.Expr:
    comma = exp.Literal.string(",")
    return exp.DPipe(this=exp.DPipe(this=comma, expression=names), expression=comma.copy())


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


def create_table(table: exp.Table, columns: Mapping[str, str]) -> exp.Expr:
    """`create table if not exists`, with sqlglot's names of types."""
    definitions = [
        exp.ColumnDef(this=exp.to_identifier(name), kind=exp.DataType.build(kind))
        for name, kind in columns.items()
    ]
    return exp.Create(this=exp.Schema(this=table.copy(), expressions=definitions), kind="TABLE", exists=True)


def insert_row(table: exp.Table, columns: Mapping[str, str]) -> exp.Expr:
    """One row, whose values are the placeholders of the columns' names."""
    row = exp.select(*(exp.alias_(exp.cast(value(name), kind), name) for name, kind in columns.items()))
    return insert_into(table, [exp.to_identifier(name) for name in columns], row)


def last_pending(delta: Relation, *, after: bool) -> exp.Select:
    """How many rows are pending, and the key of the last one."""
    key = delta.column("custom_id")
    return _pending_only(
        exp.select(exp.Count(this=exp.Star()), exp.Max(this=key)).from_(delta.table.copy()), delta, after
    )
