"""Oddities of real projects: unusual types, empty columns, addresses to normalize, governance."""

from __future__ import annotations

import json
import os
import time

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
    """A project-wide contract, and a group's private model. A generated test warns of similar identifiers."""
    path = project.directory / "dbt_project.yml"
    before = path.read_text()
    path.write_text(before.replace('"+materialized"', '"+contract": {"enforced": true}, "+materialized"'))
    try:
        configs = {"contract": {"enforced": False}, "group": "crm", "access": "private"}
        mapping = {"identifier": "id", "custom": ["n"]}
        sql = "select id, 1 as n from (values ('c-1'), ('c-2')"
        project.map(mapping, sql=f"{sql}) as people (id)", models=(), **configs)
        (project.directory / "models" / "groups.yml").write_text(
            "groups: [{name: crm, owner: {name: crm, email: crm@example.com}}]"
        )
        project.dbt("parse")
        assert project.call("generate").returncode == 0
        assert project.sync().accepted == 2
        project.map(mapping, sql=f"{sql}, (' C-1')) as people (id)", models=(), **configs)
        project.dbt("build")
        results = json.loads((project.directory / "target" / "run_results.json").read_text())["results"]
        (warned,) = [each for each in results if each["status"] == "warn"]
        assert "batch_similar_identifiers_people_delta" in warned["unique_id"]
        assert warned["failures"] == 2, "the new one is like one that Batch has"
        assert project.push_one(require_tests=True).accepted == 1
    finally:
        path.write_text(before)
        (project.directory / "models" / "groups.yml").unlink()


def test_mappings_that_dbt_has_not_read(project: Project) -> None:
    """A mapping of a version, in dbt_project.yml and in SQL: each is up to date after `dbt parse`, and stale
    once it is edited. The generated models follow the latest version.
    """
    mapping = {"identifier": "id", "custom": ["n"], "shared": True}
    configured, models = project.directory / "dbt_project.yml", project.directory / "models"
    before = configured.read_text()
    project.map(mapping, sql="select 'p' as id, 1 as n")
    project.map(mapping, "by_sql", models=())
    project.map({}, "by_file", sql="select 'p' as id, 1 as n", models=())
    (models / "by_sql.yml").unlink()
    (models / "by_file.yml").unlink()
    (models / "by_sql.sql").write_text(
        f"{{{{ config(meta={{'batch_sync': {mapping}}}) }}}}\r\nselect 1 as id, 2 as n\r\n"
    )
    versions = [
        {"v": 1, "defined_in": "people"},
        {"v": 2, "config": {"meta": {"batch_sync": {"on_null": "keep"}}}},
    ]
    (models / "people_v2.sql").write_text("select 'p' as id, 1 as n")
    described = {"name": "people", "config": {"meta": {"batch_sync": mapping}}, "versions": versions}
    (models / "people.yml").write_text(json.dumps({"models": [described]}))
    meta = '"by_file": {"+meta": {"batch_sync": {"identifier": "id", "custom": ["{{ target.name and \'n\' }}"]}}}'
    configured.write_text(before.replace('"+materialized"', f'{meta}, "+materialized"'))
    try:
        project.dbt("parse")
        generated = project.call("generate")
        assert "add version='2' in people_delta and people_sent_snapshot" in generated.stdout
        assert project.call("validate").returncode == 0
        for path, old, new, said in (
            (models / "people.yml", "keep", "clear", "people: batch_sync: was changed"),
            (models / "by_sql.sql", "'n'", "'n', 'm'", "by_sql: batch_sync: may have changed in its SQL"),
            (configured, "'n'", "'m'", "by_file: batch_sync: was changed"),
        ):
            text = path.read_bytes()
            path.write_bytes(text.replace(old.encode(), new.encode()))
            for verb in ("validate", "push"):
                done = project.call(verb)
                assert (done.returncode, f"{said} since dbt wrote the manifest" in done.stderr) == (
                    2,
                    True,
                ), done
            path.write_bytes(text)
        assert project.call("validate").returncode == 0
    finally:
        configured.write_text(before)


def test_a_push_says_what_was_not_compared(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["n"]}, sql="select 'p' as id, 1 as n")
    project.sync()
    path = project.directory / "models" / "people.yml"
    path.write_text(path.read_text().replace("identifier: id", "identifier: \"{{ 'id' }}\""))
    os.utime(path, (time.time() + 9,) * 2)
    done = project.call("push", "--json")
    assert done.returncode == 0
    (note,) = json.loads(done.stdout)["notes"]
    assert note.startswith(
        "models/people.yml is newer than the manifest, and the mapping of `people` may depend"
    )
    assert note in done.stderr
    assert note in project.call("validate").stdout


def test_compiling_without_the_warehouse(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["n"]}, sql="select 'p' as id, 1 as n")
    project.dbt("compile", "--no-introspect")
    project.dbt("run")
    project.dbt("compile", "--no-introspect")
