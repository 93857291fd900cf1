"""Mappings that have changed in the project's files since dbt last read them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from harness.manifests import model

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.mapping.staleness import find_stale, find_uncompared

MAPPING = {"identifier": "id", "custom": ["a"]}
OTHER = {**MAPPING, "custom": ["b"]}
MAPPED, CHANGED = {"meta": {"batch_sync": MAPPING}}, {"meta": {"batch_sync": OTHER}}
NODES: Mapping[str, Mapping[str, object]] = {
    "people": {"patch_path": "shop://models/s.yml", "config": MAPPED},
    "pets": {"patch_path": "shop://models/pets.yml"},
}
"""What dbt has read: the sync `people`, and the model `pets`."""


def parsed(directory: Path, **changes: Mapping[str, object]) -> Manifest:
    """A project that dbt has read. `changes` are those of the nodes."""
    nodes = [
        model(
            name,
            None,
            **{"raw_code": "select 1", "fqn": ["shop", "crm", name], **node, **changes.get(name, {})},
        )
        for name, node in NODES.items()
    ]
    path = directory / "manifest.json"
    listed = {node["unique_id"]: node for node in nodes}
    path.write_text(json.dumps({"metadata": {"project_name": "shop"}, "nodes": listed}))
    for node in nodes:
        write(directory, str(node["original_file_path"]), "select 1\n")
    write(directory, "dbt_project.yml", {"name": "shop"})
    return read_manifest(path)


def write(directory: Path, file: str, text: object, hours: int = -1) -> None:
    """`hours`: when it was written, from the manifest's time."""
    path = directory / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((text if isinstance(text, str) else yaml.safe_dump(text)).encode())
    at = (directory / "manifest.json").stat().st_mtime + 3600 * hours
    os.utime(path, (at, at))


def stale(directory: Path, manifest: Manifest) -> list[tuple[str, str]]:
    project = Project(directory, "shop", "shop", directory / "target", (directory / "models",))
    return [(each.model, each.message.split(" since ")[0]) for each in find_stale(manifest, project)]


def said(what: str | None, name: str = "people") -> list[tuple[str, str]]:
    return [(name, what)] if what else []


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize(
    ("written", "was"),
    [
        ({"config": MAPPED}, None),
        (MAPPED, None),
        ({"config": CHANGED}, "was changed"),
        (CHANGED, "was changed"),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "custom": "{{ var('x') }}"}}}}, None),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "custom": ["{% if true %}a{% endif %}"]}}}}, None),
        ({"config": {"meta": {"batch_sync": {**OTHER, "identifier": "{{ var('x') }}"}}}}, "was changed"),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "output": "{{ target.name }}"}}}}, "was changed"),
        ({"config": {"meta": {"batch_sync": "{{ var('mapping') }}"}}}, None),
        ({"config": {"meta": "{{ var('meta') }}"}}, None),
        ({"config": {"meta": {}}}, "was removed"),
        ({}, "was removed"),
    ],
)
def test_yaml(tmp_path: Path, written: dict[str, object], was: str | None, hours: int) -> None:
    manifest = parsed(tmp_path)
    write(tmp_path, "models/s.yml", {"models": [{"name": "other"}, {"name": "people", **written}]}, hours)
    if was == "was removed" and hours < 0:
        was = None  # a macro may set it
    assert stale(tmp_path, manifest) == said(was)


@pytest.mark.parametrize(
    ("text", "was"),
    [
        (None, "was removed"),
        ("models: []", "was removed"),
        ("models: [{name: other}]", "was removed"),
        ("models: 3", "was removed"),
        ("models: [", None),
    ],
)
def test_entries_that_are_gone(tmp_path: Path, text: str | None, was: str | None) -> None:
    manifest = parsed(tmp_path)
    if text is not None:
        write(tmp_path, "models/s.yml", text)
    assert stale(tmp_path, manifest) == said(was)
    write(tmp_path, "models/moved.yml", {"models": [{"name": "people", "config": MAPPED}]})
    assert stale(tmp_path, manifest) == []
    (tmp_path / "models" / "people.sql").unlink()
    assert stale(tmp_path, manifest) == [], "the project's files are not here"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_mapping_from_a_macro_is_never_removed(tmp_path: Path, hours: int) -> None:
    sql = "{{ config(meta=crm_meta()) }} select 1"
    manifest = parsed(tmp_path, people={"raw_code": sql})
    write(tmp_path, "models/people.sql", sql)
    write(tmp_path, "models/s.yml", {"models": [{"name": "people"}]}, hours)
    assert stale(tmp_path, manifest) == []


