"""BigQuery, on an emulator: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from harness.behaviour import CONTACTS_MAPPING, Behaviour, plain
from harness.dbt_tests import DbtTests, found, tested
from harness.faulty_sandbox import FaultyServer
from harness.goldens import MODELS, build, check
from harness.project import Project
from harness.quick import QuickProject
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from sqlglot import exp, parse_one

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Load, Statement, open_warehouse

if TYPE_CHECKING:
    from harness.bigquery import BigQueryEmulator

    from dbt_batch_sync.warehouse.bigquery import BigQueryWarehouse

__all__ = ["found", "tested"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def warehouse() -> Iterator[BigQueryEmulator]:
    """An emulator of its own."""
    from harness.bigquery import BigQueryEmulator

    emulator = BigQueryEmulator()
    yield emulator
    emulator.stop()


class TestBigQuery(Behaviour):
    """The suite. What has more digits than a NUMERIC is a text in it: the emulator's BIGNUMERIC has 38."""

    people_types = {  # noqa: RUF012 - a table
        "level": "STRING",
        "unsigned": "NUMERIC",
        "huge": "STRING",
        "exact": "STRING",
        "coarse_at": "DATETIME",
        "fine_at": "DATETIME",
    }
    people_given = dict.fromkeys(("unsigned", "huge", "exact"), "integer")
    odd_names = ("SELECT", "Émile's", "100% sure", "with  two")

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """JSON has no blanks between its parts there, and a number no zeros at its end."""
        note = row["note"]
        if note is None:
            return row
        return {**row, "note": json.dumps(json.loads(str(note)), separators=(",", ":"), ensure_ascii=False)}


class TestFound(DbtTests):
    """The dbt tests. Their patterns are RE2's on DuckDB as well, which the emulator runs them on."""


@pytest.fixture(scope="module")
def compiled(
    batch: FaultyServer, warehouse: BigQueryEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The models whose SQL is recorded, built once with dbt."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("golden"), batch, warehouse)
    build(project, {"huge": "NUMERIC", "note": "JSON"})
    return project


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(compiled: Project, model: str) -> None:
    check(compiled, model, "bigquery")


@pytest.fixture
def opened(quick: QuickProject) -> Iterator[BigQueryWarehouse]:
    """The product's own connection to the project's dataset."""
    with contextlib.closing(open_warehouse(read_target(quick.options()))) as connection:
        yield connection  # type: ignore[misc]


# Types

OWN = {
    "whole": ("NUMERIC", "7", 7),
    "exact": ("NUMERIC", "12345678901234567890.123456789", 12345678901234567890.123456789),
    "long": ("BIGNUMERIC", "1234567890.5", 1234567890.5),
    "day": ("DATE", "2024-02-29", "2024-02-29T00:00:00Z"),
    "instant": ("TIMESTAMP", "2024-03-31 02:30:00+02:00", "2024-03-31T00:30:00Z"),
    "local": ("DATETIME", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59Z"),
    "day_text": ("DATE", "0001-01-01", "0001-01-01"),
    "items": ("ARRAY<STRING>", ["a", 'q"', "\\", "é"], ("a", 'q"', "\\", "é")),
    "none": ("ARRAY<STRING>", [], None),
    "list": ("JSON", '["x", "y"]', ("x", "y")),
}


def test_its_own_types(quick: QuickProject) -> None:
    given = {"whole": "integer", "day_text": "string", "list": "string_array"}
    custom = [{"column": name, "type": given[name]} if name in given else name for name in OWN]
    quick.map({"identifier": "id", "custom": custom})
    columns = {"id": "STRING", **{name: kind for name, (kind, *_) in OWN.items()}}
    row = {"id": "x", **{name: cell for name, (_, cell, _) in OWN.items()}}
    quick.set_rows(columns, [row, {"id": "nobody"}])
    assert quick.sync().rejected_attributes == 0
    assert plain(quick.profiles()["x"]) == {
        name: value for name, (_, _, value) in OWN.items() if value is not None
    }
    quick.build()
    assert quick.changes() == {}, "what was committed differs from where it came from"


def test_a_number_is_widened_and_a_type_is_changed(quick: QuickProject) -> None:
    quick.map({"identifier": "id", "custom": ["n"]})
    sent = []
    for kind in ("NUMERIC", "FLOAT64", "NUMERIC"):
        quick.set_rows({"id": "STRING", "n": kind}, [{"id": "x", "n": "2.5"}])
        sent.append(quick.sync().sent)
    assert sent == [1, 0, 0], "a wider number is nothing to send"
    for kind, cell in (("STRING", "2.5"), ("DATE", "2024-02-29"), ("BOOL", "true"), ("INT64", "3")):
        quick.set_rows({"id": "STRING", "n": kind}, [{"id": "x", "n": cell}])
        assert quick.sync().sent == 1, kind


# Statements


def load_of(rows: int) -> pa.Table:
    return pa.table(
        {
            "a b": ["", None, 'q"\n\\@x', "é"] * rows,
            "n": pa.array([1, None, 2**62, -1] * rows, pa.int64()),
            "b": [True, None, False, True] * rows,
            "f": pa.array([0.5, None, -0.0, 1e300] * rows, pa.float64()),
            "t": pa.array(
                [datetime(2024, 2, 29, 1, 2, 3, 4), None, datetime(1900, 1, 1), datetime(1970, 1, 1)] * rows
            ),
        }
    )


@pytest.mark.parametrize("limit", [1_000_000, 0])
def test_rows_are_loaded_as_a_parameter_or_ahead(
    quick: QuickProject, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    from dbt_batch_sync.warehouse import bigquery

    monkeypatch.setattr(bigquery, "PARAMETER_BYTES", limit)
    quick.execute("create table shop.`t` (`a b` STRING, n INT64, b BOOL, f FLOAT64, t DATETIME)")
    rows = load_of(2)
    table = exp.to_table("shop.t")
    delete = Statement(parse_one("delete from shop.t where n = :n"), {"n": 1})
    opened.execute([Load(table, rows), delete])
    found = quick.query("select * from shop.`t`")
    wanted = [row for row in rows.to_pylist() if row["n"] != 1]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))
    assert tables(quick) == {"t"}, "a table of rows was left"


def tables(quick: QuickProject) -> set[str]:
    return {each.table_id for each in quick.warehouse.client.list_tables("shop")}  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [1_000_000, 0])
