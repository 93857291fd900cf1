"""The contract of every driver, tested on its engine or a stand-in."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from unittest import mock

import pyarrow as pa
import pytest
from harness.databases import Database
from sqlglot import exp, parse_one
from tenacity import wait_none

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.warehouse import Statement, Warehouse, driver, open_warehouse

MOMENT = datetime(2024, 2, 29, 1, 2, 3, 456789)
WORDS = ["'", "\\", "\\'", '"', "%s %", "%(word)s", "a\nb\r\tc", "$$", ":word ? @x $1", "é😀\u2028", "", None]

COLUMNS = {"place": "bigint", "word": "text", "seen_at": "timestamp", "good": "boolean", "part": "double"}
"""The types of the ledger's columns, in sqlglot's terms."""


def target_of(database: Database) -> WarehouseTarget:
    """The connection target of the tests' database."""
    given = dict(database.credentials)
    return WarehouseTarget("shop", "dev", str(given.pop("type")), given)


def select(sql: str, **values: Any) -> Statement:
    """A query in DuckDB's SQL."""
    return Statement(parse_one(sql, dialect="duckdb"), values)


@pytest.fixture(scope="module")
def warehouse(database: Database) -> Iterator[Warehouse]:
    """The package's own connection to the module's database."""
    with contextlib.closing(open_warehouse(target_of(database))) as opened:
        yield opened


