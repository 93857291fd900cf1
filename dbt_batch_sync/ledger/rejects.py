"""What stands refused: rows and attributes, why, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.ledger.records import ARROW_TYPES, REJECT_COLUMNS, REJECTS, Reject, RejectCount
from dbt_batch_sync.sql.commit import committed_range
from dbt_batch_sync.sql.pending import NEVER_RESUBSCRIBE, open_rows, sendable
from dbt_batch_sync.sql.relations import Relation, beside, count_of, equals, is_null, value, with_commas
from dbt_batch_sync.warehouse import Load, Statement, Value, Warehouse


class Rejects:
    """The rejects of one sync, in `batch_sync_rejects`."""

    def __init__(self, warehouse: Warehouse, sync: str, snapshot: Relation, delta: Relation) -> None:
        self._warehouse = warehouse
        self._sync = sync
        self._delta = delta
        self.table = beside(snapshot.table, REJECTS)

    def standing(self) -> list[RejectCount]:
        """What stands refused, by attribute, reason and who refused it; the most frequent first."""
        if not self._warehouse.columns(self.table):
            return []
        names = ("attribute", "reason", "rejected_by")
        count = exp.Count(this=exp.Star())
        query = (
            exp.select(
                *(exp.column(name) for name in names),
                exp.alias_(count, "refused"),
                exp.Min(this=exp.column("first_seen_at")),
                exp.Max(this=exp.column("last_seen_at")),
                exp.Sum(this=exp.column("attempts")),
            )
            .from_(self.table.copy())
            .where(equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at")))
            .group_by(*(exp.column(name) for name in names))
            .order_by(
                exp.Ordered(this=exp.column("refused"), desc=True), *(exp.column(name) for name in names)
            )
        )
        rows = self._warehouse.fetch(Statement(query, {"sync": self._sync}))
        return [_reject_count(row) for row in rows]

    def any(self) -> bool:
        """Whether anything of the sync stands refused."""
        query = (
            exp.select(exp.Literal.number(1))
            .from_(self.table.copy())
            .where(equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at")))
            .limit(1)
        )
        return self.finds(query)

    def any_held_back(self) -> bool:
        """Whether any row of the sync is parked, or a consent blocked."""
        blocked = equals(exp.column("reason"), exp.Literal.string(NEVER_RESUBSCRIBE))
        query = (
            exp.select(exp.Literal.number(1))
            .from_(self.table.copy())
            .where(equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at")))
            .where(exp.or_(is_null(exp.column("attribute")), blocked))
            .limit(1)
        )
        return self.finds(query)

    def any_parked_in_delta(self) -> bool:
        """Whether a row of the delta stands refused, by this run or by one before it."""
        rows = exp.select(self._delta.column("custom_id")).from_(self._delta.table.copy())
        queued = rows.where(sendable(self._delta))
        parked = exp.In(this=exp.column("custom_id"), query=queued.subquery())
        query = exp.select(exp.Literal.number(1)).from_(self.table.copy())
        return self.finds(query.where(open_rows(), parked).limit(1))

    def finds(self, query: exp.Select) -> bool:
        """Whether a query, whose only parameter can be the sync, has any row."""
        return bool(self._warehouse.fetch(Statement.of(query, {"sync": self._sync})))

    def tidy(self, now: datetime, before: datetime) -> None:
        """Resolves the rows that stand refused and that the delta does not have any more: Batch holds what
        the sync says again. Removes what was resolved before a time.
        """
        expired = exp.LT(this=exp.column("resolved_at"), expression=exp.cast(value("before"), "timestamp"))
        query = exp.select(count_of(expired), count_of(open_rows())).from_(self.table.copy())
        own = equals(exp.column("sync"), value("sync"))
        values: dict[str, Value] = {"sync": self._sync, "before": before, "now": now}
        old, parked = self._warehouse.fetch(Statement.of(query.where(own), values))[0]
        if parked:
            queued = (
                exp.select(exp.Literal.number(1))
                .from_(self._delta.aliased("d"))
                .where(equals(self._delta.column("custom_id", "d"), exp.column("custom_id", self.table.name)))
            )
            resolved = equals(exp.column("resolved_at"), exp.cast(value("now"), "timestamp"))
            settle = exp.Update(this=self.table.copy(), expressions=[resolved])
            settle = settle.where(open_rows(), exp.not_(exp.Exists(this=queued)))
            self._warehouse.execute([Statement.of(settle, values)])
        if old:
            delete = exp.Delete(this=self.table.copy()).where(own.copy(), expired.copy())
            self._warehouse.execute([Statement.of(delete, values)])

    def recorded(self, rejects: Sequence[Reject], run_id: str, now: datetime) -> list[Statement | Load]:
        """One row per refused thing: appended as staged, merged with what stands there, and the stage
        cleared.
        """
        staged = equals(exp.column("staged"), exp.true())
        keys = ("sync", "custom_id", "attribute")
        same = exp.and_(
            *(equals(exp.column(k, "o"), exp.column(k, "n")) for k in keys[:2]),
            equals(_or_empty("attribute", "o"), _or_empty("attribute", "n")),
            equals(exp.column("staged", "o"), exp.false()),
        )
        kept = ("first_seen_at", "attempts", "staged", "reason", *keys)
        updates = [equals(exp.column(c), exp.column(c, "n")) for c in REJECT_COLUMNS if c not in kept]
        attempts = exp.Add(this=exp.column("attempts", "o"), expression=exp.column("attempts", "n"))
        updates.append(equals(exp.column("attempts"), attempts))
        # A row that was only skipped was not refused anew: why it was refused stays.
        skipped = equals(exp.column("attempts", "n"), exp.Literal.number(0))
        reason = exp.Case().when(skipped, exp.column("reason", "o")).else_(exp.column("reason", "n"))
        updates.append(equals(exp.column("reason"), reason))
        inserted = [exp.false() if c == "staged" else exp.column(c, "n") for c in REJECT_COLUMNS]
        insert = exp.Insert(
            this=exp.Tuple(expressions=[exp.column(c) for c in REJECT_COLUMNS]),
            expression=exp.Tuple(expressions=inserted),
        )
        merge = exp.Merge(
            this=exp.alias_(self.table.copy(), "o", table=True),
            using=exp.select("*").from_(self.table.copy()).where(staged.copy()).subquery("n"),
            on=same,
            whens=exp.Whens(
                expressions=[
                    exp.When(matched=True, then=exp.Update(expressions=updates)),
                    exp.When(matched=False, then=insert),
                ]
            ),
        )
        clear = exp.Delete(this=self.table.copy()).where(staged)
        return [
            Load(self.table, _reject_rows(rejects, self._sync, run_id, now)),
            Statement(merge),
            Statement(clear),
        ]

    def resolving(self, after: bool) -> exp.Expr:
        """Closes what an earlier run was refused and this one was not, for the rows and attributes that it
        sent.
        """
        listed = with_commas(self._delta.column("_batch_changed", "d"))
        place = exp.StrPosition(this=listed, substr=with_commas(exp.column("attribute", "r")))
        keys = ("custom_id", "attribute")
        # A merge, because Snowflake takes no `exists` whose condition computes with columns of both sides.
        sent = (
            exp.select(*(exp.alias_(exp.column(key, "r"), key) for key in keys))
            .distinct()
            .from_(exp.alias_(self.table.copy(), "r", table=True))
            .join(
                self._delta.aliased("d"),
                on=equals(self._delta.column("custom_id", "d"), exp.column("custom_id", "r")),
            )
            .where(committed_range(self._delta, after=after, of="d"), *self._of_others("r"))
            .where(
                exp.or_(
                    is_null(exp.column("attribute", "r")),
                    exp.GT(this=place, expression=exp.Literal.number(0)),
                )
            )
        )
        resolved = equals(exp.column("resolved_at"), exp.cast(value("now"), "timestamp"))
        return exp.Merge(
            this=exp.alias_(self.table.copy(), "o", table=True),
            using=sent.subquery("n"),
            on=exp.and_(
                equals(exp.column("custom_id", "o"), exp.column("custom_id", "n")),
                equals(_or_empty("attribute", "o"), _or_empty("attribute", "n")),
                *self._of_others("o"),
            ),
            whens=exp.Whens(expressions=[exp.When(matched=True, then=exp.Update(expressions=[resolved]))]),
        )

    def _of_others(self, alias: str) -> tuple[exp.Expr, ...]:
        """What stands refused in the sync, and not by this run."""
        return (
            equals(exp.column("sync", alias), value("sync")),
            is_null(exp.column("resolved_at", alias)),
            exp.NEQ(this=exp.column("run_id", alias), expression=value("run_id")),
        )

    def _open(self) -> tuple[exp.Expr, exp.Expr]:
        return equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at"))


def _reject_count(row: tuple[Value, ...]) -> RejectCount:
    attribute, reason, rejected_by, count, first, last, attempts = row
    moments = cast("tuple[datetime, datetime]", (first, last))
    name = None if attribute is None else str(attribute)
    return RejectCount(name, str(reason), str(rejected_by), int(str(count)), *moments, int(str(attempts)))


def _or_empty(name: str, table: str) -> exp.Expr:
    return exp.Coalesce(this=exp.column(name, table), expressions=[exp.Literal.string("")])


def _reject_rows(rejects: Sequence[Reject], sync: str, run_id: str, now: datetime) -> pa.Table:
    """The staged rows, one per thing."""
    single = {(r.custom_id, r.attribute): r for r in rejects}.values()
    columns: dict[str, list[Value]] = {
        "sync": [sync] * len(single),
        "custom_id": [r.custom_id for r in single],
        "attribute": [r.attribute for r in single],
        "reason": [r.reason for r in single],
        "rejected_by": [r.rejected_by for r in single],
        "first_seen_at": [now] * len(single),
        "last_seen_at": [now] * len(single),
        "attempts": [r.attempts for r in single],
        "run_id": [run_id] * len(single),
        "sent_hash": [r.sent_hash for r in single],
        "resolved_at": [None] * len(single),
        "staged": [True] * len(single),
    }
    return pa.table(
        {name: pa.array(items, ARROW_TYPES[REJECT_COLUMNS[name]]) for name, items in columns.items()}
    )
