"""Derives a mapping from a table of Batch's own Cloud Sync, whose column prefixes contain the same
information.

Source: Batch's documentation of Cloud Sync, "Attribute naming rules": `custom_id`, `last_updated_at`, and the
prefixes `batch__` (native field), `date__` and `url__` (typed attribute).
"""

from __future__ import annotations

from collections.abc import Iterable

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
from dbt_batch_sync.scaffold.generation import dump

CURSOR = "last_updated_at"
TYPED = {"date__": "date", "url__": "url"}
"""Prefixes of typed attributes."""


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
    notes, standard, custom = list[str](), dict[str, str](), dict[str, object]()
    if CUSTOM_ID not in names:
        notes.append(f"The identifier: Cloud Sync expects a column {CUSTOM_ID}.")
    for lower, column in names.items():
        native = lower.removeprefix(STANDARD_PREFIX)
        if lower in (CUSTOM_ID, CURSOR):
            continue
        if native in STANDARD_ATTRIBUTES and native != lower:
            standard[native] = column
        elif native != lower:
            notes.append(f"Not mapped, because it is no standard attribute here: {column}.")
        elif (name := _name(column)) in custom:
            notes.append(f"Not mapped, because another column is the attribute {name}: {column}.")
        else:
            typed = {"type": TYPED[_prefix(column)]} if _prefix(column) else {}
            custom[name] = column if name == column else {"column": column, "name": name, **typed}
    if CURSOR in names:
        notes.append(f"{CURSOR} is not needed: values are compared.")
    mapping: dict[str, object] = {"identifier": names.get(CUSTOM_ID, CUSTOM_ID)}
    mapping |= {"standard": standard} if standard else {}
    mapping |= {"custom": list(custom.values())} if custom else {}
    document = {"models": [{"name": model, "config": {"meta": {"batch_sync": mapping}}}]}
    return "".join(f"# {line}\n" for line in notes) + dump(document)


def _prefix(column: str) -> str:
    return next((each for each in TYPED if column.lower().startswith(each)), "")


def _name(column: str) -> str:
    """The attribute's name: the column without its prefix, made valid."""
    bare = column[len(_prefix(column)) :]
    return bare if name_refusal(bare) is None else propose_name(bare)
