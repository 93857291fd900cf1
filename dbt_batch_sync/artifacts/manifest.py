"""dbt's `manifest.json`, read as plain JSON: the same keys from dbt 1.9.6 to dbt 2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from dbt_batch_sync.artifacts.json_files import Node, below, load_json, meta_of
from dbt_batch_sync.errors import ManifestError, Problem
from dbt_batch_sync.mapping.validation import shown

META_KEY = "batch_sync"
RIGHT = f"it belongs to a model, in `config: {{meta: {{{META_KEY}: …}}}}`"
UNREAD = ("seed", "snapshot", "source")
"""Nodes that have meta but can't be a sync."""


@dataclass(frozen=True)
class Model:
    """A model. `file` declares it (its YAML, or its SQL), `path` is its SQL; both are relative to its
    package.

    `database` is None if the adapter has none, `relation_name` for ephemeral models, `compiled_code` until
    dbt compiles it. `raw_mapping` is the unvalidated `batch_sync` meta of a `mapped` model. Of the versions
    of a model, which share its name, `latest` is the one that a `ref` without a version means. With
    `contract`, dbt enforces the declared columns, so there are no others. `private_to` is the group whose
    models may refer to a private model. `raw_code` is its SQL as dbt read it, and `unrendered_mapping` the
    mapping with its templates; None if dbt didn't record it. `enabled_when` is the template that decides
    whether it is enabled; empty if it is in the SQL, None if there is none.
    """

    unique_id: str
    name: str
    database: str | None
    schema: str | None
    alias: str
    relation_name: str | None
    file: str
    path: str
    tags: tuple[str, ...]
    materialized: str
    fqn: tuple[str, ...]
    package: str
    depends_on: tuple[str, ...]
    compiled_code: str | None = field(repr=False)
    enabled: bool
    latest: bool
    columns: tuple[str, ...]
    mapped: bool
    raw_mapping: object = field(repr=False)
    language: str = "sql"
    contract: bool = False
    version: str | None = None
    private_to: str | None = None
    raw_code: str | None = field(default=None, repr=False)
    unrendered_mapping: object = field(default=None, repr=False)
    enabled_when: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is enabled, here or under another target."""
        return self.enabled or self.enabled_when is not None


@dataclass(frozen=True)
class SourceTable:
    """Data from outside the models' SQL: a source, a seed or a dbt snapshot (`kind`).

    `name` is `source.table` for a source, otherwise the node's name. `relation_name` is None if dbt has none.
    """

    unique_id: str
    kind: str
    name: str
    relation_name: str | None
    path: str = ""


@dataclass(frozen=True)
class DataTest:
    """A data test or unit test, and the nodes it depends on."""

    unique_id: str
    name: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What one dbt invocation found. Metadata is None if that dbt version doesn't write it.

    `misplaced` lists `batch_sync` in places where nothing reads it: on a column, on a seed, beside `meta`.
    `macros_version` is that of the project's macros; None if the manifest has none. `selectors` are the
    definitions in `selectors.yml`, by name. `disabled` models are in no other list.
    """

    path: Path
    project_name: str | None
    adapter_type: str | None
    models: tuple[Model, ...]
    tests: tuple[DataTest, ...]
    misplaced: tuple[Problem, ...]
    macros_version: str | None
    sources: tuple[SourceTable, ...] = ()
    selectors: Mapping[str, object] = field(default_factory=dict)
    disabled: tuple[Model, ...] = ()


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest. Raises ManifestError if there is none (run `dbt parse`), or it is invalid."""
    document = load_json(path)
    try:
        return _manifest(path, document)
    except (KeyError, AttributeError, TypeError) as error:
        wrong = f"lacks {error}" if isinstance(error, KeyError) else "has a key of another type than dbt's"
        raise ManifestError(f"{path}: is not a manifest of dbt: {wrong}. Run `dbt parse` again") from None


def _manifest(path: Path, document: Node) -> Manifest:
    nodes, outside = below(document, "nodes").values(), below(document, "sources").values()
    models = tuple(_model(node) for node in nodes if node.get("resource_type") == "model")
    data_tests = (node for node in nodes if node.get("resource_type") == "test")
    disabled = (node for several in below(document, "disabled").values() for node in several)
    return Manifest(
        path=path,
        project_name=below(document, "metadata").get("project_name"),
        adapter_type=below(document, "metadata").get("adapter_type"),
        models=models,
        tests=tuple(
            DataTest(node["unique_id"], node["name"], tuple(below(node, "depends_on").get("nodes") or ()))
            for node in (*data_tests, *below(document, "unit_tests").values())
        ),
        misplaced=tuple(_misplaced((*nodes, *outside))),
        macros_version=_macros_version(document),
        sources=tuple(_source(each) for each in (*outside, *nodes) if each.get("resource_type") in UNREAD),
        selectors={name: each.get("definition") for name, each in below(document, "selectors").items()},
        disabled=tuple(_model(node) for node in disabled if node.get("resource_type") == "model"),
    )


def _macros_version(document: Node) -> str | None:
    """The version of the project's copy of the macros, from its macro `version`."""
    text = below(document, "macros", "macro.dbt_batch_sync.version").get("macro_sql")
    found = re.search(r"return\('([0-9][0-9A-Za-z.+-]{0,40})'\)", text or "")
    return found[1] if found else None


