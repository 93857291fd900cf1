"""Spark's driver, on an older Spark with Iceberg tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drivers.contract import warehouse
from drivers.test_spark import LakeContract
from harness.databases import Database
from harness.iceberg import IcebergDatabase, IcebergSpark
from sqlglot import exp

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

__all__ = ["warehouse"]


@pytest.fixture(scope="module")
def database() -> Iterator[IcebergDatabase]:
    spark = IcebergSpark("iceberg")
    yield IcebergDatabase(spark)
    spark.stop()


class TestIceberg(LakeContract):
    # Before Spark 4 an invalid cast returns null instead of failing.
    failing = exp.func("raise_error", exp.Placeholder(this="word"))

    def create_table(self, database: Database, name: str, declared: str) -> None:
        database.execute(f"create table {name} ({declared}) using iceberg", {})
