"""Derives a mapping from a table of Batch's own Cloud Sync, whose column prefixes contain the same
information.

Source: Batch's documentation of Cloud Sync, "Attribute naming rules": `custom_id`, `last_updated_at`, and the
prefixes `batch__` (native field), `date__` and `url__` (typed attribute).
"""

from __future__ import annotations

from collections.abc import Iterable

from dbt_batch_sync.artifacts.catalog import read_catalog
from dbt_batch_sync.artifacts.compiled import CompiledSql
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
    catalog = read_catalog(project.catalog)
    columns = CompiledSql(manifest, catalog).columns(model.unique_id)
    if columns is None and model.unique_id in catalog:
        columns = tuple(map(str.lower, catalog[model.unique_id].columns))
    if columns is None:
        raise ConfigurationError(
            f"--from-cloud-sync: the columns of `{name}` are not known. Run: dbt docs generate"
        )
    return mapping_yaml(name, columns)


def mapping_yaml(model: str, columns: Iterable[str]) -> str:
    """The model's YAML. Parts of Cloud Sync that a mapping doesn't have become comments: the cursor, which is
    not needed, and native fields that are not mapped.
    """
    names = list(columns)
    lines = [] if CUSTOM_ID in names else [f"# The identifier: Cloud Sync expects a column {CUSTOM_ID}."]
    standard, custom, unknown = list[str](), list[str](), list[str]()
    for column in names:
        name = column.lower()
        native = name.removeprefix(STANDARD_PREFIX)
        if name in (CUSTOM_ID, CURSOR):
            continue
        if native == name:
            custom.append(_entry(column))
        elif native in STANDARD_ATTRIBUTES:
            standard.append(f"{native}: {column}")
        else:
            unknown.append(column)
    lines += [f"# Not mapped, because it is no standard attribute here: {column}." for column in unknown]
    if CURSOR in names:
        lines.append(f"# {CURSOR} is not needed: values are compared.")
    text = _HEAD.format(model=model, identifier=CUSTOM_ID)
    text += _block("standard:", standard) + _block("custom:", [f"- {entry}" for entry in custom])
    return "".join(f"{line}\n" for line in lines) + text


def _block(head: str, lines: list[str]) -> str:
    return (
        "".join(f"{' ' * 10}{line}\n" for line in (head, *(f"  {line}" for line in lines))) if lines else ""
    )


def _entry(column: str) -> str:
    """An entry of `custom`: the column, or the column with the name and type of its prefix."""
    for prefix, kind in TYPED.items():
        if column.startswith(prefix):
            return f"{{column: {column}, name: {_name(column.removeprefix(prefix))}, type: {kind}}}"
    name = _name(column)
    return column if name == column else f"{{column: {column}, name: {name}}}"


def _name(column: str) -> str:
    return column if name_refusal(column) is None else propose_name(column)
