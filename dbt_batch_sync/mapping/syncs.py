"""The syncs of a project: the models that opt in, their mappings, and the two models of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.kinds.kind import Kind
from dbt_batch_sync.mapping.mapping import Location
from dbt_batch_sync.mapping.mapping import Mapping as SyncMapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.misplaced import META_KEY

SNAPSHOT_SUFFIX = "_sent_snapshot"
DELTA_SUFFIX = "_delta"


@dataclass(frozen=True)
class Sync:
    """A model that opts in; `snapshot` and `delta` are None until `generate` has written them."""

    mapping: SyncMapping
    model: Model
    snapshot: Model | None
    delta: Model | None

    @property
    def name(self) -> str:
        """The sync's name: the model's."""
        return self.model.name

    @property
    def kind(self) -> Kind:
        """What it keeps equal in Batch."""
        return self.mapping.kind

    @property
    def names(self) -> tuple[str, str, str]:
        """The names of its three models: its own, the delta's and the snapshot's."""
        return (self.name, self.name + DELTA_SUFFIX, self.name + SNAPSHOT_SUFFIX)


def read_syncs(manifest: Manifest) -> tuple[Sync, ...]:
    """The manifest's syncs, by name.

    Raises:
        MappingError: with every problem of every model.
    """
    syncs, problems = find_syncs(manifest)
    if problems:
        raise MappingError(problems)
    return syncs


def find_syncs(manifest: Manifest) -> tuple[tuple[Sync, ...], tuple[Problem, ...]]:
    """The syncs whose mappings can be read, by name, and every problem of every model."""
    models: dict[str, list[Model]] = {}
    for each in manifest.models:
        if each.enabled and each.latest:
            models.setdefault(each.name, []).append(each)
    problems = list(manifest.misplaced)
    syncs = []
    for model in (each for name in sorted(models) for each in models[name]):
        if model.raw_mapping is None:
            continue
        problems += _model_problems(model, models)
        try:
            mapping = parse_mapping(model.name, model.raw_mapping.value, Location(model.file, model.name))
        except MappingError as error:
            problems += error.problems
            continue
        snapshot, delta = (
            _nearest(models.get(model.name + suffix, ()), model, manifest)
            for suffix in (SNAPSHOT_SUFFIX, DELTA_SUFFIX)
        )
        syncs.append(Sync(mapping, model, snapshot, delta))
    return tuple(syncs), tuple(problems)


def _model_problems(model: Model, models: Mapping[str, Sequence[Model]]) -> Iterator[Problem]:
    """What keeps a model from being a sync, whatever its mapping says."""
    if model.materialized == "ephemeral":
        wrong = "an ephemeral model has no relation to compare: make it a `table`, a `view` or `incremental`"
        yield Problem(model.file, model.name, "config.materialized", wrong)
    key = f"meta.{META_KEY}"
    for same in models[model.name]:
        if same is not model and same.raw_mapping:
            wrong = f"there is another sync of this name, {same.unique_id}: their snapshots would be one"
            yield Problem(model.file, model.name, key, wrong)
            break
    for suffix in (SNAPSHOT_SUFFIX, DELTA_SUFFIX):
        owner = model.name.removesuffix(suffix)
        if owner != model.name and any(each.raw_mapping for each in models.get(owner, ())):
            wrong = f"the model belongs to the sync {owner} and can't be one itself: leave the meta out"
            yield Problem(model.file, model.name, key, wrong)


def _nearest(found: Iterable[Model], sync: Model, manifest: Manifest) -> Model | None:
    """Of models of one name: the one in the sync's package, else in the project, else any."""
    nearness = {manifest.project_name: 1, sync.package: 0}
    return min(found, key=lambda each: nearness.get(each.package, 2), default=None)
