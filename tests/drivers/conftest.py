"""What the tests of drivers share: a PostgreSQL server for a session."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from harness.databases import PostgresServer


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.stop()


collect_ignore = [
    name
    for name, package in (("test_databricks.py", "databricks"), ("test_bigquery.py", "google.cloud.bigquery"))
    if not _is_installed(package)
]
"""Their stand-ins are made of the drivers' own classes, which only their environments have."""
