"""Finds mappings that changed in the project's files after dbt wrote the manifest.

Compares contents, not times: a manifest that comes from a cache is newer than every file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.connections.documents import read_yaml
from dbt_batch_sync.connections.profiles import PROJECT_FILE, Project
from dbt_batch_sync.errors import Problem, ProfileError
from dbt_batch_sync.mapping.misplaced import META_KEY
from dbt_batch_sync.mapping.syncs import Sync

_KEY = re.compile(rf"{META_KEY}[\"']?\s*:".encode())
_YAML = (".yml", ".yaml")
_TEMPLATE = re.compile(r"\{[{%#]")


def find_stale(syncs: Iterable[Sync], manifest: Manifest, project: Project) -> Iterator[Problem]:
    """The syncs whose mapping dbt has not read in its current form. Mappings with templates, of versions and
    in packages are not compared, and files that are not here are taken as unchanged.
    """
    files = _Files(project, manifest.path.stat().st_mtime)
    for sync in syncs:
        model = sync.model
        if model.package != manifest.project_name or model.version is not None or not model.mapped:
            continue
        written = files.mappings_of(model)
        if written and not any(_same(each, model.raw_mapping) for each in written):
            yield _problem(model.file, model.name, "was changed")
        elif written is not None and not written:
            yield _problem(model.file, model.name, "was removed")


def find_added(manifest: Manifest, project: Project) -> Iterator[Problem]:
    """The models with a mapping in YAML that dbt has read without it."""
    if (project.directory / ".dbtignore").exists():  # dbt may not read some of the files
        return
    files = _Files(project, manifest.path.stat().st_mtime)
    own = {each.name: each for each in manifest.models if each.package == manifest.project_name}
    disabled = {each.name for each in manifest.disabled}
    for path in sorted(path for root in project.model_paths for path in root.rglob("*.y*ml")):
        if path.suffix not in _YAML or not path.is_file() or not _KEY.search(path.read_bytes()):
            continue
        for name, mapping in files.entries(path).items():
            known = own[name].mapped if name in own else not files.has_model(name)
            if mapping is not None and not known and name not in disabled:
                yield _problem(path.relative_to(project.directory).as_posix(), name, "was added")


def _problem(file: str, model: str, was: str) -> Problem:
    wrong = f"{was} since dbt wrote the manifest. Run: dbt parse, and dbt run before a push"
    return Problem(file, model, META_KEY, wrong)


@dataclass(frozen=True)
class _Files:
    """The project's files, each read once."""

    project: Project
    read_at: float
    """When dbt read them."""
    _read: dict[Path, object] = field(default_factory=dict)

    def mappings_of(self, model: Model) -> list[object] | None:
        """What the mapping of a model may be: the one in its YAML, or else any in `dbt_project.yml`. None if
        that is unknown.
        """
        path, configs = self.project.directory / model.file, self.project.directory / PROJECT_FILE
        if model.mapped_in_sql or not path.is_file():
            return None
        if path.suffix in _YAML:
            entries = self.entries(path)
            if model.name not in entries:
                return None
            if entries[model.name] is not None:
                return [entries[model.name]]
        found = list(_metas(self._document(configs).get("models")))
        # A macro may set it too, so only a newer file can say that there is none.
        newer = any(each.is_file() and each.stat().st_mtime > self.read_at for each in (path, configs))
        return found if found or newer else None

    def entries(self, path: Path) -> dict[str, object]:
        """The mapping of each model in a YAML file; None for a model without one."""
        listed = self._document(path).get("models")
        models = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return {str(each.get("name")): _mapping(each) for each in models}

    def has_model(self, name: str) -> bool:
        """Whether a file defines this model."""
        return any(True for root in self.project.model_paths for _ in root.rglob(f"{name}.*[lLyY]"))

    def _document(self, path: Path) -> dict[str, object]:
        if path not in self._read:
            try:
                self._read[path] = read_yaml(path)
            except ProfileError:
                self._read[path] = None
        found = self._read[path]
        return found if isinstance(found, dict) else {}


def _mapping(entry: dict[str, object]) -> object:
    for meta in (_dict(_dict(entry.get("config")).get("meta")), _dict(entry.get("meta"))):
        if META_KEY in meta:
            return meta[META_KEY]
    return None


def _metas(configs: object) -> Iterator[object]:
    """The mappings in `dbt_project.yml`, in all folders."""
    for name, value in _dict(configs).items():
        if name in ("+meta", "meta") and META_KEY in _dict(value):
            yield _dict(value)[META_KEY]
        else:
            yield from _metas(value)


def _same(written: object, known: object) -> bool:
    """Whether dbt has read what is written, or might have: a template's value is unknown here."""
    text = json.dumps(written, default=str, sort_keys=True)
    return bool(_TEMPLATE.search(text)) or text == json.dumps(known, default=str, sort_keys=True)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
