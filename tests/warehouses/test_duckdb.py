"""DuckDB, by the suite that every warehouse has to pass."""

from __future__ import annotations

import pytest
from harness.behaviour import Behaviour
from harness.databases import DuckDbFile

from dbt_batch_sync.warehouse import duckdb


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    """A file."""
    return DuckDbFile(tmp_path_factory.mktemp("duckdb") / "shop.duckdb")


class TestDuckDb(Behaviour):
    """A file is one process's at a time."""

    second_push = "the DuckDB file is locked by another process"

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(duckdb, "LOCK_WAIT_SECONDS", 0.0)
