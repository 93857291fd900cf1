"""PostgreSQL, a real server: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

import pytest
from harness.behaviour import Behaviour
from harness.databases import PostgresDatabase, PostgresServer


@pytest.fixture(scope="module")
def warehouse(postgres: PostgresServer) -> PostgresDatabase:
    """A database of its own."""
    return PostgresDatabase(postgres)


class TestPostgres(Behaviour):
    """The suite."""

    accepts_nul = False
    people_types = {  # noqa: RUF012 - a table
        "tiny": "smallint",
        "unsigned": "numeric(20,0)",
        "huge": "numeric(39,0)",
        "ratio": "double precision",
        "single": "real",
        "coarse_at": "timestamp(0)",
        "fine_at": "timestamp(6)",
        "id": "varchar(80)",
        "lang": "varchar",
        "level": "text",
    }
