"""Assembles the parts: the functions that the command line and orchestrators call.

    from dbt_batch_sync.api import DbtOptions, push
    result = push(DbtOptions(project_dir=Path("."), environ=os.environ))

Prints nothing, asks nothing and handles no signals. Set `stop` to end a push early.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from threading import Event

from dbt_batch_sync import __version__
from dbt_batch_sync.artifacts.build_results import read_build_results
from dbt_batch_sync.artifacts.catalog import read_catalog
from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.artifacts.selection import select_syncs
from dbt_batch_sync.audit import AuditObserver, AuditOptions, Wait
from dbt_batch_sync.connections.outputs import Output, default_output, read_output
from dbt_batch_sync.connections.profiles import DbtOptions, WarehouseTarget, read_project, read_target
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, DeliveryError, MappingError, Stopped
from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.ledger.requests import Scope, append_requests
from dbt_batch_sync.mapping.lines import with_lines
from dbt_batch_sync.mapping.staleness import find_stale
from dbt_batch_sync.mapping.syncs import Sync, find_syncs, read_syncs
from dbt_batch_sync.notifications import call_hooks
from dbt_batch_sync.push import overview
from dbt_batch_sync.push.access import check_access
from dbt_batch_sync.push.containers import compare
from dbt_batch_sync.push.erasing import follow
from dbt_batch_sync.push.gate import Gate
from dbt_batch_sync.push.known import Known, by_ledger, read_each, read_known
from dbt_batch_sync.push.lookup import look_up
from dbt_batch_sync.push.plan import plan_sync
from dbt_batch_sync.push.planned import Planned, read_plan
from dbt_batch_sync.push.session import Channels, PushOptions, Session, Target
from dbt_batch_sync.push.sync_push import Clock, Observer
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.results import (
    AuditResult,
    LineageResult,
    PlanResult,
    ProfileResult,
    PushResult,
    RejectsResult,
    ReportResult,
    ResendResult,
    StatusResult,
    SyncPlanned,
    SyncPushed,
    ValidateResult,
)
from dbt_batch_sync.telemetry import record_push, record_sync, span
from dbt_batch_sync.warehouse import Warehouse, open_warehouse


def system_clock() -> Clock:
    """The system's clock and sleep."""
    return Clock(lambda: datetime.now(timezone.utc).replace(tzinfo=None), time.monotonic)


