"""What is written down: runs, rejects, and the commit of accepted rows to the snapshot.

Intent first, outcome after it, commit last. `intent_position` and `committed_position` count the rows of a
delta in the order of its keys, `invalid` ones left out: rows between the two may or may not be in Batch when
a run has died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import cast

from sqlglot import exp

from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.ledger.records import REJECT_COLUMNS, RUN_COLUMNS, RUNS, Reject, Resume, Run
from dbt_batch_sync.ledger.rejects import Rejects
from dbt_batch_sync.sql.commit import merge_rows, refused_rows, replace_rows
from dbt_batch_sync.sql.pending import delta_identity
from dbt_batch_sync.sql.relations import Relation, beside, create_table, equals, insert_into, is_null, value
from dbt_batch_sync.warehouse import Load, Statement, Value, Warehouse


class Ledger:
    """The ledger of one sync: its tables stand beside its snapshot."""

    def __init__(self, warehouse: Warehouse, sync: str, snapshot: Relation, delta: Relation) -> None:
        self._warehouse = warehouse
        self._sync = sync
        self._snapshot = snapshot
        self._delta = delta
        self.runs = beside(snapshot.table, RUNS)
        self.rejects = Rejects(warehouse, sync, snapshot, delta)

    def prepare(self) -> None:
        """Creates the tables where they are missing, and the columns that a newer version has added."""
        for table, columns in ((self.runs, RUN_COLUMNS), (self.rejects.table, REJECT_COLUMNS)):
            have = {column.name.lower() for column in self._warehouse.columns(table)}
            if not have:
                self._warehouse.execute([Statement(create_table(table, columns))])
            for name in columns.keys() - have if have else ():
                self._warehouse.execute([Statement(_add_column(table, name, columns[name]))])

    def exists(self) -> bool:
        """Whether anything was ever written beside this snapshot."""
        return all(self._warehouse.columns(table) for table in (self.rejects.table, self.runs))

    def resume(self, delta_id: str) -> Resume:
        """Where the next push of this delta goes on."""
        position, key = exp.column("committed_position"), exp.column("committed_key")
        query = (
            exp.select(position, key)
            .from_(self.runs.copy())
            .where(
                equals(exp.column("sync"), value("sync")),
                equals(exp.column("delta_id"), value("delta_id")),
            )
            .where(exp.not_(is_null(position.copy())), exp.not_(is_null(key.copy())))
            .order_by(exp.Ordered(this=position.copy(), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"sync": self._sync, "delta_id": delta_id}))
        return Resume(cast("int", rows[0][0]), cast("str", rows[0][1])) if rows else Resume()

    def has_open_intent(self, delta_id: str) -> bool:
        """Whether a push said that it would send more of this delta than was committed."""
        query = (
            exp.select(
                exp.Max(this=exp.column("intent_position")), exp.Max(this=exp.column("committed_position"))
            )
            .from_(self.runs.copy())
            .where(
                equals(exp.column("sync"), value("sync")),
                equals(exp.column("delta_id"), value("delta_id")),
            )
        )
        values: dict[str, Value] = {"sync": self._sync, "delta_id": delta_id}
        intent, committed = self._warehouse.fetch(Statement(query, values))[0]
        return intent is not None and int(str(intent)) > int(str(committed or 0))

    def last_project(self) -> str | None:
        """The hash of the Batch project that the snapshot describes; none before anything was sent."""
        query = (
            exp.select(exp.column("project_hash"))
            .from_(self.runs.copy())
            .where(equals(exp.column("sync"), value("sync")))
            .where(exp.GT(this=exp.column("intent_position"), expression=exp.Literal.number(0)))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"sync": self._sync}))
        return cast("str | None", rows[0][0]) if rows else None

    def last_types(self) -> tuple[str, str] | None:
        """The mapping's hash and the attributes' types of the last run that sent something; none before one
        did.
        """
        query = (
            exp.select(exp.column("mapping_hash"), exp.column("attribute_types"))
            .from_(self.runs.copy())
            .where(equals(exp.column("sync"), value("sync")))
            .where(exp.GT(this=exp.column("intent_position"), expression=exp.Literal.number(0)))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(1)
        )
        rows = self._warehouse.fetch(Statement(query, {"sync": self._sync}))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def mark_dead(self, run_id: str) -> None:
        """Ends what runs of this sync left open: who has the lease knows that they are dead."""
        ended = {
            "status": exp.Literal.string("interrupted"),
            "finished_at": exp.column("heartbeat_at"),
            "error": exp.Literal.string("ended without a word: killed, or its machine went away"),
        }
        update = exp.Update(
            this=self.runs.copy(),
            expressions=[equals(exp.column(name), cell) for name, cell in ended.items()],
        ).where(
            equals(exp.column("sync"), value("sync")),
            equals(exp.column("status"), exp.Literal.string("running")),
            exp.NEQ(this=exp.column("run_id"), expression=value("run_id")),
        )
        self._warehouse.execute([Statement(update, {"sync": self._sync, "run_id": run_id})])

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
        self,
        run: Run,
        after: Resume,
        rejects: Sequence[Reject],
        now: datetime,
        *,
        open_rejects: bool,
        split_rows: bool = False,
    ) -> None:
        """Makes the delta's rows behind `after` and up to the run's `committed_key` the snapshot's, but the
        refused ones: these are in doubt where rows can have several operations (`split_rows`).

        Repeating it changes nothing. Raises Stopped when the delta is no longer the one that was sent.
        """
        self.check_delta(run.delta_id)
        limits: dict[str, Value] = {
            "sync": self._sync,
            "delta_id": run.delta_id,
            "upto": run.committed_key,
        }
        if after.key is not None:
            limits["after"] = after.key
        written = {**limits, "now": now, "run_id": run.run_id}
        steps: list[Statement | Load] = []
        if rejects:
            steps += self.rejects.recorded(rejects, run.run_id, now)
        if open_rejects or rejects:
            resolved = self.rejects.resolving(after.key is not None)
            steps.append(Statement(resolved, written))
        if split_rows and any(reject.attribute is None for reject in rejects):
            doubted = refused_rows(
                self._delta, self._snapshot, self.rejects.table, after=after.key is not None
            )
            steps.append(Statement.of(doubted, written))
        complete = all(
            self._delta.has(c.name.lower()) or c.name.lower().startswith("_batch_")
            for c in self._snapshot.columns
        )
        tables, behind = (self._delta, self._snapshot, self.rejects.table), after.key is not None
        if complete and self._warehouse.transactions:
            trees = replace_rows(*tables, after=behind)
        else:
            trees = merge_rows(*tables, after=behind, ranged=not self._warehouse.transactions)
        steps += [Statement.of(tree, written) for tree in trees]
        self._warehouse.execute([*steps, self._update(run)])

    def recent_runs(self, limit: int) -> list[Run]:
        """The sync's last runs, the newest first; none before the first push."""
        have = {column.name.lower() for column in self._warehouse.columns(self.runs)}
        names = [f.name for f in fields(Run) if f.name in have]
        if not names:
            return []
        query = (
            exp.select(*(exp.column(name) for name in names))
            .from_(self.runs.copy())
            .where(equals(exp.column("sync"), value("sync")))
            .order_by(exp.Ordered(this=exp.column("started_at"), desc=True))
            .limit(limit)
        )
        rows = self._warehouse.fetch(Statement(query, {"sync": self._sync}))
        known = ({n: cell for n, cell in zip(names, row, strict=True) if cell is not None} for row in rows)
        return [Run(**cells) for cells in known]  # type: ignore[arg-type]

    def _update(self, run: Run) -> Statement:
        names = [f.name for f in fields(Run) if f.name not in ("run_id", "sync", "started_at")]
        update = exp.Update(
            this=self.runs.copy(),
            expressions=[
                equals(exp.column(name), _typed(name, RUN_COLUMNS[name], alias=False)) for name in names
            ],
        ).where(equals(exp.column("run_id"), value("run_id")), equals(exp.column("sync"), value("sync")))
        return Statement(update, _values(run, [*names, "run_id", "sync"]))


def _add_column(table: exp.Table, name: str, kind: str) -> exp.Expr:
    definition = exp.ColumnDef(this=exp.to_identifier(name), kind=exp.DataType.build(kind))
    return exp.Alter(this=table.copy(), kind="TABLE", actions=[definition])


def _typed(name: str, kind: str, *, alias: bool = True) -> exp.Expr:
    cast_ = exp.cast(value(name), kind)
    return exp.alias_(cast_, name) if alias else cast_


def _values(run: Run, names: Iterable[str]) -> dict[str, Value]:
    return {name: cast("Value", getattr(run, name)) for name in names}
