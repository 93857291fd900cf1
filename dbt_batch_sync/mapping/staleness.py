"""Finds mappings that changed in the project's files after dbt wrote the manifest.

Compares contents, not times: a manifest that comes from a cache is newer than every file. What a macro, a
variable or the environment adds to a mapping is in none of these files and is not compared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dbt_batch_sync.artifacts.manifest import META_KEY, Manifest, Model
from dbt_batch_sync.connections.profiles import PROJECT_FILE, Project, read_yaml
from dbt_batch_sync.errors import Problem, ProfileError

_CODE, _YAML = (".sql", ".py"), (".yml", ".yaml")
_KEY = re.compile(rf"(?<!\w){META_KEY}[\"']?\s*[:=]".encode())
_TEMPLATE = re.compile(r"\{[{%#]")

Place = tuple[str, str | None]
"""The name of a model, and its version."""


def find_stale(manifest: Manifest, project: Project, names: Iterable[str] | None = None) -> Iterator[Problem]:
    """The models whose mapping dbt has not read in its current form: of those with these names, or of all,
    new ones included. Files that are not here are taken as unchanged.
    """
    files, wanted = _Files(manifest, project), None if names is None else set(names)
    for model in manifest.models:
        if wanted is None or model.name in wanted:
            was = _change(files, model)
            if was:
                yield _problem(model.file, model.name, was)
    if wanted is None and not files.some_ignored:
        yield from _added(files)


def find_uncompared(manifest: Manifest, project: Project, names: Iterable[str]) -> Iterator[str]:
    """What the files don't tell, although they are newer than the manifest: a sentence for each of these
    models whose mapping depends on a template or a macro.
    """
    files, wanted = _Files(manifest, project), set(names)
    for model in (each for each in manifest.models if each.mapped and each.name in wanted):
        newer = next(files.newer(model.file, model.path, PROJECT_FILE), None)
        if newer and _is_uncompared(files, model):
            yield (
                f"{newer} is newer than the manifest, and the mapping of `{model.name}` may depend on "
                "templates or macros, which are not compared. If it was changed, run: dbt parse, and dbt run "
                "before a push"
            )


def _is_uncompared(files: _Files, model: Model) -> bool:
    if files.mentions.get(files.path(model.path)):
        return not model.raw_code
    written = files.written(model)
    return not written or (bool(_templates(written)) and not _templates(model.unrendered_mapping))


def _problem(file: str, model: str, was: str) -> Problem:
    wrong = f"{was} since dbt wrote the manifest. Run: dbt parse, and dbt run before a push"
    return Problem(file, model, META_KEY, wrong)


def _change(files: _Files, model: Model) -> str | None:
    """What happened to the mapping of a model that dbt has read; None if nothing, or if that is unknown."""
    own = files.has(model)
    if own:
        path, before = files.path(model.path), model.raw_code or ""
        if path not in files.mentions:
            return None
        if files.mentions[path] or _mentions(before.encode()):
            now = path.read_bytes().decode(errors="replace")
            # dbt keeps neither the line ends nor the blanks around the text.
            same = not before or now.strip().splitlines() == before.strip().splitlines()
            return None if same else "may have changed in its SQL"
    written = files.written(model)
    if not written:
        return "was removed" if own and model.mapped and files.show_removal(model) else None
    if not model.mapped:
        return None if all(map(_is_template, written)) else "was added"
    # Of a template, only the text is compared, if dbt recorded it.
    known = _templates(model.unrendered_mapping)
    same_templates = (each for each in written if not known or _templates(each) <= known)
    return None if any(_alike(each, model.raw_mapping) for each in same_templates) else "was changed"


def _added(files: _Files) -> Iterator[Problem]:
    """The mappings of models, or of versions of a model, that dbt has not read."""
    own = [each for each in (*files.manifest.models, *files.manifest.disabled) if files.has(each)]
    known, files_read = {(each.name, each.version) for each in own}, {each.path for each in own}
    names = {each.name for each in own} | {path.stem for path in files.mentions if path.suffix in _CODE}
    for path in sorted(path for path, mentions in files.mentions.items() if mentions):
        file = Path(os.path.relpath(path, files.project.directory)).as_posix()
        if path.suffix in _YAML:
            found = {place for place, mapping in (files.entries(path) or {}).items() if mapping}
        else:
            found = {(path.stem, None)} if file not in files_read else set()
        for name, _ in sorted(found - known, key=str):
            if name in names:
                yield _problem(file, name, "was added")


@dataclass(frozen=True)
class _Files:
    """The project's files, each read once."""

    manifest: Manifest
    project: Project
    _read: dict[Path, dict[Place, list[object]] | None] = field(default_factory=dict)

    @cached_property
    def mentions(self) -> dict[Path, bool]:
        """The models' SQL, Python and YAML files, and whether they contain the key of a mapping."""
        found = {}
        for root in self.project.model_paths:
            for directory, _, names in os.walk(root, followlinks=True):
                for path in (Path(directory, name) for name in names if name.endswith((*_CODE, *_YAML))):
                    with suppress(OSError):
                        found[path] = _mentions(path.read_bytes())
        return found

    @cached_property
    def some_ignored(self) -> bool:
        """Whether dbt may not read some of the files."""
        return self.path(".dbtignore").exists()

    def path(self, file: str) -> Path:
        return self.project.directory / file

    def has(self, model: Model) -> bool:
        """Whether the model is the project's own, not a package's, whose files only `dbt deps` changes."""
        return model.package == self.manifest.project_name

    def written(self, model: Model) -> list[object]:
        """What the mapping of a model may be: in its YAML, in another file that it may have been moved to, or
        in `dbt_project.yml`, there that of the deepest folder.
        """
        level, found = self._configs, _of_meta(self._configs)
        for step in model.fqn:
            level = _dict(level.get(step))
            found = _of_meta(level) or found
        return (self._in_yaml.get((model.name, model.version)) if self.has(model) else None) or found

    def show_removal(self, model: Model) -> bool:
        """Whether a mapping that is found nowhere was in the files, not in a macro that the SQL calls."""
        path, newer = self.path(model.file), [PROJECT_FILE]
        if model.raw_code is None or "meta" in model.raw_code:
            return False
        if path.suffix in _YAML:
            entries = self.entries(path) if path in self.mentions else {}
            place = (model.name, model.version)
            if entries is None or entries.get(place):
                return False
            if place not in entries:
                return True
            newer.append(model.file)
        return any(self.newer(*newer))

    def newer(self, *files: str) -> Iterator[str]:
        """Those of the project's files that were written after dbt read them."""
        read_at = self.manifest.path.stat().st_mtime
        for file in files:
            if self.path(file).is_file() and self.path(file).stat().st_mtime > read_at:
                yield file

    def entries(self, path: Path) -> dict[Place, list[object]] | None:
        """What the mapping of each model in a YAML file may be. None if the file can't be read."""
        if path not in self._read:
            try:
                self._read[path] = dict(_entries(_dict(read_yaml(path))))
            except ProfileError:
                self._read[path] = None
        return self._read[path]

    @cached_property
    def _in_yaml(self) -> dict[Place, list[object]]:
        declared = {self.path(each.file) for each in self.manifest.models if self.has(each)}
        own = [path for path, mentions in self.mentions.items() if mentions and path.suffix in _YAML]
        listed = [self.entries(each) or {} for each in own if not self.some_ignored or each in declared]
        return {place: mapping for each in listed for place, mapping in each.items() if mapping}

    @cached_property
    def _configs(self) -> dict[str, object]:
        return _dict(_dict(read_yaml(self.path(PROJECT_FILE))).get("models"))


