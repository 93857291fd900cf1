"""The tests' shortcuts around dbt have dbt's results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.compiled import CompiledDelta
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

TOLD = "sync, delta_id is null, page, mapping_hash, attribute_types, target, model_rows, known_rows, inserts, updates, exits"


def seen(project: Project) -> list[list[dict[str, Any]]]:
    """The tables without ids and times, and the last `built` row."""
    return [
        project.query(
            "select custom_id, points, _batch_doubt, _batch_run_id from people_sent_snapshot order by all"
        ),
        project.query(
            "select custom_id, points, _batch_change, _batch_changed from people_delta order by all"
        ),
        project.query(
            f"select {TOLD} from batch_sync_journal where event = 'built' order by recorded_at desc limit 1"
        ),
    ]


def push(project: Project) -> None:
    """Append what a push would that settled everything and rejected one row."""
    (row,) = project.query("select max(_batch_delta_id) as id from people_delta")
    for event in ("intent", "checkpoint", "ended"):
        project.execute(
            "insert into batch_sync_journal (recorded_at, sync, event, run_id, delta_id, page)"
            " values (now() at time zone 'UTC', 'people', $event, 'r1', $id, 0)",
            event=event,
            id=row["id"],
        )
    project.execute(
        "insert into batch_sync_rejects (rejected_at, sync, run_id, delta_id, key) values (now(), 'people', 'r1', $id, 'b')",
        id=row["id"],
    )


def test_all_builds_give_the_same_tables(project: Project) -> None:
    columns = {"id": "varchar", "points": "bigint"}
    project.map({"identifier": "id", "custom": ["points"]})
    project.set_rows(columns, [{"id": "a", "points": 1}, {"id": "b", "points": 2}])
    quick = CompiledDelta(project)
    push(project)
    project.set_rows(columns, [{"id": "a", "points": 3}, {"id": "b", "points": 2}, {"id": "c", "points": 4}])
    quick.run()
    first = seen(project)
    assert [row["custom_id"] for row in first[0]] == ["a"]
    project.build()
    assert seen(project) == first
    project.dbt("run")
    assert seen(project) == first


def test_a_parse_that_begins_with_known_macros_gives_the_same_manifest(
    project: Project, batch: FaultyServer, tmp_path: Path
) -> None:
    project.map({"identifier": "id", "custom": ["points"]})
    project.dbt("parse")
    whole, begun = (manifest(Project(tmp_path / str(number), batch, whole=not number)) for number in (0, 1))
    assert len(whole["macros"]) > 500
    assert begun == whole


def manifest(project: Project) -> dict[str, Any]:
    """The manifest of a new project, without times and ids."""
    project.map({"identifier": "id", "custom": ["points"]})
    project.dbt("parse")
    text = (project.directory / "target" / "manifest.json").read_text(encoding="utf-8")
    text = re.sub(r'"created_at": [\d.]+', '"created_at": 0', text.replace(str(project.directory), ""))
    return {name: value for name, value in json.loads(text).items() if name != "metadata"}
