"""Fixtures of the warehouse tests: the suite's projects, and one server of each kind per session."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from harness.behaviour import events, quick, quick_workshop, shop, shop_workshop
from harness.fixtures import MARKER, batch, postgres
from harness.kinds import events_workshop

__all__ = [
    "batch",
    "events",
    "events_workshop",
    "postgres",
    "quick",
    "quick_workshop",
    "shop",
    "shop_workshop",
]

collect_ignore = [] if find_spec("databricks") else ["test_databricks.py"]
"""The stand-in uses the driver's own classes, which only its environment has."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, because `--strict-markers` rejects unknown ones."""
    config.addinivalue_line("markers", MARKER)