@pytest.mark.parametrize(
    ("configs", "people", "pets"),
    [
        ({"shop": {"crm": {"people": {"+meta": {"batch_sync": MAPPING}}}}}, None, None),
        ({"shop": {"crm": {"+meta": {"batch_sync": MAPPING}, "pets": {"+meta": {}}}}}, None, "was added"),
        ({"shop": {"crm": {"+meta": {"batch_sync": MAPPING}}, "+meta": {"batch_sync": OTHER}}}, None, "was added"),
        ({"shop": {"other": {"+meta": {"batch_sync": OTHER}}, "crm": {"people": {"+meta": {"batch_sync": MAPPING}}}}}, None, None),
        ({"shop": {"crm": {"people": {"+meta": {"batch_sync": OTHER}}}}}, "was changed", None),
        ({"+meta": {"batch_sync": OTHER}}, "was changed", "was added"),
        ({"shop": {"+meta": {"batch_sync": "{{ var('mapping') }}"}}}, None, None),
        ({"shop": {"+meta": "{{ var('meta') }}"}}, None, None),
        ({"shop": {"batch_sync": {"+schema": "crm"}}}, "was removed", None),
        ([], "was removed", None),
    ],
)  # fmt: skip
def test_project_file(tmp_path: Path, configs: object, people: str | None, pets: str | None) -> None:
    manifest = parsed(tmp_path, people={"patch_path": None})
    write(tmp_path, "dbt_project.yml", {"name": "shop", "models": configs}, 1)
    assert stale(tmp_path, manifest) == [*said(people), *said(pets, "pets")]


def test_yaml_takes_precedence_over_the_project_file(tmp_path: Path) -> None:
    manifest = parsed(tmp_path)
    write(
        tmp_path, "dbt_project.yml", {"models": {"shop": {"crm": {"people": {"+meta": CHANGED["meta"]}}}}}, 1
    )
    write(tmp_path, "models/s.yml", {"models": [{"name": "people", "config": MAPPED}]})
    assert stale(tmp_path, manifest) == []


@pytest.mark.parametrize(("mapping", "was"), [(MAPPING, None), (OTHER, "was changed"), (None, None)])
def test_packages_are_compared_with_the_project_file_only(
    tmp_path: Path, mapping: object, was: str | None
) -> None:
    """Only `dbt deps` changes their files."""
    manifest = parsed(tmp_path, people={"package_name": "hub", "fqn": ["hub", "people"]})
    write(tmp_path, "models/s.yml", {"models": [{"name": "people"}]}, 1)
    if mapping is not None:
        write(tmp_path, "dbt_project.yml", {"models": {"hub": {"+meta": {"batch_sync": mapping}}}}, 1)
    assert stale(tmp_path, manifest) == said(was)


IN_SQL = "{{ config(meta={'batch_sync': {'identifier': 'id'}}) }}\r\nselect 1"


@pytest.mark.parametrize(
    ("read", "written", "changed"),
    [
        (IN_SQL, IN_SQL, False),
        (IN_SQL, IN_SQL.replace("\r\n", "\n") + "\n\n", False),
        (IN_SQL, IN_SQL.replace("'id'", "'key'"), True),
        (IN_SQL, "select 1", True),
        ("select 1", IN_SQL, True),
        ("select 1", "{{ config(meta=dict(batch_sync=mapping())) }} select 1", True),
        (None, IN_SQL, False),
        ("select 1", "select 2", False),
        ("select 1", "select * from {{ source('batch_sync', 'batch_sync_runs') }}", False),
        ("{{ dbt_batch_sync.delta('people') }}", "{{ dbt_batch_sync.delta('people', key='id') }}", False),
    ],
)
@pytest.mark.parametrize("mapped", [True, False])
def test_sql(tmp_path: Path, read: str | None, written: str, changed: bool, mapped: bool) -> None:
    manifest = parsed(
        tmp_path, people={"raw_code": read, "patch_path": None, "config": MAPPED if mapped else {}}
    )
    write(tmp_path, "models/people.sql", written)
    assert stale(tmp_path, manifest) == said("may have changed in its SQL" if changed else None)


