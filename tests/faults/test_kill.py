"""`kill -9` of a real push at each of its writes: nothing is lost, and only what was in flight is sent again."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from harness.databases import Database, DuckDbFile, PostgresDatabase
from harness.faults import Fault, FaultKind, When
from harness.faulty import Trouble
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject
from harness.truth import Attribute, Spec, Truth

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
"""Operations per call to `update`, and concurrent calls."""

PAGE = 100

DEATHS = (
    Trouble("append:claimed"),
    Trouble("append:claimed", when="after"),
    Trouble("append:intent"),
    Trouble("append:intent", when="after"),
    Trouble("send", 3),
    Trouble("send", 3, "after"),
    Trouble("append:checkpoint", 3),
    Trouble("append:checkpoint", 3, "after"),
    Trouble("append:ended"),
    Trouble("append:ended", when="after"),
)
"""Every write of a push of three or more calls, in order."""


def named(death: Trouble) -> str:
    return f"{death.when} {death.point} {death.nth}"


EVERYWHERE = pytest.mark.parametrize("parsed", ["duckdb", "postgres"], indirect=True)
SOME = (DEATHS[3], DEATHS[5], DEATHS[6])
"""After the intent, after a request and before a checkpoint: what differs in the next merge."""
AT_EVERY_WRITE = pytest.mark.parametrize(
    ("parsed", "death"),
    [
        pytest.param(
            place,
            death,
            marks=[] if place == "duckdb" or death in SOME else pytest.mark.thorough,
            id=f"{place}-{named(death)}",
        )
        for place in ("duckdb", "postgres")
        for death in DEATHS
    ],
    indirect=["parsed"],
)
SOONER_ON_DUCKDB = pytest.mark.parametrize(
    "parsed", ["duckdb", pytest.param("postgres", marks=pytest.mark.thorough)], indirect=True
)


@pytest.fixture(scope="module")
def parsed(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The project behind `quick`, on the warehouse that the test requests."""
    directory = tmp_path_factory.mktemp(f"kill-{request.param}")
    return QuickProject(directory, batch, _database(request, directory), page_rows=PAGE)


def _database(request: pytest.FixtureRequest, directory: Path) -> Database:
    if request.param == "postgres":
        return PostgresDatabase(request.getfixturevalue("postgres"))
    return DuckDbFile(directory / "shop.duckdb")


def people(number: int, version: int = 0) -> list[dict[str, object]]:
    """Rows whose points and nicknames depend on `version`."""
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


def kill(project: QuickProject, death: Trouble) -> None:
    """Run a push in its own process that dies at this point."""
    ended = project.troubled([death], "push", "--force")
    assert ended.returncode == -signal.SIGKILL, f"{named(death)} was not reached: {ended.stderr}"


def count_as_dead(project: QuickProject) -> None:
    """Let a killed push's last sign of life be too old. Until then dbt doubts all that it did not settle."""
    project.execute("update batch_sync_journal set recorded_at = recorded_at - interval '92 seconds'")


def finish(project: QuickProject, truth: Truth) -> dict[str, int]:
    """Push cleanly, then assert that Batch is in order and that another push sends nothing. Returns the
    operations per profile so far.
    """
    pushed = project.push_one(force=True)
    assert pushed.status == "succeeded", pushed.error
    wrong = truth.wrong(project.profiles(), project.rejects())
    assert not wrong, wrong[:5]
    assert project.push_one().requests == 0
    project.build()
    assert project.push_one().requests == 0, "the next dbt run and push sent requests"
    return dict(project.sandbox.stats.custom_ids)


def statuses(project: QuickProject) -> list[str]:
    """Statuses of all runs, in order."""
    rows = project.query("select status from batch_sync_runs order by started_at")
    return [row["status"] for row in rows]


def settled_page(project: QuickProject) -> int:
    """The last settled page in the ledger, or -1."""
    query = "select max(page) as page from batch_sync_journal where event = 'checkpoint'"
    (row,) = project.query(query)
    return -1 if row["page"] is None else int(row["page"])


