"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.bench import Bench
from harness.fixtures import KEPT, MARKER, batch, project, workshop

from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings

__all__ = ["batch", "project", "workshop"]

THOROUGH = "thorough: takes minutes; `make test-faults` runs it, `make test` does not"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the markers; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", THOROUGH)


@pytest.fixture(scope="session", params=["duckdb"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One segment on an engine in this process, for hundreds of sequences; each of them resets it."""
    settings = SandboxSettings(rate_limits=False, keep_requests=KEPT, keep_bodies=KEPT)
    with SandboxServer(settings) as server:
        yield Bench(tmp_path_factory.mktemp(f"bench-{request.param}"), server)