class DriverContract:
    """The tests. Each warehouse's class inherits them, and its module has the fixture `database`."""

    types: ClassVar[Mapping[str, str]] = {}
    """The engine's type names where they differ from sqlglot's."""
    schema: ClassVar[str] = "shop"
    told: ClassVar[str] = "no_such_column"
    """Part of the error message for a missing column."""
    failing: ClassVar[exp.Expr] = exp.cast(exp.cast(exp.Placeholder(this="word"), "text"), "bigint")
    """An expression that fails with an error quoting the value."""
    odd: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    """Expressions in the engine's SQL, with the result's Arrow type and value."""

    @pytest.fixture
    def boxes(self, warehouse: Warehouse, database: Database) -> exp.Table:
        """An empty table with the columns of `COLUMNS`."""
        name = f"boxes_{uuid.uuid4().hex[:8]}"
        table = exp.to_table(f"{self.schema}.{name}", dialect=warehouse.dialect)
        kinds = {
            name: self.types.get(kind) or exp.DataType.build(kind).sql(warehouse.dialect)
            for name, kind in COLUMNS.items()
        }
        declared = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        self.create_table(database, table.sql(warehouse.dialect), declared)
        return table

    def create_table(self, database: Database, name: str, declared: str) -> None:
        database.execute(f"create table {name} ({declared})", {})

    def rows_of(self, warehouse: Warehouse, table: exp.Table) -> list[dict[str, Any]]:
        """All rows, ordered by `place`."""
        query = exp.select(*(exp.alias_(exp.column(name), name) for name in COLUMNS)).from_(table.copy())
        return list(warehouse.fetch(Statement(query.order_by("place"))).to_pylist())

    def test_columns(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        assert [column.name.lower() for column in warehouse.columns(boxes)] == list(COLUMNS)
        assert warehouse.columns(exp.to_table(f"{self.schema}.nothing_there")) == ()

    def test_rows_round_trip(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        count = 2_001
        given = pa.table(
            {
                "part": pa.array([n / 7 for n in range(count)], pa.float64()),
                "place": pa.array(range(count), pa.int64()),
                "word": [WORDS[n % len(WORDS)] for n in range(count)],
                "seen_at": pa.array([MOMENT if n % 2 else None for n in range(count)], pa.timestamp("us")),
                "good": pa.array([(None, True, False)[n % 3] for n in range(count)], pa.bool_()),
            }
        )
        warehouse.append(boxes, given)
        found = self.rows_of(warehouse, boxes)
        assert [{**row, "place": int(row["place"])} for row in found] == given.select(
            list(COLUMNS)
        ).to_pylist()

    def test_missing_cells_are_null(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        warehouse.append(boxes, pa.table({"place": [1, 2], "word": [None, None], "good": pa.nulls(2)}))
        (first, second) = self.rows_of(warehouse, boxes)
        assert {**first, "place": int(first["place"])} == {**dict.fromkeys(COLUMNS), "place": 1}
        assert int(second["place"]) == 2

    def test_result_names_and_types(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        query = exp.select(
            exp.alias_(exp.column("word"), "Word", quoted=True),
            exp.alias_(exp.column("seen_at"), "seen_at"),
            exp.alias_(exp.Window(this=exp.Count(this=exp.Star())), "many"),
        )
        empty = warehouse.fetch(Statement(query.from_(boxes.copy())))
        assert empty.num_rows == 0
        warehouse.append(boxes, pa.table({"word": ["a"], "seen_at": pa.array([MOMENT], pa.timestamp("us"))}))
        found = warehouse.fetch(Statement(query.from_(boxes.copy())))
        assert empty.schema.names == found.schema.names == ["Word", "seen_at", "many"]
        assert empty.schema.types == found.schema.types
        assert found.schema.field("seen_at").type == pa.timestamp("us")
        assert found.to_pylist() == [{"Word": "a", "seen_at": MOMENT, "many": 1}]

    def test_values_are_sent_as_parameters(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        words = [word for word in WORDS if word is not None]
        warehouse.append(boxes, pa.table({"place": list(range(len(words))), "word": words}))
        for place, word in enumerate(words):
            query = exp.select(exp.alias_(exp.column("place"), "place")).from_(boxes.copy())
            query = query.where("word = $word", "place < $many", "$good", dialect="duckdb")
            values = {"word": word, "many": 2**40, "good": True}
            found = warehouse.fetch(Statement(query, values)).column("place").to_pylist()
            assert [int(each) for each in found] == [place], word

    def test_the_warehouse_clock_is_utc(self, warehouse: Warehouse) -> None:
        query = exp.select(exp.alias_(exp.CurrentTimestamp(), "told"))
        found = warehouse.fetch(Statement(query))
        assert found.schema.types == [pa.timestamp("us")]
        told = found.column("told")[0].as_py()
        assert abs(told - datetime.now(timezone.utc).replace(tzinfo=None)) < timedelta(seconds=60)

    def test_types(self, warehouse: Warehouse) -> None:
        """The types that the payload expects."""
        for sql, (kind, cell) in self.odd.items():
            tree = parse_one(f"select {sql} as cell", dialect=warehouse.dialect)
            found = warehouse.fetch(Statement(tree))
            given = found.schema.types[0]
            assert (f"list<{given.value_type}>" if pa.types.is_list(given) else str(given)) == kind, sql
            assert found.column("cell")[0].as_py() == cell, sql

    def test_concurrent_threads(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        failures: list[BaseException] = []

        def append() -> None:
            try:
                for place in range(5):
                    warehouse.append(boxes, pa.table({"place": [place], "word": ["x" * place]}))
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        thread = threading.Thread(target=append)
        thread.start()
        seen = 0
        while thread.is_alive():
            seen = max(seen, len(self.rows_of(warehouse, boxes)))
        thread.join()
        assert failures == []
        assert seen <= len(self.rows_of(warehouse, boxes)) == 5

    def test_errors_contain_no_value(self, warehouse: Warehouse) -> None:
        query = exp.select(exp.alias_(self.failing.copy(), "n"))
        with pytest.raises(WarehouseError) as caught:
            warehouse.fetch(Statement(query, {"word": "jane@example.com"}))
        assert "jane" not in str(caught.value)
        assert caught.value.__cause__ is None or "jane" not in str(caught.value)

    def test_statement_errors_are_reported(self, warehouse: Warehouse, boxes: exp.Table) -> None:
        with pytest.raises(WarehouseError, match=self.told):
            warehouse.fetch(Statement(exp.select("no_such_column").from_(boxes.copy())))
        assert self.rows_of(warehouse, boxes) == [], "the connection is unusable after an error"


@contextlib.contextmanager
def no_waits() -> Iterator[None]:
    """Retry without waiting."""
    with mock.patch.object(driver, "WAITS", wait_none()):
        yield


def check_retries(warehouse: Warehouse, failures: list[Exception]) -> None:
    """Each of these driver errors is a Conflict and is retried until the attempts run out."""
    assert isinstance(warehouse, driver.Driver)
    for failure in failures:
        left = [failure] * (driver.ATTEMPTS - 1)

        def act(_: Any, left: list[Exception] = left) -> str:
            if left:
                raise left.pop()
            return "done"

        with no_waits():
            assert warehouse._run(act) == "done", failure
            left += [failure] * driver.ATTEMPTS
            with pytest.raises(Conflict):
                warehouse._run(act)
