"""BigQuery's emulator as a `Database`."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlglot
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from harness.databases import Row
from sqlglot import exp

PROJECT = "test-project"


class BigQueryEmulator:
    """The emulator in a process of its own, which ends with this one. Starts empty."""

    adapter = "bigquery"
    model_config: Mapping[str, object] = {}
    dataset = "shop"

    def __init__(self) -> None:
        program = Path(__file__).with_name("bigquery_emulator.py")
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[writing],
        )
        os.close(writing)
        with os.fdopen(reading) as port:
            self.url = f"http://127.0.0.1:{int(port.read())}"
        self.client = bigquery.Client(
            PROJECT,
            AnonymousCredentials(),
            location="US",
            client_options={"api_endpoint": self.url},
            default_query_job_config=bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.{self.dataset}"),
        )
        self.clear()

    @property
    def credentials(self) -> dict[str, object]:
        return {
            "type": "bigquery",
            "method": "oauth-secrets",
            "token": "unused",
            "project": PROJECT,
            "dataset": self.dataset,
            "location": "US",
            "threads": 1,
            "job_retries": 0,
            "api_endpoint": self.url,
        }

    def stop(self) -> None:
        """Stop the process."""
        self.client.close()
        self._process.communicate()

    def clear(self) -> None:
        for found in list(self.client.list_datasets()):
            self.client.delete_dataset(found.reference, delete_contents=True)
        for name in ("raw", self.dataset):
            self.client.create_dataset(name)

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """`columns` have DuckDB types, or BigQuery types in upper case."""
        types = [kind if kind.isupper() else _type(kind) for kind in columns.values()]
        names = [exp.to_identifier(name, quoted=True).sql("bigquery") for name in columns]
        declared = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
        self._run(f"create or replace table raw.`{table}` ({declared})", [])
        if not rows:
            return
        texts = [[_text(row.get(name)) for name in columns] for row in rows]
        kinds = [bigquery.ScalarQueryParameterType("STRING", name=f"c{n}") for n in range(len(names))]
        given = [
            bigquery.StructQueryParameter(
                None, *(bigquery.ScalarQueryParameter(f"c{n}", "STRING", text) for n, text in enumerate(row))
            )
            for row in texts
        ]
        cells = ", ".join(_typed(f"given.c{n}", kind) for n, kind in enumerate(types))
        array = bigquery.ArrayQueryParameter("rows", bigquery.StructQueryParameterType(*kinds), given)
        insert = f"insert into raw.`{table}` ({', '.join(names)}) select {cells} from unnest(@rows) as given"
        self._run(insert, [array])

    def source(self, table: str) -> str:
        return f"raw.`{table}`"

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        rows = self._run(_translated(sql), _parameters(values))
        return [{name: _comparable(cell) for name, cell in row.items()} for row in rows]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        self._run(_translated(sql), _parameters(values))

    def has_table(self, name: str) -> bool:
        tables = (
            each for found in self.client.list_datasets() for each in self.client.list_tables(found.reference)
        )
        return any(each.table_id == name for each in tables)

    def _run(self, sql: str, parameters: Sequence[Any]) -> Any:
        settings = bigquery.QueryJobConfig(query_parameters=list(parameters))
        once: dict[str, Any] = {"retry": None, "job_retry": None}
        return self.client.query(sql, job_config=settings, **once).result(**once)


def _translated(sql: str) -> str:
    """Translate DuckDB's SQL, in which the suite is written, to BigQuery's. BigQuery's SQL is unchanged."""
    return sql if "`" in sql else sqlglot.transpile(sql, read="duckdb", write="bigquery")[0]


def _type(kind: str) -> str:
    return exp.DataType.build(kind, dialect="duckdb").sql("bigquery")


def _parameters(values: Mapping[str, object]) -> list[bigquery.ScalarQueryParameter]:
    return [bigquery.ScalarQueryParameter(name, "STRING", str(cell)) for name, cell in values.items()]


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, list):
        return json.dumps(cell)
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _typed(text: str, kind: str) -> str:
    if kind.startswith("ARRAY"):
        return f"array(select json_value(item) from unnest(json_query_array({text})) as item)"
    return f"parse_json({text})" if kind == "JSON" else f"cast({text} as {kind.split('(', maxsplit=1)[0]})"


def _comparable(cell: object) -> object:
    """Replace every NaN by the same object, so that lists of rows containing NaN compare equal."""
    return math.nan if isinstance(cell, float) and math.isnan(cell) else cell
