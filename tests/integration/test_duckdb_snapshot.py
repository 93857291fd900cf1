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
