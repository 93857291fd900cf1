"""Fixtures for tests with a project. A `conftest.py` imports them by name.

One sandbox and one dbt project are shared by the session, because starting them is slow. Each test finds them
empty.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from harness.databases import PostgresDatabase, PostgresServer, running_postgres
from harness.faulty_sandbox import FaultyServer
from harness.forked import programs
from harness.project import Project

from dbt_batch_sync.sandbox.server import SandboxSettings

KEPT = 2000
"""Number of requests whose bodies are kept."""

MARKER = "forbidden(*violations): requests that Batch's documentation forbids, and that this test provokes"


@pytest.fixture(scope="session")
def batch() -> Iterator[FaultyServer]:
    """A sandbox without rate limits. While it runs, dbt's adapters don't walk the stack (pytest's frames
    included) to find the module that declared each flag, and garbage is collected less often.
    """
    import dbt.cli.main  # noqa: F401 - so that what it loads is frozen
    from dbt_common.behavior_flags import BehaviorFlagRendered

    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    settings = SandboxSettings(rate_limits=False, keep_requests=KEPT, keep_bodies=KEPT)
    unsourced = mock.patch.object(BehaviorFlagRendered, "_default_source", staticmethod(str))
    with unsourced, FaultyServer(settings) as server:
        yield server
    gc.unfreeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, from POSTGRES_BIN if set."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def either(request: pytest.FixtureRequest) -> PostgresDatabase | None:
    """An empty database of PostgreSQL; None for DuckDB, whose file belongs to the project."""
    return PostgresDatabase(request.getfixturevalue("postgres")) if request.param == "postgres" else None


ON_DUCKDB = pytest.mark.parametrize("either", ["duckdb"], indirect=True)
"""For tests that any warehouse passes or fails alike."""

SOONER_ON_DUCKDB = pytest.mark.parametrize(
    "either", ["duckdb", pytest.param("postgres", marks=pytest.mark.thorough)], indirect=True
)
"""For tests whose SQL others run on PostgreSQL before every merge."""


@pytest.fixture(scope="session")
def path() -> str:
    """A PATH with `dbt` and `dbt-batch-sync`, which start fast."""
    return f"{programs()}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def workshop(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The shared project. Tests use `project` instead."""
    return Project(tmp_path_factory.mktemp("workshop"), batch)


@pytest.fixture
def project(workshop: Project, request: pytest.FixtureRequest) -> Iterator[Project]:
    """An empty project.

    Fails the test if the sandbox saw a request that Batch's documentation forbids, unless the test's marker
    `forbidden` names the rule.
    """
    workshop.clear()
    yield workshop
    marker = request.node.get_closest_marker("forbidden")
    stats = workshop.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples
