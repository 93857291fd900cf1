"""BigQuery through dbt-bigquery: its credentials, and Google's client that it makes of them.

There is no connection, only requests. Several steps are one script with a transaction in it, which BigQuery
ends whatever becomes of this process.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from google.api_core.exceptions import Conflict as Taken
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests.exceptions import RequestException
from sqlglot import exp
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse.adapter import connect_anew, first_line, load_adapter
from dbt_batch_sync.warehouse.bigquery_script import Parameter, fields_of, json_rows, script, single
from dbt_batch_sync.warehouse.port import Column, Load, Rows, Statement, Value

PAGE_ROWS = 5_000
"""Rows of one answer: the client makes objects of all its cells before it makes Arrow of them."""

PARAMETER_BYTES = 1_000_000
"""Rows up to this size are a parameter of their script: a request may have 10 MB, and JSON is wordy."""

LOAD_EXPIRY = timedelta(hours=1)
"""When BigQuery removes a table of rows that went ahead of their script, should nobody else."""

ATTEMPTS = 6
"""How often a job is tried that another one on its table, or a fault of BigQuery's, made impossible."""

JOB_SECONDS = 3_600
"""How long a job may take where the profile has no `job_execution_timeout_seconds`."""

REQUEST_SECONDS = 60.0
"""How long the answer to one request is waited for; a job that goes on is asked for again."""

RETRY_SECONDS = 120.0
"""How long a request that BigQuery does not take is repeated."""

LABELS = {"application": "dbt-batch-sync"}
"""What the jobs are found by in `information_schema.jobs`, and on the bill."""

_IN_THE_WAY = "concurrent update"
"""How BigQuery tells of a statement or a transaction that it rolled back because of another one."""

_PASSING = ("jobBackendError", "jobInternalError", "jobRateLimitExceeded")
"""Reasons of a failed job that Google's client would start another one for, if it had no name of ours."""

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "DATETIME": pa.timestamp("us"),
}
"""What the columns of a delta arrive as. The others are texts: a BIGNUMERIC has more digits than DuckDB."""

_FAILURES = (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, TimeoutError)

_TELLS_VALUES = ("invalidQuery", "invalid")
"""The reasons of errors whose message may repeat a value."""


