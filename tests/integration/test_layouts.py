"""Projects with their own rules for names, schemas and refs, from `generate` to the second push."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.databases import PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

MAPPING = {"identifier": "id", "custom": ["n"]}
SQL = "select 'p' as id, 1 as n"

REF = """
{% macro ref(model_name) %}
    {{ return(builtins.ref(model_name).include(database=false)) }}
{% endmacro %}
"""
REF_ELSEWHERE = """
{% macro ref() %}
    {% set found = builtins.ref(*varargs, version=kwargs.get('version') or kwargs.get('v')) %}
    {{ return(found.replace_path(schema='elsewhere') if found.identifier == 'people' else found) }}
{% endmacro %}
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return('elsewhere' if node.name == 'people' else target.schema) }}
{% endmacro %}
"""
REF_TEXT = """
{% macro ref(model_name) %}
    {{ return('(select * from ' ~ builtins.ref(model_name) ~ ' limit 10)') }}
{% endmacro %}
"""
NAMES = """
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return((custom_schema_name or target.schema) ~ '_' ~ target.name | upper) }}
{% endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) %}
    {{ return((custom_alias_name or node.name) ~ ' Of ' ~ target.name | upper) }}
{% endmacro %}
"""
FOR_ENVIRONMENT = """
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return(generate_schema_name_for_env(custom_schema_name, node)) }}
{% endmacro %}
"""
LEDGER = """
-- depends_on: {{ ref('people_delta') }}
select target, (select count(*) from {{ source('batch_sync', 'batch_sync_runs') }}) as runs
from {{ source('batch_sync', 'batch_sync_journal') }} where event = 'built'
"""


@dataclass(frozen=True)
class Layout:
    """The project's macros, `quoting`, model configs and `vars`."""

    macros: str = ""
    quoting: bool | None = None
    models: dict[str, object] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)


LAYOUTS = {
    "a ref of the project's without versions": Layout(REF),
    "a ref that leads elsewhere": Layout(REF_ELSEWHERE),
    "schemas, aliases, a mapping in dbt_project.yml, no quotes": Layout(
        quoting=False,
        models={
            "people": {"+schema": "crm", "+alias": "persons", "+meta": {"batch_sync": MAPPING}},
            "batch_sync": {"+schema": "state"},
        },
    ),
    "names by macros, quotes": Layout(NAMES, quoting=True),
}


def begin(
    directory: Path, batch: FaultyServer, warehouse: PostgresDatabase | None, layout: Layout
) -> Project:
    """A project whose sync has no models yet."""
    project = Project(directory / "shop", batch, warehouse)
    path = project.directory / "dbt_project.yml"
    written = yaml.safe_load(path.read_text())
    written["models"]["shop"].update(layout.models)
    if layout.quoting is not None:
        written["quoting"] = dict.fromkeys(("database", "schema", "identifier"), layout.quoting)
    written["vars"] = layout.variables
    path.write_text(json.dumps(written))
    (project.directory / "macros").mkdir()
    (project.directory / "macros" / "own.sql").write_text(layout.macros)
    write(project, layout, 1)
    # The second run knows the snapshot's schema and derives the ledger's sources from it.
    for _ in range(2 if "batch_sync" in layout.models or layout.quoting is not None else 1):
        project.dbt("parse")
        assert project.call("generate").returncode == 0
    return project


def write(project: Project, layout: Layout, n: int) -> None:
    """Write the sync's model, and its mapping unless the layout has one."""
    project.map(MAPPING, sql=SQL.replace("1", str(n)), models=())
    if "people" in layout.models:
        (project.directory / "models" / "people.yml").unlink()


@pytest.mark.parametrize(
    ("adapter", "layout"),
    [
        pytest.param(
            adapter,
            layout,
            # How the project overrides `ref` depends on no warehouse.
            marks=pytest.mark.thorough if adapter == "postgres" and " ref " in f" {name}" else (),
            id=f"{adapter}-{name}",
        )
        for adapter in ("duckdb", "postgres")
        for name, layout in LAYOUTS.items()
    ],
)
def test_layout(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path: Path, adapter: str, layout: Layout
) -> None:
    batch.reset()
    server = request.getfixturevalue("postgres") if adapter == "postgres" else None
    project = begin(tmp_path, batch, PostgresDatabase(server) if server else None, layout)

    def found(*arguments: str) -> dict[str, Any]:
        done = project.call(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        (sync,) = json.loads(done.stdout)["syncs"]
        return dict(sync)

    for n, change in ((1, "inserts"), (2, "updates")):
        write(project, layout, n)
        # Also runs the tests of the ledger's sources and of both models.
        project.dbt("build")
        assert project.call("generate", "--check").returncode == 0
        assert found("plan")[change] == 1
        assert found("push", "--require-tests")["accepted"] == 1
        assert project.sent.attributes == {"p": {"n": n}}
        assert len(found("status")["runs"]) == n


def test_a_ref_that_returns_text(batch: FaultyServer, tmp_path: Path) -> None:
    project = begin(tmp_path, batch, None, Layout(REF_TEXT))
    said = project.dbt("build", fails=True).messages
    assert "the project's macro `ref` returns text here, and a sync needs a relation" in said


@pytest.mark.parametrize(
    ("layout", "schemas"),
    [
        (Layout(models={"batch_sync": {"+schema": "crm"}}), {"dev": "main_crm", "prod": "live_crm"}),
        (
            Layout(
                FOR_ENVIRONMENT,
                models={"batch_sync": {"+schema": "crm"}},
                variables={"batch_sync_schema": {"prod": "crm"}},
            ),
            {"dev": "main", "prod": "crm"},
        ),
    ],
    ids=["suffixed schemas", "a schema of its own in production"],
)
def test_the_ledger_is_found_under_each_target(
    batch: FaultyServer, tmp_path: Path, layout: Layout, schemas: dict[str, str]
) -> None:
    """The sources that `generate` wrote under one target."""
    batch.reset()
    project = begin(tmp_path, batch, None, layout)
    path = project.directory / "profiles.yml"
    profiles = yaml.safe_load(path.read_text())
    profiles["shop"]["outputs"]["prod"] = {**profiles["shop"]["outputs"]["prod"], "schema": "live"}
    path.write_text(yaml.safe_dump(profiles))
    (project.directory / "models" / "ledger.sql").write_text(LEDGER)
    for target, schema in schemas.items():
        project.dbt("run", "--target", target)
        assert project.query(f"select count(*) as n from {schema}.people_sent_snapshot") == [{"n": 0}]
        own = "live" if target == "prod" else "main"
        assert project.query(f"select target, runs from {own}.ledger") == [{"target": target, "runs": 0}]
        assert project.call("push", "--target", target).returncode == 0
