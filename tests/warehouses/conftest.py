"""What the tests of warehouses share: one server of each kind, and one project on each, for a whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.databases import PostgresServer
from harness.fixtures import MARKER, batch

__all__ = ["batch"]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.stop()
