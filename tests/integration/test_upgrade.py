"""The first `dbt run` upgrades what an older version of the macros left, and nothing is sent twice."""

from __future__ import annotations

import pytest
from harness.project import Project

COLUMNS = {"id": "varchar", "n": "bigint"}
OLDER_VIEW = "create or replace view batch_sync_runs as select run_id, sync from batch_sync_journal"
OLDER = {
    "tables": (
        "drop view batch_sync_runs",
        *(
            f"alter table batch_sync_journal drop column {name}"
            for name in (
                "unsure",
                "former_types",
                "merged_delta_id",
                "compared",
                "drifted",
                "unknown_profiles",
            )
        ),
        "alter table batch_sync_rejects drop column resolved_at",
        "drop table batch_sync_drift",
        "alter table people_sent_snapshot drop column _batch_opted_out",
        OLDER_VIEW,
    ),
    "view": (OLDER_VIEW, "update batch_sync_journal set version = '0.0.9'"),
    "no view": ("drop view batch_sync_runs",),
}
OLD, MISSING = (
    "was created by an older version of the macros. To upgrade it, run: dbt run",
    "yet. Run: dbt run",
)


@pytest.mark.parametrize("older", OLDER)
def test_dbt_run_upgrades(project: Project, older: str) -> None:
    project.map({"identifier": "id", "custom": ["n"]})
    project.set_rows(COLUMNS, [{"id": "a", "n": 1}, {"id": "b", "n": 1}])
    assert project.sync().inserts == 2
    project.build()
    for statement in OLDER[older]:
        project.execute(statement)
    asked = project.call("status")
    assert asked.returncode == 2
    said = " ".join(asked.stderr.split())
    assert (MISSING if older == "no view" else OLD) in said
    project.set_rows(COLUMNS, [{"id": "a", "n": 1}, {"id": "b", "n": 2}])
    pushed = project.sync()
    assert (pushed.status, pushed.inserts, pushed.updates) == ("succeeded", 0, 1)
    assert project.sent.attributes == {"b": {"n": 2}}
    assert not project.sync().requests
    assert {name: row["n"] for name, row in project.snapshot().items()} == {"a": 1, "b": 2}
    assert project.call("status").returncode == 0
