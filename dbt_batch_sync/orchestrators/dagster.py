"""Dagster assets for the syncs in Batch, downstream of the assets of dagster-dbt.

from dbt_batch_sync.orchestrators.dagster import batch_sync_assets
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
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

from dbt_batch_sync.artifacts.json_files import load_json
from dbt_batch_sync.connections.profiles import read_project
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError
from dbt_batch_sync.orchestrators.run import PushFailed, PushTask

# Dagster reads the annotations of functions that it runs, so this module can't postpone them.
if TYPE_CHECKING:
    from dbt_batch_sync.api import PushOptions
    from dbt_batch_sync.mapping.syncs import Sync


class Translator(Protocol):
    """The part of a `DagsterDbtTranslator` that is used."""

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
    """The assets of the selected syncs (all without `select`). Each depends on the dbt asset of its delta.

    Needs the manifest (`dbt parse`), which names the syncs. All syncs that a run materializes are one push,
    so they share Batch's rate limit. `project_dir` to `variables` are dbt's flags, `env` adds to the
    environment for `env_var`, and `options` are those of `push`. A partial push succeeds with a warning in
    the log, unless `fail_on_partial` is set.

    A dbt model has dagster-dbt's default key, or `translator`'s. `arguments` are passed to
    `dagster.multi_asset`, for example `retry_policy` and `pool`.

    Raises:
        ConfigurationError: there is no manifest, a mapping is invalid, or a sync has no delta.
    """
    task = PushTask(
        project_dir, profiles_dir, profile, target, variables, env, select, exclude, options, fail_on_partial
    )
    from dbt_batch_sync.api import load_syncs

    syncs = load_syncs(task.dbt, task.selection)
    deltas, nouns = _delta_keys(task, syncs, translator), {each.name: each.kind.noun for each in syncs}
    prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix)
    keys = {sync: AssetKey([*prefix, sync]) for sync in deltas}
    specs = [
        AssetSpec(
            keys[sync],
            deps=[AssetDep(delta)],
            group_name=group_name,
            kinds={"batch"},
            description=f"The {nouns[sync]}s of the sync {sync} in Batch.",
        )
        for sync, delta in deltas.items()
    ]

    @multi_asset(specs=specs, name=name, can_subset=True, **arguments)
    def push(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        wanted = {sync: key for sync, key in keys.items() if key in context.selected_asset_keys}
        yield from _push(task, wanted, context)

    return push


def _push(
    task: PushTask, keys: Mapping[str, AssetKey], context: AssetExecutionContext
) -> Iterator[MaterializeResult]:
    """Pushes these syncs. Successful ones are materialized before a failure is raised."""
    failure = None
    try:
        # By their deltas, because a folder may have the name of a sync and would be selected too.
        result = replace(task, select=[f"{each}_delta" for each in keys], exclude=()).run(context.log)
    except PushFailed as error:
        result, failure = error.result, Failure(str(error))
    except BatchSyncError as error:
        raise Failure(str(error), allow_retries=not isinstance(error, ConfigurationError)) from error
    for sync in result.syncs:
        if task.accepts(sync.status):
            # The sync's part of the document of `push --json`.
            metadata = {name: value for name, value in asdict(sync).items() if value is not None}
            yield MaterializeResult(asset_key=keys[sync.sync], metadata=metadata)
    if failure is not None:
        raise failure


def _delta_keys(
    task: PushTask, syncs: "Sequence[Sync]", translator: Translator | None
) -> dict[str, AssetKey]:
    manifest: Mapping[str, Any] = load_json(read_project(task.dbt).manifest)
    keys: dict[str, AssetKey] = {}
    for sync in syncs:
        if sync.delta is None:
            raise ConfigurationError(
                f"the sync `{sync.name}` has no model `{sync.name}_delta`. Run: dbt-batch-sync "
                "generate, then dbt parse"
            )
        if translator is None:
            keys[sync.name] = _default_key(manifest["nodes"][sync.delta.unique_id])
        else:
            keys[sync.name] = translator.get_asset_spec(manifest, sync.delta.unique_id, None).key
    return keys


def _default_key(model: Mapping[str, Any]) -> AssetKey:
    """The key that dagster-dbt gives a model by default. `model` is its node in the manifest."""
    config = model.get("config") or {}
    meta = config.get("meta") or model.get("meta") or {}
    if key := (meta.get("dagster") or {}).get("asset_key"):
        return AssetKey(key)
    if model.get("version"):
        return AssetKey([model["alias"]])
    schema = config.get("schema")
    return AssetKey([model["name"]] if schema is None else [schema, model["name"]])
