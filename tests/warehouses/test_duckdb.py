"""DuckDB: the shared suite."""

from __future__ import annotations

import pytest
from harness.behaviour import Behaviour
from harness.databases import DuckDbFile


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    return DuckDbFile(tmp_path_factory.mktemp("duckdb") / "shop.duckdb")


class TestDuckDb(Behaviour): ...