def _entries(document: dict[str, object]) -> Iterator[tuple[Place, list[object]]]:
    for entry in map(_dict, _list(document.get("models"))):
        name, mapping, versions = str(entry.get("name")), _mapping(entry), _list(entry.get("versions"))
        if not versions:
            yield (name, None), mapping
        for version in map(_dict, versions):
            own = _mapping(version)
            # dbt 2 takes the version's, others merge it into the model's.
            both = [_merged(mapping[0], own[0]), *own] if mapping and own else mapping or own
            yield (name, str(version.get("v"))), both


def _mapping(entry: dict[str, object]) -> list[object]:
    return _in_meta(_dict(entry.get("config")).get("meta")) or _in_meta(entry.get("meta"))


def _of_meta(level: dict[str, object]) -> list[object]:
    """The mapping of a folder in `dbt_project.yml`."""
    metas = (value for key, value in level.items() if str(key)[:1] == "+" and str(key)[1:].strip() == "meta")
    return _in_meta(next(metas, None))


def _in_meta(meta: object) -> list[object]:
    if isinstance(meta, str):  # a template
        return [meta]
    return [_dict(meta)[META_KEY]] if META_KEY in _dict(meta) else []


def _merged(mapping: object, own: object) -> object:
    """A version's mapping, as dbt merges it into the model's."""
    if isinstance(mapping, dict) and isinstance(own, dict):
        return {**mapping, **{k: _merged(mapping[k], v) if k in mapping else v for k, v in own.items()}}
    return [*own, *mapping] if isinstance(mapping, list) and isinstance(own, list) else own


def _alike(written: object, known: object) -> bool:
    if _is_template(written):
        return True
    if isinstance(written, dict) and isinstance(known, dict):
        by_text = {str(key): value for key, value in written.items()}
        return by_text.keys() == known.keys() and all(_alike(by_text[key], known[key]) for key in known)
    if isinstance(written, list) and isinstance(known, list):
        return len(written) == len(known) and all(map(_alike, written, known))
    return str(written) == str(known)  # dbt reads some texts in `dbt_project.yml` as numbers


def _templates(value: object) -> set[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return {text for each in inner for text in _templates(each)}
    return {value} if isinstance(value, str) and _is_template(value) else set()


def _is_template(value: object) -> bool:
    return isinstance(value, str) and bool(_TEMPLATE.search(value))


def _mentions(text: bytes) -> bool:
    """Whether a text contains the key of a mapping."""
    return META_KEY.encode() in text and bool(_KEY.search(text))


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
