"""BigQuery through dbt-bigquery: its credentials, and the Google client that it creates.

There is no connection, only requests. Rows are appended by `insert`, not by the streaming API, because dbt
can't merge streamed rows for some time. Inserts don't conflict with anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeAlias
from uuid import uuid4

import pyarrow as pa
from google.api_core.exceptions import Conflict as Taken
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests.exceptions import RequestException
from sqlglot import exp
from tenacity import Retrying, retry_if_exception_type, stop_after_delay

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Column, Statement
from dbt_batch_sync.warehouse.adapter import first_line
from dbt_batch_sync.warehouse.driver import Driver
from dbt_batch_sync.warehouse.rows import Limits, into, shortest, without_nulls

PAGE_ROWS = 5_000
"""Rows per answer over REST: the client creates objects for all cells before it creates Arrow."""

JOB_SECONDS = 3_600
"""The time limit of a job if the profile has no `job_execution_timeout_seconds`."""

REQUEST_SECONDS = 60.0
"""The time limit of one request; a running job is polled again."""

RETRY_SECONDS = 120.0
"""How long a request that BigQuery does not accept is retried."""

LABELS = {"application": "dbt-batch-sync"}
"""The label of the jobs in `information_schema.jobs` and on the bill."""

_PASSING = ("jobBackendError", "jobInternalError", "jobRateLimitExceeded", "rateLimitExceeded")
_WORDS_OF_PASSING = (
    "concurrent update",
    "Too many DML statements outstanding",
    "too many table update operations",
)
"""Errors of a job that did nothing, as a reason or text, and that may be retried."""

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
"""Arrow types of columns. The others are texts: a BIGNUMERIC has more digits than DuckDB supports."""


_KINDS = {
    pa.null(): "STRING",
    pa.string(): "STRING",
    pa.bool_(): "BOOL",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
    pa.timestamp("us"): "DATETIME",
}

_TELLS_VALUES = ("invalidQuery", "invalid")
"""The reasons of errors whose message may contain a value."""

_Parameter: TypeAlias = "bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter"


class BigQueryWarehouse(Driver):
    """See Warehouse. A client's HTTP session is for one thread at a time."""

    dialect = "bigquery"
    failures = (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, TimeoutError)
    # A request may have 10 MB, and JSON is verbose.
    limits = Limits(rows=5_000, values=50_000, bytes=1_000_000)

    def __init__(self, target: WarehouseTarget) -> None:
        super().__init__(target)
        # This reads several times as fast as REST. Its package is optional and it needs a separate right. A
        # custom endpoint means REST.
        elsewhere = getattr(self._adapter.config.credentials, "api_endpoint", None)
        self._reads_storage = not elsewhere and find_spec("google.cloud.bigquery_storage") is not None

    def columns(self, table: exp.Table) -> tuple[Column, ...]:

        def found(client: Any) -> list[Any]:
            name = ".".join((table.catalog or client.project, table.db, table.name))
            with suppress(NotFound):
                return list(client.get_table(name, **_bounds()).schema)
            return []

        return tuple(Column(field.name, field.field_type) for field in self._run(found))

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        given = without_nulls(rows)
        target = into(table, given.column_names, self.dialect)
        alias = exp.TableAlias(columns=[exp.to_identifier("given")])
        source = exp.Unnest(expressions=[exp.Placeholder(this="rows")], alias=alias)
        cells = [exp.column(name, "given", quoted=True) for name in given.column_names]
        text = exp.Insert(this=target, expression=exp.select(*cells).from_(source)).sql(self.dialect)
        for part in self.limits.parts(given):
            self._run(partial(self._inserted, text, _array("rows", part)))

    def _inserted(self, text: str, rows: _Parameter, client: Any) -> None:
        self._ended(self._started(client, text, [rows]))

    def _fetched(self, handle: Any, query: Statement) -> pa.Table:
        parameters = [
            bigquery.ScalarQueryParameter(name, _KINDS[pa.scalar(cell).type], cell)
            for name, cell in query.parameters.items()
        ]
        job = self._started(handle, query.tree.sql(self.dialect), parameters)
        rows = self._ended(job)
        if self._reads_storage:
            try:
                return _typed(rows.to_arrow(create_bqstorage_client=True), rows.schema)
            except Forbidden:
                self._reads_storage = False
                rows = self._ended(job)
        return _typed(rows.to_arrow(create_bqstorage_client=False), rows.schema)

    def _started(self, client: Any, sql: str, parameters: list[_Parameter]) -> Any:
        """Starts a job, which continues without this process. It has a name, so that it runs once however
        often it is requested: an answer may be lost, and rows must not be inserted twice.
        """
        name = f"batch_sync_{uuid4()}"
        credentials = self._adapter.config.credentials
        settings = bigquery.QueryJobConfig(query_parameters=parameters, labels=LABELS)
        settings.job_timeout_ms = int(self._job_seconds * 1_000)
        if getattr(credentials, "reservation", None):
            settings.reservation = credentials.reservation
        if credentials.maximum_bytes_billed:
            settings.maximum_bytes_billed = credentials.maximum_bytes_billed
        if credentials.priority:
            settings.priority = credentials.priority.value.upper()
        try:
            return client.query(sql, job_config=settings, job_id=name, job_retry=None, **_bounds())
        except Taken:
            return client.get_job(name, **_bounds())

    def _ended(self, job: Any) -> Any:
        """Waits for a job's result as long as it may take."""
        waiting = Retrying(
            retry=retry_if_exception_type(TimeoutError),
            stop=stop_after_delay(self._job_seconds),
            reraise=True,
        )
        return waiting(job.result, page_size=PAGE_ROWS, **_bounds())

    @property
    def _job_seconds(self) -> float:
        return float(self._adapter.config.credentials.job_execution_timeout_seconds or JOB_SECONDS)

    def _told(self, error: Exception, handle: Any) -> WarehouseError:
        message, reason = _message(error), _first(error).get("reason")
        passing = reason in _PASSING or _is_passing(message)
        return (Conflict if passing else WarehouseError)(f"BigQuery: {message}")


