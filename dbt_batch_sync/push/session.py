"""One push of several syncs: what they share, and the steps from a delta to sending it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from threading import Event as Signal
from typing import TYPE_CHECKING

from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.chunks import chunk_rows
from dbt_batch_sync.delivery.pacing import Pacer, call_size, pacer_for
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, Stopped, WarehouseError
from dbt_batch_sync.kinds.kind import Kind, Route
from dbt_batch_sync.ledger.claims import Hold, identity
from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import PHASES, Event, Run
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.containers import check_adopted, prepare, wait
from dbt_batch_sync.push.erasing import app_of
from dbt_batch_sync.push.gate import Gate
from dbt_batch_sync.push.guards import check_guards
from dbt_batch_sync.push.known import build_command, parked_rows, read_each
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.planned import Planned, check_planned
from dbt_batch_sync.push.source import Source
from dbt_batch_sync.push.sync_push import Channel, Clock, Observer, SyncPush, ended, status_of
from dbt_batch_sync.push.work import Work, open_work
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.telemetry import describe_current
from dbt_batch_sync.warehouse import Warehouse

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client


@dataclass(frozen=True)
class PushOptions:
    """The options of a push. `limit` counts rows of each sync's delta.

    `force` skips the guards. `require_tests` checks dbt's last command, `max_age` checks when the delta was
    built, `plan` checks a saved plan. `wait` polls until Batch has applied the changes, for kinds that can be
    polled.
    """

    dry_run: bool = False
    limit: int | None = None
    force: bool = False
    require_tests: bool = False
    max_age: timedelta | None = None
    plan: Mapping[str, Planned] | None = None
    wait: bool = False


@dataclass
class Channels:
    """One client per output, and one pacer per output and route, shared by all syncs."""

    _clients: dict[str, Client] = field(default_factory=dict)
    _pacers: dict[tuple[str, str], Pacer] = field(default_factory=dict)

    def __enter__(self) -> Channels:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, output: Output) -> Client:
        """The output's client."""
        from dbt_batch_sync.batch_api.client import Client  # a push without syncs never gets here without it

        if output.name not in self._clients:
            self._clients[output.name] = Client(
                output.api_url,
                output.api_version,
                rest_api_key=output.rest_api_key,
                project_key=output.project_key,
                timeout=output.timeout,
                max_in_flight=output.max_in_flight,
            )
        return self._clients[output.name]

    def channel(self, output: Output, route: Route) -> Channel:
        """The output's client with the pacer of a route."""
        return Channel(output, self.client(output), route, self._pacer(output, route))

    def talk(self, output: Output, kind: Kind, stop: Signal | None = None) -> Talk:
        """Requests about a kind's container, with the rate limit of its route."""
        pacer, policy = self._pacer(output, kind.routes[0]), RetryPolicy(output.max_attempts)
        return Talk(self.client(output).ask, pacer, policy, stop or Signal())

    def apps(self, output: Output, kind: Kind, stop: Signal) -> dict[str, Talk]:
        """Requests to the older API, for each app of an output, by the app's hash."""
        talk, ask = self.talk(output, kind, stop), self.client(output).ask
        return {app_of(key): replace(talk, ask=partial(ask, app_key=key)) for key in output.app_keys}

    def _pacer(self, output: Output, route: Route) -> Pacer:
        key = (output.name, route.name)
        if key not in self._pacers:
            self._pacers[key] = pacer_for(route, output.max_profiles_per_second)
        return self._pacers[key]


@dataclass(frozen=True)
class Target:
    """A sync with its output, its ledger's journal, and its state before the claim."""

    sync: Sync
    output: Output
    journal: Journal
    state: SyncState

    @property
    def name(self) -> str:
        """The sync's name."""
        return self.sync.name