@pytest.mark.parametrize(
    ("base", "own", "was"),
    [
        (MAPPING, None, None),
        (None, MAPPING, None),
        ({"identifier": "id"}, {"custom": ["a"]}, None),
        ({"identifier": "x", "custom": []}, MAPPING, None),
        ({"identifier": "x", "custom": ["b"], "on_null": "keep"}, MAPPING, None),
        ({"identifier": "id", "custom": ["b"]}, MAPPING, None),
        (MAPPING, {"identifier": "x"}, "was changed"),
        (None, OTHER, "was changed"),
        (None, None, "was removed"),
    ],
)
def test_versions(tmp_path: Path, base: object, own: object, was: str | None) -> None:
    def config(mapping: object) -> dict[str, object]:
        return {"config": {"meta": {"batch_sync": mapping}}} if mapping is not None else {}

    manifest = parsed(tmp_path, people={"version": 2, "latest_version": 2})
    versions = [{"v": 1}, {"v": 2, **config(own)}]
    write(tmp_path, "models/s.yml", {"models": [{"name": "people", **config(base), "versions": versions}]}, 1)
    assert [each for each in stale(tmp_path, manifest) if each[1] != "was added"] == said(was)


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("models/pets.yaml", {"models": [{"name": "pets", "config": MAPPED}]}, "pets"),
        ("models/pets.yml", {"models": [{"name": "pets", "versions": [{"v": 1, "config": MAPPED}]}]}, "pets"),
        ("models/s.yml", {"models": [{"name": "new", "config": MAPPED}]}, "new"),
        ("models/s.yml", {"models": [{"name": "unknown", "config": MAPPED}]}, None),
        ("models/s.yml", {"models": [{"name": "script", "config": MAPPED}]}, "script"),
        ("models/s.yml", "# batch_sync: nothing", None),
        ("models/s.yml", "models: [{batch_sync: ", None),
        ("models/other.sql", IN_SQL, "other"),
        ("models/other.py", "dbt.config(meta={'batch_sync': {}})", "other"),
        ("models/other.txt", IN_SQL, None),
    ],
)
def test_added_mappings(tmp_path: Path, file: str, text: object, name: str | None) -> None:
    manifest = parsed(tmp_path, people={"config": {}})
    write(tmp_path, "models/new.sql", "select 1")
    write(tmp_path, "models/script.py", "")
    write(tmp_path, file, text)
    assert stale(tmp_path, manifest) == said("was added" if name else None, name or "")
    write(tmp_path, ".dbtignore", "models/old.yml")
    assert stale(tmp_path, manifest) == [], "dbt may not read some of the files"


@pytest.mark.parametrize(("text", "was"), [("{{ var('x') }}", None), ("{{ var('y') }}", "was changed")])
def test_templates_are_compared_where_dbt_recorded_them(tmp_path: Path, text: str, was: str | None) -> None:
    unrendered = {"meta": {"batch_sync": {**MAPPING, "identifier": "{{ var('x') }}"}}}
    manifest = parsed(tmp_path, people={"patch_path": None, "unrendered_config": unrendered})
    configs = {"crm": {"people": {"+meta": {"batch_sync": {**MAPPING, "identifier": text}}}}}
    write(tmp_path, "dbt_project.yml", {"models": {"shop": configs}}, 1)
    assert stale(tmp_path, manifest) == said(was)


TEMPLATE = {**MAPPING, "identifier": "{{ var('x') }}"}


@pytest.mark.parametrize(
    ("node", "file", "text", "told"),
    [
        ({}, "models/s.yml", {"models": [{"name": "people", "config": MAPPED}]}, False),
        ({}, "models/s.yml", {"models": [{"name": "people", "meta": {"batch_sync": TEMPLATE}}]}, True),
        ({"raw_code": "{{ config(meta=m()) }}"}, "models/s.yml", {"models": [{"name": "people"}]}, True),
        ({"raw_code": IN_SQL}, "models/people.sql", IN_SQL, False),
        ({"raw_code": None}, "models/people.sql", IN_SQL, True),
        (
            {"unrendered_config": {"meta": {"batch_sync": TEMPLATE}}},
            "dbt_project.yml",
            {"models": {"+meta": {"batch_sync": TEMPLATE}}},
            False,
        ),
    ],
)
def test_mappings_that_cannot_be_compared(
    tmp_path: Path, node: Mapping[str, object], file: str, text: object, told: bool
) -> None:
    manifest = parsed(tmp_path, people=node)
    for hours, expected in ((-1, False), (1, told)):
        write(tmp_path, file, text, hours)
        project = Project(tmp_path, "shop", "shop", tmp_path / "target", (tmp_path / "models",))
        found = list(find_uncompared(manifest, project, ["people"]))
        assert [each.startswith(f"{file} is newer than the manifest") for each in found] == [True] * expected
        assert not list(find_uncompared(manifest, project, ["pets"]))
