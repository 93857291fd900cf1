"""docs/evolution.md and docs/troubleshooting.md: recipes are run, and messages must exist in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

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


def test_abandoned_carts(project: Project) -> None:
    (block,) = [each for each in read("docs/kinds/events.md").blocks if each.info == "sql carts"]
    columns = {
        "cart_id": "varchar",
        "customer_id": "varchar",
        "last_activity_at": "timestamp",
        "total": "double",
        "status": "varchar",
    }
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    carts = [
        {"cart_id": name, "customer_id": name, "last_activity_at": now - timedelta(minutes=ago), "total": 9.5, "status": status}
        for name, ago, status in (("left", 90, "open"), ("active", 30, "open"), ("bought", 90, "paid"))
    ]  # fmt: skip
    project.set_rows(columns, carts, "carts")
    mapping = {
        "kind": "events", "identifier": "customer_id", "event_id": "event_id", "name": {"value": "cart_abandoned"},
        "time": "abandoned_at", "attributes": ["total"],
    }  # fmt: skip
    project.map(mapping, "cart_abandoned", sql=block.text)
    (project.directory / "models" / "carts.sql").write_text(
        f"select * from {project.warehouse.source('carts')}"
    )
    project.build()
    assert project.push_one(force=True).sent == 1
    (sent,) = project.sandbox.events.last
    assert (sent.custom_id, sent.event.name, sent.event.attributes) == (
        "left",
        "cart_abandoned",
        {"total": 9.5},
    )


def constants() -> Iterator[str]:
    """The string constants of the package, joined as the parser joins them, and the macros."""
    for path in (ROOT / "dbt_batch_sync").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    for path in (ROOT / "macros").rglob("*.sql"):
        yield path.read_text(encoding="utf-8")


def test_every_message_on_the_page_is_in_the_code() -> None:
    texts = "\n".join(constants())
    document = read("docs/troubleshooting.md")
    rows = [row for title in document.headings[1:-1] for row in document.section(title).table()]
    assert len(rows) > 50
    plain = texts.replace("`", "")
    missing = [
        part
        for row in rows
        for message in codes(row[0])
        for part in message.split("…")
        if part.strip("` :;.") and part.strip() not in plain
    ]
    assert missing == []


ERRORS = {
    *("ConfigurationError", "ManifestError", "ProfileError", "UnsupportedWarehouse"),
    *("WarehouseError", "Conflict", "DeliveryError", "Stopped"),
}


def spoken(node: ast.AST) -> str:
    """The text of an expression, with … for interpolated parts."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(spoken, node.values))
    if isinstance(node, ast.BinOp):
        return spoken(node.left) + spoken(node.right)
    return "…"


def raised() -> Iterator[tuple[str, str]]:
    """All raised messages, with their location."""
    for path in sorted((ROOT / "dbt_batch_sync").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ERRORS
                and node.args
            ):
                yield f"{path.name}:{node.lineno}", spoken(node.args[0])
    for path in sorted((ROOT / "macros").rglob("*.sql")):
        for found in re.finditer(r"raise_compiler_error\((.*)", path.read_text(encoding="utf-8")):
            quoted = re.findall(r'"([^"]*)"|\'([^\']*)\'', found[1])
            yield path.name, "…".join(one or other for one, other in quoted)


def test_every_message_of_the_code_is_on_the_page() -> None:
    """Each message has a part of at least two words that the page shows as code."""
    shown = [part.strip() for row in codes(read("docs/troubleshooting.md").text) for part in row.split("…")]
    known = [part for part in shown if len(part) > 6]
    absent = [
        f"{where}: {message}"
        for where, message in raised()
        if re.search(r"[a-z]{3,}[ ][a-z]{2,}", message.replace("…", ""))
        and not any(part in message.replace("`", "") for part in known)
    ]
    assert absent == []
