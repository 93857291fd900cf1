"""PostgreSQL's driver, on a real server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import date, datetime

import pyarrow as pa
import pytest
from drivers.contract import DriverContract, check_retries, no_waits, select, target_of, warehouse
from harness.databases import PostgresDatabase, PostgresServer
from psycopg2 import errors
from sqlglot import exp

from dbt_batch_sync.warehouse import open_warehouse
from dbt_batch_sync.warehouse.postgres import PostgresWarehouse

__all__ = ["warehouse"]


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """A database whose settings differ from those we expect."""
    database = PostgresDatabase(postgres)
    for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'", "extra_float_digits = -3"):
        database.execute(f"alter database {database.name} set {setting}", {})
    return database


class TestPostgres(DriverContract):
    """The contract, and tests of this driver's own behavior."""

    types = {"double": "double precision"}  # noqa: RUF012 - a table
    odd = {  # noqa: RUF012 - a table
        "array['a b', 'q\"', '{,}']": ("list<string>", ["a b", 'q"', "{,}"]),
        "array[]::text[]": ("list<string>", None),
        "7.10::numeric(15, 2)": ("double", 7.1),
        "7.00::numeric(38, 2)": ("string", "7"),
        "12345678901234567890.50::numeric": ("string", "12345678901234567890.5"),
        "sum(7::bigint)": ("string", "7"),
        "count(*)": ("int64", 1),
        "cast(3 as smallint)": ("int64", 3),
        "cast(0.1 as double precision)": ("double", 0.1),
        "true": ("bool", True),
        "date '0001-01-01'": ("date32[day]", date(1, 1, 1)),
        "timestamptz '2024-10-27 02:30:00.9+02'": ("timestamp[us]", datetime(2024, 10, 27, 0, 30, 0, 900000)),
        "timestamp '2024-10-27 02:30:00'": ("timestamp[us]", datetime(2024, 10, 27, 2, 30)),
        "cast(null as text)": ("string", None),
    }

    def test_a_lost_connection_is_reopened(
        self, warehouse: PostgresWarehouse, database: PostgresDatabase, boxes: exp.Table
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

    def test_temporary_errors_are_retried(self, warehouse: PostgresWarehouse) -> None:
        check_retries(warehouse, [errors.DeadlockDetected("x"), errors.SerializationFailure("x")])

    def test_no_transaction_stays_open_between_calls(
        self, warehouse: PostgresWarehouse, database: PostgresDatabase, boxes: exp.Table
    ) -> None:
        self.rows_of(warehouse, boxes)
        states = database.query(
            "select distinct state from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'",
            {},
        )
        assert states == [{"state": "idle"}]
        database.execute(f"drop table {boxes.sql('postgres')}", {})

    def test_one_session_per_concurrent_call(self, database: PostgresDatabase) -> None:
        with contextlib.closing(open_warehouse(target_of(database))) as opened:
            assert isinstance(opened, PostgresWarehouse)
            barrier = threading.Barrier(2)
            act = lambda _: barrier.wait(10)  # noqa: E731 - two calls that wait for each other
            other = threading.Thread(target=opened._run, args=(act,))
            other.start()
            opened._run(act)
            other.join()
            for _ in range(3):
                opened.fetch(select("select 1 as n"))
            assert len(opened._free) == 2
