"""`lineage`, from SQL compiled by dbt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness.project import Project

COLUMNS = {"id": "varchar", "email": "varchar", "first": "varchar", "last": "varchar", "spent": "bigint"}
STAGED = """
with source as (select * from {{ source('raw', 'people') }})
select id, lower(email) as mail, first || ' ' || last as name, spent from source
"""
SYNC = "select *, spent > 100 as is_good, 'shop' as origin from {{ ref('staged') }}"
MAPPING = {
    "identifier": "id",
    "standard": {"email_address": "mail"},
    "custom": ["name", "is_good", "origin"],
    "membership": "is_person",
    "on_exit": "flag",
}


@pytest.fixture
def people(project: Project) -> Project:
    project.set_rows(COLUMNS, [{"id": "a"}])
    project.map(MAPPING, sql=SYNC)
    source = {"sources": [{"name": "raw", "schema": "raw", "tables": [{"name": "people"}]}]}
    (project.directory / "models" / "sources.yml").write_text(json.dumps(source))
    (project.directory / "models" / "staged.sql").write_text(STAGED)
    return project


def traced(project: Project) -> dict[str, Any]:
    done = project.call("lineage", "--json")
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def test_from_the_source_to_the_attribute(people: Project) -> None:
    people.dbt("compile")
    found = traced(people)
    (sync,) = found["syncs"]
    columns = {
        each["attribute"]: (each["column"], [(o["kind"], o["table"], o["column"]) for o in each["origins"]])
        for each in sync["attributes"]
    }

    def source(*names: str) -> list[tuple[str, str, str]]:
        return [("source", "raw.people", name) for name in names]

    assert found["not_compiled"] == []
    assert columns == {
        "custom_id": ("id", source("id")),
        "batch__email_address": ("mail", source("email")),
        "name": ("name", source("first", "last")),
        "is_good": ("is_good", source("spent")),
        "origin": ("origin", []),
        "is_person": (None, []),
    }
    lines = {line.split()[0]: line for line in people.call("lineage").stdout.splitlines() if line}
    assert lines["email_address"].split()[1:] == ["mail", "raw.people.email", "(source)"]
    assert "a constant" in lines["origin"]
    assert "membership in the sync" in lines["is_person"]


def test_a_flowchart(people: Project) -> None:
    people.dbt("compile")
    done = people.call("lineage", "--mermaid")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[:3] == ["flowchart LR", 'subgraph "people"', 'a0["custom_id"]']
    ids = {line.partition("[")[2].strip('"]'): line.partition("[")[0] for line in lines if "[" in line}
    assert f"{ids['raw.people.first']} --> {ids['name']}" in lines
    assert f"{ids['raw.people.last']} --> {ids['name']}" in lines
    assert sum("raw.people.spent" in line for line in lines) == 1
    both = people.call("lineage", "--mermaid", "--json")
    assert (both.returncode, both.stdout) == (2, "")


def test_uncompiled_models_are_reported(people: Project) -> None:
    people.dbt("parse")
    assert traced(people)["not_compiled"] == ["people"]
    people.dbt("compile", "--select", "people")
    found = traced(people)
    assert found["not_compiled"] == ["staged"]
    (mail,) = [each for each in found["syncs"][0]["attributes"] if each["column"] == "mail"]
    reason = "staged has no compiled SQL: run `dbt compile`"
    assert mail["origins"] == [{"kind": "unknown", "table": "staged", "column": "mail", "reason": reason}]
    shown = people.call("lineage")
    assert f"unknown: {reason}" in shown.stdout
    assert "No compiled SQL of staged" in shown.stderr
    assert "-.->" in people.call("lineage", "--mermaid").stdout


def test_all_columns_need_to_be_known(people: Project) -> None:
    people.map({"identifier": "id", "custom": "all", "exclude": ["mail"]}, sql=SYNC)
    people.dbt("parse")
    names = [each["attribute"] for each in traced(people)["syncs"][0]["attributes"]]
    assert names == ["custom_id", "all"]
    people.dbt("compile")
    names = [each["attribute"] for each in traced(people)["syncs"][0]["attributes"]]
    assert names == ["custom_id", "name", "spent", "is_good", "origin"]