def test_steps_are_one_transaction_and_errors_tell_no_values(
    quick: QuickProject, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    from dbt_batch_sync.warehouse import bigquery

    monkeypatch.setattr(bigquery, "PARAMETER_BYTES", limit)
    quick.execute("create table shop.`t` (`a b` STRING, n INT64, b BOOL, f FLOAT64, t DATETIME)")
    load = Load(exp.to_table("shop.t"), load_of(1))
    wrong = Statement(parse_one("select cast(:v as bigint)"), {"v": "jane@example.com"})
    with pytest.raises(WarehouseError, match="invalidQuery") as failed:
        opened.execute([load, wrong])
    assert "jane" not in str(failed.value)
    assert quick.query("select * from shop.`t`") == []
    assert tables(quick) == {"t"}, "a table of rows was left"
    opened.execute([load])
    assert len(quick.query("select * from shop.`t`")) == 4


class LosingAnswers(HTTPAdapter):
    """Sends every request, and loses so many of the answers about jobs."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.left = number

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        response = super().send(request, *arguments, **options)
        if "/jobs" in str(request.url) and self.left > 0:
            self.left -= 1
            response.close()
            raise RequestsConnectionError("the connection is gone")
        return response


def test_a_job_whose_answer_is_lost_runs_once(quick: QuickProject, opened: BigQueryWarehouse) -> None:
    quick.execute("create table shop.`t` (n INT64)")
    losing = LosingAnswers(1)
    opened._client._http.mount("http://", losing)
    insert = Statement(parse_one("insert into shop.t select :n"), {"n": 1})
    opened.execute([insert, insert])
    assert losing.left == 0
    assert quick.query("select * from shop.`t`") == [{"n": 1}, {"n": 1}]


class FailingJobs(HTTPAdapter):
    """Says of so many jobs that they have failed for a reason that passes."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        response = super().send(request, *arguments, **options)
        if request.method == "POST" and str(request.url).partition("?")[0].endswith("/jobs") and self.left:
            self.left -= 1
            error = {"reason": "jobBackendError", "message": "The job encountered an error. Try again."}
            status = {"state": "DONE", "errorResult": error, "errors": [error]}
            response._content = json.dumps({**response.json(), "status": status}).encode()
        return response


def test_a_job_that_fails_for_a_reason_that_passes_is_tried_again(opened: BigQueryWarehouse) -> None:
    failing = FailingJobs(2)
    opened._client._http.mount("http://", failing)
    assert opened.fetch(Statement(parse_one("select 7"))) == [(7,)]
    assert failing.left == 0


def test_a_server_that_is_gone_is_not_waited_for_without_an_end(
    quick: QuickProject, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt_batch_sync.warehouse import bigquery

    monkeypatch.setattr(bigquery, "RETRY_SECONDS", 0.1)
    opened._client._http.mount("http://", LosingAnswers(math.inf))
    with pytest.raises(WarehouseError, match="BigQuery: Timeout"):
        opened.fetch(Statement(parse_one("select 1")))


def test_columns_are_those_of_the_table(quick: QuickProject, opened: BigQueryWarehouse) -> None:
    quick.execute("create table shop.`t` (`A b` STRING, `Émile's` NUMERIC, flag BOOL)")
    found = opened.columns(exp.to_table("shop.t"))
    assert [(each.name, each.data_type) for each in found] == [
        ("A b", "STRING"),
        ("Émile's", "NUMERIC"),
        ("flag", "BOOLEAN"),
    ]
    assert opened.columns(exp.to_table("shop.nothing")) == ()


def test_a_result_is_read_in_pages(
    quick: QuickProject, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt_batch_sync.warehouse import bigquery

    monkeypatch.setattr(bigquery, "PAGE_ROWS", 7)
    query = parse_one(
        "select n as k, :v as v from unnest(generate_array(1, 50)) as n order by k", dialect="bigquery"
    )
    with opened.stream(Statement(query, {"v": "x"}), 20_000) as rows:
        assert rows.schema == pa.schema([("k", pa.int64()), ("v", pa.string())])
        batches = list(rows.batches)
    assert [row["k"] for batch in batches for row in batch.to_pylist()] == list(range(1, 51))
    assert max(batch.num_rows for batch in batches) == 7
    with opened.stream(Statement(query, {"v": "x"}), 20_000) as rows:
        next(rows.batches)
    assert opened.fetch(Statement(parse_one("select 1"))) == [(1,)], "what is left unread is in nobody's way"


def test_a_server_that_refuses(quick: QuickProject) -> None:
    quick.map(CONTACTS_MAPPING)
    path = quick.directory / "profiles.yml"
    before = path.read_text()
    path.write_text(before.replace("project: test-project", "project: other-project"))
    try:
        refused = quick.call("push")
    finally:
        path.write_text(before)
    assert refused.returncode in (1, 2)
    assert "Traceback" not in refused.stderr
