"""What docs/evolution.md and docs/troubleshooting.md promise: recipes are run, messages exist in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.markdown import codes, read
from harness.project import ROOT, Project

MAPPING = {"identifier": "id", "custom": ["points"]}
COLUMNS = {"id": "varchar", "points": "integer"}
ROWS = [{"id": "1", "points": 1}, {"id": "2", "points": 2}]


def test_a_renamed_model_keeps_its_state(project: Project) -> None:
    project.map(MAPPING, "crm_contacts")
    project.set_rows(COLUMNS, ROWS, "crm_contacts")
    project.build()
    assert project.push_one().accepted == 2
    (block,) = [each for each in read("docs/evolution.md").blocks if each.info == "sql renamed"]
    for statement in block.text.split(";"):
        if statement.strip():
            project.execute(statement.replace("analytics", "main"))
    for path in project.directory.glob("models/**/crm_contacts*"):
        path.unlink()
    project.map(MAPPING, "contacts")
    project.set_rows(COLUMNS, [ROWS[0], {"id": "2", "points": 3}], "contacts")
    project.build()
    assert project.changes("contacts") == {"2": ("update", "points")}
    assert project.push_one().accepted == 1


def constants() -> Iterator[str]:
    """The texts of the package, as the parser joins them, and the macros."""
    for path in (ROOT / "dbt_batch_sync").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    for path in (ROOT / "macros").rglob("*.sql"):
        yield path.read_text(encoding="utf-8")


def test_every_message_is_one_of_the_code() -> None:
    texts = "\n".join(constants())
    document = read("docs/troubleshooting.md")
    rows = [row for title in ("`dbt run`", "`push`") for row in document.section(title).table()]
    assert len(rows) > 20
    missing = [
        part
        for row in rows
        for part in codes(row[0])[0].split("…")
        if part.strip("` :") and part.strip("`") not in texts
    ]
    assert missing == []
