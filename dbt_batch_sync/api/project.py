"""What every verb begins with: the selected syncs, their outputs, and the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone

from dbt_batch_sync import __version__
from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.artifacts.selection import select_syncs
from dbt_batch_sync.connections.outputs import Output, read_output
from dbt_batch_sync.connections.profiles import (
    DbtOptions,
    Project,
    WarehouseTarget,
    read_project,
    read_target,
)
from dbt_batch_sync.errors import ConfigurationError, MappingError, Stopped
from dbt_batch_sync.mapping.lines import with_lines
from dbt_batch_sync.mapping.staleness import find_stale
from dbt_batch_sync.mapping.syncs import Sync, read_syncs
from dbt_batch_sync.mapping.validation import listed
from dbt_batch_sync.push.guards import other_target
from dbt_batch_sync.push.known import Known, read_known
from dbt_batch_sync.warehouse import Warehouse, open_warehouse


@dataclass(frozen=True)
class Selection:
    """`--select` and `--exclude`: model names, `tag:…`, `path:…`. An empty `select` means every sync.
    `selector` names one of `selectors.yml`, instead of `select`.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    selector: str | None = None


def utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def load_manifest(dbt: DbtOptions) -> Manifest:
    """The project's manifest. Raises ManifestError when there is none, ConfigurationError for macros of
    another version.
    """
    manifest = read_manifest(read_project(dbt).manifest)
    if manifest.macros_version not in (None, __version__):
        raise ConfigurationError(
            f"this is dbt-batch-sync {__version__}, and the project's macros are of version "
            f"{manifest.macros_version}. Run: dbt-batch-sync init && dbt deps && dbt parse"
        )
    return manifest


def load_syncs(dbt: DbtOptions, selection: Selection) -> tuple[Sync, ...]:
    """The selected syncs. Raises MappingError unless all mappings are valid."""
    return syncs_of(load_manifest(dbt), selection, read_project(dbt))


def syncs_of(manifest: Manifest, selection: Selection, project: Project) -> tuple[Sync, ...]:
    """The same, of a manifest."""
    with located(project):
        syncs = selected(read_syncs(manifest), selection, manifest)
        names = None if selection == Selection() else [sync.name for sync in syncs]
        stale = [*find_stale(manifest, project, names)]
        if stale:
            raise MappingError(stale)
    return syncs


@contextmanager
def located(project: Project) -> Iterator[None]:
    """Adds the lines in the project's files to the errors of mappings."""
    try:
        yield
    except MappingError as error:
        raise MappingError(with_lines(error.problems, project.directory)) from None


def selected(syncs: tuple[Sync, ...], selection: Selection, manifest: Manifest) -> tuple[Sync, ...]:
    """Those of the syncs that are selected. Raises ConfigurationError when there are none."""
    disabled = [each.name for each in manifest.disabled if each.mapped]
    if not syncs and disabled:
        raise ConfigurationError(
            f"every model with `batch_sync` is disabled: {listed(disabled)}. If another target enables them, "
            "use it and run `dbt parse` with it"
        )
    if not syncs:
        raise ConfigurationError(
            "no model of this project has `batch_sync` under `config: meta:`. `dbt-batch-sync init` prints "
            "what to add; run `dbt parse` after it"
        )
    selector = None
    if selection.selector is not None:
        if selection.selector not in manifest.selectors:
            known = listed(manifest.selectors) or "none"
            raise ConfigurationError(f"`--selector`: there is no such selector; selectors.yml has: {known}")
        selector = manifest.selectors[selection.selector]
    return select_syncs(syncs, selection.select, selection.exclude, selector)


def outputs_of(dbt: DbtOptions, syncs: Sequence[Sync]) -> Mapping[str, Output]:
    """Where each sync goes, by its name."""
    names = dict.fromkeys(sync.mapping.output for sync in syncs)
    outputs = {name: read_output(dbt, name) for name in names}
    return {sync.name: outputs[sync.mapping.output] for sync in syncs}


def opened(target: WarehouseTarget) -> closing[Warehouse]:
    """The warehouse of a dbt target, for a `with` statement."""
    return closing(open_warehouse(target))


@contextmanager
def reading(dbt: DbtOptions, selection: Selection) -> Iterator[tuple[Warehouse, list[Known]]]:
    """Opens the warehouse and reads the selected syncs with the state of their ledgers."""
    syncs, target = load_syncs(dbt, selection), read_target(dbt)
    with opened(target) as warehouse:
        yield warehouse, known_to(target, warehouse, syncs)


def known_to(target: WarehouseTarget, warehouse: Warehouse, syncs: Sequence[Sync]) -> list[Known]:
    """The states of the syncs. Raises Stopped if they are those of another target."""
    known = read_known(warehouse, syncs)
    found = [why for each in known for why in other_target(each.sync, each.state, target.target_name)]
    if found:
        raise Stopped("; ".join(found))
    return known


def next_commands(syncs: Iterable[Sync]) -> tuple[str, ...]:
    """The commands that send the requested rows."""
    models = " ".join(name for each in syncs for name in each.names)
    names = " ".join(each.name for each in syncs)
    return (
        f"dbt run --select {models}",
        *(f"dbt-batch-sync {verb} --select {names}" for verb in ("plan", "push")),
    )
