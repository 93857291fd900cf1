"""Import rules between the parts of the package, as documented in CONTRIBUTING.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dbt_batch_sync

PACKAGE = Path(dbt_batch_sync.__file__).parent


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports at run time, with the names it imports from them."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            pending += ast.iter_child_nodes(node)


def importers(module: str) -> set[str]:
    """The parts of the package, or top-level modules, that import a module or its contents."""
    return {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in PACKAGE.rglob("*.py")
        if any(name == module or name.startswith(f"{module}.") for name in imported(path))
    }


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        # BigQuery's client raises requests' exceptions.
        ("requests", {"batch_api", "warehouse"}),
        ("urllib3", {"batch_api"}),
        ("dbt", {"warehouse"}),
        ("duckdb", {"audit", "payload", "warehouse"}),
        ("typer", {"cli"}),
        ("rich", {"cli"}),
        ("dbt_batch_sync.cli", {"__main__", "cli"}),
        ("dbt_batch_sync.api", {"api", "cli", "orchestrators"}),
        ("dbt_batch_sync.audit", {"api", "audit"}),
        ("dbt_batch_sync.push", {"api", "audit", "push"}),
        ("dbt_batch_sync.payload", {"audit", "payload", "push"}),
        ("dbt_batch_sync.delivery", {"delivery", "push"}),
        ("dbt_batch_sync.kinds.profiles", {"kinds", "mapping"}),
    ],
)
def test_modules_are_imported_only_by_these_parts(module: str, parts: set[str]) -> None:
    assert importers(module) == parts


def test_the_command_line_leaves_the_work_to_api() -> None:
    found = {name for path in (PACKAGE / "cli").glob("*.py") for name in imported(path)}
    known = {name.split(".")[1] for name in found if name.startswith("dbt_batch_sync.")}
    assert known == {
        "__version__",
        "api",
        "cli",
        "connections",
        "errors",
        "report",
        "results",
        "sandbox",
        "scaffold",
    }
