"""Spark itself on Iceberg tables, by the suite that every warehouse has to pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from harness.behaviour import CALL, CONTACTS, CONTACTS_MAPPING, Behaviour, contacts
from harness.dbt_tests import DbtTests, found, tested
from harness.iceberg import IcebergDatabase, IcebergSpark
from harness.quick import QuickProject
from harness.spark_tables import SparkTables, opened
from sqlglot import exp

from dbt_batch_sync.warehouse import Statement, Value
from dbt_batch_sync.warehouse.spark import SparkWarehouse, _sendable
from dbt_batch_sync.warehouse.spark_sql import for_spark

__all__ = ["found", "opened", "tested"]

pytestmark = [
    pytest.mark.emulated,
    # PySpark leaves the sockets of its results to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[IcebergDatabase]:
    """A Spark of its own."""
    spark = IcebergSpark("iceberg")
    yield IcebergDatabase(spark)
    spark.stop()


class TestIceberg(SparkTables, Behaviour):
    """The suite."""

    people_types = {  # noqa: RUF012 - a table
        "coarse_at": "timestamp",
        "fine_at": "timestamptz",
        "level": "varchar(4)",
    }
    # Before Spark 4 a cast makes it a null.
    failing = exp.func("raise_error", exp.Placeholder(this="email"))


class TestFound(DbtTests):
    """What the package's dbt tests find."""


# What a commit reads and writes


def test_a_commit_is_of_the_files_of_its_range(quick: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark's own plan looks for the range in the snapshot's files, and no other file is written anew."""
    plans: list[str] = []
    run = SparkWarehouse._run

    def explained(self: SparkWarehouse, statement: Statement) -> Any:
        if isinstance(statement.tree, exp.Merge) and statement.tree.this.name == "people_sent_snapshot":
            tree = for_spark(statement.tree, "iceberg").transform(filled, statement.parameters)
            plans.append(self._session.sql(f"explain {tree.sql(dialect='spark')}").collect()[0][0])
        return run(self, statement)

    monkeypatch.setattr(SparkWarehouse, "_run", explained)
    quick.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 1})
    quick.map({**CONTACTS_MAPPING, "endpoint": "update"})
    rows = contacts(4 * CALL)
    quick.set_rows(CONTACTS, rows)
    assert quick.sync().inserts == len(rows)
    stored = data_files(quick)
    assert len(stored) == 4, "a file for each commit, each a range of keys"
    plans.clear()
    quick.set_rows(
        CONTACTS, [*rows[:CALL], *({**row, "points": -1} for row in rows[CALL : CALL + 5]), *rows[CALL + 5 :]]
    )
    assert quick.sync().updates == 5
    assert len(stored - data_files(quick)) == 1, "the other three hold no key of it"
    (plan,) = plans
    scans = [line for line in plan.splitlines() if "BatchScan" in line and "people_sent_snapshot" in line]
    assert any("filters=custom_id IS NOT NULL, custom_id <= 'p0204'" in scan for scan in scans), plan


def filled(node: exp.Expr, values: Mapping[str, Value]) -> exp.Expr:
    """A statement for `explain`, which takes no parameters."""
    return exp.convert(_sendable(values[node.name])) if isinstance(node, exp.Placeholder) else node


def data_files(project: QuickProject) -> set[str]:
    """The files of the snapshot as it is."""
    return {
        row["file_path"] for row in project.query("select file_path from shop.people_sent_snapshot.files")
    }
