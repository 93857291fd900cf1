"""The dbt tests of the package against the renderer, on DuckDB and PostgreSQL."""

from __future__ import annotations

import pytest
from harness.databases import Database, DuckDbFile, PostgresDatabase
from harness.dbt_tests import DbtTests, found, tested

__all__ = ["TestDbtTests", "found", "tested"]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A file, and a database of a server."""
    if request.param == "postgres":
        return PostgresDatabase(request.getfixturevalue("postgres"))
    return DuckDbFile(tmp_path_factory.mktemp("file") / "shop.duckdb")


class TestDbtTests(DbtTests):
    """The suite."""
