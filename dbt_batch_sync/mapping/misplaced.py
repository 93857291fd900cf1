"""Finds `batch_sync` in places where nothing reads it, so that no mapping is silently ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from dbt_batch_sync.artifacts.json_files import Node, below, meta_of
from dbt_batch_sync.errors import Problem
from dbt_batch_sync.mapping.validation import shown

META_KEY = "batch_sync"
RIGHT = f"it belongs to a model, in `config: {{meta: {{{META_KEY}: …}}}}`"
UNREAD = ("seed", "snapshot", "source")
"""Nodes that have meta but can't be a sync."""


def find_misplaced(nodes: Iterable[Node]) -> Iterator[Problem]:
    for node in nodes:
        resource = node.get("resource_type")
        if resource == "model":
            yield from _in_model(node)
        elif resource in UNREAD and META_KEY in meta_of(node):
            yield _problem(node, f"meta.{META_KEY}", f"a {resource} can't be a sync: {RIGHT}")


def _in_model(node: Node) -> Iterator[Problem]:
    if META_KEY in below(node, "config"):
        yield _problem(node, f"config.{META_KEY}", f"is not read there: {RIGHT}")
    meta = meta_of(node)
    for name, value in meta.items():
        if name != META_KEY and isinstance(value, dict) and META_KEY in value:
            yield _problem(node, f"meta.{shown(name)}.{META_KEY}", f"is not read there: {RIGHT}")
        elif name != META_KEY and _is_mapping(name, value):
            yield _problem(node, f"meta.{shown(name)}", f"is not read: did you mean `{META_KEY}`?")
    for column in below(node, "columns").values():
        found = meta_of(column)
        # dbt 2 copies a model's meta to every column that has none; that is not misplaced.
        if META_KEY in found and found[META_KEY] != meta.get(META_KEY):
            place = f"columns.{shown(column.get('name'))}.meta.{META_KEY}"
            yield _problem(node, place, f"is not read on a column: {RIGHT}")


def _is_mapping(name: str, value: object) -> bool:
    """Whether there is a mapping under a misspelled name."""
    alike = get_close_matches(name.lower(), [META_KEY], cutoff=0.85)
    return (
        bool(alike) and isinstance(value, dict) and not {"identifier", "custom", "standard"}.isdisjoint(value)
    )


def _problem(node: Node, key: str, message: str) -> Problem:
    file = (node.get("patch_path") or "").rpartition("://")[2] or node.get("original_file_path") or ""
    return Problem(file, node["name"], key, message)
