"""One push of several syncs: what they share, and the steps from a delta to sending it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from threading import Event as Signal

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.chunks import chunk_rows
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, Stopped, WarehouseError
from dbt_batch_sync.ledger.claims import Hold, identity
from dbt_batch_sync.ledger.records import PHASES, Run
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.containers import check_adopted, prepare, wait
from dbt_batch_sync.push.erasing import asked
from dbt_batch_sync.push.guards import Gate, check_guards
from dbt_batch_sync.push.known import Known, build_command, by_ledger, parked_rows, read_each
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.plan import Planned, check_planned
from dbt_batch_sync.push.source import Source, Work, open_work
from dbt_batch_sync.push.sync_push import Clock, Observer, SyncPush, ended, status_of
from dbt_batch_sync.results.sync import SyncPushed
from dbt_batch_sync.telemetry import describe_current
from dbt_batch_sync.warehouse import Warehouse
from dbt_batch_sync.warehouse.relations import select


@dataclass(frozen=True)
class PushOptions:
    """The options of a push. `limit` counts rows of each sync's delta.

    `force` skips the guards. `require_tests` checks dbt's last command, `max_age` checks when the delta was
    built, `plan` checks a saved plan. `wait` polls until Batch has applied the changes, where it can be.
    """

    dry_run: bool = False
    limit: int | None = None
    force: bool = False
    require_tests: bool = False
    max_age: timedelta | None = None
    plan: Mapping[str, Planned] | None = None
    wait: bool = False


@dataclass(frozen=True)
class Session:
    """What the pushes of all syncs have in common; `outputs` are by sync."""

    warehouse: Warehouse
    outputs: Mapping[str, Output]
    channels: Channels
    options: PushOptions
    run_id: str
    clock: Clock
    stop: Signal
    observer: Observer
    gate: Gate | None = None
    target: str | None = None

    def read(self, syncs: Sequence[Sync]) -> tuple[list[Known], dict[str, ConfigurationError]]:
        """The states of the syncs, and the errors of the others."""
        return read_each(self.warehouse, syncs, self.clock.claims.seconds)

    def push_idle(self, syncs: Sequence[Known]) -> dict[str, SyncPushed]:
        """Ends the syncs that have nothing to send, by one append per ledger, without claims."""
        idle = {
            each.sync.name: each for each in syncs if each.state.is_settled and not each.state.is_building
        }
        runs: dict[str, Run] = {}
        for name, known in idle.items():
            run = self._new_run(known, known.state)
            try:
                self._checked(known, known.state)
                runs[name] = replace(run, status=status_of(run))
            except Stopped as stopped:
                runs[name] = replace(run, status="failed", error=str(stopped))
        for journal, names in () if self.options.dry_run else by_ledger(idle.values()):
            try:
                journal.append([ended(journal, runs[name], self.outputs[name]) for name in names])
            except WarehouseError as error:
                runs |= {name: replace(runs[name], status="failed", error=str(error)) for name in names}
        return {name: SyncPushed.of(run, idle[name].sync.kind.name) for name, run in runs.items()}

    def push(self, known: Known) -> SyncPushed:
        """Pushes one sync. Errors are in the result; only ConfigurationError is raised."""
        if self.options.dry_run:
            return self._timed(known, self._dry)
        return self._timed(known, lambda each: self._claimed(each, self._send))

    def adopt(self, known: Known) -> SyncPushed:
        """Settles the sync's delta without sending it, for rows that Batch already has."""
        return self._timed(known, lambda each: self._claimed(each, self._settle))

    def _timed(self, known: Known, act: Callable[[Known], SyncPushed]) -> SyncPushed:
        began = self.clock.monotonic()
        try:
            pushed = act(known)
        except ConfigurationError:
            raise
        except BatchSyncError as error:
            pushed = SyncPushed(known.sync.name, known.sync.kind.name, "failed", error=str(error))
        return replace(pushed, seconds=round(self.clock.monotonic() - began, 3))

    def _claimed(self, known: Known, act: Callable[[Run, Hold, Work], Run]) -> SyncPushed:
        if known.state.built is None:
            raise ConfigurationError(
                f"dbt has not built the delta of `{known.sync.name}` yet. Run: {build_command(known.sync)}"
            )
        hold = Hold(known.journal, known.sync.name, self.run_id, self.clock.claims)
        run = self._new_run(known, known.state)
        try:
            told = ("delta_id", "output", "project_hash", "mapping_hash", "started_at")
            state = hold.take(**{name: getattr(run, name) for name in told})
            run = replace(self._new_run(known, state), started_at=run.started_at)
            work = self._work(known, state)
            run = act(_counted(run, work), hold, work)
        except BatchSyncError as error:
            stopped = isinstance(error, Interrupted)
            run = replace(
                run, status="interrupted" if stopped else "failed", error=None if stopped else str(error)
            )
            with suppress(WarehouseError):
                output = self.outputs[known.sync.name]
                hold.finish([ended(known.journal, run, output), hold.event("released")])
            if isinstance(error, ConfigurationError):
                raise
        describe_current({f"{phase}_seconds": getattr(run, f"{phase}_seconds") for phase in PHASES})
        return SyncPushed.of(run, known.sync.kind.name)

    def _checked(self, known: Known, state: SyncState) -> Built:
        """The last built delta. Raises Stopped if it must not be pushed."""
        force = self.options.force or state.is_settled
        output = self.outputs[known.sync.name]
        built = check_guards(known.sync, state, output, self.target, force=force)
        require_tests = self.options.require_tests or output.require_tests
        refusal = self.gate and self.gate.refusal(known.sync, state, require_tests=require_tests)
        if refusal:
            raise Stopped(refusal)
        if self.options.limit is not None and known.sync.kind.erases:
            raise Stopped(
                f"nothing was sent: `{known.sync.name}` erases people and is pushed as a whole: leave out "
                "--limit"
            )
        if self.options.plan is not None:
            check_planned(known.sync, state, self.options.plan)
        return built

    def _work(self, known: Known, state: SyncState) -> Work:
        built, output = self._checked(known, state), self.outputs[known.sync.name]
        return open_work(self.warehouse, known.sync, output, state, built, self.options.limit)

    def _send(self, run: Run, hold: Hold, work: Work) -> Run:
        run = replace(run, endpoint=work.route.name)
        self.observer.started(work)
        talk = self.channels.talk(work.output, work.sync.kind, self.stop)
        with hold.beating():
            prepare(talk, work.sync, work.state)
        client, pacer = self.channels.client(work.output), self.channels.pacer(work.output, work.route)
        confirm = partial(wait, talk, work.sync) if self.options.wait else None
        return SyncPush(
            self.warehouse, hold, work, client, pacer, run, self.clock, self.stop, self.observer, confirm
        ).send()

    def _settle(self, run: Run, hold: Hold, work: Work) -> Run:
        with hold.beating():
            check_adopted(self.channels.talk(work.output, work.sync.kind, self.stop), work.sync, work.state)
        run = replace(run, settled=sum(page.valid for page in work.histogram.pages))
        run = replace(run, status="partial" if run.invalid else "succeeded")
        cells = {"delta_id": work.built.delta_id, "page": work.built.page}
        # Which Batch project has them: a push to another one is refused from now on.
        intent = hold.event("intent", **cells, output=run.output, project_hash=run.project_hash)
        events = [intent, hold.event("checkpoint", **cells)]
        if work.sync.kind.erases:
            query = select(
                "select _batch_key from delta where _batch_change <> 'invalid' and _batch_changed <> ''",
                delta=work.pending.delta,
                where=work.pending.conditions(),
            )
            people = (each for row in work.pending.read(self.warehouse, query) for each in row.values())
            events = [*asked(hold, work, list(people)), *events]
        hold.finish([*events, ended(hold.journal, run, work.output), hold.event("released")])
        return run

    def _dry(self, known: Known) -> SyncPushed:
        """Renders everything and sends nothing: `sent` and `requests` are what a push would send."""
        work = self._work(known, known.state)
        sent, requests = 0, 0
        source = Source(self.warehouse, work, Phases(self.clock.monotonic), self.clock.now)
        for chunk in chunk_rows(source.rendered(), work.call_size, envelope=work.envelope):
            sent, requests = sent + chunk.sent, requests + bool(len(chunk))
        run = replace(
            _counted(self._new_run(known, known.state), work),
            endpoint=work.route.name,
            sent=sent,
            requests=requests,
            rejected_rows=sum(each.attribute is None for _, each in source.rejected),
            rejected_attributes=sum(each.attribute is not None for _, each in source.rejected),
        )
        return SyncPushed.of(replace(run, status=status_of(run)), known.sync.kind.name)

    def _new_run(self, known: Known, state: SyncState) -> Run:
        """The run at its start, with nothing left to send yet."""
        built, output = state.built, self.outputs[known.sync.name]
        return Run(
            run_id=self.run_id,
            sync=known.sync.name,
            status="running",
            started_at=known.journal.stamp(),
            delta_id=built.delta_id if built else None,
            output=output.name,
            project_hash=known.sync.mapping.project_hash(output.project_hash),
            mapping_hash=known.sync.mapping.hash,
            target=built.target if built else None,
            invalid=built.invalid if built else 0,
            parked=parked_rows(known.sync, state),
            unsure=state.unreported + (built.unsure if built and not state.has_ended else 0),
            **identity(),
        )


def _counted(run: Run, work: Work) -> Run:
    """The run with what is left to send."""
    inserts, updates, exits = (work.histogram.counts.get(each, 0) for each in ("insert", "update", "exit"))
    return replace(run, inserts=inserts, updates=updates, exits=exits, unsure=run.unsure + work.unsure)
