"""`generate`: writes the two models of each sync, the ledger's sources and the exposures into the user's
project. The manifest tells what exists; the files tell whether we wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.mapping.mapping_reader import kind_of
from dbt_batch_sync.mapping.syncs import DELTA_SUFFIX, SNAPSHOT_SUFFIX, Sync

FOLDER = "batch_sync"
MARK = "Written by `dbt-batch-sync generate`"
YAML_FILE = "_batch_sync.yml"
SOURCE = "batch_sync"


@dataclass(frozen=True)
class Change:
    """A file that differs from its expected text; None if it should be deleted."""

    kind: Literal["create", "update", "remove"]
    path: Path
    text: str | None = None


def missing(
    syncs: Sequence[Sync], manifest: Manifest, project: Project, schema: str | None = None
) -> list[Change]:
    """The files to write for these syncs. A model in the manifest, wherever it is, is the user's and is not
    changed, unless its file was deleted. The YAML is renewed if we wrote it. `schema` is the target's.
    """
    found: list[Change] = []
    for sync in syncs:
        models = ((SNAPSHOT_SUFFIX, sync.snapshot), (DELTA_SUFFIX, sync.delta))
        files = {
            _folder(project) / f"{sync.name}{suffix}.sql": (
                f"-- {MARK}. Yours to configure: it is written once.\n"
                f"{{{{ dbt_batch_sync.{suffix.removeprefix('_')}({_arguments(sync)}) }}}}\n"
            )
            for suffix, model in models
            if model is None or (model.package == manifest.project_name and _is_gone(model, project))
        }
        if len(files) == len(models):
            files[_folder(project) / f"{sync.name}.yml"] = _described(sync)
        found += [Change("create", path, text) for path, text in files.items() if not path.exists()]
    return [*found, *_renewed(_live(manifest), manifest, project, schema)]


def obsolete(manifest: Manifest, project: Project, schema: str | None = None) -> list[Change]:
    """The files that we wrote for syncs that are no longer mapped, or whose model is permanently disabled,
    and the YAML without them.

    The source of a mapping doesn't matter, because the manifest has it. If the SQL of a sync's model is gone,
    dbt can't write a manifest; then the last one is used, and the file counts.
    """
    own = [each for each in (*manifest.models, *manifest.disabled) if each.package == manifest.project_name]
    gone = {each.name for each in own if _is_gone(each, project)}
    live = [each for each in _live(manifest) if each.name not in gone]
    names = {each.name for each in live}
    paths = {project.directory / each.path for each in own} | set(_folder(project).glob("*.*"))
    found = []
    for path in sorted(path for path in paths if path.is_file() and path.name != YAML_FILE):
        suffixes = (SNAPSHOT_SUFFIX, DELTA_SUFFIX) if path.suffix == ".sql" else ("",)
        owner = next((path.stem.removesuffix(each) for each in suffixes if path.stem.endswith(each)), None)
        if owner is not None and owner not in names and _is_ours(path):
            found.append(Change("remove", path))
    return [*found, *(_renewed(live, manifest, project, schema) if found else ())]


def apply(found: Iterable[Change]) -> None:
    for change in found:
        if change.text is None:
            change.path.unlink()
        else:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            change.path.write_text(change.text, encoding="utf-8")


def _live(manifest: Manifest) -> list[Model]:
    """The mapped models, valid or not, except for those that are permanently disabled."""
    return [each for each in (*manifest.models, *manifest.disabled) if each.mapped and each.is_live]


def _renewed(
    live: Iterable[Model], manifest: Manifest, project: Project, schema: str | None
) -> Iterator[Change]:
    """The YAML for these syncs, unless it is up to date or the user's."""
    path = _folder(project) / YAML_FILE
    there = {each.name for each in (*manifest.models, *manifest.disabled)}
    by_name = {each.name: each for each in live if each.enabled or each.name + DELTA_SUFFIX in there}
    elsewhere = any(
        each.name.startswith(f"{SOURCE}.") and (project.directory / each.path).name != YAML_FILE
        for each in manifest.sources
    )
    text = f"# {MARK}, and renewed by it.\nversion: 2\n"
    if not elsewhere:
        text += "\n" + _sources(manifest, schema)
    if by_name:
        text += "\n" + dump({"exposures": [_exposure(by_name[name]) for name in sorted(by_name)]})
    if not path.exists():
        yield Change("create", path, text)
    elif _is_ours(path) and path.read_text(encoding="utf-8") != text:
        yield Change("update", path, text)