class BigQueryWarehouse:
    """See port.Warehouse."""

    dialect = "bigquery"
    transactions = True
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        self._adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._client = connect_anew(self._adapter)

    @property
    def _job_seconds(self) -> float:
        return float(self._adapter.config.credentials.job_execution_timeout_seconds or JOB_SECONDS)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        with _errors():
            try:
                found = self._client.get_table(self._full_name(table), **_bounds())
            except NotFound:
                return ()
        return tuple(Column(field.name, field.field_type) for field in found.schema)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        return [row.values() for row in _attempts()(self._read, self._client, query)]

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        # A client's HTTP session is not for two threads.
        with closing(connect_anew(self._adapter)) as client:
            rows = _attempts()(self._read, client, query, page_size=min(batch_rows, PAGE_ROWS))
            fields = [pa.field(each.name, _ARROW.get(each.field_type, pa.string())) for each in rows.schema]
            with closing(_read_ahead(rows.to_arrow_iterable())) as batches:
                schema = pa.schema(fields)
                yield Rows(schema, (_typed(batch, schema) for batch in batches))

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        _attempts()(self._execute, steps)

    def twin(self) -> BigQueryWarehouse:
        other = object.__new__(BigQueryWarehouse)
        other._adapter = self._adapter
        other._client = connect_anew(self._adapter)
        return other

    def close(self) -> None:
        self._client.close()

    def _read(self, client: Any, query: Statement, **options: object) -> Any:
        with _errors():
            return self._ended(self._started(client, *single(query)), **options)

    def _execute(self, steps: Sequence[Statement | Load]) -> None:
        ahead: dict[int, exp.Table] = {}
        try:
            with _errors():
                for number, step in enumerate(steps):
                    if isinstance(step, Load) and step.rows.nbytes > PARAMETER_BYTES:
                        ahead[number] = _table_beside(step.table, f"batch_sync_load_{uuid4().hex}")
                        self._load_ahead(step.rows, self._full_name(ahead[number]))
                job = self._started(self._client, *script(steps, ahead))
                for _ in steps:
                    crash_point("inside_commit")
                self._ended(job)
        finally:
            for table in ahead.values():
                with suppress(*_FAILURES):
                    self._client.delete_table(self._full_name(table), not_found_ok=True, **_bounds())

    def _load_ahead(self, rows: pa.Table, name: str) -> None:
        """Makes a table of rows that are too many for a parameter."""
        table = bigquery.Table(name, fields_of(rows))
        table.expires = datetime.now(timezone.utc) + LOAD_EXPIRY
        made = self._client.create_table(table, **_bounds())
        settings = bigquery.LoadJobConfig(
            schema=table.schema, write_disposition="WRITE_TRUNCATE", labels=LABELS
        )
        job = self._client.load_table_from_json(
            json_rows(rows), made, job_config=settings, timeout=REQUEST_SECONDS
        )
        job.result(timeout=self._job_seconds)

    def _started(self, client: Any, sql: str, parameters: list[Parameter]) -> Any:
        """The job, which goes on without this process. It has a name, so that it is one job however often it
        has to be asked for: the answer to a request may be lost, and a commit must not be made twice.
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

    def _ended(self, job: Any, **options: object) -> Any:
        """The result of a job, waited for as long as it may take."""
        waiting = Retrying(
            retry=retry_if_exception_type(TimeoutError),
            stop=stop_after_delay(self._job_seconds),
            reraise=True,
        )
        return waiting(job.result, **_bounds(), **options)

    def _full_name(self, table: exp.Table) -> str:
        return ".".join((table.catalog or self._client.project, table.db, table.name))


def _attempts() -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(max=16),
        reraise=True,
    )


def _bounds() -> dict[str, Any]:
    """What keeps a request from being waited for, and repeated, without an end."""
    return {"timeout": REQUEST_SECONDS, "retry": bigquery.DEFAULT_RETRY.with_timeout(RETRY_SECONDS)}


def _table_beside(table: exp.Table, name: str) -> exp.Table:
    return exp.table_(name, table.args.get("db"), table.args.get("catalog"))


def _read_ahead(batches: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
    """The batches; a thread fetches the next one while one is used."""
    fetching = iter(batches)
    with ThreadPoolExecutor(1, "batch-read-ahead") as ahead:
        upcoming = ahead.submit(next, fetching, None)
        while True:
            with _errors():
                batch = upcoming.result()
            if batch is None:
                return
            upcoming = ahead.submit(next, fetching, None)
            yield batch


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    cells = [
        column if column.type == field.type else _text(column)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(cells, schema=schema)


def _text(column: pa.Array) -> pa.Array:
    """A number as text; 5.00 is the integer 5."""
    if not pa.types.is_decimal(column.type):
        return column.cast(pa.string())
    texts = pa.array(
        [None if cell is None else format(cell, "f") for cell in column.to_pylist()], pa.string()
    )
    shorter = pc.replace_substring_regex(texts, r"(\.[0-9]*[1-9])0+$", r"\1")
    return pc.replace_substring_regex(shorter, r"\.0*$", "")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        message = _message(error)
        passing = _IN_THE_WAY in message or _first(error).get("reason") in _PASSING
        raise (Conflict if passing else WarehouseError)(f"BigQuery: {message}") from None


def _first(error: BaseException) -> dict[str, str]:
    """What an error of BigQuery's says first: its `reason` and `message`."""
    errors = error.errors if isinstance(error, GoogleAPICallError) else None
    return dict((errors or [{}])[0])


def _message(error: BaseException) -> str:
    """What BigQuery says; not where it may repeat a value, as in `Bad int64 value: jane@example.com`. What it
    says of a statement's text has a place in it; a script's errors, `Query error: …`, all have one.
    """
    if isinstance(error, TimeoutError):
        return "a job took longer than it may (`job_execution_timeout_seconds` of the profile)"
    if not isinstance(error, GoogleAPICallError):
        return first_line(error)
    first = _first(error)
    message = first_line(ValueError(first.get("message") or error.message))
    placed = " at [" in message and not message.startswith("Query error:")
    if first.get("reason") not in _TELLS_VALUES or placed or _IN_THE_WAY in message:
        return message
    job = getattr(error, "query_job", None)
    return f"a statement failed ({first['reason']}); job {job.job_id if job else 'unknown'} has the rest"
