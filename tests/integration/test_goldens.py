"""The SQL rendered for the goldens is what dbt compiles."""

from __future__ import annotations

from harness.goldens import MODELS, build, check
from harness.project import Project


def test_dbt_compiles_what_is_rendered(project: Project) -> None:
    build(project, {})
    for model in MODELS:
        check(project, model, "duckdb")