@dataclass(frozen=True)
class Selection:
    """`--select` and `--exclude`: model names, `tag:…`, `path:…`. An empty `select` means every sync.
    `selector` names one of `selectors.yml`, instead of `select`.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    selector: str | None = None


class _Silent:
    """An observer that shows nothing."""

    def started(self, work: Work) -> None: ...

    def progressed(self, run: Run) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...

    def exporting(self, export_id: str) -> None: ...

    def state(self, line: str) -> None: ...

    def told(self, message: str) -> None: ...


def push(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    options: PushOptions = PushOptions(),  # noqa: B008 - frozen
    *,
    stop: Event | None = None,
    observer: Observer | None = None,
    clock: Clock | None = None,
) -> PushResult:
    """Sends the deltas of the selected syncs in turn and records what Batch accepts.

    If a sync fails, its error is in its result and the next one is pushed. Once `stop` is set, no other sync
    starts. The output's hooks are called at the end. Raises ConfigurationError and WarehouseError if no sync
    could start.
    """
    return _run(Session.push, dbt, selection, options, stop, observer, clock)


def adopt(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    *,
    audited: AuditResult | None = None,
    stop: Event | None = None,
    clock: Clock | None = None,
) -> PushResult:
    """Settles the deltas of the selected syncs without sending them, for profiles that Batch already has.

    `audited`: the result of `audit` with `AuditOptions(adopts=True)`; other deltas are left alone.
    """
    found = None
    if audited is not None:
        found = {each.sync: Planned(each.sync, each.mapping, each.delta_id) for each in audited.syncs}
    return _run(Session.adopt, dbt, selection, PushOptions(force=True, plan=found), stop, None, clock)


def _run(
    act: Callable[[Session, Target], SyncPushed],
    dbt: DbtOptions,
    selection: Selection,
    options: PushOptions,
    stop: Event | None,
    observer: Observer | None,
    clock: Clock | None,
) -> PushResult:
    clock, stop = clock or system_clock(), stop or Event()
    syncs = load_syncs(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {sync.mapping.output for sync in syncs}}
    target = read_target(dbt)
    started, run_id = clock.now(), str(uuid.uuid4())
    pushed: list[SyncPushed] = []
    wrong: list[ConfigurationError] = []

    with span("push" if act is Session.push else "adopt", dry_run=options.dry_run) as describe:

        def ended(pushed: Iterable[SyncPushed]) -> PushResult:
            result = PushResult(run_id, started, clock.now(), tuple(pushed))
            record_push(result, describe)
            if act is Session.push and not options.dry_run:
                call_hooks(result, {each.name: outputs[each.mapping.output] for each in syncs})
            return result

        try:
            gate = _gate(dbt, options, outputs.values()) if act is Session.push else None
            with opened(target) as warehouse, Channels() as channels:
                session = Session(
                    warehouse,
                    channels,
                    options,
                    run_id,
                    clock,
                    stop,
                    observer or _Silent(),
                    gate,
                    target.target_name,
                )
                for name, one in _pushes(session, act, syncs, outputs):
                    with span("sync", sync=name) as describe_sync:
                        try:
                            pushed.append(one())
                        except ConfigurationError as error:
                            wrong.append(error)
                            pushed.append(_failed(syncs[len(pushed)], str(error)))
                        record_sync(pushed[-1], describe_sync, count=not options.dry_run)
        except Exception as error:
            said = str(error) if isinstance(error, BatchSyncError) else type(error).__name__
            ended([*pushed, *(_failed(each, said) for each in syncs[len(pushed) :])])
            raise
        result = ended(pushed)
    if len(wrong) == len(pushed):
        raise wrong[0]
    return result


def _pushes(
    session: Session,
    act: Callable[[Session, Target], SyncPushed],
    syncs: Sequence[Sync],
    outputs: Mapping[str | None, Output],
) -> Iterator[tuple[str, Callable[[], SyncPushed]]]:
    """The name of each sync and the function that pushes it. Syncs with nothing to send are recorded together
    first.
    """
    targets, wrong = session.read(syncs, outputs)
    known = session.push_idle(targets)
    by_name = {target.name: target for target in targets}

    def one(sync: Sync) -> SyncPushed:
        if sync.name in known:
            return known[sync.name]
        if session.stop.is_set():
            return SyncPushed(sync.name, sync.kind.name, "skipped")
        if sync.name in wrong:
            raise wrong[sync.name]
        return act(session, by_name[sync.name])

    for sync in syncs:
        yield sync.name, partial(one, sync)


def _failed(sync: Sync, error: str) -> SyncPushed:
    return SyncPushed(sync.name, sync.kind.name, "failed", error=error)


def _gate(dbt: DbtOptions, options: PushOptions, outputs: Iterable[Output]) -> Gate:
    if not options.require_tests and not any(each.require_tests for each in outputs):
        return Gate(max_age=options.max_age)
    path = read_project(dbt).build_results
    results = read_build_results(path) if path.is_file() else None
    return Gate(results, load_manifest(dbt).tests, options.max_age)


def audit(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    options: AuditOptions = AuditOptions(),  # noqa: B008 - frozen
    *,
    observer: AuditObserver | None = None,
    wait: Wait | None = None,
) -> AuditResult:
    """Exports the profiles of the selected syncs from Batch and compares them with what was sent.

    Takes minutes or more, like the export. Appends the differences to the ledger, without values.
    """
    from dbt_batch_sync.audit.run import Audit  # a push starts without it
    from dbt_batch_sync.batch_api.exports import Exports, Patience

    syncs = load_syncs(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {sync.mapping.output for sync in syncs}}
    watching, waits = observer or _Silent(), wait or Wait(time.sleep, time.monotonic)
    with opened(read_target(dbt)) as warehouse, Channels() as channels:

        def exports_of(output: Output) -> Exports:
            patience = Patience(waits.seconds, random.random, watching.told, output.max_attempts)
            return Exports(channels.client(output), patience)

        talk = lambda sync: channels.talk(outputs[sync.mapping.output], sync.kind)  # noqa: E731
        run = Audit(warehouse, exports_of, talk, options, waits, watching)
        audited = tuple(run.run(read_known(warehouse, syncs), outputs))
    repaired = [each for each in syncs if any(one.sync == each.name and one.repairs for one in audited)]
    return AuditResult(options.tolerance, audited, _next_commands(repaired) if repaired else ())


def _next_commands(syncs: Sequence[Sync]) -> tuple[str, ...]:
    """The commands that send the requested rows."""
    build, push_ = (
        " ".join(name for each in syncs for name in each.names),
        " ".join(each.name for each in syncs),
    )
    return (
        f"dbt run --select {build}",
        *(f"dbt-batch-sync {verb} --select {push_}" for verb in ("plan", "push")),
    )


def plan(dbt: DbtOptions, selection: Selection = Selection(), *, show_values: bool = False) -> PlanResult:
    """What a push would do now. Writes and sends nothing. Masks samples unless `show_values`."""
    syncs = load_syncs(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {sync.mapping.output for sync in syncs}}
    target = read_target(dbt)
    with opened(target) as warehouse, Channels() as channels:
        found, wrong = read_each(warehouse, syncs)
        plans: dict[str, SyncPlanned] = {}
        for known in found:
            output = outputs[known.sync.mapping.output]
            try:
                planned = plan_sync(warehouse, known, output, target.target_name, show_values=show_values)
                plans[known.sync.name] = _compared(planned, known, outputs, channels)
            except ConfigurationError as error:
                wrong[known.sync.name] = error
    if wrong and not plans:
        raise next(iter(wrong.values()))
    for name, problem in wrong.items():
        plans[name] = SyncPlanned(name, None, stops=(str(problem),))
    return PlanResult(tuple(plans[sync.name] for sync in syncs))


def _compared(
    planned: SyncPlanned, known: Known, outputs: Mapping[str | None, Output], channels: Channels
) -> SyncPlanned:
    """The plan, with the steps that the audience or the catalog needs first."""
    if known.sync.kind.container is None or planned.delta_id is None:
        return planned
    talk = channels.talk(outputs[known.sync.mapping.output], known.sync.kind)
    try:
        difference = compare(talk, known.sync, known.state)
    except DeliveryError as error:
        return replace(planned, stops=(*planned.stops, str(error)))
    steps = tuple(step.does for step in difference.steps)
    return replace(planned, steps=steps, stops=(*planned.stops, *difference.stops))


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
    with _reading(dbt, selection) as (warehouse, known), Channels() as channels:
        if wait:
            signal = stop or Event()
            follow(
                warehouse,
                known,
                lambda sync: channels.apps(read_output(dbt, sync.mapping.output), sync.kind, signal),
            )
        statuses = overview.statuses(warehouse, known, limit)
        sizes = overview.sizes(
            warehouse, known, lambda sync: channels.talk(read_output(dbt, sync.mapping.output), sync.kind)
        )
        return StatusResult(tuple(replace(each, **size) for each, size in zip(statuses, sizes, strict=True)))


def rejects(dbt: DbtOptions, selection: Selection = Selection(), *, profiles: int = 0) -> RejectsResult:
    """The open rejections of the selected syncs by attribute and reason, with up to `profiles` keys each."""
    with _reading(dbt, selection) as (warehouse, known):
        return RejectsResult(tuple(overview.rejections(warehouse, known, profiles)))


def report(
    dbt: DbtOptions, selection: Selection = Selection(), *, limit: int = 50, clock: Clock | None = None
) -> ReportResult:
    """The last runs of the selected syncs (`limit` each), what their deltas would send, and the open
    rejections.
    """
    target = read_target(dbt)
    with _reading(dbt, selection) as (warehouse, known):
        syncs = tuple(overview.reports(warehouse, known, limit))
        return ReportResult(
            (clock or system_clock()).now(), target.target_name, syncs, read_project(dbt).name
        )


def profile(
    dbt: DbtOptions, key: str, selection: Selection = Selection(), *, show_values: bool = False
) -> ProfileResult:
    """What the selected syncs last sent for one profile, what is queued and what was rejected."""
    with _reading(dbt, selection) as (warehouse, known):
        found = (look_up(warehouse, each, key, show_values=show_values) for each in known)
        return ProfileResult(key, tuple(found))


def resend(dbt: DbtOptions, scope: Scope, selection: Selection = Selection()) -> ResendResult:
    """Requests that the next `dbt run` of the selected syncs sends all rows again, or those rejected."""
    with _reading(dbt, selection) as (_, known):
        erasing = [each.sync.name for each in known if each.sync.kind.erases is not None]
        if erasing:
            raise ConfigurationError(
                f"resend: {', '.join(f'`{name}`' for name in erasing)} erases people, and a request for "
                "erasure is never repeated. Every push retries what Batch rejected. "
                f"Exclude it: --exclude {' '.join(erasing)}"
            )
        _refuse_resend(known)
        requests = [
            request
            for journal, _, names in by_ledger(known)
            for request in append_requests(journal, scope, names)
        ]
    notes = (f"{each.sync.name}: {each.sync.kind.on_resend}" for each in known if each.sync.kind.on_resend)
    commands = _next_commands([each.sync for each in known])
    return ResendResult(scope, tuple(requests), commands, tuple(notes) if scope == "all" else ())


def _refuse_resend(known: Iterable[Known]) -> None:
    names = [each.sync.name for each in known if not each.sync.kind.repeatable]
    if names:
        raise ConfigurationError(
            f"`{', '.join(names)}`: events are never resent, because each could start a second message to a "
            f"person. Exclude them: --exclude {' '.join(names)}"
        )


@contextmanager
def _reading(dbt: DbtOptions, selection: Selection) -> Iterator[tuple[Warehouse, list[Known]]]:
    """Opens the warehouse and reads the selected syncs with the state of their ledgers."""
    syncs = load_syncs(dbt, selection)
    with opened(read_target(dbt)) as warehouse:
        yield warehouse, read_known(warehouse, syncs)


def validate(dbt: DbtOptions, selection: Selection = Selection(), *, online: bool = False) -> ValidateResult:
    """Checks the mappings, also against the compiled SQL and the catalog if dbt has written them. `online`
    also checks the relations in the warehouse and Batch's credentials.

    Raises MappingError with all errors, each with its line.
    """
    from dbt_batch_sync.mapping.checks import Checks  # a push starts without it

    project, manifest = read_project(dbt), load_manifest(dbt)
    _check_version(manifest)
    try:
        everything, problems = find_syncs(manifest)
        # If a mapping can't be read, the selection is unknown.
        syncs = everything if problems else _selected(everything, selection, manifest)
        checks = Checks(manifest, read_catalog(project.catalog), default_output(dbt))
        problems += tuple(find_stale(syncs, manifest, project.directory))
        checks.check(everything, [sync.name for sync in syncs], problems)
    except MappingError as error:
        raise MappingError(with_lines(error.problems, project.directory)) from None
    steps: list[str] = []
    if online:
        outputs = {name: read_output(dbt, name) for name in {sync.mapping.output for sync in syncs}}
        with opened(read_target(dbt)) as warehouse, Channels() as channels:
            for known in read_known(warehouse, syncs):
                check_access(warehouse, known)
                steps += _steps(known, outputs, channels)
            for output in outputs.values():
                channels.client(output).check()
    names = tuple(sync.mapping.sync for sync in syncs)
    return ValidateResult(names, online, checks.unchecked(syncs), tuple(steps))


def _steps(known: Known, outputs: Mapping[str | None, Output], channels: Channels) -> list[str]:
    """What the next push does about the audience or the catalog. Raises Stopped if it can't."""
    difference = compare(
        channels.talk(outputs[known.sync.mapping.output], known.sync.kind), known.sync, known.state
    )
    if difference.stops:
        raise Stopped("; ".join(difference.stops))
    return [f"{step.does} (`{known.sync.name}`)" for step in difference.steps]


