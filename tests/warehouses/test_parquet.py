"""Spark 4 on parquet tables, whose rows can't be changed: refused before anything is built or sent."""

from __future__ import annotations

from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, contacts
from harness.local_spark import LocalSpark
from harness.parquet import ParquetDatabase
from harness.project import Project

pytestmark = [
    pytest.mark.emulated,
    # PySpark leaves its result sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MODELS = ("people_sent_snapshot", "people_delta")


@pytest.fixture(scope="module")
def warehouse() -> Iterator[ParquetDatabase]:
    spark = LocalSpark("parquet")
    assert spark.session().version.startswith("4.")
    yield ParquetDatabase(spark)
    spark.stop()


@pytest.fixture
def sync(shop: Project) -> Project:
    """A project whose sync has rows, before its first build."""
    shop.map(CONTACTS_MAPPING)
    shop.set_rows(CONTACTS, contacts(3))
    return shop


def tables(project: Project) -> set[str]:
    return {row["tableName"] for row in project.query("show tables in shop") if not row["isTemporary"]}


def test_parquet_tables_reject_changes_of_rows(sync: Project) -> None:
    """Proves the claim in the error message."""
    merge = "merge into raw.people as t using raw.people as s on t.id = s.id when matched then delete"
    for statement in (merge, "update raw.people set points = 1", "delete from raw.people where points = 1"):
        with pytest.raises(Exception, match=r"UNSUPPORTED_FEATURE\.TABLE_OPERATION"):
            sync.execute(statement)
    assert len(sync.query("select * from raw.people")) == 3


@pytest.mark.parametrize(
    ("file_format", "said"),
    [(None, "of the server (often parquet)"), ("parquet", "parquet"), ("orc", "orc")],
)
def test_dbt_run_is_refused_and_leaves_nothing(sync: Project, file_format: str | None, said: str) -> None:
    """dbt builds the user's model, but neither the snapshot nor the delta, whichever is selected."""
    if file_format:
        for model in MODELS:
            path = sync.directory / "models" / f"{model}.sql"
            path.write_text(f"{{{{ config(file_format='{file_format}') }}}}" + path.read_text())
    for model, arguments in zip(MODELS, ([], ["--select", "people_delta"]), strict=True):
        built = sync.dbt("run", *arguments, fails=True)
        assert f"`{model}` has the file_format {said}" in built.messages
        assert "whose tables may have no MERGE, UPDATE and DELETE" in built.messages
        assert "Accepted: delta, iceberg; set `+file_format` for it in dbt_project.yml" in built.messages
        assert tables(sync) == {"people"}


def test_a_push_after_a_refused_run(sync: Project) -> None:
    """The push says what is missing and creates nothing."""
    sync.dbt("run", fails=True)
    refused = sync.call("push")
    assert refused.returncode == 2, refused.stdout
    assert "there is no shop.batch_sync_journal in the warehouse yet. Run: dbt run" in told_by(refused)
    assert tables(sync) == {"people"}
    assert not sync.sandbox.requests


def told_by(done: CompletedProcess[str]) -> str:
    """The output of a command, on one line."""
    return " ".join((done.stdout + done.stderr).split())
