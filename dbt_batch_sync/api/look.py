"""The verbs that only read: plan, audit, status, rejects, report, profile, validate, lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event

from dbt_batch_sync.api.project import (
    Selection,
    known_to,
    load_manifest,
    load_syncs,
    located,
    next_commands,
    opened,
    outputs_of,
    reading,
    selected,
    syncs_of,
    utc_now,
)
from dbt_batch_sync.artifacts.json_files import read_catalog
from dbt_batch_sync.audit import AuditObserver, AuditOptions, Wait
from dbt_batch_sync.connections.outputs import Output, default_output, read_output
from dbt_batch_sync.connections.profiles import DbtOptions, read_project, read_target
from dbt_batch_sync.errors import ConfigurationError, DeliveryError, Stopped
from dbt_batch_sync.mapping.staleness import find_stale, find_uncompared
from dbt_batch_sync.mapping.syncs import Sync, find_syncs, sync_notes
from dbt_batch_sync.push import overview
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.containers import compare
from dbt_batch_sync.push.erasing import follow
from dbt_batch_sync.push.known import Known, check_access, read_each
from dbt_batch_sync.push.lookup import look_up
from dbt_batch_sync.push.plan import plan_sync
from dbt_batch_sync.results.look import (
    AuditResult,
    LineageResult,
    PlanResult,
    ProfileResult,
    RejectsResult,
    ReportResult,
    StatusResult,
    SyncPlanned,
    ValidateResult,
)


def audit(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    options: AuditOptions = AuditOptions(),
    *,
    observer: AuditObserver | None = None,
    wait: Wait | None = None,
) -> AuditResult:
    """Exports the profiles of the selected syncs from Batch and compares them with what was sent.

    Takes minutes or more, like the export. Appends the differences to the ledger, without values.
    """
    from dbt_batch_sync.audit.run import Audit  # a push starts without it

    syncs = load_syncs(dbt, selection)
    outputs, target = outputs_of(dbt, syncs), read_target(dbt)
    with opened(target) as warehouse, Channels() as channels:
        run = Audit(warehouse, channels, outputs, options, wait or Wait(), observer or AuditObserver())
        audited = tuple(run.run(known_to(target, warehouse, syncs)))
    repaired = [each for each in syncs if any(one.sync == each.name and one.repairs for one in audited)]
    return AuditResult(options.tolerance, audited, next_commands(repaired) if repaired else ())


def plan(dbt: DbtOptions, selection: Selection = Selection(), *, show_values: bool = False) -> PlanResult:
    """What a push would do now. Writes and sends nothing. Masks samples unless `show_values`."""
    syncs = load_syncs(dbt, selection)
    outputs = outputs_of(dbt, syncs)
    target = read_target(dbt)
    with opened(target) as warehouse, Channels() as channels:
        found, wrong = read_each(warehouse, syncs)
        plans: dict[str, SyncPlanned] = {}
        for known in found:
            name, output = known.sync.name, outputs[known.sync.name]
            try:
                planned = plan_sync(warehouse, known, output, target.target_name, show_values=show_values)
                plans[name] = _compared(planned, known, channels, output)
            except ConfigurationError as error:
                wrong[name] = error
    if wrong and not plans:
        raise next(iter(wrong.values()))
    for sync in syncs:
        if sync.name in wrong:
            stops = (str(wrong[sync.name]),)
            plans[sync.name] = SyncPlanned(sync.name, None, stops=stops, kind=sync.kind.name)
    return PlanResult(tuple(plans[sync.name] for sync in syncs))


def _compared(planned: SyncPlanned, known: Known, channels: Channels, output: Output) -> SyncPlanned:
    """The plan, with the steps that the audience or the catalog needs first."""
    if planned.delta_id is None or known.sync.kind.container is None:
        return planned
    try:
        step = compare(channels.talk(output, known.sync.kind), known.sync, known.state)
    except (DeliveryError, Stopped) as error:
        return replace(planned, stops=(*planned.stops, str(error)))
    return replace(planned, steps=(step.does,)) if step else planned


def status(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    *,
    limit: int = 10,
    wait: bool = False,
    stop: Event | None = None,
) -> StatusResult:
    """The last runs of the selected syncs, their parked rows and open resend requests.

    `wait`: polls Batch until all erasures are done or `stop` is set, and records its answers.
    """

    def output(sync: Sync) -> Output:
        return read_output(dbt, sync.mapping.output)

    with reading(dbt, selection) as (warehouse, known), Channels() as channels:
        notes: dict[str, str] = {}
        if wait:
            ended = stop or Event()
            notes = follow(known, lambda sync: channels.apps(output(sync), sync.kind, ended))
        statuses = overview.statuses(known, limit)
        sizes = overview.sizes(warehouse, known, lambda sync: channels.talk(output(sync), sync.kind))
        return StatusResult(
            tuple(
                replace(each, **{"note": notes.get(each.sync), **size})
                for each, size in zip(statuses, sizes, strict=True)
            )
        )


def rejects(dbt: DbtOptions, selection: Selection = Selection(), *, profiles: int = 0) -> RejectsResult:
    """The open rejections of the selected syncs by attribute and reason, with up to `profiles` keys each."""
    with reading(dbt, selection) as (warehouse, known):
        return RejectsResult(tuple(overview.rejections(warehouse, known, profiles)))


def report(dbt: DbtOptions, selection: Selection = Selection(), *, limit: int = 50) -> ReportResult:
    """The last runs of the selected syncs (`limit` each), what their deltas would send, and the open
    rejections.
    """
    target = read_target(dbt)
    with reading(dbt, selection) as (warehouse, known):
        syncs = tuple(overview.reports(warehouse, known, limit))
        return ReportResult(utc_now(), target.target_name, syncs, read_project(dbt).name)


def profile(
    dbt: DbtOptions, key: str, selection: Selection = Selection(), *, show_values: bool = False
) -> ProfileResult:
    """What the selected syncs last sent for one profile, what is queued and what was rejected."""
    with reading(dbt, selection) as (warehouse, known):
        found = (look_up(warehouse, each, key, show_values=show_values) for each in known)
        return ProfileResult(key, tuple(found))


def validate(dbt: DbtOptions, selection: Selection = Selection(), *, online: bool = False) -> ValidateResult:
    """Checks the mappings, also against the compiled SQL and the catalog if dbt has written them. `online`
    also checks the relations in the warehouse and Batch's credentials.

    Raises MappingError with all errors, each with its line.
    """
    from dbt_batch_sync.mapping.checks import Checks  # a push starts without it

    project, manifest = read_project(dbt), load_manifest(dbt)
    with located(project):
        everything, problems = find_syncs(manifest)
        # If a mapping can't be read, the selection is unknown.
        syncs = everything if problems else selected(everything, selection, manifest)
        checks = Checks(manifest, read_catalog(project.target_path), default_output(dbt))
        problems += tuple(find_stale(manifest, project))
        checks.check(everything, [sync.name for sync in syncs], problems)
    steps = _reached(dbt, syncs) if online else ()
    return ValidateResult(
        True,
        tuple(sync.name for sync in syncs),
        checks.unchecked(syncs),
        online=online,
        steps=steps,
        notes=(
            *sync_notes(syncs, manifest.adapter_type),
            *find_uncompared(manifest, project, [sync.name for sync in syncs]),
        ),
    )


def _reached(dbt: DbtOptions, syncs: Sequence[Sync]) -> tuple[str, ...]:
    """Asks the warehouse and Batch for all that a push needs; what the next one does about audiences and
    catalogs. Raises Stopped when it can't.
    """
    outputs, target = outputs_of(dbt, syncs), read_target(dbt)
    steps: list[str] = []
    with opened(target) as warehouse, Channels() as channels:
        for known in known_to(target, warehouse, syncs):
            check_access(warehouse, known)
            sync = known.sync
            step = compare(channels.talk(outputs[sync.name], sync.kind), sync, known.state)
            steps += [f"{step.does} (`{sync.name}`)"] if step else []
        for output in {each.name: each for each in outputs.values()}.values():
            channels.check(output)
    return tuple(steps)


def lineage(dbt: DbtOptions, selection: Selection = Selection()) -> LineageResult:
    """The source columns of each attribute of the selected syncs, from the models' compiled SQL."""
    from dbt_batch_sync.artifacts.compiled import CompiledSql, trace  # a push starts without it

    project, manifest = read_project(dbt), load_manifest(dbt)
    syncs = syncs_of(manifest, selection, project)
    compiled = CompiledSql(manifest, read_catalog(project.target_path))
    traced = tuple(trace(sync, compiled) for sync in syncs)
    return LineageResult(traced, compiled.not_compiled)