def lineage(dbt: DbtOptions, selection: Selection = Selection()) -> LineageResult:
    """The source columns of each attribute of the selected syncs, from the models' compiled SQL."""
    from dbt_batch_sync.artifacts.compiled import CompiledSql  # a push starts without it
    from dbt_batch_sync.artifacts.lineage import trace

    manifest = load_manifest(dbt)
    syncs = _syncs(manifest, selection, read_project(dbt).directory)
    compiled = CompiledSql(manifest, read_catalog(read_project(dbt).catalog))
    traced = tuple(trace(sync, compiled) for sync in syncs)
    return LineageResult(traced, compiled.not_compiled)


def load_manifest(dbt: DbtOptions) -> Manifest:
    """The project's manifest. Raises ManifestError if there is none."""
    return read_manifest(read_project(dbt).manifest)


def load_syncs(dbt: DbtOptions, selection: Selection) -> tuple[Sync, ...]:
    """The selected syncs. Raises MappingError unless all mappings are valid."""
    return _syncs(load_manifest(dbt), selection, read_project(dbt).directory)


def _syncs(manifest: Manifest, selection: Selection, directory: Path) -> tuple[Sync, ...]:
    _check_version(manifest)
    try:
        syncs = _selected(read_syncs(manifest), selection, manifest)
    except MappingError as error:
        raise MappingError(with_lines(error.problems, directory)) from None
    stale = tuple(find_stale(syncs, manifest, directory))
    if stale:
        raise MappingError(with_lines(stale, directory))
    return syncs


