"""The grants of docs/warehouses.md are enough for a push, and what `validate --online` asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.databases import PostgresDatabase, PostgresServer
from harness.faulty_sandbox import FaultyServer
from harness.project import Project
from harness.rights import check_rights, documented


@pytest.mark.parametrize(("warehouse", "by_dbt"), [("PostgreSQL", True), ("Redshift", False)])
def test_the_least_rights_day_by_day(
    postgres: PostgresServer, batch: FaultyServer, tmp_path: Path, warehouse: str, by_dbt: bool
) -> None:
    """Each statement of Redshift's is one of PostgreSQL's as well."""
    project = Project(tmp_path, batch, PostgresDatabase(postgres))
    project.clear()
    check_rights(project, documented(warehouse), granted_by_dbt=by_dbt)
