"""Redshift, on PostgreSQL through its own driver: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.databases import PostgresServer
from harness.project import Project
from harness.quick import QuickProject
from harness.redshift import RedshiftDatabase, RedshiftProxy

from dbt_batch_sync.project.profiles import read_target
from dbt_batch_sync.warehouse import Warehouse, open_warehouse

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse(postgres: PostgresServer) -> Iterator[RedshiftDatabase]:
    """A database of its own."""
    proxy = RedshiftProxy(postgres)
    yield RedshiftDatabase(postgres, proxy)
    proxy.stop()


class TestRedshift(Behaviour):
    """The suite."""

    accepts_nul = False
    people_types = {  # noqa: RUF012 - a table
        "topics": "super",
        "tiny": "smallint",
        "unsigned": "numeric(20,0)",
        "huge": "numeric(38,0)",
        "ratio": "double precision",
        "single": "real",
        "coarse_at": "timestamp(0)",
        "fine_at": "timestamp(6)",
        "tags": "super",
        "token": "varchar(36)",
        "level": "varchar",
        "note": "varchar",
    }
    people_given = {"tags": "string_array"}  # noqa: RUF012 - a table


@pytest.fixture
def opened(quick: QuickProject) -> Iterator[Warehouse]:
    """The product's own connection to the project's database."""
    with contextlib.closing(open_warehouse(read_target(quick.options()))) as warehouse:
        yield warehouse
