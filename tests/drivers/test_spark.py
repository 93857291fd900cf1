"""Spark's driver, on Sail, another engine with Spark's protocol, with Delta tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from drivers.contract import DriverContract, check_retries, warehouse
from harness.databases import Database
from harness.spark import SailServer, SparkDatabase

from dbt_batch_sync.warehouse import Warehouse

pytestmark = pytest.mark.emulated

__all__ = ["warehouse"]

CONFLICT = "[DELTA_CONCURRENT_APPEND] Files were added to the root of the table by a concurrent update."


@pytest.fixture(scope="module")
def database() -> Iterator[SparkDatabase]:
    server = SailServer()
    yield SparkDatabase(server)
    server.stop()


class LakeContract(DriverContract):
    """The contract on Delta tables."""

    told = "no_such_column|INTERNAL_ERROR"  # Sail words its error differently.
    odd = {  # noqa: RUF012 - a table
        "cast(7.1 as decimal(18, 4))": ("decimal128(18, 4)", Decimal("7.1")),
        "cast(0.1 as double)": ("double", 0.1),
        "cast(7 as bigint)": ("int64", 7),
        "true": ("bool", True),
        "cast('0001-01-01' as date)": ("date32[day]", date(1, 1, 1)),
        "array('a', 'b')": ("list<string>", ["a", "b"]),
        "cast('2024-10-27 02:30:00.9' as timestamp_ntz)": (
            "timestamp[us]",
            datetime(2024, 10, 27, 2, 30, 0, 900000),
        ),
        "timestamp '2024-10-27 02:30:00+02:00'": ("timestamp[us]", datetime(2024, 10, 27, 0, 30)),
        "cast(null as string)": ("string", None),
    }

    def create_table(self, database: Database, name: str, declared: str) -> None:
        database.execute(f"create table {name} ({declared}) using delta", {})

    def test_temporary_errors_are_retried(self, warehouse: Warehouse) -> None:
        check_retries(warehouse, [RuntimeError(CONFLICT)])


class TestSpark(LakeContract):
    """Timestamps with a zone."""


class TestSparkWithoutZones(LakeContract):
    """Timestamps without a zone."""

    types = {"timestamp": "timestamp_ntz"}  # noqa: RUF012 - a table

    def create_table(self, database: Database, name: str, declared: str) -> None:
        feature = "tblproperties ('delta.feature.timestampNtz' = 'supported')"
        database.execute(f"create table {name} ({declared}) using delta {feature}", {})
