"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.bench import EVENTS, Bench
from harness.clocked import PostgresOnClock
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import KEPT, MARKER, batch, either, postgres, project, workshop
from harness.quick import QuickProject

from dbt_batch_sync.sandbox.server import SandboxSettings

__all__ = ["batch", "either", "postgres", "project", "workshop"]

UNPACED = SandboxSettings(rate_limits=False, keep_requests=KEPT, keep_bodies=KEPT)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, because `--strict-markers` rejects unknown ones."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session", params=["duckdb"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One sync, for hundreds of sequences: on an in-process DuckDB, or on PostgreSQL for tests that ask for it.
    Each sequence resets it.
    """
    on_postgres = request.param == "postgres"
    database = PostgresOnClock(request.getfixturevalue("postgres")) if on_postgres else None
    with FaultyServer(UNPACED) as server:
        yield Bench(tmp_path_factory.mktemp(f"bench-{request.param}"), server, database=database)


@pytest.fixture(scope="session")
def events_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The same for events. Each test resets it."""
    with FaultyServer(UNPACED) as server:
        yield Bench(tmp_path_factory.mktemp("bench-events"), server, EVENTS)


@pytest.fixture(scope="session")
def parsed(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """The project behind `quick`: a call of 200 rows settles two pages."""
    return QuickProject(tmp_path_factory.mktemp("quick"), batch, page_rows=100)


@pytest.fixture
def quick(parsed: QuickProject, request: pytest.FixtureRequest) -> Iterator[QuickProject]:
    """An empty project with a fast `dbt run`. Fails the test if a request broke a rule of the API, except for
    rules in the marker `forbidden`.
    """
    parsed.clear()
    yield parsed
    marker = request.node.get_closest_marker("forbidden")
    stats = parsed.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples
