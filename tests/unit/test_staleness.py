"""Mappings that have changed in the YAML since dbt last read it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from harness.manifests import model

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.mapping.staleness import find_stale
from dbt_batch_sync.mapping.syncs import read_syncs

MAPPING = {"identifier": "id", "custom": ["a"]}


def parsed(directory: Path) -> Manifest:
    node = model("people", None, patch_path="shop://models/s.yml", config={"meta": {"batch_sync": MAPPING}})
    path = directory / "manifest.json"
    path.write_text(json.dumps({"metadata": {"project_name": "shop"}, "nodes": {"model.shop.people": node}}))
    return read_manifest(path)


@pytest.mark.parametrize(
    ("written", "age", "stale"),
    [
        ({"config": {"meta": {"batch_sync": MAPPING}}}, 0, False),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "custom": ["b"]}}}}, 0, True),
        ({"meta": {"batch_sync": {**MAPPING, "custom": ["b"]}}}, 0, True),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "custom": ["b"]}}}}, 60, False),
        ({"config": {"meta": {"batch_sync": {**MAPPING, "output": "{{ target.name }}"}}}}, 0, False),
        ({"config": {"meta": {}}}, 0, False),
        ({}, 0, False),
    ],
)
def test_a_newer_file_is_compared(tmp_path: Path, written: dict[str, object], age: int, stale: bool) -> None:
    manifest = parsed(tmp_path)
    file = tmp_path / "models" / "s.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({"models": [{"name": "other"}, {"name": "people", **written}]}))
    now = manifest.path.stat().st_mtime + 30 - age
    os.utime(file, (now, now))
    found = list(find_stale(read_syncs(manifest), manifest, tmp_path))
    assert [each.key for each in found] == (["batch_sync"] if stale else [])


@pytest.mark.parametrize("text", [None, "models: [", "[]", "models: 3", "models: [3]"])
def test_unreadable_files_are_skipped(tmp_path: Path, text: str | None) -> None:
    manifest = parsed(tmp_path)
    if text is not None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "s.yml").write_text(text)
        now = manifest.path.stat().st_mtime + 30
        os.utime(tmp_path / "models" / "s.yml", (now, now))
    assert list(find_stale(read_syncs(manifest), manifest, tmp_path)) == []
