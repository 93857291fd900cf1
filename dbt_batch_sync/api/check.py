"""The verbs that read dbt's files: validate, lineage."""

from __future__ import annotations

from collections.abc import Sequence

from dbt_batch_sync.api.project import (
    Selection,
    load_manifest,
    opened,
    outputs_of,
    selected,
    syncs_of,
)
from dbt_batch_sync.artifacts.catalog import read_catalog
from dbt_batch_sync.connections.outputs import default_output
from dbt_batch_sync.connections.profiles import DbtOptions, read_project, read_target
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.mapping.lines import with_lines
from dbt_batch_sync.mapping.staleness import find_stale
from dbt_batch_sync.mapping.syncs import Sync, find_syncs
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.containers import compare
from dbt_batch_sync.push.known import check_access, read_known
from dbt_batch_sync.results.check import LineageResult, ValidateResult


def validate(dbt: DbtOptions, selection: Selection = Selection(), *, online: bool = False) -> ValidateResult:
    """Checks the mappings, also against the compiled SQL and the catalog if dbt has written them. `online`
    also checks the relations in the warehouse and Batch's credentials.

    Raises MappingError with all errors, each with its line.
    """
    from dbt_batch_sync.mapping.checks import Checks  # a push starts without it

    project, manifest = read_project(dbt), load_manifest(dbt)
    try:
        everything, problems = find_syncs(manifest)
        # If a mapping can't be read, the selection is unknown.
        syncs = everything if problems else selected(everything, selection, manifest)
        checks = Checks(manifest, read_catalog(project.catalog), default_output(dbt))
        problems += tuple(find_stale(syncs, manifest, project.directory))
        checks.check(everything, [sync.name for sync in syncs], problems)
    except MappingError as error:
        raise MappingError(with_lines(error.problems, project.directory)) from None
    steps = _reached(dbt, syncs) if online else ()
    return ValidateResult(
        True, tuple(sync.name for sync in syncs), checks.unchecked(syncs), online=online, steps=steps
    )


def _reached(dbt: DbtOptions, syncs: Sequence[Sync]) -> tuple[str, ...]:
    """Asks the warehouse and Batch for all that a push needs; what the next one does about audiences and
    catalogs. Raises Stopped when it can't.
    """
    outputs = outputs_of(dbt, syncs)
    steps: list[str] = []
    with opened(read_target(dbt)) as warehouse, Channels() as channels:
        for known in read_known(warehouse, syncs):
            check_access(warehouse, known)
            sync = known.sync
            step = compare(channels.talk(outputs[sync.name], sync.kind), sync, known.state)
            steps += [f"{step.does} (`{sync.name}`)"] if step else []
        for output in {each.name: each for each in outputs.values()}.values():
            channels.client(output).check()
    return tuple(steps)


def lineage(dbt: DbtOptions, selection: Selection = Selection()) -> LineageResult:
    """The source columns of each attribute of the selected syncs, from the models' compiled SQL."""
    from dbt_batch_sync.artifacts.compiled import CompiledSql  # a push starts without it
    from dbt_batch_sync.artifacts.lineage import trace

    project, manifest = read_project(dbt), load_manifest(dbt)
    syncs = syncs_of(manifest, selection, project.directory)
    compiled = CompiledSql(manifest, read_catalog(project.catalog))
    traced = tuple(trace(sync, compiled) for sync in syncs)
    return LineageResult(traced, compiled.not_compiled)
