"""Syncs with nothing to do are settled all at once, and what is not plain is not taken for idle."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from dbt_batch_sync.ledger.lease import LEASES
from harness.faults import Fault, FaultKind
from harness.project import Project

from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

NAMES = ("blue", "gold", "green", "red")
COLUMNS = {"id": "varchar", "points": "bigint"}


def synced(project: Project) -> None:
    """Four syncs of one person each, all in Batch, and empty deltas."""
    for name in NAMES:
        project.map({"identifier": "id", "custom": ["points"]}, name)
        project.set_rows(COLUMNS, [{"id": name, "points": 1}], name)
    project.build()
    assert project.push().status == "succeeded"
    project.build()


def told(project: Project) -> dict[str, str]:
    return {each.sync: each.error or each.status for each in project.push().syncs}


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the warehouse and done to it, a word each."""
    seen: list[str] = []
    for name in ("fetch", "execute", "columns"):
        whole = getattr(DuckDbWarehouse, name)

        def noted(*given: object, name: str = name, whole: object = whole) -> object:
            seen.append(name)
            return whole(*given)  # type: ignore[operator]

        monkeypatch.setattr(DuckDbWarehouse, name, noted)
    return seen


def test_any_number_of_idle_syncs_costs_as_many_statements(project: Project, statements: list[str]) -> None:
    synced(project)
    before = project.query("select count(*) as n from batch_sync_runs")[0]["n"]
    statements.clear()
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    assert statements == ["fetch", "fetch", "fetch", "execute"]
    rows = project.query("from batch_sync_runs order by started_at desc, sync limit 4")
    assert [row["sync"] for row in rows] == list(NAMES)
    assert all(row["finished_at"] == row["started_at"] and row["status"] == "succeeded" for row in rows)
    assert all(row["delta_id"] is None and row["mapping_hash"] for row in rows)
    assert project.query("select count(*) as n from batch_sync_runs")[0]["n"] == before + 4
    assert not project.sent.attributes


def test_a_push_of_nothing_starts_without_what_it_does_not_need(project: Project) -> None:
    synced(project)
    watched = "requests", "dbt.adapters"
    program = f"""
import sys
from dbt_batch_sync.cli import program as main
try:
    main()
finally:
    print(*(name for name in {watched!r} if name in sys.modules), file=sys.stderr)
"""
    options = "--project-dir", str(project.directory), "--profiles-dir", str(project.directory)
    done = subprocess.run(
        [sys.executable, "-c", program, "push", *options],
        check=True,
        capture_output=True,
        text=True,
        env=project.environ,
    )
    assert done.stdout.count("nothing to send") == len(NAMES)
    assert done.stderr == "\n"


def test_a_sync_with_something_to_send_is_pushed_beside_idle_ones(project: Project) -> None:
    synced(project)
    project.set_rows(COLUMNS, [{"id": "gold", "points": 2}], "gold")
    project.build()
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    assert project.sent.attributes == {"gold": {"points": 2}}


def test_a_dead_run_is_marked_and_a_live_one_is_left_alone(project: Project) -> None:
    synced(project)
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for sync in ("blue", "red"):
        project.execute(
            "insert into batch_sync_runs (run_id, sync, status, started_at) "
            f"values ('{sync}-run', '{sync}', 'running', $now)",
            now=now - timedelta(hours=1),
        )
    project.execute(
        f"update {LEASES} set run_id = 'red-run', host = 'elsewhere[1]', process = 1, taken_at = $now, "
        "heartbeat_at = $now where sync = 'red'",
        now=now,
    )
    said = told(project)
    assert (said["blue"], said["gold"], said["green"]) == ("succeeded",) * 3
    assert "is being pushed already" in said["red"]
    runs = {row["run_id"]: row["status"] for row in project.query("from batch_sync_runs")}
    assert (runs["blue-run"], runs["red-run"]) == ("interrupted", "running")


def test_a_parked_row_that_went_back_is_resolved(project: Project) -> None:
    synced(project)
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS)])
    project.set_rows(COLUMNS, [{"id": "gold", "points": 2}], "gold")
    project.build()
    assert told(project)["gold"] == "partial"
    (row,) = project.query("from batch_sync_rejects")
    assert row["resolved_at"] is None
    project.sandbox.faults.set(())
    project.set_rows(COLUMNS, [{"id": "gold", "points": 1}], "gold")
    project.build()
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    (row,) = project.query("from batch_sync_rejects")
    assert row["resolved_at"] is not None


def test_what_was_resolved_long_ago_is_forgotten(project: Project) -> None:
    synced(project)
    for sync, days in (("blue", 100), ("red", 80)):
        project.execute(
            "insert into batch_sync_rejects (sync, custom_id, reason, resolved_at) "
            f"values ('{sync}', 'x', 'y', $then)",
            then=datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=days),
        )
    assert told(project) == dict.fromkeys(NAMES, "succeeded")
    assert [row["sync"] for row in project.query("from batch_sync_rejects")] == ["red"]


def test_another_batch_project_is_noticed_though_nothing_has_changed(project: Project) -> None:
    synced(project)
    project.outputs(sandbox={"project_key": "another"})
    assert all("describes another Batch project" in said for said in told(project).values())


def test_a_target_that_may_not_push_is_refused_though_nothing_has_changed(project: Project) -> None:
    synced(project)
    project.outputs(sandbox={"only_from": ["prod"]})
    assert all("takes pushes only from the dbt targets prod" in said for said in told(project).values())


def test_a_table_that_is_gone_is_said_of_its_sync(project: Project) -> None:
    synced(project)
    project.execute("drop table green_delta")
    said = told(project)
    assert "is not in the warehouse yet" in said.pop("green")
    assert said == dict.fromkeys(("blue", "gold", "red"), "succeeded")
