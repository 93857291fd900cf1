"""The package's dbt tests against the renderer, on DuckDB and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.databases import Database, DuckDbFile, PostgresDatabase
from harness.dbt_tests import DbtTests, found, tested

__all__ = ["found", "tested"]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    if request.param == "postgres":
        return PostgresDatabase(request.getfixturevalue("postgres"))
    directory: Path = tmp_path_factory.mktemp("found")
    return DuckDbFile(directory / "shop.duckdb")


class TestFound(DbtTests): ...
