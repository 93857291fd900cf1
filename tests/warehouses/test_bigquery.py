"""BigQuery, on an emulator: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from harness.behaviour import Behaviour

if TYPE_CHECKING:
    from harness.bigquery import BigQueryEmulator

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[BigQueryEmulator]:
    """An emulator of its own."""
    from harness.bigquery import BigQueryEmulator

    emulator = BigQueryEmulator()
    yield emulator
    emulator.stop()


class TestBigQuery(Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "level": "STRING",
        "unsigned": "NUMERIC",
        "huge": "STRING",
        "exact": "STRING",
        "coarse_at": "DATETIME",
        "fine_at": "DATETIME",
    }
