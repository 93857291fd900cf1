"""The delta: its comparison, its stability across runs, and the mapping it was built with."""

from __future__ import annotations

import random
import shutil
from typing import Any

import pytest
import yaml
from harness.compiled import CompiledDelta
from harness.faults import Fault, FaultKind
from harness.people import COLUMNS, MAPPING, people
from harness.project import ROOT, Project, unchanged

from dbt_batch_sync.artifacts.manifest import read_manifest
from dbt_batch_sync.mapping.syncs import read_syncs

SIMPLE = {"identifier": "id", "custom": ["name", "points"]}
SIMPLE_COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint"}
IDS = ("_batch_delta_id",)


def without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: cell for name, cell in row.items() if name not in IDS} for row in rows]


def simple(project: Project, *rows: tuple[object, ...]) -> None:
    """Set rows of SIMPLE_COLUMNS."""
    project.set_rows(SIMPLE_COLUMNS, [dict(zip(SIMPLE_COLUMNS, row, strict=True)) for row in rows])


def columns_of(project: Project, relation: str) -> dict[str, str]:
    query = (
        "select column_name, data_type from duckdb_columns() where table_name = $name order by column_index"
    )
    return {row["column_name"]: row["data_type"] for row in project.query(query, name=relation)}


def test_columns_of_the_relations_are_as_documented(project: Project) -> None:
    mapping = {**MAPPING, "on_exit": "flag", "membership": "in_crm"}
    project.map(mapping)
    project.set_rows(COLUMNS, people(3))
    project.build()
    delta, snapshot = columns_of(project, "people_delta"), columns_of(project, "people_sent_snapshot")
    own = {"custom_id", "_batch_delta_id"}
    attributes = set(delta) - own - {f"_batch_{name}" for name in ("change", "changed", "reason", "page")}
    assert set(snapshot) == attributes | own | {
        f"_batch_{name}" for name in ("sent_at", "run_id", "exited_at", "doubt", "opted_out")
    }
    standard = (
        "email_address",
        "email_marketing",
        "phone_number",
        "sms_marketing",
        "language",
        "region",
        "timezone",
    )
    assert {f"batch__{name}" for name in (*standard, "topic_preferences")} < attributes
    assert len(attributes) == len(COLUMNS) - 1 + len(["in_crm"])
    assert {name: delta[name] for name in attributes} == {name: snapshot[name] for name in attributes}
    (built,) = project.query("from batch_sync_journal where event = 'built'")
    types = dict(pair.split(":") for pair in built["attribute_types"].split(","))
    assert set(types) == attributes
    expected = {
        "in_crm": "boolean",
        "site": "url",
        "batch__topic_preferences": "string_array",
        "price": "float",
    }
    expected |= {
        "huge": "integer",
        "token": "string",
        "born": "date",
        "zoned_at": "date",
        "batch__region": "string",
    }
    assert expected.items() <= types.items()
    assert {row["_batch_delta_id"] for row in project.delta()} == {built["delta_id"]}
    assert (built["page"], built["inserts"], built["model_rows"], built["known_rows"]) == (0, 3, 3, 0)


COMPARED: tuple[tuple[str, object, object, bool], ...] = (
    ("varchar", "a", "a", False),
    ("varchar", None, None, False),
    ("varchar", None, "", True),
    ("varchar", "", None, True),
    ("varchar", "a", "a ", True),
    ("varchar", "a", "A", True),
    ("varchar", "é", "e\u0301", True),
    ("bigint", 0, None, True),
    ("bigint", None, 0, True),
    ("boolean", None, False, True),
    ("boolean", False, False, False),
    ("double", float("nan"), float("nan"), False),
    ("double", float("nan"), None, True),
    ("double", float("inf"), float("inf"), False),
    ("double", 0.1, 0.1 + 1e-18, False),
    ("decimal(18,4)", "1", "1.0000", False),
    ("decimal(18,4)", "1", "1.0001", True),
    ("timestamptz", "2024-01-01 12:00:00+02", "2024-01-01 10:00:00+00", False),
    ("timestamptz", "2024-01-01 12:00:00+02", "2024-01-01 12:00:00+00", True),
    ("timestamp", "2024-01-01 12:00:00", "2024-01-01 12:00:01", True),
    ("date", "2024-01-01", "2024-01-01", False),
    ("varchar[]", ["a", "b"], ["a", "b"], False),
    ("varchar[]", ["a", "b"], ["b", "a"], True),
    ("varchar[]", ["a"], ["a", "a"], True),
    ("varchar[]", [], None, True),
    ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", False),
    ("hugeint", None, None, False),
    ("hugeint", "9" * 20, "9" * 20, False),
    ("uhugeint", None, None, False),
    ("uhugeint", str(2**128 - 1), str(2**128 - 1), False),
    ("uhugeint", str(2**100), str(2**100 + 1), True),
)


