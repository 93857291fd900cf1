"""What the integration tests share."""

from __future__ import annotations

import pytest
from harness.fixtures import MARKER, batch, project, workshop

__all__ = ["batch", "project", "workshop"]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; `--strict-markers` refuses others."""
    config.addinivalue_line("markers", MARKER)
