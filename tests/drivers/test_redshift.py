"""Redshift's driver, on PostgreSQL behind a proxy that rejects what Redshift lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pyarrow as pa
import pytest
from drivers.contract import DriverContract, check_retries, no_waits, select, warehouse
from harness.databases import PostgresServer
from harness.redshift import RedshiftDatabase, RedshiftProxy
from sqlglot import exp, parse_one

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Statement, Warehouse

pytestmark = pytest.mark.emulated

__all__ = ["warehouse"]

SERIALIZABLE = {
    "S": "ERROR",
    "C": "XX000",
    "M": "1023",
    "D": "Serializable isolation violation on table - 1, transactions forming the cycle are: 2, 3 (pid:4)",
}
"""The fields of an error, as in Redshift's documentation."""


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[RedshiftDatabase]:
    proxy = RedshiftProxy(postgres)
    yield RedshiftDatabase(postgres, proxy)
    proxy.stop()


class TestRedshift(DriverContract):
    """The contract, and tests of this driver's own behavior."""

    types = {"double": "double precision", "text": "varchar(65535)"}  # noqa: RUF012 - a table
    odd = {  # noqa: RUF012 - a table
        "cast(7.10 as numeric(15, 2))": ("string", "7.1"),
        "cast(7.00 as numeric(38, 2))": ("string", "7"),
        "sum(cast(7 as bigint))": ("string", "7"),
        "count(*)": ("int64", 1),
        "cast(0.1 as double precision)": ("double", 0.1),
        "true": ("bool", True),
        "cast('0001-01-01' as date)": ("date32[day]", date(1, 1, 1)),
        "cast('2024-10-27 02:30:00.9' as timestamp)": (
            "timestamp[us]",
            datetime(2024, 10, 27, 2, 30, 0, 900000),
        ),
        "cast('2024-10-27 02:30:00.9+02:00' as timestamptz)": (
            "timestamp[us]",
            datetime(2024, 10, 27, 0, 30, 0, 900000),
        ),
        "cast(null as varchar(10))": ("string", None),
    }

    def test_a_lost_connection_is_reopened(
        self, warehouse: Warehouse, database: RedshiftDatabase, boxes: exp.Table
    ) -> None:
        for act in (
            lambda: warehouse.fetch(select("select 1 as n")),
            lambda: warehouse.append(boxes, pa.table({"place": [1]})),
        ):
            database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid()",
                {},
            )
            with no_waits():
                act()
        assert len(self.rows_of(warehouse, boxes)) == 1

    def test_the_stand_in_refuses_what_redshift_lacks(self, warehouse: Warehouse) -> None:
        query = parse_one("select 1 is distinct from 2 as n", dialect="postgres")
        with pytest.raises(WarehouseError, match="syntax error"):
            warehouse.fetch(Statement(query))

    def test_temporary_errors_are_retried(self, warehouse: Warehouse) -> None:
        import redshift_connector

        check_retries(warehouse, [redshift_connector.ProgrammingError(SERIALIZABLE)])