def test_values_are_compared_by_their_type_and_nulls_too(project: Project) -> None:
    names = [f"c{place}" for place in range(len(COMPARED))]
    columns = {"id": "integer", **{name: kind for name, (kind, *_) in zip(names, COMPARED, strict=True)}}
    project.map({"identifier": "id", "custom": names})
    for moment in (1, 2):
        row = {name: case[moment] for name, case in zip(names, COMPARED, strict=True)}
        project.set_rows(columns, [{"id": 1, **row}])
        if moment == 1:
            project.sync()
        else:
            project.build("--select", "people_delta")
    (found,) = project.delta()
    changed = [name for name, case in zip(names, COMPARED, strict=True) if case[3]]
    assert found["_batch_changed"].split(",") == changed, [COMPARED[int(name[1:])] for name in changed]


def test_without_a_push_the_next_run_builds_the_same_delta(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "clear"})
    rows = people(40)
    project.set_rows(COLUMNS, rows)
    project.sync()
    changed = [{**row, "nick": "other"} for row in rows[10:]] + [{"id": "new", "tags": ["x"]}, {"id": None}]
    project.set_rows(COLUMNS, [*changed, changed[0]])
    project.build()
    first = project.delta()
    project.build()
    assert without_ids(project.delta()) == without_ids(first)
    assert {row["_batch_change"] for row in first} == {"insert", "update", "exit", "invalid"}
    assert {row["_batch_delta_id"] for row in project.delta()} != {row["_batch_delta_id"] for row in first}
    kept = project.snapshot()
    project.build("--full-refresh")
    assert project.snapshot() == kept
    assert without_ids(project.delta()) == without_ids(first)


def test_the_built_delta_is_what_is_sent(project: Project) -> None:
    project.map(SIMPLE)
    simple(project, ("a", "old", 1), ("b", "old", 1))
    project.build()
    simple(project, ("a", "new", 2), ("c", "new", 2))
    assert project.push_one().accepted == 2
    assert project.sent.attributes == {"a": {"name": "old", "points": 1}, "b": {"name": "old", "points": 1}}
    project.build()
    assert set(project.snapshot()) == {"a", "b"}
    project.push()
    assert project.sent.attributes == {"a": {"name": "new", "points": 2}, "c": {"name": "new", "points": 2}}


def test_a_changed_mapping_shows_in_the_next_run(project: Project) -> None:
    """dbt's partial parsing rereads only changed files, and the delta's file has not changed."""
    project.map(SIMPLE)
    simple(project, ("a", "x", 1))
    project.sync()
    project.map({**SIMPLE, "custom": ["name", {"column": "points", "name": "score"}]})
    project.build()
    assert project.changes() == {"a": ("update", "score")}
    built = project.query("from batch_sync_journal where event = 'built' order by recorded_at")[-1]
    (sync,) = read_syncs(read_manifest(project.directory / "target" / "manifest.json"))
    assert built["mapping_hash"] == sync.mapping.hash
    assert project.push_one().accepted == 1
    assert project.sent.attributes == {"a": {"score": 1}}


def test_the_meta_in_the_model_itself(project: Project) -> None:
    project.map(SIMPLE)
    (project.directory / "models" / "people.yml").unlink()
    model = project.directory / "models" / "people.sql"
    for custom in ("['name']", "['points']"):
        model.write_text(
            "{{ config(materialized='table', meta={'batch_sync': {'identifier': 'ID', 'custom': "
            + custom
            + "}}) }}"
            "select * from raw.people"
        )
        simple(project, ("a", "x", 1))
        project.sync()
    assert project.sent.attributes == {"a": {"points": 1}}


@pytest.mark.parametrize(
    "change",
    [
        {"custom": ["name"]},
        {"on_null": "keep"},
        {"on_exit": "clear"},
        {"custom": ["name", {"column": "points", "type": "string"}]},
    ],
    ids=str,
)
def test_a_mapping_that_changed_after_the_delta_stops_the_push(
    project: Project, change: dict[str, object]
) -> None:
    project.map(SIMPLE)
    simple(project, ("a", "x", 1))
    project.build()
    project.map({**SIMPLE, **change})
    project.dbt("parse")
    done = project.call("push")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "the mapping of `people` has changed since its delta was built" in said
    assert "Run: dbt run --select people people_delta people_sent_snapshot" in said
    assert not project.sandbox.requests
    assert not project.snapshot()
    (run,) = project.query("from batch_sync_runs")
    assert run["status"] == "failed"
    assert "has changed since its delta was built" in run["error"]
    assert project.sync().accepted == 1, "the suggested command should fix it"


