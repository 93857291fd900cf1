"""Spark on Iceberg tables: the shared suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.dbt_tests import DbtTests, found, tested
from harness.iceberg import IcebergDatabase, IcebergSpark
from harness.spark_tables import SparkTables

__all__ = ["found", "tested"]

pytestmark = [
    pytest.mark.emulated,
    # PySpark leaves its result sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[IcebergDatabase]:
    spark = IcebergSpark("iceberg")
    yield IcebergDatabase(spark)
    spark.stop()


class TestIceberg(SparkTables, Behaviour):
    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


class TestFound(DbtTests): ...
