"""Assets for Dagster: the profiles of each segment in Batch, beside the assets of dagster-dbt.

from dbt_batch_sync.hooks.dagster import batch_sync_assets
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    multi_asset,
)

from dbt_batch_sync.errors import BatchSyncError, ConfigurationError
from dbt_batch_sync.hooks.run import Project, PushFailed, run_push, words

# Dagster looks at the annotations of a function that it runs: they can't be put off in this module.
if TYPE_CHECKING:
    from dbt_batch_sync.api import PushOptions
    from dbt_batch_sync.results import SegmentPushed


class Translator(Protocol):
    """What is used of a `DagsterDbtTranslator`."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> AssetSpec:
        """The asset of a dbt model."""


def batch_sync_assets(
    *,
    project_dir: str | Path,
    profiles_dir: str | Path | None = None,
    profile: str | None = None,
    target: str | None = None,
    variables: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    options: "PushOptions | None" = None,
    fail_on_partial: bool = False,
    key_prefix: str | Sequence[str] = "batch",
    group_name: str | None = "batch",
    name: str = "batch_sync",
    translator: Translator | None = None,
    **arguments: Any,
) -> AssetsDefinition:
    """The assets of the selected segments, all without `select`; each depends on its delta's dbt asset.

    The manifest must be there (`dbt parse`): it names the segments. Those that a run materializes go in one
    push, which keeps Batch's rate for all of them together. `project_dir` to `variables` are dbt's flags,
    `env` is added to the environment for `env_var`, `options` are those of `push`. A partial push succeeds
    with a warning in the log, unless `fail_on_partial`.

    A dbt model's key is the one that dagster-dbt gives it by default, or `translator`'s. `arguments` are what
    else `dagster.multi_asset` takes, such as `retry_policy` and `pool`.

    Raises:
        ConfigurationError: there is no manifest, a mapping is wrong, or a segment has no delta.
    """
    project = Project(project_dir, profiles_dir, profile, target, variables or {}, env or {})
    segments = _segments(project, words(select), words(exclude), translator)
    prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix)
    keys = {segment: AssetKey([*prefix, segment]) for segment in segments}

    @multi_asset(
        specs=[
            AssetSpec(
                keys[segment],
                deps=[AssetDep(delta)],
                group_name=group_name,
                kinds={"batch"},
                description=f"The profiles of the segment {segment} in Batch.",
            )
            for segment, delta in segments.items()
        ],
        name=name,
        can_subset=True,
        **arguments,
    )
    def push(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        wanted = [segment for segment, key in keys.items() if key in context.selected_asset_keys]
        # By their deltas: a folder may have the name of a segment, and would be selected with it.
        deltas = [f"{segment}_delta" for segment in wanted]
        failure: Failure | None = None
        try:
            result = run_push(project, deltas, (), options, fail_on_partial=fail_on_partial, log=context.log)
        except PushFailed as error:
            result, failure = error.result, Failure(str(error))
        except BatchSyncError as error:
            retry = not isinstance(error, ConfigurationError)
            raise Failure(str(error), allow_retries=retry) from error
        good = ("succeeded",) if fail_on_partial else ("succeeded", "partial")
        for segment in result.segments:
            if segment.status in good:
                yield MaterializeResult(asset_key=keys[segment.segment], metadata=_metadata(segment))
        if failure is not None:
            raise failure

    return push


def dbt_asset_key(model: Mapping[str, Any]) -> AssetKey:
    """The key that dagster-dbt gives a model by default; `model` is its node in the manifest."""
    config = model.get("config") or {}
    meta = config.get("meta") or model.get("meta") or {}
    if key := (meta.get("dagster") or {}).get("asset_key"):
        return AssetKey(key)
    if model.get("version"):
        return AssetKey([model["alias"]])
    schema = config.get("schema")
    return AssetKey([model["name"]] if schema is None else [schema, model["name"]])


def _segments(
    project: Project, select: tuple[str, ...], exclude: tuple[str, ...], translator: Translator | None
) -> dict[str, AssetKey]:
    """The segments by name, with the keys of their deltas."""
    from dbt_batch_sync import api
    from dbt_batch_sync.project.json_objects import load_json
    from dbt_batch_sync.project.manifest import MAX_MANIFEST_BYTES
    from dbt_batch_sync.project.profiles import read_project

    found = api.load_segments(project.options, api.Selection(select, exclude))
    path = read_project(project.options).manifest
    manifest: Mapping[str, Any] = load_json(path, MAX_MANIFEST_BYTES).items()
    keys: dict[str, AssetKey] = {}
    for segment in found:
        if segment.delta is None:
            raise ConfigurationError(
                f"the segment `{segment.name}` has no model `{segment.name}_delta`. Run: dbt-batch-sync "
                "generate, then dbt parse"
            )
        if translator is None:
            keys[segment.name] = dbt_asset_key(manifest["nodes"][segment.delta.unique_id])
        else:
            keys[segment.name] = translator.get_asset_spec(manifest, segment.delta.unique_id, None).key
    return keys


def _metadata(segment: "SegmentPushed") -> dict[str, object]:
    """What a materialization shows: the segment's part of the document of `push --json`."""
    return {name: value for name, value in asdict(segment).items() if value is not None}
