"""Fixtures of the driver tests: one PostgreSQL server per session."""

from __future__ import annotations

from importlib.util import find_spec

from harness.fixtures import postgres

__all__ = ["postgres"]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [
    name
    for name, package in (("test_databricks.py", "databricks"), ("test_bigquery.py", "google.cloud.bigquery"))
    if not _is_installed(package)
]
"""Their stand-ins use the drivers' own classes, which only their environments have."""
