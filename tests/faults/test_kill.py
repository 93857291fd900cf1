"""`kill -9` of a real push at every point at which it writes: nothing is lost, and only what was under way goes again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.databases import Database, DuckDbFile, PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject
from harness.truth import Attribute, Spec, Truth

from dbt_batch_sync.crash import POINTS, VARIABLE

COLUMNS = {"id": "varchar", "email": "varchar", "points": "bigint", "nick": "varchar"}
SPEC = Spec(
    (
        Attribute("email", "email", "$email_address"),
        Attribute("points", "points", "integer"),
        Attribute("nick", "nick", "string"),
    ),
    on_exit="clear",
)
CALL, IN_FLIGHT = 200, 2
"""Operations of a call to `update`, and calls at once."""

AT = {
    # The third chunk of five: two are committed, others are under way.
    "chunk_settled": "chunk_settled:3",
    "before_commit": "before_commit:3",
    "after_commit": "after_commit:3",
    # In the second commit of a first push, and in the third one of a later push.
    "inside_commit": "inside_commit:13",
}


EVERYWHERE = pytest.mark.parametrize("parsed", ["duckdb", "postgres"], indirect=True)
SOONER_ON_DUCKDB = pytest.mark.parametrize(
    "parsed", ["duckdb", pytest.param("postgres", marks=pytest.mark.thorough)], indirect=True
)


@pytest.fixture(scope="module")
def parsed(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The directory of `quick`, on the warehouse that a test asks for."""
    directory = tmp_path_factory.mktemp(f"kill-{request.param}")
    return QuickProject(directory, batch, _database(request, directory))


def _database(request: pytest.FixtureRequest, directory: Path) -> Database:
    if request.param == "postgres":
        return PostgresDatabase(request.getfixturevalue("postgres"))
    return DuckDbFile(directory / "shop.duckdb")


def people(number: int, version: int = 0) -> list[dict[str, object]]:
    """Rows whose points and nicknames are of a version."""
    return [
        {"id": f"p{n:04d}", "email": f"p{n}@example.com", "points": n + version, "nick": f"nick {version}"}
        for n in range(number)
    ]


def begin(project: QuickProject, spec: Spec = SPEC) -> Truth:
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": IN_FLIGHT})
    project.map(spec.meta())
    return Truth()


def build(
    project: QuickProject, truth: Truth, rows: Sequence[Mapping[str, object]], spec: Spec = SPEC
) -> None:
    project.set_rows(COLUMNS, rows)
    project.map(spec.meta())
    project.build()
    truth.build(spec, rows)


def kill(project: QuickProject, point: str, *arguments: str) -> None:
    """A push in a process of its own, which dies there."""
    ended = project.cli("push", "--force", *arguments, env={VARIABLE: AT.get(point, point)})
    assert ended.returncode == -signal.SIGKILL, f"{point} is not passed: {ended.stderr}"


def finish(project: QuickProject, truth: Truth) -> dict[str, int]:
    """A clean push: Batch is in order, and another one sends nothing. Returns the operations of each profile so far."""
    pushed = project.push_one(force=True)
    assert pushed.status == "succeeded", pushed.error
    wrong = truth.wrong(project.profiles(), project.rejects())
    assert not wrong, wrong[:5]
    assert project.push_one().requests == 0
    project.build()
    assert project.push_one().requests == 0, "the next dbt run and push send something"
    return dict(project.sandbox.stats.custom_ids)


def runs(project: QuickProject) -> list[dict[str, Any]]:
    return project.query("from batch_sync_runs order by started_at")


def committed(project: QuickProject) -> int:
    """How many rows of the delta the ledger says are committed."""
    if not project.has_table("batch_sync_runs"):
        return 0
    return max([0, *(run["committed_position"] or 0 for run in runs(project))])


