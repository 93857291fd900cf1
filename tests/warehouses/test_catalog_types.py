"""The types of a real catalog, judged without a warehouse as dbt judges them in it."""

from __future__ import annotations

import json

import pytest
from harness.databases import PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

TYPES = {
    "duckdb": [
        *("varchar", "uuid", "tinyint", "ubigint", "hugeint", "bigint", "decimal(18,3)", "decimal(9,0)"),
        *(
            "float",
            "double",
            "boolean",
            "date",
            "timestamp",
            "timestamptz",
            "timestamp_ms",
            "varchar[]",
            "uuid[]",
        ),
        "enum('a', 'b')",
    ],
    "postgres": [
        *("text", "varchar(5)", "char(3)", "uuid", "citext", "mood", "mail", "smallint", "bigint", "numeric"),
        *("numeric(9,0)", "numeric(18,3)", "real", "double precision", "boolean", "date", "timestamp(0)"),
        *("timestamptz", "text[]", "varchar(5)[]", "uuid[]", "mood[]", "name"),
    ],
}
REFUSED = {"duckdb": ["blob", "interval", "integer[]", "time"], "postgres": ["double precision"]}
"""Of PostgreSQL, a type without a rule could be an enum: only what has one is judged."""


@pytest.fixture(scope="module", params=sorted(TYPES))
def shop(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project on each warehouse."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    project = Project(tmp_path_factory.mktemp("types"), batch, PostgresDatabase(server) if server else None)
    if server:
        for statement in (
            "create extension citext schema public",
            "create type public.mood as enum ('good')",
            "create domain public.mail as varchar(9)",
        ):
            project.execute(statement)
    project.set_rows({"id": "varchar"}, [{"id": "a"}])
    return project


def adapter(shop: Project) -> str:
    return str(shop.warehouse.credentials["type"])


def judged(shop: Project) -> tuple[int, str]:
    """Without the models whose SQL is not made when a type is wrong."""
    shop.dbt("docs", "generate", "--exclude", "people_delta", "people_sent_snapshot")
    done = shop.call("validate", "--json")
    messages = [problem["message"] for problem in json.loads(done.stdout)["problems"]]
    return done.returncode, "\n".join(messages)


def test_what_dbt_takes_is_no_problem(shop: Project) -> None:
    types = TYPES[adapter(shop)]
    columns = ", ".join(f"cast(null as {dtype}) as c{number}" for number, dtype in enumerate(types))
    custom = [f"c{number}" for number in range(len(types))]
    shop.map({"identifier": "id", "custom": custom}, sql=f'select id, {columns} from raw."people"')
    shop.build()
    assert judged(shop) == (0, "")


def test_what_dbt_refuses_is_one_in_the_same_words(shop: Project) -> None:
    for dtype in REFUSED[adapter(shop)]:
        wanted = {"type": "date"} if dtype == "double precision" else {}
        mapping = {"identifier": "id", "custom": [{"column": "odd", **wanted}]}
        shop.map(mapping, sql=f'select id, cast(null as {dtype}) as odd from raw."people"')
        refused = shop.dbt("run", fails=True)
        code, message = judged(shop)
        assert code == 2
        said = message.partition(" (as of catalog.json")[0]
        assert said.startswith("`odd` is the column `odd` of type ")
        assert said in refused.messages.replace("\n", " "), refused.messages
