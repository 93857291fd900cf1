"""The package in a project with dbt's strictest settings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from harness.dbt_macros import ROOT

PROJECT = {
    "name": "shop",
    "version": "1.0",
    "profile": "shop",
    "flags": {"validate_macro_args": True, "send_anonymous_usage_stats": False},
}
PROFILES = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb", "path": "shop.duckdb"}}}}
MODELS = {
    "models": [
        {"name": "people", "config": {"meta": {"batch_sync": {"identifier": "id", "custom": ["points"]}}}}
    ]
}
SELECTS = {
    "people": "select 'a' as id, 1 as points",
    "people_sent_snapshot": "{{ dbt_batch_sync.sent_snapshot('people') }}",
    "people_delta": "{{ dbt_batch_sync.delta('people') }}",
}


def test_dbt_parses_it_without_a_warning(tmp_path: Path) -> None:
    """With `validate_macro_args`, dbt checks every description against its macro."""
    models = tmp_path / "models"
    models.mkdir()
    for name, content in (
        ("dbt_project.yml", PROJECT),
        ("profiles.yml", PROFILES),
        ("models/models.yml", MODELS),
    ):
        (tmp_path / name).write_text(yaml.safe_dump(content))
    for name, select in SELECTS.items():
        (models / f"{name}.sql").write_text(select)
    (tmp_path / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": str(ROOT)}]}))
    (tmp_path / "dbt_packages").mkdir()
    (tmp_path / "dbt_packages" / "dbt_batch_sync").symlink_to(ROOT, target_is_directory=True)
    command = [str(Path(sys.executable).with_name("dbt")), "--warn-error", "parse", "--no-partial-parse"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text())
    arguments = manifest["macros"]["macro.dbt_batch_sync.delta"]["arguments"]
    assert [(each["name"], each["type"]) for each in arguments] == [
        ("sync", "string"),
        ("key", "optional[string]"),
        ("version", "any"),
    ]
    assert all(each["description"] for each in arguments)