def test_changes_of_other_keys_do_not_stop_the_push(project: Project) -> None:
    project.outputs(second={})
    project.map(SIMPLE)
    simple(project, ("a", "x", 1))
    project.build()
    project.map({**SIMPLE, "endpoint": "mass-update", "output": "second", "guards": {"min_rows": 0}})
    project.dbt("parse")
    assert project.push_one().endpoint == "mass-update"
    project.build()
    project.map({**SIMPLE, "custom": ["name"]})
    project.dbt("parse")
    assert "the mapping of `people` has changed" in str(project.push_one().error), (
        "an empty delta should be checked too"
    )


@pytest.mark.parametrize("mode", [("--empty",), ("--sample", "1 day")], ids=lambda mode: mode[0])
def test_a_delta_built_with_empty_or_sample_is_never_pushed(project: Project, mode: tuple[str, ...]) -> None:
    project.map({**MAPPING, "on_exit": "clear"})
    project.set_rows(COLUMNS, people(20))

    def built_in_part() -> None:
        project.build(*mode)
        pushed = project.push_one(force=True)
        assert pushed.status == "failed"
        assert f"built with `{mode[0]}`, which is never pushed" in str(pushed.error)
        assert not project.sent.requests

    built_in_part()
    rejected = project.query("select id from raw.people order by id")[3]["id"]
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=(str(rejected),))])
    assert project.sync().settled == 20
    project.sandbox.faults.set(())
    project.build()
    kept = project.snapshot()
    assert len(kept) == 19
    built_in_part()
    assert (rejected, None) in project.rejects()
    again = project.sync()
    assert (again.parked, again.requests) == (1, 0)
    assert project.snapshot() == kept


def test_a_deferred_delta_writes_nothing_to_the_other_target(project: Project) -> None:
    project.map(SIMPLE)
    simple(project, ("a", "x", 1))
    project.sync()
    shutil.copytree(project.directory / "target", project.directory / "state")
    profiles = yaml.safe_load((project.directory / "profiles.yml").read_text())
    profiles["shop"]["outputs"]["mine"] = {**profiles["shop"]["outputs"]["dev"], "schema": "mine"}
    (project.directory / "profiles.yml").write_text(yaml.safe_dump(profiles))
    simple(project, ("a", "x", 2))
    before = project.query("from main.batch_sync_journal")
    given = ("--defer", "--state", str(project.directory / "state"), "--target", "mine")
    project.dbt("run", "--select", "people_delta", *given)
    assert project.query("from main.batch_sync_journal") == before
    assert not project.query("from main.people_sent_snapshot")
    (row,) = project.query("from mine.people_delta")
    assert row["_batch_change"] == "insert"
    shutil.rmtree(project.directory / "state")
    project.build()
    assert project.changes() == {"a": ("update", "points")}, (
        "the earlier push should be merged by its own target"
    )


def test_all_columns_except_excluded_ones(project: Project) -> None:
    mapping: dict[str, object] = {
        "identifier": "id",
        "standard": {"email_address": "MAIL"},
        "custom": "all",
        "exclude": ["internal_NOTE"],
    }
    columns = {
        "ID": "integer",
        "Mail": "varchar",
        "Internal_Note": "varchar",
        "First": "varchar",
        "n": "integer",
    }
    project.map(mapping)
    project.set_rows(columns, [{"ID": 1, "Mail": "a@b.fr", "Internal_Note": "secret", "First": "x", "n": 1}])
    assert project.sync().accepted == 1
    assert project.sent.attributes == {"1": {"$email_address": "a@b.fr", "first": "x", "n": 1}}

    row = {"ID": 1, "Mail": "a@b.fr", "Internal_Note": "other", "First": "x", "n": 1, "later": True}
    project.set_rows({**columns, "later": "boolean"}, [row])
    assert project.sync().accepted == 1
    assert project.sent.attributes == {"1": {"later": True}}, "a new column should become a new attribute"


