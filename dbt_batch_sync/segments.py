"""The segments of a project: the models that opt in, their mappings, and the two models of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.manifest import Manifest, Model
from dbt_batch_sync.mapping import Location, Mapping
from dbt_batch_sync.mapping_reader import parse_mapping
from dbt_batch_sync.misplaced import META_KEY

SNAPSHOT_SUFFIX = "_sent_snapshot"
DELTA_SUFFIX = "_delta"


@dataclass(frozen=True)
class Segment:
    """A model that opts in; `snapshot` and `delta` are None until `generate` has written them."""

    mapping: Mapping
    model: Model
    snapshot: Model | None
    delta: Model | None

    @property
    def name(self) -> str:
        """The segment's name: the model's."""
        return self.model.name

    @property
    def names(self) -> tuple[str, str, str]:
        """The names of its three models: its own, the delta's and the snapshot's."""
        return (self.name, self.name + DELTA_SUFFIX, self.name + SNAPSHOT_SUFFIX)


def read_segments(manifest: Manifest) -> tuple[Segment, ...]:
    """The manifest's segments, by name.

    Raises:
        MappingError: with every problem of every model.
    """
    problems = list(manifest.misplaced)
    mapped = sorted(
        (each for each in manifest.models if each.raw_mapping and each.enabled), key=lambda each: each.name
    )
    segments = []
    for model in mapped:
        problems += _model_problems(model, mapped)
        try:
            mapping = parse_mapping(model.name, _raw(model), Location(model.file, model.name))
        except MappingError as error:
            problems += error.problems
            continue
        snapshot = _find(model.name + SNAPSHOT_SUFFIX, model, manifest)
        segments.append(Segment(mapping, model, snapshot, _find(model.name + DELTA_SUFFIX, model, manifest)))
    if problems:
        raise MappingError(problems)
    return tuple(segments)


def _raw(model: Model) -> object:
    return model.raw_mapping.value if model.raw_mapping else None


def _model_problems(model: Model, mapped: Iterable[Model]) -> Iterable[Problem]:
    """What keeps a model from being a segment, whatever its mapping says."""
    if model.materialized == "ephemeral":
        wrong = "an ephemeral model has no relation to compare: make it a `table`, a `view` or `incremental`"
        yield Problem(model.file, model.name, "config.materialized", wrong)
    others = [each for each in mapped if each is not model]
    same = [each.unique_id for each in others if each.name == model.name]
    if same:
        wrong = f"there is another segment of this name, {same[0]}: their snapshots would be one"
        yield Problem(model.file, model.name, f"meta.{META_KEY}", wrong)
    for other in others:
        if model.name in (other.name + DELTA_SUFFIX, other.name + SNAPSHOT_SUFFIX):
            wrong = (
                f"the model belongs to the segment {other.name} and can't be one itself: leave the meta out"
            )
            yield Problem(model.file, model.name, f"meta.{META_KEY}", wrong)


def _find(name: str, segment: Model, manifest: Manifest) -> Model | None:
    """The model of a name: in the segment's package, else in the project, else anywhere."""
    found = [each for each in manifest.models if each.name == name and each.enabled]
    nearness = {manifest.project_name: 1, segment.package: 0}
    return min(found, key=lambda each: nearness.get(each.package, 2), default=None)
