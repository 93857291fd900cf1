"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import MARKER, batch, either, path, postgres, project, workshop
from harness.quick import QuickProject

__all__ = ["batch", "either", "path", "postgres", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, because `--strict-markers` rejects unknown ones."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def parsed(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """The project behind `quick`."""
    return QuickProject(tmp_path_factory.mktemp("quick"), batch, page_rows=1)


@pytest.fixture
def quick(parsed: QuickProject) -> Iterator[QuickProject]:
    """An empty project of one sync with a fast `dbt run`. Each row of a delta gets its own page."""
    parsed.clear()
    yield parsed
    assert not parsed.sandbox.stats.violations, parsed.sandbox.stats.examples
