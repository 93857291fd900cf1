"""Databricks' own driver and dbt-databricks, on a stand-in for its server: the suite that every warehouse has to pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.databricks import DatabricksDatabase, DatabricksServer
from harness.goldens import MODELS, build, check
from harness.project import Project

from dbt_batch_sync.sandbox.server import SandboxServer

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DatabricksDatabase]:
    """A server of its own."""
    server = DatabricksServer()
    yield DatabricksDatabase(server)
    server.stop()


class TestDatabricks(Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


# What the macros make


@pytest.fixture(scope="module")
def compiled(
    batch: SandboxServer, warehouse: DatabricksDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The models whose SQL is recorded, built once with dbt."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("golden"), batch, warehouse)
    build(project, {"note": "map<string,int>"})
    return project


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(compiled: Project, model: str) -> None:
    check(compiled, model, "databricks")
