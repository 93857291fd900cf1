"""dbt's `manifest.json`, read as plain JSON: the same keys from dbt 1.9.6 to dbt 2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dbt_batch_sync.artifacts.json_objects import JsonObject, load_json
from dbt_batch_sync.errors import Problem
from dbt_batch_sync.mapping.misplaced import META_KEY, UNREAD, find_misplaced


@dataclass(frozen=True)
class Column:
    """A column that a model's YAML declares."""

    name: str
    data_type: str | None
    description: str


@dataclass(frozen=True)
class RawMapping:
    """A model's `batch_sync` meta as it stands in the manifest, unchecked."""

    value: object = field(repr=False)


@dataclass(frozen=True)
class Model:
    """A model. `file` is what declares it (its YAML, else its SQL), `path` its SQL; both within its package.

    `database` is None where the adapter has none, `relation_name` where dbt gives none (an ephemeral model),
    `compiled_code` before dbt compiled it, `raw_mapping` if the model does not opt in. Of a model that has
    versions, which share a name, one is `latest`: the one that a `ref` without a version means. With
    `contract`, dbt enforces the declared columns, so there are no others.
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
    columns: tuple[Column, ...]
    raw_mapping: RawMapping | None
    language: str = "sql"
    contract: bool = False


@dataclass(frozen=True)
class SourceTable:
    """Data that comes from outside the models' SQL: a source, a seed or a dbt snapshot (`kind`).

    `name` is the source's name, a dot and the table's; of the others, their own. `relation_name` is None
    where dbt gives none. `columns` are those that its YAML declares, which need not be all.
    """

    unique_id: str
    kind: str
    name: str
    relation_name: str | None


@dataclass(frozen=True)
class DataTest:
    """A test of data or a unit test, and the nodes that it depends on."""

    unique_id: str
    name: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What one dbt invocation found. Its metadata is None where that dbt does not write it.

    `misplaced` tells of `batch_sync` where nothing reads it: on a column, on a seed, beside `meta`.
    `macros_version` is that of this project's macros; None where the manifest doesn't have them. `selectors`
    are the definitions of `selectors.yml`, by name. `mapped` are the names of the models with a mapping,
    right or wrong, disabled ones included.
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
    mapped: frozenset[str] = frozenset()


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        ManifestError: there is none (run `dbt parse`), or it is not one; it names the key that is wrong.
    """
    document = load_json(path)
    metadata = document.below("metadata")
    nodes, outside = tuple(document.entries("nodes")), tuple(document.entries("sources"))
    misplaced = tuple(find_misplaced((*nodes, *outside)))
    sources = tuple(_source(each) for each in (*outside, *nodes) if each.text("resource_type") in UNREAD)
    models = tuple(_model(node) for node in nodes if node.text("resource_type") == "model")
    data_tests = (node for node in nodes if node.text("resource_type") == "test")
    tests = tuple(_test(node) for node in (*data_tests, *document.entries("unit_tests")))
    return Manifest(
        path=path,
        project_name=metadata.optional("project_name"),
        adapter_type=metadata.optional("adapter_type"),
        models=models,
        tests=tests,
        misplaced=misplaced,
        macros_version=_macros_version(document),
        sources=sources,
        selectors={
            name: each.get("definition")
            for name, each in document.below("selectors").items().items()
            if isinstance(each, dict)
        },
        mapped=frozenset(each.name for each in models if each.raw_mapping) | frozenset(_disabled(document)),
    )


def _disabled(document: JsonObject) -> Iterator[str]:
    """The disabled models with a mapping."""
    disabled = document.below("disabled")
    for unique_id in disabled.items():
        for node in disabled.members(unique_id):
            meta = {**node.below("meta").items(), **node.below("config").below("meta").items()}
            if node.text("resource_type") == "model" and META_KEY in meta:
                yield node.required("name")


def _macros_version(document: JsonObject) -> str | None:
    """The version that the project's copy of the macros says of itself, in its macro `version`."""
    text = document.below("macros").below("macro.dbt_batch_sync.version").optional("macro_sql")
    found = re.search(r"return\('([0-9][0-9A-Za-z.+-]{0,40})'\)", text or "")
    return found[1] if found else None


def _model(node: JsonObject) -> Model:
    config = node.below("config")
    # dbt-core writes a model's meta in both places, older and newer ones each leave it out of one.
    meta = {**node.below("meta").items(), **config.below("meta").items()}
    name = node.required("name")
    path = node.text("original_file_path")
    return Model(
        unique_id=node.required("unique_id"),
        name=name,
        database=node.optional("database"),
        schema=node.optional("schema"),
        alias=node.text("alias") or name,
        relation_name=node.optional("relation_name"),
        # `package://path`
        file=node.text("patch_path").rpartition("://")[2] or path,
        path=path,
        tags=tuple(dict.fromkeys(node.texts("tags") + config.texts("tags"))),
        materialized=config.text("materialized") or "view",
        fqn=node.texts("fqn"),
        package=node.text("package_name"),
        depends_on=node.below("depends_on").texts("nodes"),
        compiled_code=node.optional("compiled_code"),
        enabled=config.flag("enabled", True),
        latest=node.items().get("version") in (None, node.items().get("latest_version")),
        columns=tuple(_columns(node)),
        raw_mapping=RawMapping(meta[META_KEY]) if META_KEY in meta else None,
        language=node.text("language") or "sql",
        contract=config.below("contract").flag("enforced", False),
    )


def _source(node: JsonObject) -> SourceTable:
    kind, name = node.text("resource_type"), node.required("name")
    full_name = f"{node.text('source_name')}.{name}" if kind == "source" else name
    return SourceTable(node.required("unique_id"), kind, full_name, node.optional("relation_name"))


def _test(node: JsonObject) -> DataTest:
    return DataTest(
        node.required("unique_id"), node.required("name"), node.below("depends_on").texts("nodes")
    )


def _columns(node: JsonObject) -> Iterator[Column]:
    for column in node.entries("columns"):
        yield Column(column.required("name"), column.optional("data_type"), column.text("description"))
