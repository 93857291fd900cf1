"""What somebody, or the warehouse itself, does to it during a push: a clear end, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from dbt_batch_sync.ledger.ledger import Run
from harness.quick import QuickProject
from harness.truth import Attribute, Spec, Truth

from dbt_batch_sync import api
from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.warehouse import Load, Rows, Statement, Warehouse, open_warehouse

CALL = 200
COLUMNS = {"id": "varchar", "points": "bigint", "nick": "varchar"}
SPEC = Spec((Attribute("points", "points", "integer"), Attribute("nick", "nick", "string")), on_exit="clear")


class After:
    """An observer that does something when so many chunks are settled."""

    def __init__(self, chunks: int, act: Callable[[], None]) -> None:
        self._left, self._act = chunks, act

    def started(self, work: Work, endpoint: Route) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: Run) -> None:
        self._left -= 1
        if not self._left:
            self._act()


def build(project: QuickProject, truth: Truth, count: int, version: int = 0) -> None:
    """So many people, whose values are of a version; `dbt run`."""
    rows = [{"id": f"p{n:04d}", "points": n + version, "nick": f"nick {version}"} for n in range(count)]
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 2})
    project.map(SPEC.meta())
    project.set_rows(COLUMNS, rows)
    project.build()
    truth.build(SPEC, rows)


def finish(project: QuickProject, truth: Truth) -> SyncPushed:
    """A clean push: Batch is in order, and another one sends nothing."""
    pushed = project.push_one(force=True)
    assert pushed.status == "succeeded", pushed.error
    wrong = truth.wrong(project.profiles(), project.rejects())
    assert not wrong, wrong[:5]
    assert project.sync().requests == 0
    return pushed


# The delta, while it is being pushed


def test_a_delta_that_is_rebuilt_during_a_push(quick: QuickProject) -> None:
    """Its rows are the same, and it is another one: what a rebuilt one has is not what was sent."""
    truth = Truth()
    build(quick, truth, 6 * CALL)

    def rebuild() -> None:
        quick.execute("update people_delta set _batch_delta_id = 'another'")

    stopped = quick.push_one(observer=After(3, rebuild))
    assert stopped.status == "failed"
    assert "was rebuilt while it was being pushed" in str(stopped.error)
    assert "Run: dbt-batch-sync push" in str(stopped.error)
    assert stopped.committed == len(quick.snapshot()) == 2 * CALL
    (run,) = quick.query("from batch_sync_runs")
    assert run["intent_position"] > run["committed_position"] == 2 * CALL
    # What a dbt run during the push would make of it.
    build(quick, truth, 5 * CALL, 1)
    finish(quick, truth)


def test_a_delta_that_is_emptied_during_a_push(quick: QuickProject) -> None:
    truth = Truth()
    build(quick, truth, 5 * CALL)
    stopped = quick.push_one(observer=After(2, lambda: quick.execute("delete from people_delta")))
    assert stopped.status == "failed"
    assert "was rebuilt" in str(stopped.error)
    assert stopped.committed == CALL
    build(quick, truth, 5 * CALL)
    finish(quick, truth)


@pytest.mark.parametrize(
    "table", ["people_delta", "people_sent_snapshot", "batch_sync_runs", "batch_sync_rejects"]
)
def test_a_table_that_is_dropped_during_a_push(quick: QuickProject, table: str) -> None:
    truth = Truth()
    build(quick, truth, 5 * CALL)
    failed = quick.push_one(observer=After(2, lambda: quick.execute(f"drop table {table}")))
    assert failed.status == "failed"
    assert table in str(failed.error)
    assert failed.committed == CALL
    build(quick, truth, 5 * CALL, 1)
    finish(quick, truth)


# Before a push


@pytest.mark.parametrize("table", ["people_delta", "people_sent_snapshot"])
def test_a_relation_that_is_missing(quick: QuickProject, table: str) -> None:
    truth = Truth()
    build(quick, truth, 3)
    quick.execute(f"drop table {table}")
    with pytest.raises(
        ConfigurationError, match=r"is not in the warehouse yet\. Run: dbt run --select people "
    ) as caught:
        quick.push_one()
    assert table in str(caught.value)
    assert quick.call("push").returncode == 2
    assert not quick.sandbox.requests
    build(quick, truth, 3)
    finish(quick, truth)


@pytest.mark.parametrize("table", ["batch_sync_runs", "batch_sync_rejects", "batch_sync_leases"])
def test_a_table_of_the_ledger_that_was_dropped_is_made_anew(quick: QuickProject, table: str) -> None:
    truth = Truth()
    build(quick, truth, 3)
    assert quick.push_one().accepted == 3
    build(quick, truth, 3, 1)
    quick.execute(f"drop table {table}")
    assert finish(quick, truth).accepted == 3


@pytest.mark.parametrize("relation", ["people_sent_snapshot", "people_delta"])
@pytest.mark.parametrize("column", ["nick", "_batch_delta_id", "custom_id"])
def test_a_column_that_somebody_dropped(quick: QuickProject, relation: str, column: str) -> None:
    truth = Truth()
    build(quick, truth, 3)
    quick.execute(f"alter table {relation} drop column {column}")
    with pytest.raises(ConfigurationError, match=f"lacks the columns {column}: somebody altered it"):
        quick.push_one()
    assert not quick.sandbox.requests


def test_a_column_whose_type_somebody_changed(quick: QuickProject) -> None:
    """What is sent can't be committed: it stops at the first commit, and is in order after a dbt run."""
    truth = Truth()
    build(quick, truth, 3 * CALL)
    quick.execute("alter table people_sent_snapshot alter column nick type integer")
    failed = quick.push_one()
    assert failed.status == "failed"
    assert (failed.committed, quick.snapshot()) == (0, {})
    quick.execute("alter table people_sent_snapshot alter column nick type varchar")
    build(quick, truth, 3 * CALL, 1)
    finish(quick, truth)


