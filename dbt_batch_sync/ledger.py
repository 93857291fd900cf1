"""What is written down: runs, rejects, and the commit of accepted rows to the snapshot.

Intent first, outcome after it, commit last. `intent_position` and `committed_position` count the rows of a
delta in the order of its keys, `invalid` ones left out: rows between the two may or may not be in Batch when
a run has died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import Stopped, WarehouseError
from dbt_batch_sync.sql import (
    NEVER_RESUBSCRIBE,
    REJECTS,
    RUNS,
    Relation,
    beside,
    committed_range,
    create_table,
    delta_identity,
    equals,
    insert_into,
    is_null,
    merge_rows,
    open_rows,
    replace_rows,
    value,
)
from dbt_batch_sync.warehouse import Load, Statement, Value, Warehouse


@dataclass(frozen=True)
class Run:
    """One push of one segment: a row of `batch_sync_runs`, whose columns are named like the fields.

    Times are UTC without a zone. `project_hash` tells Batch's projects apart and is no secret;
    `attribute_types` is the delta's `_batch_types`.
    """

    run_id: str
    segment: str
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    delta_id: str | None = None
    endpoint: str | None = None
    output: str | None = None
    project_hash: str | None = None
    mapping_hash: str | None = None
    attribute_types: str | None = None
    tool_version: str | None = None
    host: str | None = None
    process: int | None = None
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    sent: int = 0
    accepted: int = 0
    rejected_rows: int = 0
    rejected_attributes: int = 0
    parked: int = 0
    requests: int = 0
    retries: int = 0
    committed: int = 0
    seconds: float = 0.0
    intent_position: int | None = None
    committed_position: int | None = None
    committed_key: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Reject:
    """A refused attribute, or row (no attribute); `sent_hash` of a row is what parks it. Never a value."""

    custom_id: str
    attribute: str | None
    reason: str
    refused_by: str
    sent_hash: str | None = None
    attempts: int = 1


@dataclass(frozen=True)
class RejectCount:
    """How many rows (no attribute) or values of an attribute stand refused for one reason."""

    attribute: str | None
    reason: str
    refused_by: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    attempts: int


@dataclass(frozen=True)
class Resume:
    """Where the last commit of a delta ended."""

    position: int = 0
    key: str | None = None


_TYPES = {"str": "text", "int": "bigint", "float": "double", "datetime": "timestamp"}
RUN_COLUMNS = {f.name: _TYPES[str(f.type).split(" |", maxsplit=1)[0]] for f in fields(Run)}
REJECT_COLUMNS = {
    "segment": "text",
    "custom_id": "text",
    "attribute": "text",
    "reason": "text",
    "refused_by": "text",
    "first_seen_at": "timestamp",
    "last_seen_at": "timestamp",
    "attempts": "bigint",
    "run_id": "text",
    "sent_hash": "text",
    "resolved_at": "timestamp",
    "staged": "boolean",
}
_ARROW = {"text": pa.string(), "bigint": pa.int64(), "timestamp": pa.timestamp("us"), "boolean": pa.bool_()}


class Ledger:
    """The ledger of one segment: its tables stand beside its snapshot."""

    def __init__(self, warehouse: Warehouse, segment: str, snapshot: Relation, delta: Relation) -> None:
        self._warehouse = warehouse
        self._segment = segment
        self._snapshot = snapshot
        self._delta = delta
        self.runs = beside(snapshot.table, RUNS)
        self.rejects = beside(snapshot.table, REJECTS)

    def prepare(self) -> None:
        """Creates the tables where they are missing, and the columns that a newer version has added."""
        for table, columns in ((self.runs, RUN_COLUMNS), (self.rejects, REJECT_COLUMNS)):
            have = {column.name.lower() for column in self._warehouse.columns(table)}
            if not have:
                self._warehouse.execute([Statement(create_table(table, columns))])
            for name in columns.keys() - have if have else ():
                self._warehouse.execute([Statement(_add_column(table, name, columns[name]))])

    def exists(self) -> bool:
        """Whether anything was ever written beside this snapshot."""
        return all(self._warehouse.columns(table) for table in (self.rejects, self.runs))

    def resume(self, delta_id: str) -> Resume:
        """Where the next push of this delta goes on."""
        position, key = exp.column("committed_position"), exp.column("committed_key")
        query = (
            exp.select(position, key)
            .from_(self.runs.copy())
            .where(
                equals(exp.column("segment"), value("segment")),
                equals(exp.column("delta_id"), value("delta_id")),
            )
            .where(exp.not_(is_null(position.copy())), exp.not_(is_null(key.copy())))
            .order_by(exp.Ordered(this=position.copy(), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"segment": self._segment, "delta_id": delta_id}))
        return Resume(cast("int", rows[0][0]), cast("str", rows[0][1])) if rows else Resume()

    def has_open_intent(self, delta_id: str) -> bool:
        """Whether a push said that it would send more of this delta than was committed."""
        query = (
            exp.select(
                exp.Max(this=exp.column("intent_position")), exp.Max(this=exp.column("committed_position"))
            )
            .from_(self.runs.copy())
            .where(
                equals(exp.column("segment"), value("segment")),
                equals(exp.column("delta_id"), value("delta_id")),
            )
        )
        values: dict[str, Value] = {"segment": self._segment, "delta_id": delta_id}
        intent, committed = self._warehouse.fetch(Statement(query, values))[0]
        return intent is not None and int(str(intent)) > int(str(committed or 0))

    def last_project(self) -> str | None:
        """The hash of the Batch project that the snapshot describes; none before anything was sent."""
        query = (
            exp.select(exp.column("project_hash"))
            .from_(self.runs.copy())
            .where(equals(exp.column("segment"), value("segment")))
            .where(exp.GT(this=exp.column("intent_position"), expression=exp.Literal.number(0)))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"segment": self._segment}))
        return cast("str | None", rows[0][0]) if rows else None

    def last_types(self) -> tuple[str, str] | None:
        """The mapping's hash and the attributes' types of the last run that sent something; none before one
        did.
        """
        query = (
            exp.select(exp.column("mapping_hash"), exp.column("attribute_types"))
            .from_(self.runs.copy())
            .where(equals(exp.column("segment"), value("segment")))
            .where(exp.GT(this=exp.column("intent_position"), expression=exp.Literal.number(0)))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"segment": self._segment}))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def mark_dead(self, run_id: str) -> None:
        """Ends what runs of this segment left open: who has the lease knows that they are dead."""
        ended = {
            "status": exp.Literal.string("interrupted"),
            "finished_at": exp.column("heartbeat_at"),
            "error": exp.Literal.string("ended without a word: killed, or its machine went away"),
        }
        update = exp.Update(
            this=self.runs.copy(),
            expressions=[equals(exp.column(name), cell) for name, cell in ended.items()],
        ).where(
            equals(exp.column("segment"), value("segment")),
            equals(exp.column("status"), exp.Literal.string("running")),
            exp.NEQ(this=exp.column("run_id"), expression=value("run_id")),
        )
        self._warehouse.execute([Statement(update, {"segment": self._segment, "run_id": run_id})])

    def forget(self, before: datetime) -> None:
        """Removes the rejects that were resolved before a time."""
        resolved = exp.LT(this=exp.column("resolved_at"), expression=exp.cast(value("before"), "timestamp"))
        delete = exp.Delete(this=self.rejects.copy()).where(
            equals(exp.column("segment"), value("segment")), resolved
        )
        self._warehouse.execute([Statement(delete, {"segment": self._segment, "before": before})])

    def open_rejects(self) -> list[RejectCount]:
        """What stands refused, by attribute, reason and who refused it; the most frequent first."""
        if not self.exists():
            return []
        names = ("attribute", "reason", "refused_by")
        count = exp.Count(this=exp.Star())
        query = (
            exp.select(
                *(exp.column(name) for name in names),
                exp.alias_(count, "refused"),
                exp.Min(this=exp.column("first_seen_at")),
                exp.Max(this=exp.column("last_seen_at")),
                exp.Sum(this=exp.column("attempts")),
            )
            .from_(self.rejects.copy())
            .where(equals(exp.column("segment"), value("segment")), is_null(exp.column("resolved_at")))
            .group_by(*(exp.column(name) for name in names))
            .order_by(
                exp.Ordered(this=exp.column("refused"), desc=True), *(exp.column(name) for name in names)
            )
        )
        rows = self._warehouse.fetch(Statement(query, {"segment": self._segment}))
        return [_reject_count(row) for row in rows]

    def start(self, run: Run) -> None:
        """Writes the run's row."""
        names = [f.name for f in fields(Run)]
        row = exp.select(*(_typed(name, RUN_COLUMNS[name]) for name in names))
        target = [exp.to_identifier(name) for name in names]
        self._warehouse.execute([Statement(insert_into(self.runs, target, row), _values(run, names))])

    def record(self, run: Run) -> None:
        """Writes down what a run has come to, its intent among it: before what it intends is sent."""
        self._warehouse.execute([self._update(run)])

    def check_delta(self, delta_id: str | None) -> None:
        """Raises Stopped when the delta is no longer the one with this id: what is sent of the old one could
        not be told any more.
        """
        rows = self._warehouse.fetch(Statement(delta_identity(self._delta)))
        if not rows or rows[0][0] != delta_id:
            raise Stopped(
                f"{self._delta.table.name} was rebuilt while it was being pushed: what Batch accepted "
                "since the last checkpoint "
                "is in doubt and goes again. Run: dbt-batch-sync push"
            )

    def commit(
        self, run: Run, after: Resume, rejects: Sequence[Reject], now: datetime, *, open_rejects: bool
    ) -> None:
        """Makes the delta's rows behind `after` and up to the run's `committed_key` the snapshot's, but the
        refused ones.

        Repeating it changes nothing. Raises Stopped when the delta is no longer the one that was sent.
        """
        self.check_delta(run.delta_id)
        limits: dict[str, Value] = {
            "segment": self._segment,
            "delta_id": run.delta_id,
            "upto": run.committed_key,
        }
        if after.key is not None:
            limits["after"] = after.key
        written = {**limits, "now": now, "run_id": run.run_id}
        steps: list[Statement | Load] = []
        if rejects:
            steps += self._record_rejects(rejects, run.run_id, now)
        if open_rejects or rejects:
            resolved = self._resolve(after.key is not None)
            steps.append(Statement(resolved, written))
        complete = all(
            self._delta.has(c.name.lower()) or c.name.lower().startswith("_batch_")
            for c in self._snapshot.columns
        )
        build = replace_rows if complete and self._warehouse.transactions else merge_rows
        for tree in build(self._delta, self._snapshot, self.rejects, after=after.key is not None):
            steps.append(Statement(tree, _used(tree, written)))
        self._warehouse.execute([*steps, self._update(run)])

    def has_open_rejects(self) -> bool:
        """Whether anything of the segment stands refused."""
        query = (
            exp.select(exp.Literal.number(1))
            .from_(self.rejects.copy())
            .where(equals(exp.column("segment"), value("segment")), is_null(exp.column("resolved_at")))
            .limit(1)
        )
        return bool(self._warehouse.fetch(Statement(query, {"segment": self._segment})))

    def has_parked(self) -> bool:
        """Whether any row of the segment is parked, or a consent blocked."""
        blocked = equals(exp.column("reason"), exp.Literal.string(NEVER_RESUBSCRIBE))
        query = (
            exp.select(exp.Literal.number(1))
            .from_(self.rejects.copy())
            .where(equals(exp.column("segment"), value("segment")), is_null(exp.column("resolved_at")))
            .where(exp.or_(is_null(exp.column("attribute")), blocked))
            .limit(1)
        )
        return self.finds(query)

    def has_parked_rows(self) -> bool:
        """Whether a row of the delta stands refused, by this run or by one before it."""
        sendable = exp.NEQ(this=self._delta.column("_batch_change"), expression=exp.Literal.string("invalid"))
        queued = exp.select(self._delta.column("custom_id")).from_(self._delta.table.copy()).where(sendable)
        parked = exp.In(this=exp.column("custom_id"), query=queued.subquery())
        query = exp.select(exp.Literal.number(1)).from_(self.rejects.copy())
        return self.finds(query.where(open_rows(), parked).limit(1))

    def finds(self, query: exp.Select) -> bool:
        """Whether a query, whose only parameter can be the segment, has any row."""
        return bool(self._warehouse.fetch(Statement(query, _used(query, {"segment": self._segment}))))

    def recent_runs(self, limit: int) -> list[Run]:
        """The segment's last runs, the newest first; none before the first push."""
        if not self._warehouse.columns(self.runs):
            return []
        names = [f.name for f in fields(Run)]
        query = (
            exp.select(*(exp.column(name) for name in names))
            .from_(self.runs.copy())
            .where(equals(exp.column("segment"), value("segment")))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(limit)
        )
        rows = self._warehouse.fetch(Statement(query, {"segment": self._segment}))
        return [Run(**dict(zip(names, row, strict=True))) for row in rows]  # type: ignore[arg-type]

    def _update(self, run: Run) -> Statement:
        names = [f.name for f in fields(Run) if f.name not in ("run_id", "segment", "started_at")]
        update = exp.Update(
            this=self.runs.copy(),
            expressions=[
                equals(exp.column(name), _typed(name, RUN_COLUMNS[name], alias=False)) for name in names
            ],
        ).where(
            equals(exp.column("run_id"), value("run_id")), equals(exp.column("segment"), value("segment"))
        )
        return Statement(update, _values(run, [*names, "run_id", "segment"]))

    def _record_rejects(
        self, rejects: Sequence[Reject], run_id: str, now: datetime
    ) -> list[Statement | Load]:
        """One row per refused thing: appended as staged, merged with what stands there, and the stage
        cleared.
        """
        staged = equals(exp.column("staged"), exp.true())
        keys = ("segment", "custom_id", "attribute")
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
            this=exp.alias_(self.rejects.copy(), "o", table=True),
            using=exp.select("*").from_(self.rejects.copy()).where(staged.copy()).subquery("n"),
            on=same,
            whens=exp.Whens(
                expressions=[
                    exp.When(matched=True, then=exp.Update(expressions=updates)),
                    exp.When(matched=False, then=insert),
                ]
            ),
        )
        clear = exp.Delete(this=self.rejects.copy()).where(staged)
        return [
            Load(self.rejects, _reject_rows(rejects, self._segment, run_id, now)),
            Statement(merge),
            Statement(clear),
        ]

    def _resolve(self, after: bool) -> exp.Expr:
        """Closes what an earlier run was refused and this one was not, for the rows and attributes that it
        sent.
        """
        listed = exp.DPipe(
            this=exp.DPipe(
                this=exp.Literal.string(","), expression=self._delta.column("_batch_changed", "d")
            ),
            expression=exp.Literal.string(","),
        )
        name = exp.DPipe(
            this=exp.DPipe(
                this=exp.Literal.string(","), expression=exp.column("attribute", self.rejects.name)
            ),
            expression=exp.Literal.string(","),
        )
        sent = (
            exp.select(exp.Literal.number(1))
            .from_(self._delta.aliased("d"))
            .where(committed_range(self._delta, after=after, of="d"))
            .where(equals(self._delta.column("custom_id", "d"), exp.column("custom_id", self.rejects.name)))
            .where(
                exp.or_(
                    is_null(exp.column("attribute", self.rejects.name)),
                    exp.GT(this=exp.StrPosition(this=listed, substr=name), expression=exp.Literal.number(0)),
                )
            )
        )
        return exp.Update(
            this=self.rejects.copy(),
            expressions=[equals(exp.column("resolved_at"), exp.cast(value("now"), "timestamp"))],
        ).where(
            equals(exp.column("segment"), value("segment")),
            is_null(exp.column("resolved_at")),
            exp.NEQ(this=exp.column("run_id"), expression=value("run_id")),
            exp.Exists(this=sent),
        )


