"""Reads dbt's JSON files as plain data, because some dbt versions lack some keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt_batch_sync.errors import ManifestError

Node = Mapping[str, Any]


def load_json(path: Path) -> Node:
    """The file's object.

    Raises:
        ManifestError: there is no such file, or it is not a JSON object.
    """
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
