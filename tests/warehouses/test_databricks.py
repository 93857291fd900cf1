"""Databricks, on a stand-in, with its own driver and dbt-databricks: the shared suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.databricks import TOKEN, DatabricksDatabase, DatabricksServer
from harness.dbt_tests import DbtTests, found, tested
from harness.quick import QuickProject
from harness.spark_tables import SparkTables

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DatabricksDatabase]:
    server = DatabricksServer()
    yield DatabricksDatabase(server)
    server.stop()


class TestDatabricks(SparkTables, Behaviour):
    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


def test_a_snapshot_is_clustered_by_its_key(quick: QuickProject, warehouse: DatabricksDatabase) -> None:
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(1))
    warehouse.thrift.asked.clear()
    quick.build()
    statements = [" ".join(text.lower().split()) for text, _ in warehouse.thrift.asked]
    created = [text for text in statements if text.startswith("create") and "people_sent_snapshot" in text]
    assert [("cluster by (custom_id)" in text, "or replace" in text) for text in created] == [(True, False)]


def test_adding_a_first_timestamp_column(quick: QuickProject, warehouse: DatabricksDatabase) -> None:
    """Delta accepts the type only in tables with the feature enabled."""
    columns = {"id": "text", "n": "bigint", "at": "timestamp"}
    quick.map({"identifier": "id", "custom": ["n"]})
    quick.set_rows(columns, [{"id": "x", "n": 1, "at": datetime(2024, 5, 6)}])
    quick.sync()
    warehouse.thrift.asked.clear()
    quick.map({"identifier": "id", "custom": ["n", "at"]})
    assert quick.sync().accepted == 1
    altered = [text.lower() for text, _ in warehouse.thrift.asked if "alter table" in text.lower()]
    assert ["timestampntz" in text for text in altered] == [True, False]


class TestFound(DbtTests): ...


def test_standard_output_is_only_the_result(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(3))
    quick.build()
    pushed = quick.cli("push", "--json")
    assert json.loads(pushed.stdout)["status"] == "succeeded", pushed.stderr
    assert TOKEN not in pushed.stdout + pushed.stderr
