"""All idle syncs end with one append, and a push of a few rows takes few round trips."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from harness.databases import Row
from harness.faults import Fault, FaultKind
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

NAMES = ("blue", "gold", "green", "red")
COLUMNS = {"id": "varchar", "points": "bigint"}


@pytest.fixture(scope="module")
def synced(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four syncs of one person each, pushed, with empty deltas."""
    batch.reset()
    project = Project(tmp_path_factory.mktemp("idle"), batch)
    for name in NAMES:
        project.map({"identifier": "id", "custom": ["points"]}, name)
        project.set_rows(COLUMNS, [{"id": name, "points": 1}], name)
    project.build()
    assert project.push().status == "succeeded"
    project.build()
    project.database.rename(project.directory / "kept")
    return project


@pytest.fixture
def project(synced: Project) -> Iterator[Project]:
    """The four syncs as they were at first, and an empty sandbox."""
    synced.warehouse.clear()
    shutil.copy(synced.directory / "kept", synced.database)
    synced.outputs()
    synced.sandbox.reset()
    yield synced
    assert not synced.sandbox.stats.violations, synced.sandbox.stats.examples


def told(project: Project) -> dict[str, str]:
    return {each.sync: each.error or each.status for each in project.push().syncs}


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the warehouse calls."""
    seen: list[str] = []
    for name in ("fetch", "append", "columns"):
        whole = getattr(DuckDbWarehouse, name)

        def noted(*given: object, name: str = name, whole: object = whole) -> object:
            seen.append(name)
            return whole(*given)  # type: ignore[operator]

        monkeypatch.setattr(DuckDbWarehouse, name, noted)
    return seen


def test_any_number_of_idle_syncs_costs_two_round_trips(project: Project, trips: list[str]) -> None:
    before = project.query("select count(*) as n from batch_sync_journal")[0]["n"]
    trips.clear()
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    assert trips == ["fetch", "append"]
    rows = project.query("from batch_sync_journal order by recorded_at desc limit 4")
    assert sorted(row["sync"] for row in rows) == list(NAMES)
    assert all((row["event"], row["status"]) == ("ended", "succeeded") for row in rows)
    assert all(row["delta_id"] and row["mapping_hash"] for row in rows)
    assert project.query("select count(*) as n from batch_sync_journal")[0]["n"] == before + 4
    assert not project.sent.attributes


def test_a_push_of_a_few_rows_costs_at_most_ten_round_trips(project: Project, trips: list[str]) -> None:
    people: list[Row] = [{"id": str(place), "points": place} for place in range(3)]
    project.set_rows(COLUMNS, people, "gold")
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("2",))])
    project.build("--select", "gold+", "gold_sent_snapshot")
    trips.clear()
    pushed = {each.sync: each for each in project.push().syncs}
    assert (pushed["gold"].accepted, pushed["gold"].rejected_rows) == (2, 1)
    assert len(trips) - 1 <= 10, "besides one append for the idle syncs"


def test_an_idle_push_imports_neither_requests_nor_dbt_adapters(project: Project) -> None:
    watched = "requests", "dbt.adapters"
    program = f"""
import sys
from dbt_batch_sync.cli import program
try:
    program()
finally:
    print(*(name for name in {watched!r} if name in sys.modules), file=sys.stderr)
"""
    options = "--project-dir", str(project.directory), "--profiles-dir", str(project.directory)
    done = subprocess.run(
        [sys.executable, "-c", program, "push", *options],
        check=False,
        capture_output=True,
        text=True,
        env=project.environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("succeeded") == len(NAMES) + 1
    assert done.stderr == "\n"


def test_a_sync_with_changes_is_pushed_among_idle_ones(project: Project) -> None:
    project.set_rows(COLUMNS, [{"id": "gold", "points": 2}], "gold")
    project.build()
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    assert project.sent.attributes == {"gold": {"points": 2}}


def test_a_live_push_blocks_only_a_sync_with_changes(project: Project) -> None:
    project.set_rows(COLUMNS, [{"id": "red", "points": 2}], "red")
    project.set_rows(COLUMNS, [{"id": "gold", "points": 2}], "gold")
    project.build()
    for sync, ago in (("blue", 1), ("red", 1), ("gold", 61)):
        project.execute(
            "insert into batch_sync_journal (recorded_at, sync, event, run_id, host, process) "
            f"values ($then, '{sync}', 'claimed', '{sync}-run', 'elsewhere[1]', 1)",
            then=datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=ago),
        )
    said = told(project)
    assert "is already being pushed: by process 1 on elsewhere, since" in said.pop("red")
    assert said == dict.fromkeys(("blue", "gold", "green"), "succeeded")
    assert project.sent.attributes == {"gold": {"points": 2}}


def test_another_batch_project_is_noticed_without_changes(project: Project) -> None:
    project.outputs(sandbox={"project_key": "another"})
    assert all("was pushed to another Batch project" in said for said in told(project).values())


def test_a_disallowed_target_is_noticed_without_changes(project: Project) -> None:
    project.outputs(sandbox={"only_from": ["prod"]})
    assert all("accepts only deltas of the dbt targets prod" in said for said in told(project).values())


def test_a_missing_table_fails_only_its_sync(project: Project) -> None:
    project.set_rows(COLUMNS, [{"id": "green", "points": 2}], "green")
    project.build()
    project.execute("drop table green_delta")
    said = told(project)
    assert "in the warehouse yet" in said.pop("green")
    assert said == dict.fromkeys(("blue", "gold", "red"), "succeeded")


def test_a_delta_with_another_id_is_not_pushed(project: Project) -> None:
    project.set_rows(COLUMNS, [{"id": "green", "points": 2}, {"id": "new", "points": 3}], "green")
    project.build()
    project.execute("update green_delta set _batch_delta_id = 'another' where custom_id = 'new'")
    said = told(project)
    assert "is not the delta that the ledger says was built last" in said["green"]
    assert not project.sent.requests
