"""A push only selects, and appends to the ledger. It never updates, deletes, creates or locks."""

from __future__ import annotations

import pytest
from harness.databases import PostgresDatabase
from harness.project import Project
from harness.statements import is_of_a_push, recorded

from dbt_batch_sync.sandbox.server import SandboxServer

MAPPING = {"identifier": "id", "standard": {"email_address": "email"}, "custom": ["nick"]}
COLUMNS = {"id": "varchar", "email": "varchar", "nick": "varchar"}


def people(first: int, last: int, nick: str) -> list[dict[str, object]]:
    """Rows of a range of people."""
    return [{"id": f"p{n}", "email": f"p{n}@example.com", "nick": nick} for n in range(first, last)]


@pytest.fixture(params=["duckdb", "postgres"])
def either(
    request: pytest.FixtureRequest, batch: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """An empty project on each warehouse."""
    if request.param == "duckdb":
        return request.getfixturevalue("project")  # type: ignore[no-any-return]
    database = PostgresDatabase(request.getfixturevalue("postgres"))
    return Project(tmp_path_factory.mktemp("statements"), batch, database)


def test_a_push_selects_and_appends(either: Project) -> None:
    dialect = either.warehouse.adapter
    either.map(MAPPING)
    either.set_rows(COLUMNS, [*people(0, 3, "a"), {"id": "bad", "email": "no address"}])
    either.build()
    with recorded() as first:
        assert either.push_one().status == "partial"
    either.set_rows(COLUMNS, people(1, 5, "b"))
    either.build()
    with recorded() as second:
        either.push_one()
    with recorded() as idle:
        either.push_one()
    for seen in (first, second, idle):
        assert seen
        assert [each for each in seen if not is_of_a_push(each, dialect)] == []
    assert any("batch_sync_rejects" in each for each in first)


@pytest.mark.parametrize(
    "statement",
    [
        "update batch_sync_journal set page = 1",
        "delete from batch_sync_rejects",
        "create table t (n int)",
        "insert into people_sent_snapshot select 1",
        "copy people_sent_snapshot from stdin with (format csv)",
        "truncate t",
        "begin",
        "drop table t",
        "with gone as (delete from t returning n) select n from gone",
        "select n into t from s",
        "select n from t for update",
    ],
)
def test_other_statements_are_detected(statement: str) -> None:
    assert not is_of_a_push(statement, "postgres")


@pytest.mark.parametrize(
    "statement",
    [
        "select n from t",
        "with a as (select 1 as n) select n from a union all select 2",
        "copy (select n from t) to stdout with (format csv)",
        'copy analytics.batch_sync_journal("page") from stdin with (format csv)',
        "insert into batch_sync_rejects (key) select 'a'",
    ],
)
def test_statements_of_a_push_pass(statement: str) -> None:
    assert is_of_a_push(statement, "postgres")
