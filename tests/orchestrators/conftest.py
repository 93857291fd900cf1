"""Fixtures of the orchestrator tests. Each file needs its orchestrator's environment: `make
test-orchestrators`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness.fixtures import MARKER, batch, project, workshop

__all__ = ["batch", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, because `--strict-markers` rejects unknown ones."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put this environment's `dbt` on the PATH, as where tasks run, and turn telemetry off."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
