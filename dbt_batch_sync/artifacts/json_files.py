"""Reads dbt's JSON files, as plain data, because some dbt versions lack some keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt_batch_sync.errors import ManifestError

Node = Mapping[str, Any]


@dataclass(frozen=True)
class BuildResults:
    """How each node of the last dbt command ended, by `unique_id`. `command` is dbt's, such as `build`."""

    command: str
    invocation_id: str
    statuses: Mapping[str, str]


@dataclass(frozen=True)
class CatalogTable:
    """A relation and the columns that it had. `database` is None if the warehouse has none."""

    database: str | None
    schema: str
    name: str
    columns: tuple[str, ...]


Catalog = Mapping[str, CatalogTable]
"""Relations by the `unique_id` of the node or source."""


def load_json(path: Path) -> Node:
    """The file's object. Raises ManifestError if there is no such file, or it is not a JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ManifestError(
            f"there is no {path}: run `dbt parse` first, or give the project's directory with `--project-dir`"
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ManifestError(f"{path}: is not a JSON object: run `dbt parse` again")
    return document


def below(node: Node, *keys: str) -> Node:
    """The object at the keys; empty if one of them is missing or null."""
    for key in keys:
        node = node.get(key) or {}
    return node


def meta_of(node: Node) -> dict[str, Any]:
    """A node's meta. dbt-core writes it in two places; some versions leave out one of them."""
    return {**below(node, "meta"), **below(node, "config", "meta")}


def read_catalog(target_path: Path) -> Catalog:
    """The catalog that `dbt docs generate` wrote; empty if there is none. Raises ManifestError if it is
    invalid.
    """
    path = target_path / "catalog.json"
    document = load_json(path) if path.is_file() else {}
    entries = [*below(document, "nodes").values(), *below(document, "sources").values()]
    return {each["unique_id"]: _table(each) for each in entries if each.get("unique_id")}


def _table(entry: Node) -> CatalogTable:
    metadata, columns = below(entry, "metadata"), below(entry, "columns")
    return CatalogTable(
        metadata.get("database") or None,
        metadata.get("schema") or "",
        metadata.get("name") or "",
        tuple(each["name"] for each in columns.values()),
    )


def read_build_results(target_path: Path) -> BuildResults | None:
    """What the last dbt command built and tested; None if it left no results. Raises ManifestError if the
    file is invalid.
    """
    path = target_path / "run_results.json"
    if not path.is_file():
        return None
    document = load_json(path)
    try:
        statuses = {each["unique_id"]: each["status"].lower() for each in document.get("results") or ()}
        invocation_id = str(document["metadata"]["invocation_id"])
    except (KeyError, TypeError, AttributeError):
        raise ManifestError(f"{path}: is not what dbt writes: run `dbt build` again") from None
    return BuildResults(str(below(document, "args").get("which") or "?"), invocation_id, statuses)
