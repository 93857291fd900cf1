"""Storage of the snapshot in a DuckDB file, by file format version."""

from __future__ import annotations

import duckdb
import pytest
from harness.databases import Row
from harness.project import Project, unchanged

COLUMNS = {"id": "varchar", "email": "varchar", "city": "varchar", "points": "decimal(18, 2)"}
MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["city", "points"],
}
ROWS: list[Row] = [
    {"id": f"c{number}", "email": f"{number}@x.fr", "city": "Paris", "points": str(number)}
    for number in range(5_000)
]
UNIQUE = {"custom_id", "batch__email_address"}


@pytest.mark.parametrize(("version", "compressed"), [("v1.0.0", set()), ("v1.2.0", UNIQUE)])
def test_unique_texts_are_compressed_with_zstd_if_the_file_format_allows(
    project: Project, version: str, compressed: set[str]
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{project.database}' as shop (storage_version '{version}')")
    project.map(MAPPING)
    project.set_rows(COLUMNS, ROWS)
    assert project.sync().settled == len(ROWS)
    project.build()
    stored = project.query(
        "select column_name, compression from pragma_storage_info('people_sent_snapshot')"
        " where segment_type = 'VARCHAR'"
    )
    assert {row["column_name"] for row in stored if row["compression"] == "ZSTD"} == compressed
    assert unchanged(project.sync())


def test_columns_are_in_the_order_of_the_mapping(project: Project) -> None:
    project.map(MAPPING)
    project.set_rows(COLUMNS, ROWS[:1])
    project.build()
    types = {row["column_name"]: row["column_type"] for row in project.query("describe people_sent_snapshot")}
    assert list(types.items())[:4] == [
        ("custom_id", "VARCHAR"),
        ("batch__email_address", "VARCHAR"),
        ("city", "VARCHAR"),
        ("points", "DECIMAL(18,2)"),
    ]


def test_relations_that_became_views(project: Project) -> None:
    """As after `dbt clone` on other engines: the delta may be a view, Batch's state may not."""
    project.map({"identifier": "id", "custom": ["points"]})
    project.set_rows({"id": "varchar", "points": "bigint"}, [{"id": "a", "points": 1}])
    project.build()
    for name in ("people_delta", "people_sent_snapshot"):
        project.execute(f"alter table {name} rename to {name}_kept")
        project.execute(f"create view {name} as select * from {name}_kept")
    assert project.push_one().accepted == 1
    failed = project.dbt("run", fails=True)
    assert "is a view, and Batch's state is kept in a table" in failed.messages
    project.execute("drop view people_sent_snapshot")
    project.execute("alter table people_sent_snapshot_kept rename to people_sent_snapshot")
    project.build()
    assert unchanged(project.push_one())