def _add_column(table: exp.Table, name: str, kind: str) -> exp.Expr:
    definition = exp.ColumnDef(this=exp.to_identifier(name), kind=exp.DataType.build(kind))
    return exp.Alter(this=table.copy(), kind="TABLE", actions=[definition])


def _reject_count(row: tuple[Value, ...]) -> RejectCount:
    attribute, reason, refused_by, count, first, last, attempts = row
    moments = cast("tuple[datetime, datetime]", (first, last))
    name = None if attribute is None else str(attribute)
    return RejectCount(name, str(reason), str(refused_by), int(str(count)), *moments, int(str(attempts)))


def _typed(name: str, kind: str, *, alias: bool = True) -> exp.Expr:
    cast_ = exp.cast(value(name), kind)
    return exp.alias_(cast_, name) if alias else cast_


def _or_empty(name: str, table: str) -> exp.Expr:
    return exp.Coalesce(this=exp.column(name, table), expressions=[exp.Literal.string("")])


def _values(run: Run, names: Iterable[str]) -> dict[str, Value]:
    return {name: cast("Value", getattr(run, name)) for name in names}


def _used(tree: exp.Expr, values: dict[str, Value]) -> dict[str, Value]:
    """Only the values that a statement has placeholders for: drivers refuse others."""
    names = {str(placeholder.this) for placeholder in tree.find_all(exp.Placeholder)}
    missing = names - values.keys()
    if missing:
        raise WarehouseError(f"a statement lacks the values of {', '.join(sorted(missing))}")
    return {name: values[name] for name in names}


def _reject_rows(rejects: Sequence[Reject], segment: str, run_id: str, now: datetime) -> pa.Table:
    """The staged rows, one per thing."""
    single = {(r.custom_id, r.attribute): r for r in rejects}.values()
    columns: dict[str, list[Value]] = {
        "segment": [segment] * len(single),
        "custom_id": [r.custom_id for r in single],
        "attribute": [r.attribute for r in single],
        "reason": [r.reason for r in single],
        "refused_by": [r.refused_by for r in single],
        "first_seen_at": [now] * len(single),
        "last_seen_at": [now] * len(single),
        "attempts": [r.attempts for r in single],
        "run_id": [run_id] * len(single),
        "sent_hash": [r.sent_hash for r in single],
        "resolved_at": [None] * len(single),
        "staged": [True] * len(single),
    }
    return pa.table({name: pa.array(items, _ARROW[REJECT_COLUMNS[name]]) for name, items in columns.items()})