@dataclass(frozen=True)
class Session:
    """What the pushes of all syncs share."""

    warehouse: Warehouse
    channels: Channels
    options: PushOptions
    run_id: str
    clock: Clock
    stop: Signal
    observer: Observer
    gate: Gate | None = None
    target: str | None = None

    def read(
        self, syncs: Sequence[Sync], outputs: Mapping[str | None, Output]
    ) -> tuple[list[Target], dict[str, ConfigurationError]]:
        """The states of the syncs, and the errors of the others."""
        found, wrong = read_each(self.warehouse, syncs, self.clock.claims.seconds)
        targets = (
            Target(each.sync, outputs[each.sync.mapping.output], each.journal, each.state) for each in found
        )
        return list(targets), wrong

    def push_idle(self, targets: Sequence[Target]) -> dict[str, SyncPushed]:
        """Ends the syncs that have nothing to send, by one append per ledger, without claims."""
        runs: dict[str, Run] = {}
        events: dict[int, tuple[Journal, list[Event]]] = {}
        for target in targets:
            if not target.state.is_settled or target.state.is_building:
                continue
            run = self._new_run(target, target.state)
            try:
                self._checked(target, target.state)
                run = replace(run, status=status_of(run))
            except Stopped as stopped:
                run = replace(run, status="failed", error=str(stopped))
            runs[target.name] = run
            _, listed = events.setdefault(id(target.journal), (target.journal, []))
            listed.append(ended(target.journal, run, retention_days=target.output.retention_days))
        if not self.options.dry_run:
            for journal, listed in events.values():
                try:
                    journal.append(listed)
                except WarehouseError as error:
                    for name in (each.sync for each in listed):
                        runs[name] = replace(runs[name], status="failed", error=str(error))
        return {
            target.name: SyncPushed.of(runs[target.name], target.sync.kind.name)
            for target in targets
            if target.name in runs
        }

    def push(self, target: Target) -> SyncPushed:
        """Pushes one sync. Errors are in the result; only ConfigurationError is raised."""
        if self.options.dry_run:
            return self._timed(target, self._dry)
        return self._timed(target, lambda each: self._claimed(each, self._send))

    def adopt(self, target: Target) -> SyncPushed:
        """Settles the sync's delta without sending it, for profiles that Batch already has."""
        return self._timed(target, lambda each: self._claimed(each, self._settle))

    def _timed(self, target: Target, act: Callable[[Target], SyncPushed]) -> SyncPushed:
        began = self.clock.monotonic()
        try:
            pushed = act(target)
        except ConfigurationError:
            raise
        except BatchSyncError as error:
            pushed = SyncPushed(target.name, target.sync.kind.name, "failed", error=str(error))
        return replace(pushed, seconds=round(self.clock.monotonic() - began, 3))

    def _claimed(self, target: Target, act: Callable[[Target, Hold, Work], Run]) -> SyncPushed:
        if target.state.built is None:
            raise ConfigurationError(
                f"dbt has not built the delta of `{target.name}` yet. Run: {build_command(target.sync)}"
            )
        hold = Hold(target.journal, target.name, self.run_id, self.clock.claims)
        run = self._new_run(target, target.state)
        try:
            state = hold.take(
                delta_id=run.delta_id,
                output=run.output,
                project_hash=run.project_hash,
                mapping_hash=run.mapping_hash,
                started_at=run.started_at,
            )
            run = replace(self._new_run(target, state), started_at=run.started_at)
            built = self._checked(target, state)
            run = act(target, hold, open_work(self.warehouse, target.sync, target.output, state, built))
        except BatchSyncError as error:
            stopped = isinstance(error, Interrupted)
            run = replace(
                run, status="interrupted" if stopped else "failed", error=None if stopped else str(error)
            )
            end = ended(target.journal, run, retention_days=target.output.retention_days)
            with suppress(WarehouseError):
                hold.finish([end, hold.event("released")])
            if isinstance(error, ConfigurationError):
                raise
        describe_current({f"{phase}_seconds": getattr(run, f"{phase}_seconds") for phase in PHASES})
        return SyncPushed.of(run, target.sync.kind.name)

    def _checked(self, target: Target, state: SyncState) -> Built:
        """The last built delta. Raises Stopped if it must not be pushed."""
        force = self.options.force or state.is_settled
        check_guards(target.sync, state, target.output, self.target, force=force)
        require_tests = self.options.require_tests or target.output.require_tests
        refusal = self.gate and self.gate.refusal(target.sync, state, require_tests=require_tests)
        if refusal:
            raise Stopped(refusal)
        if self.options.limit is not None and target.sync.kind.erases is not None:
            raise Stopped(
                f"nothing was sent: `{target.name}` erases people and is pushed as a whole: leave out --limit"
            )
        if self.options.plan is not None:
            check_planned(target.sync, state, self.options.plan)
        if state.built is None:
            raise Stopped(f"the delta of `{target.name}` is not built")
        return state.built

    def _send(self, target: Target, hold: Hold, work: Work) -> Run:
        run = replace(self._counted(target, work), endpoint=work.route.name)
        self.observer.started(work)
        talk = self.channels.talk(target.output, target.sync.kind, self.stop)
        with hold.beating():
            prepare(talk, target.sync, work.state)
        channel = self.channels.channel(target.output, work.route)
        pushing = SyncPush(
            self.warehouse,
            target.journal,
            hold,
            work,
            channel,
            run,
            self.clock,
            self.stop,
            self.observer,
            self.options.limit,
        )
        run = pushing.send()
        if self.options.wait and run.status in ("succeeded", "partial"):
            try:
                wait(talk, target.sync, pushing.tokens)
            except Interrupted:
                return replace(run, status="interrupted")
            except BatchSyncError as error:
                return replace(run, status="failed", error=str(error))
        return run

    def _settle(self, target: Target, hold: Hold, work: Work) -> Run:
        with hold.beating():
            check_adopted(
                self.channels.talk(target.output, target.sync.kind, self.stop), target.sync, work.state
            )
        run = replace(self._counted(target, work), settled=sum(work.histogram.valid))
        run = replace(run, status="partial" if run.invalid else "succeeded")
        cells = {"delta_id": work.built.delta_id, "page": work.built.page}
        # Which Batch project has them: a push to another one is refused from now on.
        intent = hold.event("intent", **cells, output=run.output, project_hash=run.project_hash)
        end = ended(target.journal, run, retention_days=target.output.retention_days)
        hold.finish([intent, hold.event("checkpoint", **cells), end, hold.event("released")])
        return run

    def _dry(self, target: Target) -> SyncPushed:
        """Renders everything and sends nothing: `sent` and `requests` are what a push would send."""
        built = self._checked(target, target.state)
        work = open_work(self.warehouse, target.sync, target.output, target.state, built)
        sent, requests = 0, 0
        size = call_size(work.route, target.output.max_profiles_per_second)
        phases = Phases(self.clock.monotonic)
        source = Source(self.warehouse, work, phases, self.clock.now, size, self.options.limit)
        for chunk in chunk_rows(source.rendered(), size, envelope=work.envelope):
            sent, requests = sent + chunk.sent, requests + bool(len(chunk))
        run = replace(
            self._counted(target, work),
            endpoint=work.route.name,
            sent=sent,
            requests=requests,
            rejected_rows=sum(each.attribute is None for _, each in source.rejected),
            rejected_attributes=sum(each.attribute is not None for _, each in source.rejected),
        )
        return SyncPushed.of(replace(run, status=status_of(run)), target.sync.kind.name)

    def _counted(self, target: Target, work: Work) -> Run:
        run, counts = self._new_run(target, work.state), work.histogram.counts
        return replace(
            run,
            inserts=counts.get("insert", 0),
            updates=counts.get("update", 0),
            exits=counts.get("exit", 0),
            unsure=run.unsure + work.unsure,
        )

    def _new_run(self, target: Target, state: SyncState) -> Run:
        """The run at its start, with nothing left to send yet."""
        built, output = state.built, target.output
        return Run(
            run_id=self.run_id,
            sync=target.name,
            status="running",
            started_at=target.journal.stamp(),
            delta_id=built.delta_id if built else None,
            output=output.name,
            project_hash=target.sync.mapping.project_hash(output.project_hash),
            mapping_hash=target.sync.mapping.hash,
            target=built.target if built else None,
            invalid=built.invalid if built else 0,
            parked=parked_rows(target.sync, state),
            unsure=state.unreported + (built.unsure if built and not state.has_ended else 0),
            **identity(),
        )