def _bounds() -> dict[str, Any]:
    """Limits waiting and retrying of requests."""
    return {"timeout": REQUEST_SECONDS, "retry": bigquery.DEFAULT_RETRY.with_timeout(RETRY_SECONDS)}


def _array(name: str, rows: pa.RecordBatch) -> _Parameter:
    kinds: dict[str, Any] = {field.name: _KINDS[field.type] for field in rows.schema}
    structs = [
        bigquery.StructQueryParameter(
            None, *(bigquery.ScalarQueryParameter(key, kinds[key], cell) for key, cell in row.items())
        )
        for row in rows.to_pylist()
    ]
    fields = [bigquery.ScalarQueryParameterType(kind, name=key) for key, kind in kinds.items()]
    return bigquery.ArrayQueryParameter(name, bigquery.StructQueryParameterType(*fields), structs)


def _typed(rows: pa.Table, schema: list[Any]) -> pa.Table:
    kinds = [_ARROW.get(field.field_type, pa.string()) for field in schema]
    cells = [
        column if column.type == kind else _text(column)
        for column, kind in zip(rows.columns, kinds, strict=True)
    ]
    return pa.table(cells, names=rows.column_names)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_decimal(column.type):
        return column.cast(pa.string())
    texts = [None if cell is None else format(cell, "f") for cell in column.to_pylist()]
    return shortest(pa.chunked_array([pa.array(texts, pa.string())]))


def _is_passing(message: str) -> bool:
    return any(words in message for words in _WORDS_OF_PASSING)


def _first(error: BaseException) -> dict[str, str]:
    """The first `reason` and `message` of a BigQuery error."""
    errors = error.errors if isinstance(error, GoogleAPICallError) else None
    first = (errors or [{}])[0]
    return dict(first) if isinstance(first, Mapping) else {}


def _message(error: BaseException) -> str:
    """BigQuery's message, unless it may contain a value, as in `Bad int64 value: jane@example.com`. Messages
    about a statement's text have a position in it.
    """
    if isinstance(error, TimeoutError):
        return "a job took longer than it may (`job_execution_timeout_seconds` of the profile)"
    if not isinstance(error, GoogleAPICallError):
        return first_line(error)
    first = _first(error)
    message = first_line(ValueError(first.get("message") or error.message))
    placed = " at [" in message and not message.startswith("Query error:")
    if first.get("reason") not in _TELLS_VALUES or placed or _is_passing(message):
        return message
    job = getattr(error, "query_job", None)
    return f"a statement failed ({first['reason']}); job {job.job_id if job else 'unknown'} has the rest"
