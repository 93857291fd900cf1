"""`generate`: the two one-line models of each sync, the ledger's sources and the exposures, as files of the
user's project. The manifest says what is there; files only, whether we wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.mapping.mapping_reader import kind_of
from dbt_batch_sync.mapping.syncs import DELTA_SUFFIX, SNAPSHOT_SUFFIX, Sync

FOLDER = "batch_sync"
MARK = "Written by `dbt-batch-sync generate`"
YAML_FILE = "_batch_sync.yml"

_MODELS = """\
# {mark}. Yours to configure: it is written once.
models:
  - name: {sync}_sent_snapshot
    description: What Batch holds of each {noun} of {sync}, as far as dbt-batch-sync knows. Never drop it.
  - name: {sync}_delta
    description: The rows of {sync} that differ from what Batch holds; `dbt-batch-sync push` sends them.
"""
_EXPOSURE = """\
  - name: batch_{sync}
    label: Batch {noun}s of {sync}
    type: application
    url: https://dashboard.batch.com
    owner: {{name: Batch}}
    description: The {noun}s that dbt-batch-sync keeps equal to {sync}.
    depends_on:
      - ref('{sync}_delta')
"""


@dataclass(frozen=True)
class Change:
    """A file that differs from what it should be, and its text then; None of one that is to go."""

    kind: Literal["create", "update", "remove"]
    path: Path
    text: str | None = None


def missing(syncs: Sequence[Sync], manifest: Manifest, project: Project) -> list[Change]:
    """What has to be written for these syncs. A model that the manifest has, wherever it lies, is the user's
    and stays as it is; the YAML is renewed if we wrote it.
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
            if model is None
        }
        if len(files) == len(models):
            files[_folder(project) / f"{sync.name}.yml"] = _MODELS.format(
                mark=MARK, sync=sync.name, noun=sync.kind.noun
            )
        found += [Change("create", path, text) for path, text in files.items() if not path.exists()]
    return [*found, *_renewed({sync.name: sync.kind.noun for sync in syncs}, project)]


def obsolete(manifest: Manifest, project: Project) -> list[Change]:
    """The files that we wrote for syncs that are not mapped any more, and the YAML without them.

    Where a mapping comes from does not matter: the manifest has it. With the SQL of a sync's model gone, dbt
    can't write a manifest: then the last one is what there is, and the file counts.
    """
    own = [each for each in manifest.models if each.package == manifest.project_name]
    gone = {each.name for each in own if _is_gone(each, project)}
    live = manifest.mapped - gone
    paths = {project.directory / each.path for each in own} | set(_folder(project).glob("*.*"))
    found = []
    for path in sorted(path for path in paths if path.is_file() and path.name != YAML_FILE):
        suffixes = (SNAPSHOT_SUFFIX, DELTA_SUFFIX) if path.suffix == ".sql" else ("",)
        owner = next((path.stem.removesuffix(each) for each in suffixes if path.stem.endswith(each)), None)
        if owner is not None and owner not in live and _is_ours(path):
            found.append(Change("remove", path))
    present = {
        each.name: kind_of(each.raw_mapping.value).noun
        for each in manifest.models
        if each.raw_mapping and each.name in live
    }
    return [*found, *(_renewed(present, project) if found else ())]


def apply(found: Iterable[Change]) -> None:
    """Writes and removes the files."""
    for change in found:
        if change.text is None:
            change.path.unlink()
        else:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            change.path.write_text(change.text, encoding="utf-8")


def _renewed(nouns: Mapping[str, str], project: Project) -> Iterator[Change]:
    """The YAML for these syncs, if it is not as it should be and not the user's."""
    path, text = _folder(project) / YAML_FILE, _yaml(nouns)
    if not path.exists():
        yield Change("create", path, text)
    elif _is_ours(path) and path.read_text(encoding="utf-8") != text:
        yield Change("update", path, text)


def _arguments(sync: Sync) -> str:
    """What its macros are called with; dbt has to know the key before it knows the mapping."""
    return f"'{sync.name}'" + ("" if sync.kind.key == CUSTOM_ID else f", key='{sync.kind.key}'")


def _folder(project: Project) -> Path:
    return project.model_paths[0] / FOLDER


def _is_gone(model: Model, project: Project) -> bool:
    """Whether the file of a model, which the manifest has, was removed (and not moved) since."""
    if (project.directory / model.path).exists():
        return False
    name = Path(model.path).name
    return not any(True for root in project.model_paths for _ in root.rglob(name))


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline()


def _yaml(nouns: Mapping[str, str]) -> str:
    """Sources for the ledger, so that tests can be put on it, and an exposure per sync."""
    sources = Path(__file__).with_name("sources.yml").read_text(encoding="utf-8")
    exposures = "".join(_EXPOSURE.format(sync=sync, noun=noun) for sync, noun in sorted(nouns.items()))
    return f"# {MARK}, and renewed by it.\n{sources}" + (f"\nexposures:\n{exposures}" if nouns else "")
