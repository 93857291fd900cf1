"""dbt 2, which is not a Python program: it builds the example on DuckDB, and a push doesn't need dbt-core.

dbt 2 reads DuckDB through an ADBC driver. Here that is the library in the Python package `duckdb`, which
needs Python's symbols from the process that loads it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.faulty_sandbox import FaultyServer

from dbt_batch_sync.scaffold.demo import EVENTS, PORT_VARIABLE, copy_example

pytestmark = pytest.mark.emulated

DRIVER = """
name = "DuckDB"
version = "{version}"
[ADBC]
version = "1.1.0"
[Driver]
entrypoint = "duckdb_adbc_init"
[Driver.shared]
linux_amd64 = "{library}"
"""


class Example:
    """The example project, with this environment's programs."""

    def __init__(self, directory: Path, sandbox: FaultyServer) -> None:
        import _duckdb
        import duckdb

        self.directory = directory / "project"
        copy_example(self.directory)
        drivers = directory / "drivers"
        drivers.mkdir()
        driver = DRIVER.format(version=duckdb.__version__, library=_duckdb.__file__)
        (drivers / "duckdb.toml").write_text(driver, encoding="utf-8")
        libraries, library = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
        self._environ = {
            **os.environ,
            "ADBC_DRIVER_PATH": str(drivers),
            "LD_PRELOAD": str(Path(libraries) / library),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            PORT_VARIABLE: sandbox.url,
        }

    def dbt(self, *arguments: str) -> None:
        """Run dbt; it must succeed."""
        done = self._run(str(Path(sys.executable).with_name("dbt")), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def push(self, *arguments: str, verb: str = "push") -> dict[str, dict[str, Any]]:
        """Push and return each sync's result. Imports of dbt fail."""
        done = self._run(sys.executable, "-m", "dbt_batch_sync", verb, "--json", *arguments)
        assert done.returncode in (0, 3), done.stderr
        return {sync["sync"]: sync for sync in json.loads(done.stdout)["syncs"]}

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--profiles-dir", "."],
            cwd=self.directory,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    with FaultyServer() as sandbox:
        yield Example(tmp_path, sandbox)


def counts(sync: dict[str, Any]) -> tuple[int, int, int]:
    return sync["inserts"], sync["updates"], sync["exits"]


def test_the_main_job(example: Example) -> None:
    """Like `demo`, with the gate: the second push sends only changes, the third nothing."""
    example.dbt("deps")
    example.dbt("build", "--vars", "{demo_day: 1}")
    example.push("--select", EVENTS, "--yes", verb="adopt")
    first = example.push()
    assert counts(first.pop(EVENTS)) == (0, 0, 0)
    assert {name: counts(sync) for name, sync in first.items()} == {
        "crm_contacts": (2496, 0, 0),
        "shop_products": (24, 0, 0),
        "tasting_guests": (47, 0, 0),
        "vip_customers": (68, 0, 0),
    }
    example.dbt("build", "--vars", "{demo_day: 2}")
    second = example.push("--require-tests")
    assert second.pop(EVENTS)["accepted"] > 0
    assert {name: counts(sync) for name, sync in second.items()} == {
        "crm_contacts": (15, 85, 6),
        "shop_products": (0, 1, 0),
        "tasting_guests": (1, 2, 1),
        "vip_customers": (3, 5, 3),
    }
    assert {sync["status"] for sync in (*first.values(), *second.values())} == {"partial", "succeeded"}
    example.dbt("build", "--vars", "{demo_day: 2}")
    again = example.push("--require-tests")
    assert {(counts(sync), sync["requests"]) for sync in again.values()} == {((0, 0, 0), 0)}
