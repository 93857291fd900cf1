"""What the tests of drivers share: a PostgreSQL server for a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.databases import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.stop()
