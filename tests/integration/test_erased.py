"""People whose erasure was asked for, in the other syncs of the same Batch project."""

from __future__ import annotations

from harness.project import PEOPLE, Project

MAPPING = {"identifier": "id", "custom": ["name", "tags"]}
COLUMNS = {"id": "varchar", "name": "varchar", "tags": "varchar[]"}


def people(*names: str) -> list[dict[str, object]]:
    return [{"id": name, "name": f"name of {name}", "tags": ["x"]} for name in names]


def ask(project: Project, *names: str, days_ago: float = 0.0, project_hash: str | None = None) -> None:
    """What a push of deletions appends before its requests."""
    own = "(select max(project_hash) from batch_sync_journal where event = 'intent')"
    for name in names:
        project.execute(
            "insert into batch_sync_journal (recorded_at, sync, event, key, project_hash) "
            f"select cast(now() at time zone 'UTC' as timestamp) - interval '{int(days_ago * 86400)} seconds', "
            f"'erasures', 'asked', $name, coalesce($hash, {own})",
            name=name,
            hash=project_hash,
        )


def test_erased(project: Project) -> None:
    project.map(MAPPING)
    project.set_rows(COLUMNS, people("a", "b", "c"))
    project.sync()
    project.set_rows(COLUMNS, people("a", "b", "c"))
    project.build()
    assert set(project.snapshot()) == {"a", "b", "c"}
    ask(project, "b")
    project.build()
    assert set(project.snapshot()) == {"a", "c"}
    assert project.changes() == {"b": ("invalid", "erased")}
    assert project.push_one().invalid == 1
    ask(project, "a", "c")
    project.build()
    assert set(project.snapshot()) == set()
    project.build()
    project.execute("update batch_sync_journal set recorded_at = recorded_at - interval '32 days' where event = 'asked'")
    project.build()
    assert project.changes() == {name: ("insert", "name,tags") for name in "abc"}