def _sources(manifest: Manifest, schema: str | None) -> str:
    """The ledger's tables. Their schema is an expression for every target: that of the snapshots, which dbt
    derives from the target's schema with a suffix, unless the project has its own rule.
    """
    text = Path(__file__).with_name("sources.yml").read_text(encoding="utf-8")
    found = {each.schema for each in manifest.models if each.materialized == "sent_snapshot"}
    only = found.pop() if len(found) == 1 else None
    if schema is None or only is None or not only.startswith(f"{schema}_"):
        return text
    suffixed = f"target.schema ~ '{only.removeprefix(schema)}'"
    return text.replace("get(target.name, target.schema)", f"get(target.name, {suffixed})")


def _described(sync: Sync) -> str:
    """The descriptions and tests of a sync's two models, and the configs that they need to be usable wherever
    the sync's model is.
    """
    noun, private_to = sync.kind.noun, sync.model.private_to
    own = ({"group": private_to} if private_to is not None else {}) | _enabled(sync.model)
    valid = {"config": {"where": "_batch_change <> 'invalid'"}}
    similar = {"config": {"severity": "warn", "where": "_batch_change in ('insert', 'update')"}}
    tests: list[object] = [{"not_null": valid}, {"unique": valid}]
    if sync.kind.key == CUSTOM_ID and not sync.kind.erases:
        tests.append({"dbt_batch_sync.batch_similar_identifiers": similar})

    def model(suffix: str, description: str, tests: Sequence[object]) -> dict[str, object]:
        key = {"name": sync.kind.key, "description": f"The {noun} in Batch.", "data_tests": tests}
        config = {"config": own} if own else {}
        return {"name": sync.name + suffix, "description": description, **config, "columns": [key]}

    held = f"What Batch holds for each {noun} of {sync.name}. Don't drop this table."
    differs = f"The rows of {sync.name} that differ from what Batch holds; `dbt-batch-sync push` sends them."
    models = [model(SNAPSHOT_SUFFIX, held, ["not_null", "unique"]), model(DELTA_SUFFIX, differs, tests)]
    return f"# {MARK}. Yours to configure: it is written once.\n{dump({'models': models})}"


def _enabled(model: Model) -> dict[str, str]:
    return {"enabled": model.enabled_when} if model.enabled_when else {}


def _exposure(model: Model) -> Mapping[str, object]:
    # dbt accepts letters, digits, underscores and hyphens in the name of an exposure.
    name = re.sub(r"[^\w-]", lambda found: f"_{ord(found[0]):x}_", model.name)
    config = _enabled(model)
    noun = kind_of(model.raw_mapping).noun
    return {
        "name": f"batch_{name}",
        "label": f"Batch {noun}s of {model.name}",
        "type": "application",
        "url": "https://dashboard.batch.com",
        "owner": {"name": "Batch"},
        "description": f"The {noun}s that dbt-batch-sync syncs from {model.name} to Batch.",
        **({"config": config} if config else {}),
        "depends_on": [f"ref('{model.name}{DELTA_SUFFIX}')"],
    }


def dump(document: object) -> str:
    return str(yaml.dump(document, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=1000))


class _Indented(yaml.SafeDumper):
    """Indents lists below their key and writes no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _arguments(sync: Sync) -> str:
    """The arguments of its macros, which dbt must know before it knows the mapping."""
    key = "" if sync.kind.key == CUSTOM_ID else f", key='{sync.kind.key}'"
    version = "" if sync.model.version is None else f", version='{sync.model.version}'"
    return f"'{sync.name}'{key}{version}"


def _folder(project: Project) -> Path:
    return project.model_paths[0] / FOLDER


def _is_gone(model: Model, project: Project) -> bool:
    """Whether the file of a model in the manifest was deleted (not moved) since."""
    if (project.directory / model.path).exists():
        return False
    name = Path(model.path).name
    return not any(True for root in project.model_paths for _ in root.rglob(name))


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline()
