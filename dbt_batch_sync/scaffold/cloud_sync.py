"""Derives a mapping from a table of Batch's own Cloud Sync, whose column prefixes contain the same
information.

Source: Batch's documentation of Cloud Sync, "Attribute naming rules": `custom_id`, `last_updated_at`, and the
prefixes `batch__` (native field), `date__` and `url__` (typed attribute).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import yaml

from dbt_batch_sync.artifacts.compiled import CompiledSql
from dbt_batch_sync.artifacts.json_files import read_catalog
from dbt_batch_sync.artifacts.manifest import Manifest
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.errors import ConfigurationError, printable
from dbt_batch_sync.kinds.attributes import (
    CUSTOM_ID,
    STANDARD_ATTRIBUTES,
    STANDARD_PREFIX,
    name_refusal,
    propose_name,
)

CURSOR = "last_updated_at"
TYPED = {"date__": "date", "url__": "url"}
"""Prefixes of typed attributes."""

_HEAD = """\
models:
  - name: {model}
    config:
      meta:
        batch_sync:
          identifier: {identifier}
"""


def mapping_of(project: Project, manifest: Manifest, name: str) -> str:
    """The YAML of a mapping for a model of the project.

    Raises ConfigurationError if there is no such model, or its columns are unknown.
    """
    model = next((each for each in manifest.models if each.name == name), None)
    if model is None:
        raise ConfigurationError(f"--from-cloud-sync: the project has no model `{printable(name)}`")
    catalog = read_catalog(project.target_path)
    columns = CompiledSql(manifest, catalog).columns(model.unique_id)
    if columns is None and model.unique_id in catalog:
        columns = tuple(map(str.lower, catalog[model.unique_id].columns))
    if columns is None:
        raise ConfigurationError(
            f"--from-cloud-sync: the columns of `{name}` are not known. Run: dbt docs generate"
        )
    return mapping_yaml(name, columns)


def mapping_yaml(model: str, columns: Iterable[str]) -> str:
    """The model's YAML. The cursor and columns that can't be mapped become comments.

    Prefixes match without regard to case, as columns do in a mapping.
    """
    names = {column.lower(): column for column in columns}
    notes, standard, custom = list[str](), list[str](), dict[str, str]()
    if CUSTOM_ID not in names:
        notes.append(f"The identifier: Cloud Sync expects a column {CUSTOM_ID}.")
    for lower, column in names.items():
        native = lower.removeprefix(STANDARD_PREFIX)
        if lower in (CUSTOM_ID, CURSOR):
            continue
        if native in STANDARD_ATTRIBUTES and native != lower:
            standard.append(f"{native}: {_text(column)}")
        elif native != lower:
            notes.append(f"Not mapped, because it is no standard attribute here: {column}.")
        elif (name := _name(column)) in custom:
            notes.append(f"Not mapped, because another column is the attribute {name}: {column}.")
        else:
            custom[name] = _entry(column, name)
    if CURSOR in names:
        notes.append(f"{CURSOR} is not needed: values are compared.")
    text = _HEAD.format(model=model, identifier=_text(names.get(CUSTOM_ID, CUSTOM_ID)))
    text += _block("standard:", standard) + _block("custom:", [f"- {entry}" for entry in custom.values()])
    return "".join(f"# {line}\n" for line in notes) + text


def _block(head: str, lines: list[str]) -> str:
    return (
        "".join(f"{' ' * 10}{line}\n" for line in (head, *(f"  {line}" for line in lines))) if lines else ""
    )


def _prefix(column: str) -> str:
    return next((each for each in TYPED if column.lower().startswith(each)), "")


def _name(column: str) -> str:
    """The attribute's name: the column without its prefix, made valid."""
    bare = column[len(_prefix(column)) :]
    return bare if name_refusal(bare) is None else propose_name(bare)


def _entry(column: str, name: str) -> str:
    """An entry of `custom`: the column, or the column with its name and type."""
    keys = [f"column: {_text(column)}", f"name: {_text(name)}"]
    if prefix := _prefix(column):
        keys.append(f"type: {TYPED[prefix]}")
    return _text(column) if name == column else f"{{{', '.join(keys)}}}"


def _text(value: str) -> str:
    """A text in YAML, quoted if it would mean something else (`on`, `a: b`)."""
    return value if re.fullmatch(r"[\w -]+", value) and yaml.safe_load(value) == value else json.dumps(value)