# The connection


class Lossy:
    """A warehouse whose connection is lost for good at the nth statement, or at the nth part of a stream."""

    def __init__(self, inner: Warehouse, *, execute: int = 0, stream: int = 0) -> None:
        self._inner = inner
        self._until = {"execute": execute, "stream": stream}
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _pass(self, what: str = "") -> None:
        if what and self._until[what]:
            self._until[what] -= 1
            self.lost = self.lost or not self._until[what]
        if self.lost:
            raise WarehouseError("the connection was lost")

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        self._pass("execute")
        self._inner.execute(steps)

    def fetch(self, query: Statement) -> object:
        self._pass()
        return self._inner.fetch(query)

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        def batches(rows: Rows) -> Iterator[Any]:
            for batch in rows.batches:
                for start in range(0, batch.num_rows, CALL):
                    self._pass("stream")
                    yield batch.slice(start, CALL)

        with self._inner.stream(query, batch_rows) as rows:
            yield Rows(rows.schema, batches(rows))


def push_over(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch, **until: int
) -> tuple[SyncPushed, Lossy]:
    """A push over a connection that is lost."""
    opened: list[Lossy] = []

    def open_lossy(target: Any) -> Any:
        opened.append(Lossy(open_warehouse(target), **until))
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(api, "open_warehouse", open_lossy)
        pushed = project.push_one()
    if project.has_table("batch_sync_leases"):
        # What lost its connection could not give the lease back, and its process, this one, lives.
        project.execute("update batch_sync_leases set heartbeat_at = timestamp '2000-01-01'")
    return pushed, opened[0]


@pytest.mark.parametrize("part", [1, 4])
def test_the_connection_is_lost_while_streaming(
    quick: QuickProject, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    truth = Truth()
    build(quick, truth, 5 * CALL)
    failed, warehouse = push_over(quick, monkeypatch, stream=part)
    assert warehouse.lost
    assert failed.status == "failed"
    assert "the connection was lost" in str(failed.error)
    before = len(quick.snapshot())
    assert failed.committed == before
    finish(quick, truth)
    counts = quick.sandbox.stats.custom_ids
    assert all(counts[f"p{n:04d}"] == 1 for n in range(before))


def test_the_connection_is_lost_at_any_statement(
    quick: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each one in turn, until a push gets through: creating tables, lease, start, intent, commits, end."""
    truth, kept = Truth(), set[int]()
    build(quick, truth, 3 * CALL)
    for nth in range(1, 40):
        before = len(quick.snapshot())
        pushed, warehouse = push_over(quick, monkeypatch, execute=nth)
        after = len(quick.snapshot())
        assert after - before == pushed.committed, "what is said is not what was committed"
        kept.add(after)
        if pushed.status != "failed":
            break
        assert warehouse.lost
        assert "the connection was lost" in str(pushed.error)
    else:
        pytest.fail("no push got through")
    assert len(kept) > 2, "no push kept what was committed before its connection was lost"
    assert not truth.wrong(quick.profiles(), quick.rejects())
    finish(quick, truth)
    assert "running" not in {run["status"] for run in quick.query("from batch_sync_runs")}
