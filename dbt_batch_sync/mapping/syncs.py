"""A project's syncs: the models that opt in, their mappings, and the two generated models of each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dbt_batch_sync.artifacts.manifest import META_KEY, Manifest, Model
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.kinds.kind import Kind
from dbt_batch_sync.mapping.mapping import Mapping as SyncMapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

SNAPSHOT_SUFFIX = "_sent_snapshot"
DELTA_SUFFIX = "_delta"

LONGEST_NAME = {"postgres": 63, "redshift": 127}
"""Bytes of a relation name, on adapters where dbt doesn't build longer ones."""

_UNPINNED = re.compile(r"\bdbt_batch_sync\.(delta|sent_snapshot)\((?![^)]*\bversion\s*=)")


@dataclass(frozen=True)
class Sync:
    """A model that opts in. `snapshot` and `delta` are None until `generate` has written them."""

    mapping: SyncMapping
    model: Model
    snapshot: Model | None
    delta: Model | None

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def kind(self) -> Kind:
        return self.mapping.kind

    @property
    def names(self) -> tuple[str, str, str]:
        """The names of its three models: the sync, the delta and the snapshot."""
        return (self.name, self.name + DELTA_SUFFIX, self.name + SNAPSHOT_SUFFIX)


def read_syncs(manifest: Manifest) -> tuple[Sync, ...]:
    """The manifest's syncs, by name. Raises MappingError with every error of every model."""
    syncs, problems = find_syncs(manifest)
    if problems:
        raise MappingError(problems)
    return syncs


def find_syncs(manifest: Manifest) -> tuple[tuple[Sync, ...], tuple[Problem, ...]]:
    """The syncs with readable mappings, by name, and every error of every model."""
    enabled = [each for each in manifest.models if each.enabled]
    models = _by_name(enabled)
    problems = list(manifest.misplaced)
    syncs = []
    for model in (each for name in sorted(models) for each in models[name]):
        problems += _unread_versions(model, enabled)
        if not model.mapped:
            continue
        snapshot, delta = (
            _nearest(models.get(model.name + suffix, ()), model, manifest)
            for suffix in (SNAPSHOT_SUFFIX, DELTA_SUFFIX)
        )
        problems += _model_problems(model, models, manifest.project_name)
        problems += _own_problems(model, snapshot, delta, manifest.adapter_type)
        try:
            mapping = parse_mapping(model.name, model.raw_mapping, model.file)
        except MappingError as error:
            problems += (_of_version(each, model.version) for each in error.problems)
            continue
        syncs.append(Sync(mapping, model, snapshot, delta))
    return tuple(syncs), tuple(problems)


def sync_notes(syncs: Iterable[Sync], adapter: str | None) -> Iterator[str]:
    """Which versions syncs follow, unless pinned to the latest; which generated models need an alias."""
    longest = LONGEST_NAME.get(adapter or "", sys.maxsize)
    for sync in syncs:
        name = sync.name + SNAPSHOT_SUFFIX
        if sync.snapshot is None and len(name.encode()) > longest:
            yield f"{adapter} has names of at most {longest} bytes: give {name} a shorter `alias`"
        own = [each for each in (sync.delta, sync.snapshot) if each is not None]
        free = [each.name for each in own if _UNPINNED.search(each.raw_code or "")]
        if sync.model.version is None or not own:
            continue
        if free:
            yield (
                f"`{sync.name}` has versions, and the latest, {sync.model.version}, is synced. To stay on "
                f"it, add version='{sync.model.version}' in {' and '.join(free)}"
            )
        elif not sync.model.latest:
            yield (
                f"version {sync.model.version} of `{sync.name}` is synced, which is not the latest. To move "
                f"on, change `version` in {' and '.join(each.name for each in own)}"
            )