@AT_EVERY_WRITE
def test_the_same_delta_is_resumed_after_the_last_checkpoint(quick: QuickProject, death: Trouble) -> None:
    truth, rows = begin(quick), people(5 * CALL)
    build(quick, truth, rows)
    quick.sandbox.change(latency=0.3)  # the push can record two calls before the fourth ends
    try:
        kill(quick, death)
    finally:
        quick.sandbox.change(latency=0.0)
    pages = {row["custom_id"]: row["_batch_page"] for row in quick.delta()}
    before = settled_page(quick)
    if death.point == "append:checkpoint":
        assert before >= 2 * CALL // PAGE - 1
    counts = finish(quick, truth)
    assert counts.keys() == {row["id"] for row in rows}
    again = [name for name, count in counts.items() if count > 1]
    assert all(pages[name] > before for name in again), "settled rows were sent again"
    assert max(counts.values()) <= 2
    assert len(again) <= CALL * (IN_FLIGHT + 2), (
        "more was sent again than was in flight or past the checkpoint"
    )
    if death != DEATHS[0]:  # it left no trace
        assert (statuses(quick)[0] == "succeeded") is (death == DEATHS[-1])


@pytest.mark.parametrize("parsed", ["duckdb"], indirect=True)
def test_a_checkpoint_claims_only_what_was_accepted(quick: QuickProject) -> None:
    """The requests in flight never arrive, so a page too much would stay missing in Batch."""
    truth = begin(quick)
    build(quick, truth, people(5 * CALL))
    quick.sandbox.faults.set([Fault(FaultKind.STATUS, When(nth=tuple(range(3, 9))), status=503)])
    kill(quick, Trouble("append:checkpoint", 2, "after"))
    quick.sandbox.faults.clear()
    assert (settled_page(quick), len(quick.sandbox.profiles)) == (2 * CALL // PAGE - 1, 2 * CALL)
    count_as_dead(quick)
    quick.build()
    finish(quick, truth)


@SOONER_ON_DUCKDB
@pytest.mark.parametrize("death", DEATHS, ids=named)
def test_everything_changes_before_the_next_run(quick: QuickProject, death: Trouble) -> None:
    """Unsettled values revert, change or exit, and the mapping changes too."""
    truth, old = begin(quick), people(3 * CALL)
    build(quick, truth, old)
    assert quick.push_one().status == "succeeded"
    truth.look(quick.profiles())
    new = [*people(2 * CALL, version=1), *({**row, "id": f"q{row['id']}"} for row in people(2 * CALL))]
    build(quick, truth, new)
    kill(quick, death)
    count_as_dead(quick)
    third = len(new) // 3
    back = {str(row["id"]): row for row in old}
    mixed = [back.get(str(row["id"]), row) for row in new[:third]]
    mixed += people(2 * CALL, version=2)[third:]
    renamed = Attribute("nick", "nickname", "string")
    spec = Spec((SPEC.attributes[1], renamed), on_exit="clear")
    build(quick, truth, mixed, spec)
    finish(quick, truth)


@SOONER_ON_DUCKDB
def test_killed_repeatedly(quick: QuickProject) -> None:
    """All remaining profiles change each time: three calls, whatever was settled before."""
    truth = begin(quick)
    build(quick, truth, people(5 * CALL))
    assert quick.push_one().status == "succeeded"
    truth.look(quick.profiles())
    for version, death in enumerate((DEATHS[5], DEATHS[6], DEATHS[3], DEATHS[4]), 1):
        rows = people(5 * CALL - 100 * version, version)
        build(quick, truth, rows)
        kill(quick, death)
        kill(quick, replace(death, nth=1))
    build(quick, truth, people(3 * CALL))
    finish(quick, truth)
    killed = [status for status in statuses(quick) if status != "succeeded"]
    assert len(killed) == 8
    assert set(killed) <= {"running", "failed"}, "it counts as alive for a minute"


@pytest.mark.thorough
@EVERYWHERE
@pytest.mark.parametrize("seed", range(4))
def test_killed_after_a_random_time(quick: QuickProject, seed: int) -> None:
    """Killed after a random time instead of at a named point."""
    chance = random.Random(seed)
    truth = begin(quick)
    build(quick, truth, people(10 * CALL))
    quick.sandbox.change(latency=0.02)
    try:
        for version in (1, 2, 3):
            with contextlib.closing(quick.forked("push", "--force")) as push:
                _until(lambda: quick.sandbox.stats.requests > 0 or push.poll() is not None)
                time.sleep(chance.random() * 0.3)
            build(quick, truth, people(10 * CALL - 300 * version, version))
    finally:
        quick.sandbox.change(latency=0.0)
    finish(quick, truth)


def _until(met: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)
