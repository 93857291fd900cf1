"""Databricks' own driver, on a stand-in for its server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from drivers.contract import no_waits, select, target_of, warehouse
from drivers.test_spark import LakeContract
from harness.databricks import TOKEN, DatabricksDatabase, DatabricksServer
from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Statement, Warehouse, open_warehouse

pytestmark = pytest.mark.emulated

__all__ = ["warehouse"]


@pytest.fixture(scope="module")
def database() -> Iterator[DatabricksDatabase]:
    server = DatabricksServer()
    yield DatabricksDatabase(server)
    server.stop()


class TestDatabricks(LakeContract):
    """The contract, and tests of this driver's own behavior."""

    def test_value_types(self, warehouse: Warehouse, database: DatabricksDatabase) -> None:
        values = {
            "word": 'it\'s \\ "é😀" :word -- %s',
            "many": 2**40,
            "few": -7,
            "part": 0.1,
            "good": True,
            "told": datetime(2024, 10, 27, 0, 30, 0, 123456),
            "none": None,
        }
        query = exp.select(*(exp.alias_(exp.Placeholder(this=name), name) for name in values))
        assert warehouse.fetch(Statement(query, values)).to_pylist() == [values]
        text, given = database.thrift.asked[-1]
        assert "it's" not in text
        assert ":word" in text
        kinds = ["STRING", "BIGINT", "INT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "VOID"]
        assert {name: kind for name, (kind, _) in given.items()} == dict(zip(values, kinds, strict=True))
        assert given["told"][1] == "2024-10-27 00:30:00.123456+00:00"

    def test_an_expired_session_is_reopened(self, warehouse: Warehouse, database: DatabricksDatabase) -> None:
        database.thrift.sessions.clear()
        with no_waits():
            assert warehouse.fetch(select("select 1 as n")).to_pylist() == [{"n": 1}]


def test_a_wrong_token_is_not_shown(database: DatabricksDatabase) -> None:
    target = target_of(database)
    wrong = replace(target, credentials={**target.credentials, "token": "dapi-wrong-one"})
    with pytest.raises(WarehouseError, match="can't connect to the warehouse") as raised:
        open_warehouse(wrong)
    assert "dapi" not in str(raised.value)
    assert TOKEN not in str(raised.value)