def _of_version(problem: Problem, version: str | None) -> Problem:
    """The problem; of an entry of a list, with why a version may list it twice."""
    if version is None or not problem.key.endswith("]"):
        return problem
    why = f" (dbt joins the lists of the model and of its version {version}: use one of the two)"
    return replace(problem, message=problem.message + why)


def _by_name(enabled: Sequence[Model]) -> dict[str, list[Model]]:
    """The models of each name, one per package; of versions, the one of the sync's delta, or the latest."""
    referred = {node for each in enabled if each.name.endswith(DELTA_SUFFIX) for node in each.depends_on}
    chosen: dict[tuple[str, str], Model] = {}
    for each in enabled:
        place = (each.name, each.package)
        if each.unique_id in referred or (each.latest and place not in chosen):
            chosen[place] = each
    models: dict[str, list[Model]] = {}
    for (name, _), model in chosen.items():
        models.setdefault(name, []).append(model)
    return models


def _unread_versions(model: Model, enabled: Iterable[Model]) -> Iterator[Problem]:
    """The other versions of a model without a mapping, if one of them has a mapping."""
    for each in enabled:
        same = (each.name, each.package) == (model.name, model.package) and each is not model
        if same and each.mapped and not model.mapped:
            wrong = (
                f"stands in version {each.version}, and version {model.version} is read: the latest, or the "
                f"one that {model.name}{DELTA_SUFFIX} names (`version=`). Move it there, or to the model"
            )
            yield Problem(each.file, each.name, f"meta.{META_KEY}", wrong)


def _model_problems(
    model: Model, models: Mapping[str, Sequence[Model]], project: str | None
) -> Iterator[Problem]:
    """Why a model can't be a sync, regardless of its mapping."""
    if model.materialized == "ephemeral":
        wrong = "an ephemeral model has no relation to compare: make it a `table`, a `view` or `incremental`"
        yield Problem(model.file, model.name, "config.materialized", wrong)
    key = f"meta.{META_KEY}"
    if not re.fullmatch(r"[\w.$ -]+", model.name):
        wrong = "the name of a sync's model may have letters, digits, blanks and `_.-$` only: rename it"
        yield Problem(model.file, model.name, key, wrong)
    for same in models[model.name]:
        # In the project, `ref` means the project's own model.
        if same is not model and (same.mapped or same.package == project):
            wrong = f"there is another model of this name, {same.unique_id}: rename one of the two"
            yield Problem(model.file, model.name, key, wrong)
            break
    for suffix in (SNAPSHOT_SUFFIX, DELTA_SUFFIX):
        owner = model.name.removesuffix(suffix)
        if owner != model.name and any(each.mapped for each in models.get(owner, ())):
            wrong = f"the model belongs to the sync {owner} and can't be one itself: leave the meta out"
            yield Problem(model.file, model.name, key, wrong)


def _own_problems(
    sync: Model, snapshot: Model | None, delta: Model | None, adapter: str | None
) -> Iterator[Problem]:
    """Why two models can't be those of a sync."""
    for model, macro in ((snapshot, "sent_snapshot"), (delta, "delta")):
        if model is None or model.mapped:
            continue
        if sync.unique_id not in model.depends_on:
            wrong = (
                f"is not the {macro} of the sync {sync.name}, whose name it has: rename it, or give it the "
                f"body {{{{ dbt_batch_sync.{macro}('{sync.name}') }}}}"
            )
            yield Problem(model.file, model.name, "name", wrong)
        longest = LONGEST_NAME.get(adapter or "")
        if longest is not None and len(model.alias.encode()) > longest:
            wrong = f"{adapter} has names of at most {longest} bytes: give the model a shorter `alias`"
            yield Problem(model.file, model.name, "config.alias", wrong)


def _nearest(found: Iterable[Model], sync: Model, manifest: Manifest) -> Model | None:
    """Of models with the same name: the one in the sync's package, or in the project, or any."""
    nearness = {manifest.project_name: 1, sync.package: 0}
    return min(found, key=lambda each: nearness.get(each.package, 2), default=None)