@pytest.mark.parametrize(
    "column", ["First Name", "custom_id", "batch__email_address", "_batch_sent_at", "a,b:c", "x" * 31]
)
def test_all_columns_with_an_invalid_attribute_name(project: Project, column: str) -> None:
    project.map({"identifier": "id", "custom": "all"})
    project.set_rows({"id": "varchar", column: "varchar"}, [])
    messages = project.dbt("run", fails=True).messages
    assert f"batch_sync mapping of `people`: `{column.lower()}` is" in messages
    assert "`exclude` it" in messages


def test_unusual_attribute_names(project: Project) -> None:
    """Names that the generated SQL also uses."""
    words = [
        *(
            [
                "names",
                "chosen_0",
                "problem_1",
                "operation",
                "withheld",
                "arrays",
                "others",
                "item",
                "position",
                "delta",
                "checked",
                "c",
                "d",
                "s",
                "n",
            ]
        ),
        *(["parked", "sync", "custom", "select", "date", "url", "id", "now", "upto"]),
    ]
    lists = [f"{word}_l" for word in words[:10]]
    columns = {**dict.fromkeys(words, "varchar"), **dict.fromkeys(lists, "varchar[]"), "item": "varchar[]"}
    project.map({"identifier": "id", "custom": list(columns), "on_exit": "clear"})
    row: dict[str, object] = {name: [name] if kind.endswith("]") else name for name, kind in columns.items()}
    project.set_rows(columns, [{**row, "id": "x"}, {**row, "id": "y"}, {"id": "z", "item": ["a", ""]}])
    project.sync()
    assert project.sent.attributes == {"x": {**row, "id": "x"}, "y": {**row, "id": "y"}, "z": {"id": "z"}}
    assert project.rejects() == {("z", "item"): "empty_item"}
    project.set_rows(columns, [{**row, "id": "x", "names": None}, {"id": "z", "item": ["a"]}])
    project.sync()
    assert project.sent.attributes == {
        "x": {"names": None},
        "y": dict.fromkeys(columns),
        "z": {"item": ["a"]},
    }


def test_unusual_column_names(project: Project) -> None:
    odd = {"select": "a", 'quo"te': "b", "with space": "c", "é": "d", "semi;colon --": "e", "{x}": "f"}
    custom = [{"column": column, "name": name} for column, name in odd.items()]
    project.map({"identifier": "or'der", "custom": custom})
    columns = dict.fromkeys(("or'der", *odd), "varchar")
    project.set_rows(columns, [{column: f"value of {column}" for column in columns}])
    assert project.sync().accepted == 1
    assert project.sent.attributes == {
        "value of or'der": {name: f"value of {column}" for column, name in odd.items()}
    }
    assert unchanged(project.sync())


def test_relations_with_custom_schema_and_alias(project: Project) -> None:
    project.map(SIMPLE, alias="contacts", schema="crm")
    for macro in ("delta", "sent_snapshot"):
        path = project.directory / "models" / f"people_{macro}.sql"
        path.write_text(f"{{{{ config(schema='crm', alias='{macro} of crm') }}}}\n{path.read_text()}")
    simple(project, ("a", "x", 1), ("b", "x", 1))
    assert project.sync().accepted == 2
    query = (
        "select schema_name || '.' || table_name as name from duckdb_tables() where schema_name like 'main%'"
    )
    names = {row["name"] for row in project.query(query)}
    assert {"main_crm.delta of crm", "main_crm.sent_snapshot of crm", "main_crm.batch_sync_journal"} <= names
    simple(project, ("a", "y", 1))
    done = project.sync()
    assert (done.updates, done.exits, done.status) == (1, 1, "succeeded")
    assert project.sent.attributes == {"a": {"name": "y"}}
    shutil.copy(ROOT / "dbt_batch_sync" / "scaffold" / "sources.yml", project.directory / "models")
    runs = "select status from {{ source('batch_sync', 'batch_sync_runs') }}"
    (project.directory / "models" / "runs.sql").write_text(runs)
    for schema in ("main_crm", "{dev: main_crm, prod: crm}"):
        project.dbt("run", "--select", "runs", "--vars", f"{{batch_sync_schema: {schema}}}")
        assert project.query("select status from main.runs") == [{"status": "succeeded"}] * 2