def _check_version(manifest: Manifest) -> None:
    if manifest.macros_version not in (None, __version__):
        raise ConfigurationError(
            f"this is dbt-batch-sync {__version__}, and the project's macros are of version "
            f"{manifest.macros_version}. Run: dbt-batch-sync init && dbt deps && dbt parse"
        )


def _selected(syncs: tuple[Sync, ...], selection: Selection, manifest: Manifest) -> tuple[Sync, ...]:
    if not syncs:
        raise ConfigurationError(
            "no model of this project has `batch_sync` under `config: meta:`. `dbt-batch-sync init` prints "
            "what to add; "
            "run `dbt parse` after it"
        )
    if selection.selector is not None and selection.selector not in manifest.selectors:
        known = ", ".join(f"`{name}`" for name in manifest.selectors) or "none"
        raise ConfigurationError(f"`--selector`: there is no such selector; selectors.yml has: {known}")
    selector = manifest.selectors.get(selection.selector) if selection.selector is not None else None
    return select_syncs(syncs, selection.select, selection.exclude, selector)


@contextmanager
def opened(target: WarehouseTarget) -> Iterator[Warehouse]:
    """Opens the warehouse of a dbt target and closes it afterwards."""
    warehouse = open_warehouse(target)
    try:
        yield warehouse
    finally:
        warehouse.close()


__all__ = [
    "AuditOptions",
    "DbtOptions",
    "PushOptions",
    "Selection",
    "adopt",
    "audit",
    "lineage",
    "plan",
    "profile",
    "push",
    "read_plan",
    "rejects",
    "report",
    "resend",
    "status",
    "validate",
]
