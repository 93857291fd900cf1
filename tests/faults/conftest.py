"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.bench import Bench
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import KEPT, MARKER, batch, postgres, project, workshop
from harness.quick import QuickProject

from dbt_batch_sync.sandbox.server import SandboxSettings

__all__ = ["batch", "postgres", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session", params=["duckdb"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One sync on an engine in this process, for hundreds of sequences; each of them resets it."""
    settings = SandboxSettings(rate_limits=False, keep_requests=KEPT, keep_bodies=KEPT)
    with FaultyServer(settings) as server:
        yield Bench(tmp_path_factory.mktemp(f"bench-{request.param}"), server)


@pytest.fixture(scope="session")
def parsed(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """The directory of `quick`: a call of 200 rows settles two pages."""
    return QuickProject(tmp_path_factory.mktemp("quick"), batch, page_rows=100)


@pytest.fixture
def quick(parsed: QuickProject, request: pytest.FixtureRequest) -> Iterator[QuickProject]:
    """An empty project whose `dbt run` is quick. Afterwards no request may have broken a rule of the API, but for
    those that the test's marker `forbidden` names.
    """
    parsed.clear()
    yield parsed
    marker = request.node.get_closest_marker("forbidden")
    stats = parsed.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples
