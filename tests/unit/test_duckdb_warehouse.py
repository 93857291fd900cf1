"""What the DuckDB warehouse decides by itself, on a real file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import duckdb
import pytest
from dbt_batch_sync.sql.pending import Pending
from sqlglot import parse_one

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.sql.relations import Relation, parse_table
from dbt_batch_sync.warehouse import Statement
from dbt_batch_sync.warehouse import duckdb as module
from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

ROWS = """
create table people_delta as
select 'p' || lpad(n::text, 5, '0') as custom_id, 'insert' as _batch_change, 'a' as _batch_changed, n as a
from range(5000) as numbers(n) order by {order}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.duckdb"


def opened(path: Path, order: str) -> DuckDbWarehouse:
    with duckdb.connect(str(path)) as connection:
        connection.execute(ROWS.format(order=order))
    return DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", {"path": str(path), "schema": "main"}))


@pytest.fixture
def sorts() -> Iterator[list[bool]]:
    """Whether each statement that is streamed has an order of its own."""
    seen: list[bool] = []
    whole = module._sql

    def noted(tree: object) -> str:
        text = whole(tree)  # type: ignore[arg-type]
        if "_batch_parked" in text:
            seen.append("ORDER BY" in text)
        return text

    with mock.patch.object(module, "_sql", noted):
        yield seen


def pending(warehouse: DuckDbWarehouse) -> Statement:
    table = parse_table('"main"."people_delta"', "duckdb")
    delta = Relation(table, warehouse.columns(table))
    return Statement(Pending(delta, delta, ("a",), (), None).select(after=False, limit=None))


@pytest.mark.parametrize(("order", "sorted_again"), [("n", False), ("hash(n)", True), ("n desc", True)])
def test_a_delta_that_is_stored_in_order_is_not_sorted_again(
    path: Path, sorts: list[bool], order: str, sorted_again: bool
) -> None:
    warehouse = opened(path, order)
    with warehouse.stream(pending(warehouse), 1000) as rows:
        found = [key for batch in rows.batches for key in batch.column("custom_id").to_pylist()]
    assert found == [f"p{n:05}" for n in range(5000)]
    assert sorts == [sorted_again]
    warehouse.close()


def test_rows_that_come_out_of_order_all_the_same_end_the_stream(path: Path) -> None:
    warehouse = opened(path, "hash(n)")
    with (
        mock.patch.object(DuckDbWarehouse, "_is_stored_in_order", return_value=True),
        warehouse.stream(pending(warehouse), 1000) as rows,
        pytest.raises(WarehouseError, match="nothing more was sent"),
    ):
        list(rows.batches)
    warehouse.close()


def test_a_wide_sync_is_written_within_the_memory_limit(path: Path) -> None:
    """Of every column that is written, each thread holds blocks that can't be spilled."""
    with duckdb.connect(str(path)) as connection:
        texts = ", ".join(f"md5((n * {column})::text) as c{column}" for column in range(1, 301))
        connection.execute(f"create table wide as select n::text as id, {texts} from range(20000) as t(n)")
        connection.execute("create table copied as from wide limit 0")
    target = WarehouseTarget("shop", "dev", "duckdb", {"path": str(path), "schema": "main"})
    with contextlib.closing(DuckDbWarehouse(target)) as warehouse:
        names = [f'"{column.name}"' for column in warehouse.columns(parse_table("wide", "duckdb"))]
        warehouse.execute(
            [
                Statement(
                    parse_one(f"insert into copied select {', '.join(names)} from wide", dialect="duckdb")
                )
            ]
        )
        assert warehouse.fetch(Statement(parse_one("select count(*) from copied"))) == [(20000,)]
