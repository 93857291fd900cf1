"""Databricks' own driver and dbt-databricks, on a stand-in for its server: the suite that every warehouse has to pass."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.databricks import TOKEN, DatabricksDatabase, DatabricksServer
from harness.dbt_tests import DbtTests, found, tested
from harness.faulty_sandbox import FaultyServer
from harness.goldens import MODELS, build, check
from harness.project import Project
from harness.quick import QuickProject
from harness.spark_tables import SparkTables
from sqlglot import exp
from warehouses import test_spark

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.sql.relations import create_table
from dbt_batch_sync.warehouse import Load, Statement, databricks_connection, open_warehouse
from dbt_batch_sync.warehouse.databricks import DatabricksWarehouse

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DatabricksDatabase]:
    """A server of its own."""
    server = DatabricksServer()
    yield DatabricksDatabase(server)
    server.stop()


@pytest.fixture
def opened(quick: QuickProject) -> Iterator[DatabricksWarehouse]:
    """The product's own connection to the project's database, and a table for it to look at."""
    quick.execute("create table shop.beside using delta as select 'x' as id")
    with contextlib.closing(open_warehouse(read_target(quick.options()))) as opened:
        assert isinstance(opened, DatabricksWarehouse)
        yield opened


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


# What the driver is asked


def test_values_travel_beside_the_sql(opened: DatabricksWarehouse, warehouse: DatabricksDatabase) -> None:
    values = {
        "word": 'it\'s \\ "é😀" :word -- %s',
        "many": 2**40,
        "few": -7,
        "part": 0.1,
        "good": True,
        "at": datetime(2024, 10, 27, 0, 30, 0, 123456),
        "none": None,
    }
    query = exp.select(*(exp.alias_(exp.Placeholder(this=name), name) for name in values))
    assert opened.fetch(Statement(query, values)) == [tuple(values.values())]
    text, given = warehouse.thrift.asked[-1]
    assert "it's" not in text
    assert ":word" in text
    kinds = ["STRING", "BIGINT", "INT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "VOID"]
    assert {name: kind for name, (kind, _) in given.items()} == dict(zip(values, kinds, strict=True))
    assert given["at"][1] == "2024-10-27 00:30:00.123456+00:00"


def test_a_result_comes_in_parts(
    quick: QuickProject, opened: DatabricksWarehouse, warehouse: DatabricksDatabase
) -> None:
    quick.execute("create table shop.many using delta as select cast(id as string) as id from range(30000)")
    warehouse.thrift.most_rows = 0
    query = exp.select("id").from_("shop.many").order_by("id")
    with opened.stream(Statement(query), 700) as rows:
        sizes = [batch.num_rows for batch in rows.batches]
    assert sum(sizes) == 30_000
    assert max(sizes) == warehouse.thrift.most_rows == 700


def test_what_the_push_does_not_read_any_more_is_its_own_error(opened: DatabricksWarehouse) -> None:
    query = Statement(exp.select("1"))
    with pytest.raises(KeyError), opened.stream(query, 10):
        raise KeyError


def test_a_load_of_any_text_in_several_statements(
    opened: DatabricksWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbt_batch_sync.warehouse.databricks.LOAD_ROWS", 50)
    table = exp.to_table("shop.boxes")
    columns = {"place": "bigint", "word": "text", "seen_at": "timestamp", "good": "boolean"}
    opened.execute([Statement(create_table(table, columns))])
    words = ["'", "\\", '"', "%s", ":word", "a\nb\r\tc", "$$", "é😀\u2028", "", None]
    moment = datetime(2024, 2, 29, 1, 2, 3, 456789)
    rows = pa.table(
        {
            "place": pa.array(range(101), pa.int64()),
            "word": [words[n % len(words)] for n in range(101)],
            "seen_at": pa.array([moment if n % 2 else None for n in range(101)], pa.timestamp("us")),
            "good": [(None, True, False)[n % 3] for n in range(101)],
        }
    )
    opened.execute([Load(table, rows)])
    query = exp.select(*columns).from_(table).order_by("place")
    assert opened.fetch(Statement(query)) == [tuple(row.values()) for row in rows.to_pylist()]


def test_a_session_that_the_server_forgot_is_opened_again(
    opened: DatabricksWarehouse, warehouse: DatabricksDatabase
) -> None:
    query = Statement(exp.select("1"))
    assert opened.fetch(query) == [(1,)]
    warehouse.thrift.sessions.clear()
    assert opened.fetch(query) == [(1,)]


def test_a_statement_does_not_take_for_ever(
    opened: DatabricksWarehouse, warehouse: DatabricksDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks_connection, "STATEMENT_SECONDS", 0.5)
    query = exp.select("1")
    query.add_comments([" held "])
    with pytest.raises(WarehouseError, match="took longer than 0 seconds, and was cancelled"):
        opened.fetch(Statement(query))
    warehouse.thrift.held.set()


def test_a_wrong_token_is_not_shown(quick: QuickProject) -> None:
    target = read_target(quick.options())
    wrong = replace(target, credentials={**target.credentials, "token": "dapi-wrong-one"})
    with pytest.raises(WarehouseError, match="can't connect to the warehouse") as raised:
        open_warehouse(wrong).fetch(Statement(exp.select("1")))
    assert "dapi" not in str(raised.value)
    assert TOKEN not in str(raised.value)


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
