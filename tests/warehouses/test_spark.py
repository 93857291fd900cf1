"""Spark SQL on Delta tables, by the suite that every warehouse has to pass: on Sail, another engine with Spark's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dbt_batch_sync.ledger.ledger import Run
from harness.behaviour import CALL, CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.dbt_tests import DbtTests, found, tested
from harness.faulty_sandbox import FaultyServer
from harness.goldens import MODELS, build, check
from harness.project import Project
from harness.quick import QuickProject
from harness.spark import SailServer, SparkDatabase
from harness.spark_tables import SparkTables

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.warehouse import open_warehouse

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[SparkDatabase]:
    """A server of its own."""
    server = SailServer()
    yield SparkDatabase(server)
    server.stop()


class TestSpark(SparkTables, Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


# What the macros make


@pytest.fixture(scope="module")
def compiled(
    batch: FaultyServer, warehouse: SparkDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The models whose SQL is recorded, built once with dbt."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("golden"), batch, warehouse)
    build(project, {"note": "map<string,int>"})
    return project


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(compiled: Project, model: str) -> None:
    check(compiled, model, "spark")


# What the product asks


def test_other_methods_are_refused(quick: QuickProject) -> None:
    target = read_target(quick.options())
    thrift = replace(target, credentials={**target.credentials, "method": "thrift"})
    with pytest.raises(UnsupportedWarehouse, match="the method `thrift`; a push needs `session`"):
        open_warehouse(thrift)


def test_dbt_run_replaces_a_delta_that_is_being_sent(quick: QuickProject) -> None:
    """It does not wait for the push, and the push notices."""

    class Meanwhile:
        built = False

        def started(self, work: Work, endpoint: object) -> None: ...

        def troubled(self, sync: str, message: str) -> None: ...

        def progressed(self, run: Run) -> None:
            if not self.built:
                self.built = True
                quick.build()

    quick.outputs(sandbox={"max_in_flight": 1})
    quick.map({**CONTACTS_MAPPING, "endpoint": "update"})
    quick.set_rows(CONTACTS, contacts(12 * CALL))
    quick.build()
    pushed = quick.push_one(observer=Meanwhile())
    assert pushed.status == "failed"
    assert "rebuilt" in str(pushed.error)
    assert quick.push_one().status == "succeeded"
    assert len(quick.profiles()) == len(quick.snapshot()) == 12 * CALL
    quick.build()
    assert quick.changes() == {}


def test_a_snapshot_that_dbt_does_not_list_is_kept(
    quick: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark's list of a schema leaves out the tables of some catalogs of Iceberg: seen on a real one."""
    from dbt.adapters.spark import SparkAdapter

    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(3))
    quick.sync()
    monkeypatch.setattr(SparkAdapter, "list_relations_without_caching", lambda *_: [])
    quick.build()
    assert len(quick.snapshot()) == 3
    assert quick.changes() == {}


class TestFound(DbtTests):
    """What the package's dbt tests find."""
