"""What the tests of warehouses share: the projects of the suite, and a server of each kind for a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import quick, quick_workshop, shop, shop_workshop
from harness.databases import PostgresServer
from harness.fixtures import MARKER, batch

__all__ = ["batch", "quick", "quick_workshop", "shop", "shop_workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.stop()
