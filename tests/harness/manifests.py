"""Manifests in dbt's format, for tests without dbt: models with compiled SQL over sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest


def model(name: str, sql: str | None, **changes: object) -> dict[str, object]:
    """The node of a model. `changes` override its keys, and `config` its config."""
    return {
        "resource_type": "model",
        "unique_id": f"model.shop.{name}",
        "name": name,
        "database": "shop",
        "schema": "main",
        "relation_name": f'"shop"."main"."{name}"',
        "original_file_path": f"models/{name}.sql",
        "package_name": "shop",
        "compiled_code": sql,
        **changes,
    }


def source(name: str, columns: Sequence[str] = (), kind: str = "source") -> dict[str, object]:
    """The node of a source or a seed, with the columns that its YAML declares."""
    unique_id = f"source.shop.raw.{name}" if kind == "source" else f"{kind}.shop.{name}"
    return {
        "resource_type": kind,
        "unique_id": unique_id,
        "source_name": "raw",
        "name": name,
        "relation_name": f'"shop"."raw"."{name}"',
        "columns": {column: {"name": column} for column in columns},
    }


def manifest(
    path: Path,
    models: Sequence[Mapping[str, object]],
    sources: Sequence[Mapping[str, object]] = (),
    adapter: str = "duckdb",
) -> Manifest:
    """Write and read a manifest in which each model depends on all other nodes."""
    ids = [node["unique_id"] for node in (*models, *sources)]
    nodes = [*({**each, "depends_on": {"nodes": ids}} for each in models), *sources]
    document = {
        "metadata": {"adapter_type": adapter, "project_name": "shop"},
        "nodes": {each["unique_id"]: each for each in nodes if each["resource_type"] != "source"},
        "sources": {each["unique_id"]: each for each in nodes if each["resource_type"] == "source"},
    }
    path.mkdir(parents=True, exist_ok=True)
    (path / "manifest.json").write_text(json.dumps(document))
    return read_manifest(path / "manifest.json")
