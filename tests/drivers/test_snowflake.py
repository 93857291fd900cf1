"""Snowflake's driver, on an emulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from unittest import mock

import pyarrow as pa
import pytest
from drivers.contract import DriverContract, check_retries, select, warehouse
from harness.snowflake import SCHEMA, SnowflakeDatabase, SnowflakeEmulator

from dbt_batch_sync.warehouse import Warehouse

pytestmark = [
    pytest.mark.emulated,
    # The emulator runs in this process.
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]

__all__ = ["warehouse"]


@pytest.fixture(scope="module")
def database() -> Iterator[SnowflakeDatabase]:
    server = SnowflakeEmulator()
    yield SnowflakeDatabase(server)
    server.stop()


class TestSnowflake(DriverContract):
    """The contract, and tests of this driver's own behavior."""

    schema = SCHEMA
    told = "NO_SUCH_COLUMN"
    odd = {  # noqa: RUF012 - a table
        "cast(7.10 as number(18, 4))": ("decimal128(18, 4)", Decimal("7.1")),
        "cast(7 as number(38, 0))": ("decimal128(38, 0)", Decimal(7)),
        "cast(7 as number(9, 0))": ("int64", 7),
        "cast(0.1 as float)": ("double", 0.1),
        "true": ("bool", True),
        "cast('0001-01-01' as date)": ("date32[day]", date(1, 1, 1)),
        "cast('2024-10-27 02:30:00.9' as timestamp_ntz)": (
            "timestamp[us]",
            datetime(2024, 10, 27, 2, 30, 0, 900000),
        ),
        "cast(null as varchar)": ("string", None),
    }

    def test_temporary_errors_are_retried(self, warehouse: Warehouse) -> None:
        from snowflake.connector import errors

        waiters = "Statement '01b…' was aborted because the number of waiters for this lock exceeds the 20 statements limit."
        check_retries(
            warehouse,
            [
                errors.ProgrammingError(msg=waiters, errno=625, sqlstate="57014"),
                errors.ProgrammingError(msg=waiters, sqlstate="57014"),
            ],
        )

    def test_the_signal_handler_of_the_push_stays_installed(self, warehouse: Warehouse) -> None:
        from fakesnow.cursor import FakeSnowflakeCursor

        heard: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
        try:
            with mock.patch.object(FakeSnowflakeCursor, "check_db_and_schema") as executing:
                executing.side_effect = lambda *_: os.kill(os.getpid(), signal.SIGINT)
                assert warehouse.fetch(select("select 1 as n")).num_rows == 1
        finally:
            signal.signal(signal.SIGINT, before)
        assert heard == [signal.SIGINT]


def test_result_types_follow_the_column_metadata() -> None:
    """The driver returns the narrowest integer types, and times in nanoseconds where possible."""
    from snowflake.connector.constants import FIELD_NAME_TO_ID

    from dbt_batch_sync.warehouse.snowflake import arrow_schema, fitted

    columns = {
        "short": ("FIXED", 9, 0, pa.array([1, None], pa.int8()), pa.int64()),
        "whole": ("FIXED", 38, 0, pa.array([1, None], pa.int16()), pa.decimal128(38, 0)),
        "price": ("FIXED", 18, 2, pa.array([Decimal("1.50"), None]), pa.decimal128(18, 2)),
        "ratio": ("REAL", None, None, pa.array([1.5, None]), pa.float64()),
        "at": ("TIMESTAMP_NTZ", 0, 6, pa.array([1_500, None], pa.timestamp("ns")), pa.timestamp("us")),
        "json": ("VARIANT", None, None, pa.array(["{}", None]), pa.string()),
    }
    described = [
        SimpleNamespace(name=name, type_code=FIELD_NAME_TO_ID[kind], precision=digits, scale=scale)
        for name, (kind, digits, scale, *_) in columns.items()
    ]
    schema = arrow_schema(described)
    assert schema.types == [kind for *_, kind in columns.values()]
    part = fitted(pa.table({name: cells for name, (*_, cells, _) in columns.items()}), schema)
    assert [cells[0].as_py() for cells in part.columns][:3] == [1, Decimal(1), Decimal("1.50")]
    assert part.column("at").to_pylist() == [datetime(1970, 1, 1, 0, 0, 0, 1), None]
