"""BigQuery's driver, on an emulator."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from drivers.contract import DriverContract, check_retries, no_waits, select, warehouse
from google.api_core.exceptions import BadRequest, Forbidden
from harness.bigquery import BigQueryEmulator
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as Lost
from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import bigquery as module
from dbt_batch_sync.warehouse.bigquery import BigQueryWarehouse

pytestmark = pytest.mark.emulated

__all__ = ["warehouse"]


@pytest.fixture(scope="module")
def database() -> Iterator[BigQueryEmulator]:
    emulator = BigQueryEmulator()
    yield emulator
    emulator.stop()


class LosingAnswers(HTTPAdapter):
    """Drops the answers to the first job requests after the server has accepted them."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.left = left

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        response = super().send(request, *args, **options)
        if request.method == "POST" and self.left > 0:
            self.left -= 1
            response.close()
            raise Lost("the answer was dropped")
        return response


class FailingJobs(HTTPAdapter):
    """Reports that the first jobs failed for a temporary reason."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        response = super().send(request, *args, **options)
        if request.method == "POST" and self.left > 0:
            self.left -= 1
            error = {"reason": "jobBackendError", "message": "The job encountered an error. Try again."}
            status = {"state": "DONE", "errorResult": error, "errors": [error]}
            response._content = json.dumps({**response.json(), "status": status}).encode()
        return response


@pytest.fixture
def through(warehouse: BigQueryWarehouse) -> Iterator[Any]:
    """Send all requests of the package through an adapter."""

    def mount(adapter: HTTPAdapter) -> None:
        for client in warehouse._free:
            client._http.mount("http://", adapter)

    warehouse.fetch(select("select 1 as n"))
    yield mount
    mount(HTTPAdapter())


class TestBigQuery(DriverContract):
    """The contract, and tests of this driver's own behavior."""

    told = "invalidQuery"  # The emulator's error doesn't name the column.
    odd = {  # noqa: RUF012 - a table
        "cast(7.1 as numeric)": ("decimal128(38, 9)", Decimal("7.1")),
        "cast(0.1 as float64)": ("double", 0.1),
        "7": ("int64", 7),
        "true": ("bool", True),
        "date '2024-02-29'": ("string", "2024-02-29"),
        "datetime '2024-10-27 02:30:00.9'": ("timestamp[us]", datetime(2024, 10, 27, 2, 30, 0, 900000)),
        "timestamp '2024-10-27 02:30:00+02'": ("timestamp[us]", datetime(2024, 10, 27, 0, 30)),
        "cast(null as string)": ("string", None),
    }

    def test_a_lost_answer_does_not_insert_twice(
        self, warehouse: BigQueryWarehouse, boxes: exp.Table, through: Any
    ) -> None:
        through(losing := LosingAnswers(1))
        warehouse.append(boxes, pa.table({"place": [1]}))
        assert losing.left == 0
        assert len(self.rows_of(warehouse, boxes)) == 1

    def test_temporarily_failing_jobs_are_retried(self, warehouse: BigQueryWarehouse, through: Any) -> None:
        through(failing := FailingJobs(2))
        with no_waits():
            assert warehouse.fetch(select("select 7 as n")).to_pylist() == [{"n": 7}]
        assert failing.left == 0

    def test_retries_end_when_the_server_is_gone(
        self, warehouse: BigQueryWarehouse, through: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
        through(LosingAnswers(math.inf))
        with pytest.raises(WarehouseError, match="BigQuery: Timeout"):
            warehouse.fetch(select("select 1 as n"))

    def test_temporary_errors_are_retried(self, warehouse: BigQueryWarehouse) -> None:
        queue = "Resources exceeded during query execution: Too many DML statements outstanding against table x, limit is 20."
        check_retries(
            warehouse,
            [
                BadRequest("x", errors=[{"reason": "invalidQuery", "message": queue}]),
                Forbidden(
                    "x",
                    errors=[
                        {
                            "reason": "rateLimitExceeded",
                            "message": "Exceeded rate limits: too many table update operations for this table",
                        }
                    ],
                ),
            ],
        )

    def test_rows_are_read_over_rest_without_storage_api_permission(
        self, warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from google.cloud.bigquery.table import RowIterator

        whole, asked = RowIterator.to_arrow, []

        def to_arrow(rows: Any, create_bqstorage_client: bool) -> pa.Table:
            asked.append(create_bqstorage_client)
            if create_bqstorage_client:
                raise Forbidden("bigquery.readsessions.create")
            return whole(rows, create_bqstorage_client=False)

        monkeypatch.setattr(RowIterator, "to_arrow", to_arrow)
        monkeypatch.setattr(warehouse, "_reads_storage", True)
        for _ in range(2):
            assert warehouse.fetch(select("select 7 as n")).to_pylist() == [{"n": 7}]
        assert asked == [True, False, False]
