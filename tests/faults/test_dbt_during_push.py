"""`dbt run` during a push, and failing merges, with several connections at once: on PostgreSQL."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from harness.databases import PostgresDatabase, PostgresServer
from harness.faulty import FaultyWarehouse, Points, Trouble, faulty_send
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.ledger import journal as journal_module
from dbt_batch_sync.results.sync import SyncPushed
from dbt_batch_sync.warehouse import Warehouse, open_warehouse

COLUMNS = {"id": "varchar", "points": "bigint"}
CALL, PEOPLE = 200, 500


@pytest.fixture(scope="module")
def parsed(
    postgres: PostgresServer, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The project behind `quick`."""
    directory = tmp_path_factory.mktemp("beside")
    return QuickProject(directory, batch, PostgresDatabase(postgres), page_rows=100)


def set_points(project: QuickProject, points: int) -> None:
    rows = [{"id": f"p{n:03d}", "points": points} for n in range(PEOPLE)]
    project.set_rows(COLUMNS, rows)


def build(project: QuickProject, points: int) -> None:
    set_points(project, points)
    project.build()


def begin(project: QuickProject) -> None:
    """Push 1 for all profiles, then build a delta with 2."""
    project.clear()
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 2})
    project.map({"identifier": "id", "custom": ["points"], "guards": {"min_rows": 0}, "endpoint": "update"})
    build(project, 1)
    assert project.push_one().status == "succeeded"
    build(project, 2)


def finish(project: QuickProject, points: int) -> None:
    """After a clean `dbt run` and push, Batch has these points and nothing is left to do."""
    build(project, points)
    pushed = project.push_one(force=True)
    assert pushed.status == "succeeded", pushed.error
    assert {value.value for have in project.profiles().values() for value in have.values()} == {points}
    assert len(project.profiles()) == PEOPLE
    project.build()
    assert project.push_one().requests == 0


def disturbed(project: QuickProject, trouble: Trouble, act: Callable[[], object]) -> tuple[SyncPushed, bool]:
    """Push in this process and call `act` at a fault point. Return the result, and whether the point was
    reached.
    """
    reached: list[Trouble] = []

    def happen(due: Trouble) -> None:
        reached.append(due)
        act()

    points = Points([trouble], happen)

    def opened(target: WarehouseTarget) -> Warehouse:
        return FaultyWarehouse(open_warehouse(target), points)

    with (
        mock.patch.object(api.project, "open_warehouse", opened),
        mock.patch.object(Client, "send", faulty_send(Client.send, points)),
    ):
        return project.push_one(force=True), bool(reached)


@pytest.mark.thorough
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", ["columns", "fetch", "append", "send"])
def test_dbt_runs_during_a_push_at_every_step(quick: QuickProject, point: str, when: str) -> None:
    """Meanwhile the value reverts, which only a delta built with doubt can detect."""
    for nth in range(1, 60):
        begin(quick)
        trouble = Trouble(point, nth, when)  # type: ignore[arg-type]
        pushed, reached = disturbed(quick, trouble, lambda: build(quick, 1))
        if not reached:
            assert nth > 1
            assert pushed.status == "succeeded"
            return
        finish(quick, 1)
    pytest.fail("no push completed")


@pytest.mark.parametrize("point", ["append:claimed", "append:intent", "append:checkpoint", "append:ended"])
def test_dbt_runs_during_a_push(quick: QuickProject, point: str) -> None:
    begin(quick)
    _, reached = disturbed(quick, Trouble(point), lambda: build(quick, 1))
    assert reached
    finish(quick, 1)


@pytest.mark.parametrize("checked", [True, False])
def test_a_push_that_starts_during_dbt_run(
    quick: QuickProject, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    """dbt has merged, and doesn't read again what is settled. Without the check, what such a push sends is lost."""
    begin(quick)
    set_points(quick, 1)
    if not checked:
        state_of = journal_module.state_of
        unaware = lambda *given: replace(state_of(*given), is_building=False)  # noqa: E731
        monkeypatch.setattr(journal_module, "state_of", unaware)
    pushed: list[SyncPushed] = []
    kind = type(quick._quick.adapter.connections)
    execute = kind.add_query

    def add_query(connections: Any, sql: str, *arguments: Any, **named: Any) -> Any:
        answer = execute(connections, sql, *arguments, **named)
        if "'merged'" in sql and sql.lstrip().startswith("insert") and not pushed:
            with ThreadPoolExecutor(1) as pool:
                pushed.append(pool.submit(quick.push_one, force=True).result())
        return answer

    with mock.patch.object(kind, "add_query", add_query):
        quick.build()
    assert [each.status for each in pushed] == ["failed" if checked else "succeeded"]
    quick.build()
    assert quick.push_one(force=True).error is None
    held = {value.value for have in quick.profiles().values() for value in have.values()}
    assert held == ({1} if checked else {2})


@contextlib.contextmanager
def asleep(project: QuickProject, trouble: Trouble) -> Iterator[None]:
    """A push in its own process, stopped at a fault point. On exit it is continued and awaited."""
    with contextlib.closing(project.forked("push", "--force", troubles=[trouble])) as push:
        assert push.is_stopped(), "the push ended before the fault point"
        yield
        push.send_signal(signal.SIGCONT)
        assert push.wait(120) == 1, "an overtaken push did not fail"


@pytest.mark.parametrize(
    ("point", "seconds"),
    [("send", 0), pytest.param("send", 92, marks=pytest.mark.thorough), ("append:checkpoint", 0)],
)
def test_a_push_that_sleeps_and_is_overtaken(quick: QuickProject, point: str, seconds: int) -> None:
    """SIGSTOP: its request in flight reaches Batch after newer values. With `seconds` 0, only the ledger's
    times move.
    """
    begin(quick)
    with asleep(quick, Trouble(point, 2, act="pause")):
        time.sleep(seconds)
        if not seconds:
            quick.execute("update batch_sync_journal set recorded_at = recorded_at - interval '92 seconds'")
        build(quick, 3)
        assert quick.push_one(force=True).status == "succeeded"
    finish(quick, 3)


@pytest.mark.thorough
@pytest.mark.parametrize("settled", [True, False])
def test_a_merge_fails_at_each_statement(quick: QuickProject, settled: bool) -> None:
    """`dbt run` loses its connection at that statement, including those of the merge."""
    for statement in range(1, 80):
        begin(quick)
        if settled:
            assert quick.push_one(force=True).status == "succeeded"
        else:
            killed = quick.troubled([Trouble("append:checkpoint", 2)], "push", "--force")
            assert killed.returncode == -signal.SIGKILL
            quick.execute("update batch_sync_journal set recorded_at = recorded_at - interval '92 seconds'")
        set_points(quick, 1)
        survived = quick.build_until(statement)
        finish(quick, 1)
        if survived:
            return
    pytest.fail("dbt failed at every statement")