def test_a_compiled_delta_is_what_dbt_builds(project: Project) -> None:
    """Other tests rely on this shortcut of the harness."""
    project.map({**MAPPING, "on_exit": "flag", "membership": "in_crm", "on_null": "keep"})
    rows = people(60)
    project.set_rows(COLUMNS, rows[:40])
    quick = CompiledDelta(project)
    project.push()
    project.set_rows(COLUMNS, [{**row, "vip": None, "big": 5} for row in rows[20:]])
    quick.run()
    built = project.delta()
    assert len({row["_batch_delta_id"] for row in built}) == 1
    project.build()
    assert without_ids(project.delta()) == without_ids(built)
    quick.run()
    assert project.push_one().settled == len(built) == 60
    quick.run()
    assert unchanged(project.push_one())

    project.sandbox.faults.set([Fault(FaultKind.CUT_AFTER)])
    project.set_rows(COLUMNS, rows)
    project.outputs(sandbox={"max_attempts": 1})
    quick.run()
    assert project.push_one().status == "failed"
    quick.run()
    assert any(row["_batch_doubt"] for row in project.snapshot().values()), "dbt didn't put the rows in doubt"
    project.sandbox.faults.clear()
    assert project.push_one().settled == len(project.delta())
    quick.run()
    assert unchanged(project.push_one())


# The mapping's hash in Jinja and Python

HASHES = """
{% macro write_hashes(number) %}
    {% do run_query('create schema if not exists raw') %}
    {% do run_query('create or replace table raw.hashes (sync varchar, hash varchar)') %}
    {% for place in range(number) %}
        {% set sync = 'm' ~ place %}
        {% set hash = dbt_batch_sync.sync_mapping(sync).hash %}
        {% do run_query("insert into raw.hashes values ('" ~ sync ~ "', '" ~ hash ~ "')") %}
    {% endfor %}
{% endmacro %}
"""
WORDS = (
    "id",
    "Email",
    "ÀÉ",
    "ẞ",
    "İd",
    "a b",
    "日本",
    "q'uote",
    'd"q',
    "back\\s",
    "x:y",
    "1",
    "yes",
    "null",
    "#c",
    "😀",
)


def any_mapping(chance: random.Random) -> dict[str, object]:
    """A valid random mapping, using every oddity that YAML and warehouses allow."""
    standard = (
        "email_address",
        "email_marketing",
        "phone_number",
        "sms_marketing",
        "language",
        "region",
        "timezone",
    )
    mapping: dict[str, object] = {"identifier": chance.choice(WORDS)}
    chosen = chance.sample((*standard, "topic_preferences"), chance.randrange(4))
    if chosen or chance.random() < 0.3:
        mapping["standard"] = {name: chance.choice(WORDS) for name in chosen} or None
    if chance.random() < 0.3:
        mapping["custom"] = "all"
        mapping["exclude"] = chance.sample([word for word in WORDS if word != "İd"], chance.randrange(5))
    else:
        mapping["custom"] = [
            any_entry(chance, name) for name in chance.sample(range(40), chance.randrange(1, 7))
        ]
    for key, values in (
        ("on_null", ("clear", "keep")),
        ("endpoint", ("auto", "update")),
        ("output", ("a", None)),
    ):
        if chance.random() < 0.4:
            mapping[key] = chance.choice(values)
    if chance.random() < 0.3:
        mapping |= {"on_exit": "flag", "membership": "member"}
    elif chance.random() < 0.3:
        mapping |= {"on_exit": chance.choice(("clear", "ignore")), "membership": None}
    return mapping


def any_entry(chance: random.Random, name: int) -> object:
    """A random entry of `custom`."""
    if chance.random() < 0.3:
        return f"{chance.choice(('Col', 'col_', 'C0L', '_x'))}{name}"
    entry: dict[str, object] = {"column": chance.choice(WORDS), "name": f"a{name}"}
    kinds = ("string", "integer", "float", "boolean", "date", "url", "string_array", None)
    if chance.random() < 0.4:
        entry["type"] = chance.choice(kinds)
    if chance.random() < 0.4:
        entry["on_null"] = chance.choice(("clear", "keep", None))
    return entry


def test_the_hash_is_the_same_in_jinja_and_in_python(project: Project) -> None:
    """End to end: YAML, dbt's graph and Jinja on one side, the manifest and the reader on the other."""
    number, chance = 100, random.Random(7)
    for place in range(number):
        project.map(any_mapping(chance), f"m{place}", sql="select 1 as id", models=())
    macro = project.directory / "macros" / "hashes.sql"
    macro.parent.mkdir(exist_ok=True)
    macro.write_text(HASHES)
    try:
        project.dbt("run-operation", "write_hashes", "--args", f"{{number: {number}}}")
        syncs = read_syncs(read_manifest(project.directory / "target" / "manifest.json"))
    finally:
        macro.unlink()
    rows = {row["sync"]: row["hash"] for row in project.query("from raw.hashes")}
    assert rows == {sync.name: sync.mapping.hash for sync in syncs}
    assert len(set(rows.values())) == number
