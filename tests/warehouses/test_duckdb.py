"""DuckDB, by the suite that every warehouse has to pass."""

from __future__ import annotations

import pytest
from harness.behaviour import Behaviour
from harness.databases import DuckDbFile


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    """A file."""
    return DuckDbFile(tmp_path_factory.mktemp("duckdb") / "shop.duckdb")


class TestDuckDb(Behaviour):
    """The suite."""
