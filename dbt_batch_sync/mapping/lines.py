"""Finds the line of a mapping's error in its YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dbt_batch_sync.artifacts.json_files import below
from dbt_batch_sync.artifacts.manifest import META_KEY
from dbt_batch_sync.errors import Problem

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def with_lines(problems: Iterable[Problem], project_dir: Path) -> tuple[Problem, ...]:
    """Adds to each problem the line of its key, or of the nearest key above. Problems whose file is not in
    the project, isn't YAML or lacks the model have no line.
    """
    documents: dict[str, Any] = {}
    found = []
    for each in problems:
        if each.file not in documents:
            documents[each.file] = _document(project_dir / each.file)
        found.append(replace(each, line=_line(documents[each.file], each)))
    return tuple(found)


def _document(path: Path) -> Any:
    if path.suffix not in (".yml", ".yaml") or not path.is_file():
        return None
    reader = YAML()
    reader.allow_duplicate_keys = True
    try:
        return reader.load(path)
    except (YAMLError, UnicodeDecodeError):
        return None


def _line(document: Any, problem: Problem) -> int | None:
    try:
        model = next(each for each in document["models"] if each.get("name") == problem.model)
        metas = (below(model, "config", "meta"), below(model, "meta"))
        meta = next((each for each in metas if each.get(META_KEY) is not None), None)
    except (StopIteration, LookupError, TypeError, AttributeError):  # a file of another form
        return None
    if problem.key.startswith(META_KEY) and meta is not None:
        return _last_line(meta, problem.key)
    return _last_line(model, problem.key.partition("[")[0])


def _last_line(node: Any, path: str) -> int:
    """The line of the last existing key of the path."""
    line: int = node.lc.line + 1
    for key, index in _STEP.findall(path):
        place = int(index) if index else key
        try:
            line = node.lc.data[place][0] + 1
            node = node[place]
        except (LookupError, TypeError, AttributeError):
            break
    return line
