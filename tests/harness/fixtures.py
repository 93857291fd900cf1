"""Fixtures for tests that need a project: a `conftest.py` imports them by name.

One sandbox and one dbt project serve a whole session, because what costs is starting them; each test finds
them empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from harness.databases import PostgresServer
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

from dbt_batch_sync.sandbox.server import SandboxSettings

KEPT = 2000
"""Requests whose bodies can be looked at."""

MARKER = "forbidden(*violations): requests that Batch's documentation forbids, and that this test provokes"


@pytest.fixture(scope="session")
def batch() -> Iterator[FaultyServer]:
    """A sandbox without pacing. While it runs, dbt's adapters are quick: they walk the whole stack, pytest's frames too, to name the
    module of each of their flags.
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    settings = SandboxSettings(rate_limits=False, keep_requests=KEPT, keep_bodies=KEPT)
    unsourced = mock.patch.object(BehaviorFlagRendered, "_default_source", staticmethod(str))
    with unsourced, FaultyServer(settings) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server: that of the installation whose programs are in POSTGRES_BIN, if it is set."""
    installed = os.environ.get("POSTGRES_BIN")
    server = PostgresServer(Path(installed) if installed else None)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def workshop(batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project's directory; a test asks for `project`."""
    return Project(tmp_path_factory.mktemp("workshop"), batch)


@pytest.fixture
def project(workshop: Project, request: pytest.FixtureRequest) -> Iterator[Project]:
    """An empty project.

    Afterwards the sandbox must not have seen a request that Batch's documentation forbids, but for those
    that the test's marker `forbidden` names.
    """
    workshop.clear()
    yield workshop
    marker = request.node.get_closest_marker("forbidden")
    stats = workshop.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples
