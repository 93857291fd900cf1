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
    """A process of its own."""
    emulator = BigQueryEmulator()
    yield emulator
    emulator.stop()


class LosingAnswers(HTTPAdapter):
    """Loses the answers to the first requests for a job, which the server has taken all the same."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.left = left

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        response = super().send(request, *args, **options)
        if request.method == "POST" and self.left > 0:
            self.left -= 1
            response.close()
            raise Lost("the answer is lost")
        return response


class FailingJobs(HTTPAdapter):
    """Tells of the first jobs that they failed, for a reason that passes."""

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
    """Has every request of the product go through an adapter."""

    def mount(adapter: HTTPAdapter) -> None:
        for client in warehouse._free:
            client._http.mount("http://", adapter)

    warehouse.fetch(select("select 1 as n"))
    yield mount
    mount(HTTPAdapter())


class TestBigQuery(DriverContract):
    """The contract, and what only this driver does."""

    told = "invalidQuery"  # The emulator does not say where.
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

    def test_a_lost_answer_is_no_second_insert(
        self, warehouse: BigQueryWarehouse, boxes: exp.Table, through: Any
    ) -> None:
        through(losing := LosingAnswers(1))
        warehouse.append(boxes, pa.table({"place": [1]}))
        assert losing.left == 0
        assert len(self.rows_of(warehouse, boxes)) == 1

    def test_a_job_that_fails_for_a_reason_that_passes_is_tried_again(
        self, warehouse: BigQueryWarehouse, through: Any
    ) -> None:
        through(failing := FailingJobs(2))
        with no_waits():
            assert warehouse.fetch(select("select 7 as n")).to_pylist() == [{"n": 7}]
        assert failing.left == 0

    def test_a_server_that_is_gone_is_not_waited_for_without_an_end(
        self, warehouse: BigQueryWarehouse, through: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
        through(LosingAnswers(math.inf))
        with pytest.raises(WarehouseError, match="BigQuery: Timeout"):
            warehouse.fetch(select("select 1 as n"))

    def test_what_passes_is_tried_again(self, warehouse: BigQueryWarehouse) -> None:
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

    def test_rows_come_over_rest_without_the_right_to_the_storage_api(
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
