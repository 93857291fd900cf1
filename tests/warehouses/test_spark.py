"""Spark SQL on Delta tables, by the suite that every warehouse has to pass: on Sail, another engine with Spark's protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.spark import SailServer, SparkDatabase

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[SparkDatabase]:
    """A server of its own."""
    server = SailServer()
    yield SparkDatabase(server)
    server.stop()


class TestSpark(Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "unsigned": "decimal(20,0)",
        "huge": "decimal(38,0)",
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "id": "varchar",
        "token": "string",
        "level": "string",
        "note": "string",
    }
