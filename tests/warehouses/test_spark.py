"""Spark SQL on Delta tables: the shared suite, on Sail, another engine with Spark's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.dbt_tests import DbtTests, found, tested
from harness.quick import QuickProject
from harness.spark import SailServer, SparkDatabase
from harness.spark_tables import SparkTables

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse import open_warehouse

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[SparkDatabase]:
    server = SailServer()
    yield SparkDatabase(server)
    server.stop()


class TestSpark(SparkTables, Behaviour):
    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


# Connection methods and metadata


def test_other_connection_methods_are_refused(quick: QuickProject) -> None:
    target = read_target(quick.options())
    thrift = replace(target, credentials={**target.credentials, "method": "thrift"})
    with pytest.raises(UnsupportedWarehouse, match="the method `thrift`; a push needs `session`"):
        open_warehouse(thrift)


def test_a_snapshot_that_dbt_does_not_list_is_kept(
    quick: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With some Iceberg catalogs, Spark's table list omits tables. Seen on a real one."""
    from dbt.adapters.spark import SparkAdapter

    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(3))
    quick.sync()
    monkeypatch.setattr(SparkAdapter, "list_relations_without_caching", lambda *_: [])
    quick.build()
    assert len(quick.snapshot()) == 3
    assert quick.changes() == {}


class TestFound(DbtTests): ...
