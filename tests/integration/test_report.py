"""`report` of a project with a history: the page shows every figure and no customer data."""

from __future__ import annotations

from pathlib import Path

from harness.history import SECRETS, make_history
from harness.parsed_html import Page
from harness.project import Project

from dbt_batch_sync.ledger.records import PHASES
from dbt_batch_sync.results import duration


def test_the_page_of_a_project_with_a_history(project: Project, tmp_path: Path) -> None:
    make_history(project)
    path = tmp_path / "page.html"
    done = project.call("report", "--out", str(path))
    assert (done.returncode, done.stdout) == (0, f"wrote {path} (syncs: 2, runs: 11)\n")
    page = Page(path.read_text(encoding="utf-8"))

    figures = page.text.partition("Runs over time")[0]
    for figure in ("2 syncs", "11 runs", "2 profiles queued now", "3 open rejections", "1 row parked"):
        assert figure in figures
    head, people, vips = next(rows for rows in page.tables if rows[0][0] == "sync")
    assert [people, vips] == [["people", "P", "P", "", "I", "F", "P"], ["vips", "✓", "·", "·", "·", "·", "·"]]
    assert len(head) == 7

    shown = [row[1:] for row in page.table("started", "status")]
    assert [row[0] for row in shown] == ["partial", "failed", "interrupted", "partial", "partial"]
    assert [row[1:5] for row in shown[-2:]] == [["0", "7", "3", "0"], ["40", "0", "0", "0"]]
    recorded = project.query("from batch_sync_runs where sync = 'people' order by started_at desc")
    counts = [(row[5], row[7]) for row in shown]
    assert counts == [(str(run["accepted"]), str(run["requests"])) for run in recorded]
    names = ("seconds", *(f"{phase}_seconds" for phase in PHASES))
    assert [row[10:] for row in shown] == [[duration(run[name]) for name in names] for run in recorded]

    assert "0 inserts, 2 updates, 0 exits; 1 invalid row" in page.text
    waiting = {row[0]: row[1] for row in page.table("attribute")}
    assert waiting == {"nick": "2"}
    rejected = [row[:4] for row in page.table("attribute", "reason")]
    assert rejected[0] == ["email_address", "invalid_email", "validation", "2"]
    assert (rejected[1][0], rejected[1][2:]) == ("whole row", ["batch", "1"])
    assert "1 row rejected as a whole" in page.text

    assert not [secret for secret in SECRETS if secret in path.read_text(encoding="utf-8")]


def test_runs_and_syncs_can_be_chosen(project: Project) -> None:
    for sync in ("people", "vips"):
        project.map({"identifier": "id", "custom": ["points"]}, sync)
        project.set_rows({"id": "varchar", "points": "bigint"}, [{"id": "a", "points": 1}], sync)
    project.build()
    for _ in range(3):
        project.push()
    done = project.call("report", "--limit", "2", "--select", "people")
    assert (done.returncode, done.stdout) == (0, "wrote report.html (syncs: 1, runs: 2)\n")
    page = Page((project.directory / "report.html").read_text(encoding="utf-8"))
    assert len(page.table("started", "status")) == 2
    assert "vips" not in page.text

    done = project.call("report", "--out", "nowhere/report.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--out: nowhere/report.html can't be written: No such file or directory" in done.stderr
