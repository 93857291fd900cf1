"""DuckDB's driver, on real files."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import pytest
from drivers.contract import DriverContract, select, target_of, warehouse
from harness.databases import DuckDbFile
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import duckdb as module
from dbt_batch_sync.warehouse import open_warehouse
from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

__all__ = ["warehouse"]

OPENS = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    database = DuckDbFile(tmp_path_factory.mktemp("duckdb") / "file.duckdb")
    database.execute("create schema shop", {})
    return database


class TestDuckDb(DriverContract):
    odd = {  # noqa: RUF012 - a table
        "['a', null]": ("list<string>", ["a", None]),
        "'b'::enum('a', 'b')": ("dictionary<values=string, indices=uint8, ordered=0>", "b"),
        "1::hugeint": ("decimal128(38, 0)", Decimal(1)),
        "7.10::decimal(18, 4)": ("decimal128(18, 4)", Decimal("7.1")),
        "0.1::float": ("float", 0.10000000149011612),
        "timestamptz '2024-10-27 02:30:00+02'": ("timestamp[us]", datetime(2024, 10, 27, 0, 30)),
        "timestamp_s '2024-10-27 02:30:00'": ("timestamp[us]", datetime(2024, 10, 27, 2, 30)),
        "timestamp_ns '2024-10-27 02:30:00.000000999'": ("timestamp[us]", datetime(2024, 10, 27, 2, 30)),
        "cast(null as text)": ("string", None),
    }


class TestDuckDbThroughItsAdapter(TestDuckDb):
    """The contract with a profile that only dbt-duckdb can open, because of its settings."""

    @pytest.fixture
    def warehouse(self, database: DuckDbFile) -> Iterator[DuckDbWarehouse]:
        given = {"path": str(database.path), "schema": "main", "settings": {"TimeZone": "Asia/Tokyo"}}
        with contextlib.closing(DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", given))) as opened:
            yield opened


# Memory and threads


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, ("2", "61.9 MiB")),
        ({"threads": 3}, ("3", "61.9 MiB")),
        ({"memory_limit": "1GiB"}, ("2", "1.0 GiB")),
    ],
)
def test_default_memory_and_threads_are_small(
    tmp_path: Path, settings: dict[str, object], wanted: tuple[str, str]
) -> None:
    duckdb.connect(str(tmp_path / "a.duckdb")).close()
    given = {"path": str(tmp_path / "a.duckdb"), **({"settings": settings} if settings else {})}
    with contextlib.closing(DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", given))) as opened:
        query = "select current_setting('threads')::text as t, current_setting('memory_limit') as m"
        (row,) = opened.fetch(select(query)).to_pylist()
    assert tuple(row.values()) == wanted


def test_wide_selects_and_joins_get_more_memory(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "a.duckdb")).close()
    target = WarehouseTarget("shop", "dev", "duckdb", {"path": str(tmp_path / "a.duckdb")})
    setting = "current_setting('memory_limit') as m"
    wide = ", ".join(f"{number} as c{number}" for number in range(100))
    joined = "from (select 1 as k) as a join (select 1 as k) as b on a.k = b.k"
    queries = (setting, f"{setting}, {wide}", f"{setting} {joined}", setting)
    with contextlib.closing(DuckDbWarehouse(target)) as opened:
        limits = [opened.fetch(select(f"select {query}")).column("m")[0].as_py() for query in queries]
    assert limits == ["61.0 MiB", "108.7 MiB", "143.0 MiB", "61.0 MiB"]


# File locks


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="there is no DuckDB file"):
        DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", {"path": str(tmp_path / "none.duckdb")}))
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Open the file in another process."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", OPENS, str(path)], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


@pytest.fixture
def own(tmp_path: Path) -> DuckDbFile:
    """A file that no other test uses."""
    own = DuckDbFile(tmp_path / "own.duckdb")
    own.execute("create table waits (n bigint)", {})
    return own


@pytest.fixture
def opened(own: DuckDbFile, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDbWarehouse]:
    """A warehouse that releases the file quickly."""
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.05)
    with contextlib.closing(open_warehouse(target_of(own))) as opened:
        assert isinstance(opened, DuckDbWarehouse)
        yield opened


def wait_until_released(opened: DuckDbWarehouse) -> None:
    deadline = time.monotonic() + 10
    while opened._file._opened is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_file_is_released_between_calls(opened: DuckDbWarehouse, own: DuckDbFile) -> None:
    assert opened.fetch(select("select 1 as n")).to_pylist() == [{"n": 1}]
    wait_until_released(opened)
    with held(own.path):
        pass
    assert opened.fetch(select("select 2 as n")).to_pylist() == [{"n": 2}]


def test_waits_for_a_locked_file(
    opened: DuckDbWarehouse, own: DuckDbFile, caplog: pytest.LogCaptureFixture
) -> None:
    wait_until_released(opened)
    with held(own.path) as process, mock.patch.object(module.time, "sleep") as slept:
        slept.side_effect = lambda _: (process.stdin.close(), process.wait())
        with caplog.at_level(logging.WARNING):
            opened.append(exp.to_table("waits"), pa.table({"n": [1]}))
    assert slept.call_count == 1
    assert [record.getMessage() for record in caplog.records] == [
        "The DuckDB file is locked by another process; waiting up to 300 s for it."
    ]
    assert opened.fetch(select("select n from waits")).to_pylist() == [{"n": 1}]


def test_a_permanently_locked_file_is_an_error(
    opened: DuckDbWarehouse, own: DuckDbFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until_released(opened)
    monkeypatch.setattr(module, "LOCK_WAIT_AGAIN_SECONDS", 0)
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0)
    with held(own.path):
        with pytest.raises(WarehouseError, match="locked by another process, still after 0 s"):
            opened.fetch(select("select 1 as n"))
        with pytest.raises(WarehouseError, match="locked by another process, still after 0 s"):
            open_warehouse(target_of(own))
    assert opened.fetch(select("select 1 as n")).to_pylist() == [{"n": 1}]


def test_a_file_in_use_is_not_released(opened: DuckDbWarehouse) -> None:
    with opened._file.cursor() as cursor:
        time.sleep(0.2)
        assert cursor.execute("select 1").fetchone() == (1,)
    wait_until_released(opened)
