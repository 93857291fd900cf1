"""Finds the line of a mapping's error in its YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from dbt_batch_sync.errors import Problem
from dbt_batch_sync.mapping.misplaced import META_KEY

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def with_lines(problems: Iterable[Problem], project_dir: Path) -> tuple[Problem, ...]:
    """Adds to each problem the line of its key, or of the nearest key above. Problems whose file is not in
    the project, isn't YAML or lacks the model have no line.
    """
    documents: dict[str, yaml.Node | None] = {}
    found = []
    for each in problems:
        if each.file not in documents:
            documents[each.file] = _document(project_dir / each.file)
        found.append(replace(each, line=_line(documents[each.file], each)))
    return tuple(found)


def _document(path: Path) -> yaml.Node | None:
    if path.suffix not in (".yml", ".yaml") or not path.is_file():
        return None
    try:
        root: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    return root


def _line(root: yaml.Node | None, problem: Problem) -> int | None:
    for model in _entries(_below(root, "models")):
        name = _below(model, "name")
        if not isinstance(name, yaml.ScalarNode) or name.value != problem.model:
            continue
        first, *rest = problem.key.partition("[")[0].split(".")
        for meta in (_below(_below(model, "config"), "meta"), _below(model, "meta")):
            if first == META_KEY and _below(meta, META_KEY) is not None:
                return _last_line(meta, problem.key)
        return _last_line(model, ".".join([first, *rest]))
    return None


def _last_line(node: yaml.Node | None, path: str) -> int | None:
    """The line of the last existing key of the path."""
    line = node.start_mark.line + 1 if node is not None else None
    for key, index in _STEP.findall(path):
        if index:
            entries = list(_entries(node))
            node = entries[int(index)] if int(index) < len(entries) else None
            line = node.start_mark.line + 1 if node is not None else line
        else:
            mark = next((name for name, _ in _pairs(node) if name.value == key), None)
            line = mark.start_mark.line + 1 if mark is not None else line
            node = _below(node, key)
        if node is None:
            break
    return line


def _pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(name, yaml.ScalarNode):
            yield name, value


def _below(node: yaml.Node | None, key: str) -> yaml.Node | None:
    return next((value for name, value in _pairs(node) if name.value == key), None)


def _entries(node: yaml.Node | None) -> Iterator[yaml.Node]:
    yield from node.value if isinstance(node, yaml.SequenceNode) else ()
