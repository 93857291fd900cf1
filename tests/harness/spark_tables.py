"""Tests of Spark's own behavior, for any table format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal

from harness.behaviour import CONTACTS, CONTACTS_MAPPING, contacts, plain
from harness.project import Project
from harness.quick import QuickProject
from harness.spark import SparkDatabase


def table_format(project: Project) -> object:
    """The format of a project's tables."""
    return project.warehouse.model_config["+file_format"]


class SparkTables:
    """Behavior that Delta and Iceberg tables share, and that is refused on other formats."""

    @contextmanager
    def in_zone(self, quick: QuickProject, zone: str) -> Iterator[None]:
        """Applies to the shared session."""
        assert isinstance(quick.warehouse, SparkDatabase)
        settings = quick.warehouse.server.session().conf
        before = settings.get("spark.sql.session.timeZone")
        settings.set("spark.sql.session.timeZone", zone)
        try:
            yield
        finally:
            settings.set("spark.sql.session.timeZone", before)

    def test_native_types(self, quick: QuickProject) -> None:
        odd = {
            "fixed": ("char(6)", "ab", "ab"),
            "short": ("varchar(3)", "ab", "ab"),
            "shorts": ("array<varchar(3)>", ["a b", '"'], ("a b", '"')),
            "small": ("smallint", -7, -7),
            "whole": ("decimal(30,0)", Decimal(2**53 + 1), 2**53 + 1),
            "exact": ("decimal(38,18)", Decimal("1.000000000000000001"), 1.000000000000000001),
            "wide": ("float", 0.1, 0.1),
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
        assert quick.changes() == {}, "the merged snapshot differs from the model"

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
