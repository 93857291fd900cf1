"""Only an orchestrator's own module imports it, because dbt imports every installed module named `dbt_*`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import dbt_batch_sync

PACKAGE = Path(dbt_batch_sync.__file__).parent
ORCHESTRATORS = ("airflow", "dagster", "dagster_dbt", "prefect")


@cache
def imported(path: Path) -> tuple[str, ...]:
    """All modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return (*plain, *(node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module))


def importers(*modules: str) -> set[str]:
    """The package's files that import one of these modules or their contents."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name == each or name.startswith(f"{each}.") for name in imported(path) for each in modules)
    }


def test_orchestrators_are_imported_only_by_their_modules() -> None:
    hooks = {f"orchestrators/{name}.py" for name in ("airflow", "dagster", "prefect")}
    assert importers(*ORCHESTRATORS) == hooks
    assert importers("dbt_batch_sync.orchestrators") == hooks


def test_hooks_do_not_import_the_command_line() -> None:
    assert {
        each for each in importers("dbt_batch_sync.cli", "typer") if each.startswith("orchestrators/")
    } == set()
    assert "cli/sync.py" in importers("typer")