def _model(node: Node) -> Model:
    config, meta = below(node, "config"), meta_of(node)
    access = config.get("access") or node.get("access")
    unrendered = below(node, "unrendered_config").get("meta")
    return Model(
        unique_id=node["unique_id"],
        name=node["name"],
        database=node.get("database") or None,
        schema=node.get("schema") or None,
        alias=node.get("alias") or node["name"],
        relation_name=node.get("relation_name") or None,
        file=_file(node),
        path=node.get("original_file_path") or "",
        tags=tuple(dict.fromkeys([*_texts(node.get("tags")), *_texts(config.get("tags"))])),
        materialized=config.get("materialized") or "view",
        fqn=tuple(node.get("fqn") or ()),
        package=node.get("package_name") or "",
        depends_on=tuple(below(node, "depends_on").get("nodes") or ()),
        compiled_code=node.get("compiled_code") or None,
        enabled=config.get("enabled", True),
        latest=node.get("version") in (None, node.get("latest_version")),
        columns=tuple(each["name"] for each in below(node, "columns").values()),
        mapped=META_KEY in meta,
        raw_mapping=meta.get(META_KEY),
        language=node.get("language") or "sql",
        contract=bool(below(config, "contract").get("enforced")),
        version=None if node.get("version") is None else str(node["version"]),
        private_to=config.get("group") or node.get("group") if access == "private" else None,
        raw_code=node.get("raw_code") or None,
        unrendered_mapping=unrendered.get(META_KEY) if isinstance(unrendered, dict) else None,
        enabled_when=_enabled_when(node),
    )


def _enabled_when(node: Node) -> str | None:
    said = below(node, "unrendered_config").get("enabled")
    if isinstance(said, str) and "{" in said:
        return said
    in_sql = re.search(r"\benabled\s*=\s*(?!true\b|false\b)", node.get("raw_code") or "", re.IGNORECASE)
    return "" if in_sql else None


def _texts(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _source(node: Node) -> SourceTable:
    kind, name = node["resource_type"], node["name"]
    full_name = f"{node.get('source_name')}.{name}" if kind == "source" else name
    file = node.get("original_file_path") or ""
    return SourceTable(node["unique_id"], kind, full_name, node.get("relation_name") or None, file)


def _misplaced(nodes: Iterable[Node]) -> Iterator[Problem]:
    """`batch_sync` in places where nothing reads it, so that no mapping is silently ignored."""
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
    return Problem(_file(node), node["name"], key, message)


def _file(node: Node) -> str:
    """The file that declares a node: `package://path` of its YAML, or its SQL."""
    return (node.get("patch_path") or "").rpartition("://")[2] or node.get("original_file_path") or ""
