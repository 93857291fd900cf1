"""Every statement that the runner makes, in every dialect, as recorded in `sql/<dialect>/<statement>.sql`.

`RENEW_GOLDEN=1` writes the files anew; look at their difference before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import cast

import duckdb
import pytest
import sqlglot
from dbt_batch_sync.ledger.lease import LEASES, Lease
from dbt_batch_sync.ledger.ledger import Ledger
from dbt_batch_sync.push.requeue import requeue_all, requeue_rejected
from dbt_batch_sync.sql.pending import Pending, delta_identity, last_pending
from dbt_batch_sync.warehouse.redshift_sql import for_redshift
from dbt_batch_sync.warehouse.spark_sql import for_spark
from sqlglot import exp

from dbt_batch_sync.artifacts.manifest import Model
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.ledger.records import RUNS, Reject, Resume, Run
from dbt_batch_sync.mapping.mapping import Location
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.counts import (
    again_counts,
    any_rows,
    attribute_counts,
    delta_counts,
    known_counts,
    ledger_states,
    reason_counts,
    reject_states,
    samples,
    sent_by,
)
from dbt_batch_sync.push.guards import read_figures
from dbt_batch_sync.push.lookup import rejects_of, row_of
from dbt_batch_sync.push.work import CONSENTS, Counts, Work
from dbt_batch_sync.warehouse import Column, Load, Statement, Value
from dbt_batch_sync.warehouse.port import Rows
from dbt_batch_sync.warehouse.relations import Relation, beside, parse_table

DIALECTS = ("duckdb", "postgres", "snowflake", "bigquery", "redshift", "databricks", "spark")
GOLDEN = Path(__file__).parent / "sql"
RENEW = bool(os.environ.get("RENEW_GOLDEN"))
NOW = datetime(2024, 5, 6, 7, 8, 9)

TYPES = "batch__email_marketing:string,batch__sms_marketing:string,tags:string_array,points:integer"
MAPPING = {
    "identifier": "id",
    "standard": {"email_marketing": "optin", "sms_marketing": "sms"},
    "custom": ["tags", {"column": "points", "on_null": "keep"}],
}
# One subscription is a boolean and one is words; a name in upper case, and one that needs its quotes.
ATTRIBUTES = (
    Column("batch__email_marketing", "BOOLEAN"),
    Column("BATCH__SMS_MARKETING", "VARCHAR"),
    Column("tags", "VARCHAR[]"),
    Column("points", "BIGINT"),
)
DELTA = (
    Column("custom_id", "VARCHAR"),
    *(
        Column(f"_batch_{name}", "VARCHAR")
        for name in ("change", "changed", "reason", "delta_id", "mapping", "types", "doubt")
    ),
    *ATTRIBUTES,
)
SNAPSHOT = (
    Column("custom_id", "VARCHAR"),
    *ATTRIBUTES,
    Column("_batch_sent_at", "TIMESTAMP"),
    Column("_batch_run_id", "VARCHAR"),
    Column("_batch_delta_id", "VARCHAR"),
    Column("_batch_exited_at", "TIMESTAMP"),
    Column("_batch_doubt", "VARCHAR"),
)
REMOVED = Column("removed", "VARCHAR")
"""An attribute that the snapshot still has and the mapping no longer."""

DELTA_TABLE = parse_table('"my-db"."Marketing"."people_delta"', "duckdb")
SNAPSHOT_TABLE = parse_table('"my-db"."Marketing"."people_sent_snapshot"', "duckdb")
PEOPLE_DELTA = Relation(DELTA_TABLE, DELTA, "custom_id")
PEOPLE = Relation(SNAPSHOT_TABLE, SNAPSHOT, "custom_id")
REJECTS = beside(SNAPSHOT_TABLE, "batch_sync_rejects")
NAMES = tuple(name for name, _ in (pair.split(":") for pair in TYPES.split(",")))

Answer = Callable[[exp.Expr], list[tuple[Value, ...]]]


class Recorder:
    """A warehouse that writes down what it is asked, and answers what it was told to."""

    dialect = "duckdb"
    checkpoint_seconds = 1.0

    def __init__(
        self, *answers: list[tuple[Value, ...]], transactions: bool = True, tables: Sequence[Column] = ()
    ) -> None:
        self.transactions = transactions
        self.steps: list[Statement | Load] = []
        self._answers = list(answers)
        self._tables = tuple(tables)
        self.beaten = Event()

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        return self._tables

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        self.steps.append(query)
        return self._answers.pop(0) if self._answers else []

    def stream(self, query: Statement, batch_rows: int) -> AbstractContextManager[Rows]:
        raise NotImplementedError

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        self.steps += steps
        self.beaten.set()

    def twin(self) -> Recorder:
        return self

    def close(self) -> None:
        return

    @property
    def trees(self) -> list[exp.Expr]:
        for step in self.steps:
            if isinstance(step, Statement):
                used = {str(each.this) for each in step.tree.find_all(exp.Placeholder)}
                assert used <= step.parameters.keys(), "a placeholder without a value"
        return [step.tree for step in self.steps if isinstance(step, Statement)]


def ledger(warehouse: Recorder, *, removed: bool = False) -> Ledger:
    snapshot = Relation(SNAPSHOT_TABLE, (*SNAPSHOT, REMOVED), "custom_id") if removed else PEOPLE
    return Ledger(warehouse, "people", snapshot, PEOPLE_DELTA)


def run(**changes: object) -> Run:
    given = {"run_id": "r1", "sync": "people", "status": "running", "started_at": NOW, "delta_id": "d1"}
    return Run(**{**given, **changes})  # type: ignore[arg-type]


def work(warehouse: Recorder, *, open_intent: bool = False) -> Work:
    mapping = parse_mapping("people", MAPPING, Location("people.yml", "people"))
    sync = Sync(mapping, cast(Model, None), None, None)
    snapshot = Relation(SNAPSHOT_TABLE, (*SNAPSHOT, REMOVED), "custom_id")
    kept = Ledger(warehouse, "people", snapshot, PEOPLE_DELTA)
    return Work(
        sync,
        PEOPLE_DELTA,
        snapshot,
        kept,
        True,
        "d1" if open_intent else None,
        TYPES,
        parse_types(TYPES),
        Resume(),
        Counts(1, 2, 3, 4),
    )


def commits() -> Iterator[tuple[str, list[exp.Expr]]]:
    for name, transactions, removed in (
        ("replace", True, False),
        ("merge", False, False),
        ("merge_removed", True, True),
    ):
        for after in (False, True):
            warehouse = Recorder([("d1", "m", TYPES)], transactions=transactions)
            resume = Resume(2, "b") if after else Resume()
            ended = run(committed_key="c", committed_position=3)
            ledger(warehouse, removed=removed).commit(ended, resume, [], NOW, open_rejects=after)
            yield f"commit_{name}{'_after' if after else ''}", warehouse.trees[1:-1]
    warehouse = Recorder([("d1", "m", TYPES)])
    rejects = [Reject("a", "points", "not_an_integer", "batch"), Reject("b", None, "x", "batch", "h")]
    ended = run(committed_key="c")
    ledger(warehouse).commit(ended, Resume(), rejects, NOW, open_rejects=False, split_rows=True)
    (load,) = (step for step in warehouse.steps if isinstance(step, Load))
    assert load.table == REJECTS
    assert load.rows.num_rows == 2
    yield "commit_rejects", warehouse.trees


def ledgers() -> Iterator[tuple[str, list[exp.Expr]]]:
    def recorded(call: Callable[[Ledger], object], *answers: list[tuple[Value, ...]]) -> list[exp.Expr]:
        warehouse = Recorder(*answers, tables=(Column("sync", "VARCHAR"),))
        call(ledger(warehouse))
        return warehouse.trees

    created = Recorder()
    ledger(created).prepare()
    yield "ledger_create", created.trees
    # Columns that are missing come in no order of their own.
    added = recorded(lambda it: it.prepare())
    yield "ledger_add_columns", sorted(added, key=lambda tree: tree.sql())
    yield "ledger_resume", recorded(lambda it: it.resume("d1"))
    yield "ledger_open_intent", recorded(lambda it: it.has_open_intent("d1"), [(None, None)])
    yield "ledger_last_project", recorded(lambda it: it.last_project())
    yield "ledger_last_types", recorded(lambda it: it.last_types())
    yield "ledger_mark_dead", recorded(lambda it: it.mark_dead("r1"))
    yield "rejects_tidy", recorded(lambda it: it.rejects.tidy(NOW, NOW), [(1, 1)])
    yield "rejects_standing", recorded(lambda it: it.rejects.standing())
    yield "ledger_start", recorded(lambda it: it.start(run()))
    yield "ledger_record", recorded(lambda it: it.record(run(intent_position=5)))
    yield "rejects_any", recorded(lambda it: it.rejects.any())
    yield "rejects_held_back", recorded(lambda it: it.rejects.any_held_back())
    yield "ledger_recent_runs", recorded(lambda it: it.recent_runs(10))


def leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[exp.Expr]]]:
    def lease(warehouse: Recorder) -> Lease:
        return Lease(warehouse, beside(SNAPSHOT_TABLE, LEASES), "people", "r1", lambda: NOW)

    ours: list[tuple[Value, ...]] = [("r1", "h", 1, NOW, NOW)]
    first = Recorder([], ours)
    lease(first).take()
    yield "lease_take_first", first.trees
    monkeypatch.setattr("dbt_batch_sync.ledger.lease.this_host", lambda: "h")
    monkeypatch.setattr("dbt_batch_sync.ledger.lease._exists", lambda process: False)
    gone = Recorder([("r0", "h", 1, NOW, NOW)], ours, tables=(Column("sync", "VARCHAR"),))
    lease(gone).take()
    yield "lease_take_from_gone", gone.trees
    held = Recorder(ours)
    lease(held).release()
    yield "lease_release", held.trees
    monkeypatch.setattr("dbt_batch_sync.ledger.lease.HEARTBEAT_SECONDS", 0.001)
    beating = Recorder(*[ours] * 1000)
    own = lease(beating)
    own.start_heartbeat(beating.twin)
    assert beating.beaten.wait(10)
    own.stop_heartbeat()
    yield "lease_heartbeat", beating.trees[:2]


def requeues() -> Iterator[tuple[str, list[exp.Expr]]]:
    for name, call in (("all", requeue_all), ("rejected", requeue_rejected)):
        warehouse = Recorder()
        call(warehouse, work(warehouse), "d2")
        yield f"requeue_{name}", warehouse.trees
    warehouse = Recorder([(5, 3)])
    requeue_all(warehouse, work(warehouse, open_intent=True), "d2")
    yield "requeue_absorb", warehouse.trees[1:2]


def queries() -> Iterator[tuple[str, list[exp.Expr]]]:
    yield "delta_identity", [delta_identity(PEOPLE_DELTA)]
    yield "reason_counts", [reason_counts(PEOPLE_DELTA)]
    yield "known_counts", [known_counts(PEOPLE_DELTA, PEOPLE)]
    yield "sent_by", [sent_by(PEOPLE)]
    for after in (False, True):
        behind = "_after" if after else ""
        yield f"delta_counts{behind}", [delta_counts(PEOPLE_DELTA, after)]
        yield f"attribute_counts{behind}", [attribute_counts(PEOPLE_DELTA, NAMES, after=after)]
        yield f"again_counts{behind}", [again_counts(PEOPLE_DELTA, PEOPLE, NAMES, after=after)]
        yield f"last_pending{behind}", [last_pending(PEOPLE_DELTA, after=after)]
        asked = (*NAMES, "custom_id")
        yield f"samples{behind}", [samples(PEOPLE_DELTA, PEOPLE, asked, after=after, limit=5)]
        for rejects in (None, REJECTS):
            for consents in ((), CONSENTS):
                pending = Pending(PEOPLE_DELTA, PEOPLE, NAMES, consents, rejects)
                kinds = ("_consents" if consents else "") + ("_rejects" if rejects is not None else "")
                tree = pending.select(after=after, limit=7 if after else None)
                yield f"pending{kinds}{behind}", [tree]
                if consents and not after:
                    yield f"any_blocked{kinds}", [pending.any_blocked()]
                    if rejects is None:
                        yield "any_given", [pending.any_given()]
    warehouse = Recorder([(3, 1)])
    read_figures(warehouse, work(warehouse))
    yield "guard_figures", warehouse.trees
    yield "any_rows", [any_rows([PEOPLE_DELTA.table, SNAPSHOT_TABLE, PEOPLE_DELTA.table])]
    yield "any_rows_of_one", [any_rows([PEOPLE_DELTA.table])]
    yield "lookup", [row_of(PEOPLE), row_of(PEOPLE_DELTA), rejects_of(REJECTS, ["attribute", "reason"])]
    yield "idle_ledger", [ledger_states(beside(SNAPSHOT_TABLE, RUNS)), reject_states(REJECTS)]


@pytest.fixture(scope="module")
def statements() -> dict[str, list[exp.Expr]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = [*queries(), *commits(), *ledgers(), *leases(monkeypatch), *requeues()]
    assert len({name for name, _ in found}) == len(found)
    assert all(trees for _, trees in found)
    return dict(found)


def render(tree: exp.Expr, dialect: str) -> str:
    return tree.sql(dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def unnamed(node: exp.Expr) -> exp.Expr:
    return exp.Placeholder() if isinstance(node, exp.Placeholder) else node


def as_sent(trees: Sequence[exp.Expr], dialect: str) -> list[exp.Expr]:
    """The statements as the warehouse of a dialect sends them."""
    if dialect == "redshift":
        return [each for tree in trees for each in for_redshift(tree)]
    return [for_spark(tree, "delta") if dialect in ("spark", "databricks") else tree for tree in trees]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_statements(dialect: str, statements: dict[str, list[exp.Expr]]) -> None:
    folder = GOLDEN / dialect
    wrong: list[str] = []
    for name, trees in statements.items():
        sent = as_sent(trees, dialect)
        rendered = [render(tree, dialect) for tree in sent]
        for tree, text in zip(sent, rendered, strict=True):
            # What comes back from the parser says the same as what went in.
            given = text
            if dialect == "duckdb":
                assert len(duckdb.extract_statements(text)) == 1, name
                # Between two `$name` sqlglot sees a string in `$name$`s now and then; DuckDB does not.
                given = render(tree.transform(unnamed), dialect)
            parsed = sqlglot.parse_one(given, dialect=dialect)
            assert not isinstance(parsed, exp.Command), name
            again = render(parsed, dialect)
            if again != given:
                wrong.append(f"{name}: parsed back as\n{again}\nnot\n{given}")
        path = folder / f"{name}.sql"
        text = ";\n".join(rendered) + ";\n"
        if RENEW:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(f"{name}: differs from {path}\n{text}")
    stale = {path.stem for path in folder.glob("*.sql")} - statements.keys()
    if RENEW:
        for name in stale:
            (folder / f"{name}.sql").unlink()
    else:
        wrong += [f"{name}: no such statement any more" for name in stale]
    assert not wrong, "\n\n".join(wrong)
