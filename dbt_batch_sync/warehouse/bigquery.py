"""BigQuery through dbt-bigquery: its credentials, and Google's client that it makes of them.

There is no connection, only requests. Several steps are one script with a transaction in it, which BigQuery
ends whatever becomes of this process.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests.exceptions import RequestException
from sqlglot import exp
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.project.profiles import WarehouseTarget
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
"""How often a statement is tried that another one, on the same table, made impossible."""

_IN_THE_WAY = "concurrent update"
"""How BigQuery tells of a statement or a transaction that it rolled back because of another one."""

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "DATETIME": pa.timestamp("us"),
}
"""What the columns of a delta arrive as. The others are texts: a BIGNUMERIC has more digits than DuckDB."""

_FAILURES = (GoogleAPICallError, RetryError, GoogleAuthError, RequestException)


class Conflict(WarehouseError):
    """Another statement was in the way, and this one was rolled back: it may be tried again."""


class BigQueryWarehouse:
    """See port.Warehouse."""

    dialect = "bigquery"
    transactions = True
    checkpoint_seconds = 60.0

    def __init__(self, target: WarehouseTarget) -> None:
        self._adapter = load_adapter(target.type, target.profile_name, target.target_name, target.credentials)
        self._client = connect_anew(self._adapter)

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        with _errors():
            try:
                found = self._client.get_table(self._full_name(table))
            except NotFound:
                return ()
        return tuple(Column(field.name, field.field_type) for field in found.schema)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        with _errors():
            return [row.values() for row in self._started(self._client, *single(query)).result()]

    @contextmanager
    def stream(self, query: Statement, batch_rows: int) -> Iterator[Rows]:
        # A client's HTTP session is not for two threads.
        with closing(connect_anew(self._adapter)) as client:
            with _errors():
                rows = self._started(client, *single(query)).result(page_size=min(batch_rows, PAGE_ROWS))
            fields = [pa.field(each.name, _ARROW.get(each.field_type, pa.string())) for each in rows.schema]
            with closing(_read_ahead(rows.to_arrow_iterable())) as batches:
                schema = pa.schema(fields)
                yield Rows(schema, (_typed(batch, schema) for batch in batches))

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        attempts = Retrying(
            retry=retry_if_exception_type(Conflict),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(max=16),
            reraise=True,
        )
        attempts(self._execute, steps)

    def twin(self) -> BigQueryWarehouse:
        other = object.__new__(BigQueryWarehouse)
        other._adapter = self._adapter
        other._client = connect_anew(self._adapter)
        return other

    def close(self) -> None:
        self._client.close()

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
                job.result()
        finally:
            for table in ahead.values():
                with suppress(*_FAILURES):
                    self._client.delete_table(self._full_name(table), not_found_ok=True)

    def _load_ahead(self, rows: pa.Table, name: str) -> None:
        """Makes a table of rows that are too many for a parameter."""
        table = bigquery.Table(name, fields_of(rows))
        table.expires = datetime.now(timezone.utc) + LOAD_EXPIRY
        made = self._client.create_table(table)
        settings = bigquery.LoadJobConfig(schema=table.schema)
        self._client.load_table_from_json(json_rows(rows), made, job_config=settings).result()

    def _started(self, client: Any, sql: str, parameters: list[Parameter]) -> Any:
        """The job. It goes on without this process."""
        settings = bigquery.QueryJobConfig(query_parameters=parameters)
        credentials = self._adapter.config.credentials
        if credentials.maximum_bytes_billed:
            settings.maximum_bytes_billed = credentials.maximum_bytes_billed
        if credentials.priority:
            settings.priority = credentials.priority.value.upper()
        return client.query(sql, job_config=settings)

    def _full_name(self, table: exp.Table) -> str:
        return ".".join((table.catalog or self._client.project, table.db, table.name))


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
        raise (Conflict if _IN_THE_WAY in message else WarehouseError)(f"BigQuery: {message}") from None


def _message(error: BaseException) -> str:
    """What BigQuery says; not where it may repeat a value, which is what it says of values and does not place
    in the statement, as in `Bad int64 value: jane@example.com`.
    """
    if not isinstance(error, GoogleAPICallError):
        return first_line(error)
    first = (error.errors or [{}])[0]
    message = first_line(ValueError(first.get("message") or error.message))
    if first.get("reason") != "invalidQuery" or " at [" in message or _IN_THE_WAY in message:
        return message
    job = getattr(error, "query_job", None)
    return f"a statement failed (invalidQuery); job {job.job_id if job else 'unknown'} has the rest"
