"""Mappings that have changed in the project's files since dbt last read them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from harness.manifests import model

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.mapping.staleness import find_added, find_stale
from dbt_batch_sync.mapping.syncs import read_syncs

MAPPING = {"identifier": "id", "custom": ["a"]}
OTHER = {**MAPPING, "custom": ["b"]}
MAPPED, CHANGED = {"meta": {"batch_sync": MAPPING}}, {"meta": {"batch_sync": OTHER}}


def parsed(directory: Path, file: str = "models/s.yml", sql: str = "select 1") -> Manifest:
    """A project that dbt has read: the sync `people`, and the model `pets`."""
    nodes = [
        model("people", None, patch_path=f"shop://{file}", config=MAPPED, raw_code=sql),
        model("pets", None, patch_path="shop://models/pets.yml", raw_code=sql),
    ]
    path = directory / "manifest.json"
    listed = {node["unique_id"]: node for node in nodes}
    path.write_text(json.dumps({"metadata": {"project_name": "shop"}, "nodes": listed}))
    (directory / "models").mkdir()
    return read_manifest(path)


def write(directory: Path, file: str, text: object, hours: int = -1) -> None:
    """`hours`: when it was written, from the manifest's time."""
    path = directory / file
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    at = (directory / "manifest.json").stat().st_mtime + 3600 * hours
    os.utime(path, (at, at))


def stale(directory: Path, manifest: Manifest) -> list[tuple[str, str]]:
    project = Project(directory, "shop", "shop", directory / "target", (directory / "models",))
    found = [*find_stale(read_syncs(manifest), manifest, project), *find_added(manifest, project)]
    return [(each.model, each.message.split()[1]) for each in found]


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"config": MAPPED}, None),
        (MAPPED, None),
        ({"config": CHANGED}, "changed"),
        (CHANGED, "changed"),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "output": "{{ target.name }}"}}}}, None),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "output": "{% if true %}a{% endif %}"}}}}, None),
        ({"config": {"meta": {}}}, "removed"),
        ({}, "removed"),
    ],
)
def test_yaml(tmp_path: Path, written: dict[str, object], said: str | None, hours: int) -> None:
    manifest = parsed(tmp_path)
    write(tmp_path, "models/s.yml", {"models": [{"name": "other"}, {"name": "people", **written}]}, hours)
    if said == "removed" and hours < 0:
        said = None  # a macro may set it
    assert stale(tmp_path, manifest) == ([("people", said)] if said else [])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"shop": {"crm": {"+meta": {"batch_sync": MAPPING}}}}, None),
        ({"shop": {"crm": {"+meta": {"batch_sync": OTHER}}}}, "changed"),
        ({"shop": {"+meta": {"batch_sync": "{{ var('mapping') }}"}}}, None),
        ({"shop": {"batch_sync": {"+schema": "crm"}}}, "removed"),
    ],
)
def test_project_file(tmp_path: Path, config: object, said: str | None) -> None:
    manifest = parsed(tmp_path, "models/people.sql")
    write(tmp_path, "models/people.sql", "select 1")
    write(tmp_path, "dbt_project.yml", {"name": "shop", "models": config}, 1)
    assert stale(tmp_path, manifest) == ([("people", said)] if said else [])


def test_a_mapping_in_sql_is_not_searched_elsewhere(tmp_path: Path) -> None:
    manifest = parsed(tmp_path, sql="{{ config(meta={'batch_sync': {}}) }}")
    write(tmp_path, "models/s.yml", {"models": [{"name": "people"}]}, 1)
    assert stale(tmp_path, manifest) == []


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("pets", {}, True),
        ("new", {"models/new.sql": "select 1"}, True),
        ("new", {"models/new.py": ""}, True),
        ("new", {}, False),
        ("pets", {".dbtignore": "models/old.yml"}, False),
    ],
)
def test_added_mappings(tmp_path: Path, name: str, files: dict[str, str], found: bool) -> None:
    manifest = parsed(tmp_path)
    for file, text in files.items():
        write(tmp_path, file, text)
    write(tmp_path, "models/pets.yaml", {"models": [{"name": name, "config": MAPPED}]})
    assert stale(tmp_path, manifest) == ([(name, "added")] if found else [])


@pytest.mark.parametrize("text", [None, "models: [", "[]", "models: 3", "models: [3]", "# batch_sync:"])
def test_unreadable_files_are_skipped(tmp_path: Path, text: str | None) -> None:
    manifest = parsed(tmp_path)
    if text is not None:
        write(tmp_path, "models/s.yml", text, 1)
    assert stale(tmp_path, manifest) == []
