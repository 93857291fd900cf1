"""Spark itself on Iceberg tables, by the suite that every warehouse has to pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.iceberg import IcebergDatabase, LocalSpark

pytestmark = [
    pytest.mark.emulated,
    # PySpark leaves the sockets of its results to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[IcebergDatabase]:
    """A Spark of its own."""
    spark = LocalSpark()
    yield IcebergDatabase(spark)
    spark.stop()


class TestIceberg(Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }
