"""Fixtures of the browser tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.browser import Browser
from harness.fixtures import MARKER, batch, project, workshop

__all__ = ["batch", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, because `--strict-markers` rejects unknown ones."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page of a headless Chromium. Fails if none is installed."""
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()
