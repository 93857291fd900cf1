"""Snowflake, on an emulator: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.behaviour import Behaviour
from harness.snowflake import SnowflakeDatabase, SnowflakeEmulator

pytestmark = [
    pytest.mark.emulated,
    # The emulator runs in this process.
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]

WIDEST = 10**38 - 1


@pytest.fixture(scope="module")
def warehouse() -> Iterator[SnowflakeDatabase]:
    """A database of its own."""
    server = SnowflakeEmulator()
    yield SnowflakeDatabase(server)
    server.stop()


class TestSnowflake(Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "topics": "array",
        "tiny": "number(3,0)",
        "unsigned": "number(20,0)",
        "huge": "number(38,0)",
        "single": "float",
        "zoned_at": "timestamp_tz",
        "coarse_at": "timestamp_ntz(0)",
        "fine_at": "timestamp_ntz(9)",
        "tags": "array",
        "token": "varchar(36)",
        "level": "varchar",
        "note": "varchar",
    }

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """A number has 38 digits at most."""
        huge = row["huge"]
        return row if huge is None else {**row, "huge": str(max(-WIDEST, min(WIDEST, int(str(huge)))))}
