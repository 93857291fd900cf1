"""Spark itself on Iceberg tables, by the suite that every warehouse has to pass."""

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
    # PySpark leaves the sockets of its results to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[IcebergDatabase]:
    """A Spark of its own."""
    spark = IcebergSpark("iceberg")
    yield IcebergDatabase(spark)
    spark.stop()


class TestIceberg(SparkTables, Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }


class TestFound(DbtTests):
    """What the package's dbt tests find."""
