"""What is Spark's own, whatever the format of its tables: a class that stands beside the suite."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, contacts, plain
from harness.project import Project
from harness.quick import QuickProject
from harness.spark import SparkDatabase
from sqlglot import exp

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.sql.relations import create_table, insert_row
from dbt_batch_sync.warehouse import Load, Statement, open_warehouse
from dbt_batch_sync.warehouse.spark import SparkWarehouse


@pytest.fixture
def opened(quick: QuickProject) -> SparkWarehouse:
    """The product's own connection to the project's database, which has looked at a table: what it creates is made like it."""
    warehouse = open_warehouse(read_target(quick.options()))
    assert isinstance(warehouse, SparkWarehouse)
    quick.execute(f"create table shop.beside using {table_format(quick)} as select 'x' as id")
    assert [column.name for column in warehouse.columns(exp.to_table("shop.beside"))] == ["id"]
    return warehouse


def table_format(project: Project) -> object:
    """The format of a project's tables."""
    return project.warehouse.model_config["+file_format"]


class SparkTables:
    """What Spark does alike on tables of Delta and Iceberg, and refuses on others."""

    failing: ClassVar[exp.Expr] = exp.cast(exp.Placeholder(this="email"), "bigint")
    """An expression that no e-mail address has a value of."""

    @contextmanager
    def in_zone(self, quick: QuickProject, zone: str) -> Iterator[None]:
        """In the session of all."""
        assert isinstance(quick.warehouse, SparkDatabase)
        settings = quick.warehouse.server.session().conf
        before = settings.get("spark.sql.session.timeZone")
        settings.set("spark.sql.session.timeZone", zone)
        try:
            yield
        finally:
            settings.set("spark.sql.session.timeZone", before)

    def test_its_own_types(self, quick: QuickProject) -> None:
        odd = {
            "fixed": ("char(6)", "ab", "ab"),
            "short": ("varchar(3)", "ab", "ab"),
            "shorts": ("array<varchar(3)>", ["a b", '"'], ("a b", '"')),
            "small": ("smallint", -7, -7),
            "whole": ("decimal(30,0)", Decimal(2**53 + 1), 2**53 + 1),
            "exact": ("decimal(38,18)", Decimal("1.000000000000000001"), 1.000000000000000001),
            "wide": ("float", 0.1, struct.unpack("f", struct.pack("f", 0.1))[0]),
            "local": ("timestamp_ntz", datetime(2024, 10, 27, 2, 30), "2024-10-27T02:30:00Z"),
            "instant": (
                "timestamp",
                datetime(2024, 10, 27, 0, 30, tzinfo=timezone.utc),
                "2024-10-27T00:30:00Z",
            ),
            "pair": ("struct<a: int, b: array<string>>", {"a": 1, "b": ["x"]}, '{"a":1,"b":["x"]}'),
            "numbers": ("array<int>", [1, 2], "[1,2]"),
        }
        typed = {"pair": "string", "numbers": "string"}
        quick.map(
            {
                "identifier": "id",
                "custom": [{"column": n, "type": typed[n]} if n in typed else n for n in odd],
            }
        )
        columns = {"id": "text", **{name: kind for name, (kind, *_) in odd.items()}}
        quick.set_rows(
            columns, [{"id": "x", **{name: cell for name, (_, cell, _) in odd.items()}}, {"id": "nobody"}]
        )
        assert quick.sync().status == "succeeded"
        assert plain(quick.profiles()["x"]) == {name: want for name, (*_, want) in odd.items()}
        quick.build()
        assert quick.changes() == {}, "what was committed differs from where it came from"

    def test_other_tables_are_rejected_by_the_macros(self, shop: Project) -> None:
        shop.map(CONTACTS_MAPPING)
        shop.set_rows(CONTACTS, contacts(1))
        shop.map(CONTACTS_MAPPING, file_format="parquet")
        config = "{{ config(file_format='parquet') }}"
        for model in ("sent_snapshot", "delta"):
            path = shop.directory / "models" / f"people_{model}.sql"
            path.write_text(config + path.read_text())
            built = shop.dbt("run", "--select", "people", f"people_{model}", fails=True)
            assert f"`people_{model}` has the file_format parquet" in built.messages
            assert "Accepted: delta, iceberg" in built.messages

    def test_other_tables_are_rejected_by_a_push(self, quick: QuickProject, tmp_path: Path) -> None:
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, contacts(1))
        quick.build()
        quick.execute("drop table shop.people_delta")
        kept = f"location '{tmp_path}' as select * from shop.people_sent_snapshot"
        quick.execute(f"create table shop.people_delta using parquet {kept}")
        refused = quick.call("push")
        assert refused.returncode == 2, refused.stderr
        assert "people_delta is a parquet table" in " ".join(refused.stderr.split())
        assert "file_format delta or iceberg" in " ".join(refused.stderr.split())

    def test_a_stream_is_in_order_and_can_be_left(self, quick: QuickProject, opened: SparkWarehouse) -> None:
        """And it goes on while another thread's statements run."""
        many = "select cast(id as string) as id, id as n from range(50000)"
        quick.execute(f"create table shop.many using {table_format(quick)} as {many}")
        query = exp.select("id", "n").from_("shop.many").order_by("id")
        with opened.stream(Statement(query), 1000) as rows:
            assert rows.schema.types == [pa.string(), pa.int64()]
            first = next(rows.batches)
        assert first.num_rows == 1000
        ids: list[str] = []
        with opened.stream(Statement(query), 1000) as rows:
            for batch in rows.batches:
                ids += batch.column(0).to_pylist()
                if len(ids) == 10_000:
                    opened.twin().execute([Statement(exp.delete("shop.many").where("n >= 0"))])
        assert ids == sorted(str(n) for n in range(50_000))

    def test_times_are_utc_wherever_it_runs(
        self, opened: SparkWarehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The zone of the machine decides nothing, in the hour that is there twice a year either."""
        table, now = exp.to_table("shop.times"), datetime(2024, 10, 27, 0, 30, 0, 123456)
        loaded = pa.table({"at": pa.array([now + timedelta(hours=1)], pa.timestamp("us"))})
        insert = insert_row(table, {"at": "timestamp"})
        monkeypatch.setenv("TZ", "Europe/Paris")
        time.tzset()
        try:
            opened.execute([Statement(create_table(table, {"at": "timestamp"}))])
            opened.execute([Statement(insert, {"at": now}), Load(table, loaded)])
            found = opened.fetch(Statement(exp.select("at").from_(table).order_by("at")))
        finally:
            monkeypatch.undo()
            time.tzset()
        assert found == [(now,), (now + timedelta(hours=1),)]

    def test_writers_at_once(self, opened: SparkWarehouse) -> None:
        """Each statement is done once, however many are in each other's way."""
        table = exp.to_table("shop.counters")
        opened.execute([Statement(create_table(table, {"id": "text", "n": "bigint"}))])
        opened.execute([Load(table, pa.table({"id": ["a", "b"], "n": pa.array([0, 0], pa.int64())}))])
        more = exp.update(
            table, {"n": exp.column("n") + 1}, where=exp.column("id").eq(exp.Placeholder(this="id"))
        )
        with ThreadPoolExecutor(4) as threads:
            done = [threads.submit(opened.twin().execute, [Statement(more, {"id": name})]) for name in "abab"]
            for each in done:
                each.result()
        assert opened.fetch(Statement(exp.select("id", "n").from_(table).order_by("id"))) == [
            ("a", 2),
            ("b", 2),
        ]

    def test_errors_tell_no_values(self, opened: SparkWarehouse) -> None:
        query = exp.select(self.failing.copy())
        with pytest.raises(WarehouseError) as raised:
            opened.fetch(Statement(query, {"email": "someone@example.com"}))
        assert "someone" not in str(raised.value)
        with pytest.raises(WarehouseError, match=r"not found|cannot be found"):
            opened.fetch(Statement(exp.select("*").from_("shop.nothing")))
