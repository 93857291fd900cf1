"""The verbs that send data, or request it: push, adopt, resend."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Event

from dbt_batch_sync.api.project import (
    Selection,
    load_manifest,
    next_commands,
    opened,
    outputs_of,
    reading,
    syncs_of,
    utc_now,
)
from dbt_batch_sync.artifacts.json_files import read_build_results
from dbt_batch_sync.artifacts.manifest import Manifest
from dbt_batch_sync.connections.outputs import Output, default_output
from dbt_batch_sync.connections.profiles import DbtOptions, Project, read_project, read_target
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError
from dbt_batch_sync.ledger.requests import Scope, append_requests
from dbt_batch_sync.mapping.staleness import find_uncompared
from dbt_batch_sync.mapping.syncs import Sync, read_syncs
from dbt_batch_sync.mapping.validation import listed
from dbt_batch_sync.notifications import call_hooks
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.guards import Gate
from dbt_batch_sync.push.known import Known, by_ledger
from dbt_batch_sync.push.plan import Planned
from dbt_batch_sync.push.session import PushOptions, Session
from dbt_batch_sync.push.sync_push import Clock, Observer
from dbt_batch_sync.results.look import AuditResult
from dbt_batch_sync.results.sync import PushResult, ResendResult, SyncPushed
from dbt_batch_sync.telemetry import record_push, record_sync, span


def push(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    options: PushOptions = PushOptions(),
    *,
    stop: Event | None = None,
    observer: Observer | None = None,
) -> PushResult:
    """Sends the deltas of the selected syncs in turn and records what Batch accepts.

    If a sync fails, its error is in its result and the next one is pushed. Once `stop` is set, no other sync
    starts. The output's hooks are called at the end. Raises ConfigurationError and WarehouseError if no sync
    could start.
    """
    return _run(Session.push, dbt, selection, options, stop, observer)


def adopt(
    dbt: DbtOptions,
    selection: Selection = Selection(),
    *,
    audited: AuditResult | None = None,
    stop: Event | None = None,
) -> PushResult:
    """Settles the deltas of the selected syncs without sending them, for rows that Batch already has.

    `audited`: the result of `audit` with `AuditOptions(adopts=True)`; syncs and deltas that it did not
    compare are left alone. Raises ConfigurationError if it compared none.
    """
    found = None
    if audited is not None:
        compared = [each for each in audited.syncs if each.skipped is None and each.error is None]
        if not compared:
            raise ConfigurationError(
                "adopt --from-export: no selected sync was compared. Batch exports profiles only; adopt "
                "other kinds without --from-export"
            )
        found = {each.sync: Planned(each.sync, each.mapping, each.delta_id) for each in compared}
        selection = Selection(tuple(found))
    return _run(Session.adopt, dbt, selection, PushOptions(force=True, plan=found), stop)


def _run(
    act: Callable[[Session, Known], SyncPushed],
    dbt: DbtOptions,
    selection: Selection,
    options: PushOptions,
    stop: Event | None,
    observer: Observer | None = None,
) -> PushResult:
    manifest, project, pushes = load_manifest(dbt), read_project(dbt), act is Session.push
    syncs = syncs_of(manifest, selection, project)
    notes = tuple(find_uncompared(manifest, project, [sync.name for sync in syncs]))
    outputs, target = outputs_of(dbt, syncs), read_target(dbt)
    wrong = _rivals(dbt, manifest, syncs, outputs)
    started, run_id = utc_now(), str(uuid.uuid4())
    pushed: list[SyncPushed] = []

    with span("push" if pushes else "adopt", dry_run=options.dry_run) as describe:

        def ended(pushed: Iterable[SyncPushed]) -> PushResult:
            result = PushResult(run_id, started, utc_now(), tuple(pushed), notes)
            record_push(result, describe)
            if pushes and not options.dry_run:
                call_hooks(result, outputs)
            return result

        try:
            gate = _gate(options, outputs.values(), manifest, project) if pushes else None
            with opened(target) as warehouse, Channels() as channels:
                session = Session(
                    warehouse,
                    outputs,
                    channels,
                    options,
                    run_id,
                    Clock(utc_now, time.monotonic),
                    stop or Event(),
                    observer or Observer(),
                    gate,
                    target.target_name,
                )
                for each in _push_each(session, act, syncs, wrong):
                    pushed.append(each)
        except Exception as error:
            said = str(error) if isinstance(error, BatchSyncError) else type(error).__name__
            ended([*pushed, *(_failed(each, said) for each in syncs[len(pushed) :])])
            raise
        result = ended(pushed)
    if all(each.error is not None and each.sync in wrong for each in pushed):
        raise wrong[syncs[0].name]
    return result


def _rivals(
    dbt: DbtOptions, manifest: Manifest, syncs: Sequence[Sync], outputs: Mapping[str, Output]
) -> dict[str, ConfigurationError]:
    """The errors of syncs that erase people if another sync, selected or not, does so through the same
    output: each would request a person's erasure.
    """
    found = {}
    for sync in (each for each in syncs if each.kind.erases):
        output = outputs[sync.name].name
        for other in read_syncs(manifest):
            if not other.kind.erases or other.name == sync.name:
                continue
            if (other.mapping.output or default_output(dbt)) == output:
                found[sync.name] = ConfigurationError(
                    f"nothing was sent: `{sync.name}` and `{other.name}` both erase people through the "
                    f"output `{output}`. A person in both would be erased twice, perhaps after coming back: "
                    "merge them into one model"
                )
    return found


def _push_each(
    session: Session,
    act: Callable[[Session, Known], SyncPushed],
    syncs: Sequence[Sync],
    wrong: dict[str, ConfigurationError],
) -> Iterator[SyncPushed]:
    """Pushes the syncs that are not `wrong` in turn, and adds to `wrong` what is found to be so. Those with
    nothing to send are done together before.
    """
    found, unknown = session.read([each for each in syncs if each.name not in wrong])
    wrong |= unknown
    idle, known = session.push_idle(found), {each.sync.name: each for each in found}
    for sync in syncs:
        with span("sync", sync=sync.name) as describe:
            if sync.name in idle:
                pushed = idle[sync.name]
            elif session.stop.is_set():
                pushed = SyncPushed(sync.name, sync.kind.name, "skipped")
            elif sync.name in wrong:
                pushed = _failed(sync, str(wrong[sync.name]))
            else:
                try:
                    pushed = act(session, known[sync.name])
                except ConfigurationError as error:
                    wrong[sync.name] = error
                    pushed = _failed(sync, str(error))
            record_sync(pushed, describe, count=not session.options.dry_run)
        yield pushed


def _failed(sync: Sync, error: str) -> SyncPushed:
    return SyncPushed(sync.name, sync.kind.name, "failed", error=error)


def _gate(options: PushOptions, outputs: Iterable[Output], manifest: Manifest, project: Project) -> Gate:
    if not options.require_tests and not any(each.require_tests for each in outputs):
        return Gate(max_age=options.max_age)
    return Gate(read_build_results(project.target_path), manifest.tests, options.max_age)


def resend(dbt: DbtOptions, scope: Scope, selection: Selection = Selection()) -> ResendResult:
    """Requests that the next `dbt run` of the selected syncs sends all rows again, or those rejected."""
    with reading(dbt, selection) as (_, known):
        _refuse_resend([each.sync for each in known])
        requests = [
            request
            for journal, names in by_ledger(known)
            for request in append_requests(journal, scope, names)
        ]
    notes = (f"{each.sync.name}: {each.sync.kind.on_resend}" for each in known if each.sync.kind.on_resend)
    commands = next_commands([each.sync for each in known])
    return ResendResult(scope, tuple(requests), commands, tuple(notes) if scope == "all" else ())


def _refuse_resend(syncs: Sequence[Sync]) -> None:
    """Raises ConfigurationError for syncs whose rows must not be sent twice."""
    erasing = [each.name for each in syncs if each.kind.erases]
    if erasing:
        raise ConfigurationError(
            f"resend: {listed(erasing)} erases people, and a request for erasure is never repeated. Every "
            f"push retries what Batch rejected. Exclude it: --exclude {' '.join(erasing)}"
        )
    events = [each.name for each in syncs if not each.kind.repeatable]
    if events:
        raise ConfigurationError(
            f"{listed(events)}: events are never resent, because each could start a second message to a "
            f"person. Exclude them: --exclude {' '.join(events)}"
        )
