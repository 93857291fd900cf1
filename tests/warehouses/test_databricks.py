"""Databricks' own driver and dbt-databricks, on a stand-in for its server: the suite that every warehouse has to pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.databricks import TOKEN, DatabricksDatabase, DatabricksServer
from harness.dbt_tests import DbtTests, found, tested
from harness.faulty_sandbox import FaultyServer
from harness.goldens import MODELS, build, check
from harness.project import Project
from harness.quick import QuickProject
from harness.spark_tables import SparkTables
from warehouses import test_spark

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DatabricksDatabase]:
    """A server of its own."""
    server = DatabricksServer()
    yield DatabricksDatabase(server)
    server.stop()


class TestDatabricks(SparkTables, Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


# What the macros make


@pytest.fixture(scope="module")
def compiled(
    batch: FaultyServer, warehouse: DatabricksDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The models whose SQL is recorded, built once with dbt."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("golden"), batch, warehouse)
    warehouse.thrift.asked.clear()
    build(project, {"note": "map<string,int>"})
    return project


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(compiled: Project, model: str) -> None:
    check(compiled, model, "databricks")


def test_a_snapshot_is_clustered_by_its_key(compiled: Project, warehouse: DatabricksDatabase) -> None:
    created = [
        " ".join(text.split()) for text, _ in warehouse.thrift.asked if "create or replace table" in text
    ]
    clustered = [text for text in created if "using delta CLUSTER BY (custom_id)" in text]
    assert len(created) == len(MODELS)
    assert len(clustered) == sum(model.endswith("_sent_snapshot") for model in MODELS)


def test_a_time_is_added_to_a_snapshot_without_one(
    quick: QuickProject, warehouse: DatabricksDatabase
) -> None:
    """Delta takes it only where the table says that it may."""
    columns = {"id": "text", "n": "bigint", "at": "timestamp"}
    quick.map({"identifier": "id", "custom": ["n"]})
    quick.set_rows(columns, [{"id": "x", "n": 1, "at": datetime(2024, 5, 6)}])
    quick.sync()
    warehouse.thrift.asked.clear()
    quick.map({"identifier": "id", "custom": ["n", "at"]})
    assert quick.sync().accepted == 1
    altered = [text.lower() for text, _ in warehouse.thrift.asked if "alter table" in text.lower()]
    assert ["timestampntz" in text for text in altered] == [True, False]


class TestFound(DbtTests):
    """What the package's dbt tests find."""


def test_standard_output_is_the_result_alone(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(3))
    quick.build()
    pushed = quick.cli("push", "--json")
    assert json.loads(pushed.stdout)["status"] == "succeeded", pushed.stderr
    assert TOKEN not in pushed.stdout + pushed.stderr


def test_dbt_run_replaces_a_delta_that_is_being_sent(quick: QuickProject) -> None:
    """It does not wait for the push, and the push notices."""
    test_spark.test_dbt_run_replaces_a_delta_that_is_being_sent(quick)
