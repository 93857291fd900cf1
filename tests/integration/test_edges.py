"""Oddities of real projects: unusual types, empty columns, addresses to normalize, governance."""

from __future__ import annotations

from harness.project import Project

from dbt_batch_sync import api

SQL = """
select
    'p' as id, ' Ada@Example.COM ' as email, cast(0.1 as float) as single, null as nick, null as number, [null] as nothing,
    ['a'] as tags
"""


def test_values_that_need_conversion(project: Project) -> None:
    """A single-precision float that arrives as 0.1, all-null columns, and an address to normalize."""
    mapping = {
        "identifier": "id",
        "standard": {"email_address": {"column": "email", "normalize": "trim_lower"}},
        "custom": ["single", "nick", {"column": "number", "type": "integer"}, "tags"],
    }
    project.map(mapping, sql=SQL)
    assert project.sync().accepted == 1
    sent = {"$email_address": "ada@example.com", "single": 0.1, "tags": ["a"]}
    assert project.sent.attributes == {"p": sent}
    # This clears an attribute in Batch.
    project.map(mapping, sql=SQL.replace("['a'] as tags", "null as tags"))
    project.sync()
    assert project.sent.attributes == {"p": {"tags": None}}


def test_an_unsupported_type(project: Project) -> None:
    for sql, said in (
        ("time '10:00' as x", "Cast it in the model: cast(x as VARCHAR)"),
        ("[1, 2] as x", "Cast it in the model: cast(x as VARCHAR[])"),
        ("""'{"a": 1}'::json as x""", "Give it `type: string`, or `type: string_array`"),
    ):
        project.map({"identifier": "id", "custom": ["x"]}, sql=f"select 'p' as id, {sql}")
        assert said in project.dbt("run", fails=True).messages


def test_a_sync_without_models_does_not_prevent_planning_others(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["n"]}, sql="select 'p' as id, 1 as n")
    audience = {"kind": "audience", "identifier": "id", "audience": "vips", "attributes": ["m"]}
    project.map(audience, "other", sql="select 'p' as id, 1 as m", models=())
    project.build()
    other, people = api.plan(project.options()).syncs
    assert (people.inserts, people.kind) == (1, "profiles")
    assert (other.delta_id, other.kind) == (None, "audience")
    assert "the sync `other` has no model" in other.stops[0]


def test_governance(project: Project) -> None:
    """A project-wide contract, and a group's private model."""
    path = project.directory / "dbt_project.yml"
    before = path.read_text()
    path.write_text(before.replace('"+materialized"', '"+contract": {"enforced": true}, "+materialized"'))
    try:
        project.map(
            {"identifier": "id", "custom": ["n"]},
            sql="select 'p' as id, 1 as n",
            models=(),
            contract={"enforced": False},
            group="crm",
            access="private",
        )
        (project.directory / "models" / "groups.yml").write_text(
            "groups: [{name: crm, owner: {name: crm, email: crm@example.com}}]"
        )
        project.dbt("parse")
        assert project.call("generate").returncode == 0
        project.dbt("build")
        assert project.push_one(require_tests=True).accepted == 1
    finally:
        path.write_text(before)
        (project.directory / "models" / "groups.yml").unlink()


def test_compiling_without_the_warehouse(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["n"]}, sql="select 'p' as id, 1 as n")
    project.dbt("compile", "--no-introspect")
    project.dbt("run")
    project.dbt("compile", "--no-introspect")
