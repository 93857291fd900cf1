"""What the tests of the orchestrators share. Each runs where its orchestrator is: `make test-orchestrators`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness.fixtures import MARKER, batch, project, workshop

__all__ = ["batch", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dbt` is this environment's, as it is where a task runs; nobody is told that a test ran."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