@EVERYWHERE
@pytest.mark.parametrize("point", [point for point in POINTS if point != "requeued"])
def test_the_same_delta_goes_on_behind_the_last_commit(quick: QuickProject, point: str) -> None:
    truth, rows = begin(quick), people(5 * CALL)
    build(quick, truth, rows)
    kill(quick, point)
    before = committed(quick)
    assert before == len(quick.snapshot()), "the ledger and the snapshot were not written together"
    started = {run["run_id"] for run in runs(quick)}
    if point == "chunk_settled":
        assert before == 2 * CALL
    counts = finish(quick, truth)
    assert counts.keys() == {row["id"] for row in rows}
    again = sorted(name for name, count in counts.items() if count > 1)
    assert all(name >= f"p{before:04d}" for name in again), "something that was committed went again"
    assert max(counts.values()) <= 2
    assert len(again) <= CALL * (IN_FLIGHT + 2), "more went again than was under way or not committed yet"
    status = {run["run_id"]: run["status"] for run in runs(quick)}
    assert all(status[each] == ("succeeded" if point == "ended" else "interrupted") for each in started)


@pytest.mark.thorough
@EVERYWHERE
@pytest.mark.parametrize("nth", [1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15])
def test_between_any_two_statements(quick: QuickProject, nth: int) -> None:
    truth, rows = begin(quick), people(2 * CALL)
    build(quick, truth, rows)
    kill(quick, f"inside_commit:{nth}")
    assert committed(quick) == len(quick.snapshot())
    counts = finish(quick, truth)
    assert max(counts.values()) <= 2


@SOONER_ON_DUCKDB
@pytest.mark.parametrize("point", POINTS)
def test_everything_changes_before_the_next_run(quick: QuickProject, point: str) -> None:
    """What was sent and not committed goes back, changes or leaves, and the mapping is another one."""
    truth, old = begin(quick), people(3 * CALL)
    build(quick, truth, old)
    finish(quick, truth)
    truth.look(quick.profiles())
    new = [*people(2 * CALL, version=1), *({**row, "id": f"q{row['id']}"} for row in people(2 * CALL))]
    build(quick, truth, new)
    kill(quick, point, *(["--full-refresh", "--yes"] if point == "requeued" else []))
    third = len(new) // 3
    back = {str(row["id"]): row for row in old}
    mixed = [back.get(str(row["id"]), row) for row in new[:third]]
    mixed += people(2 * CALL, version=2)[third:]
    renamed = Attribute("nick", "nickname", "string")
    spec = Spec((SPEC.attributes[1], renamed), on_exit="clear")
    build(quick, truth, mixed, spec)
    finish(quick, truth)


@SOONER_ON_DUCKDB
def test_killed_again_and_again(quick: QuickProject) -> None:
    truth = begin(quick)
    build(quick, truth, people(3 * CALL))
    finish(quick, truth)
    truth.look(quick.profiles())
    for version, point in enumerate(
        ["chunk_settled:2", "before_commit:1", "intent_recorded", "inside_commit:9"], 1
    ):
        rows = people(3 * CALL - 100 * version, version)
        build(quick, truth, rows)
        kill(quick, point)
        kill(quick, point)
    build(quick, truth, people(3 * CALL))
    finish(quick, truth)
    ended = [run["status"] for run in runs(quick)]
    assert "running" not in ended
    assert ended.count("interrupted") >= 8


@pytest.mark.thorough
@EVERYWHERE
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(quick: QuickProject, seed: int) -> None:
    """By the clock, not at a named point."""
    chance = random.Random(seed)
    truth = begin(quick)
    build(quick, truth, people(10 * CALL))
    quick.sandbox.change(latency=0.02)
    try:
        for version in (1, 2, 3):
            push = subprocess.Popen(
                [sys.executable, "-m", "dbt_batch_sync", "push", "--force"],
                cwd=quick.directory,
                env=quick.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _until(lambda: quick.sandbox.stats.requests > 0, push)
            time.sleep(chance.random() * 0.3)
            push.kill()
            push.wait()
            build(quick, truth, people(10 * CALL - 300 * version, version))
    finally:
        quick.sandbox.change(latency=0.0)
    finish(quick, truth)


def _until(met: Any, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not met() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
