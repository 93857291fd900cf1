"""One push of some syncs: what their pushes share, and what stands between a delta and its sending."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import pyarrow as pa

from dbt_batch_sync.attributes import parse_types
from dbt_batch_sync.batch_api.limits import LIMITS, Endpoint
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.delivery.chunks import chunk_rows
from dbt_batch_sync.delivery.pacing import Pacer, call_size, pacer_for
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, Stopped, WarehouseError
from dbt_batch_sync.ledger.lease import LEASES, Lease
from dbt_batch_sync.ledger.records import PHASES, Run
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.payload.render import Parked, Rendered, Withheld
from dbt_batch_sync.push.guards import check_guards, check_target
from dbt_batch_sync.push.idle import push_idle
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.planned import Planned, check_planned
from dbt_batch_sync.push.requeue import requeue_all, requeue_rejected
from dbt_batch_sync.push.sync_push import (
    Channel,
    Clock,
    Observer,
    SyncPush,
    new_run,
    pending,
)
from dbt_batch_sync.push.work import Work, open_work
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.sql.pending import last_pending
from dbt_batch_sync.sql.relations import beside
from dbt_batch_sync.telemetry import describe_current
from dbt_batch_sync.warehouse import Statement, Warehouse

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client


@dataclass(frozen=True)
class PushOptions:
    """What a push may be told. `limit` counts rows of each sync's delta.

    `force` leaves the guards out, `full_refresh` sends everything of everybody again, `retry_rejected` what
    was refused and still stands. `require_tests` and `max_age` hold a sync against dbt's last command,
    `plan` against what was planned.
    """

    dry_run: bool = False
    limit: int | None = None
    force: bool = False
    full_refresh: bool = False
    retry_rejected: bool = False
    require_tests: bool = False
    max_age: timedelta | None = None
    plan: Mapping[str, Planned] | None = None


@dataclass
class Channels:
    """One client per output, and one pacer per output and endpoint, for all syncs."""

    _clients: dict[str, Client] = field(default_factory=dict)
    _pacers: dict[tuple[str, Endpoint], Pacer] = field(default_factory=dict)

    def __enter__(self) -> Channels:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, output: Output) -> Client:
        """The output's client."""
        from dbt_batch_sync.batch_api.client import Client  # a push of nothing ends without it

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

    def channel(self, output: Output, endpoint: Endpoint) -> Channel:
        """The output's client with the pacer of an endpoint."""
        key = (output.name, endpoint)
        if key not in self._pacers:
            self._pacers[key] = pacer_for(LIMITS[endpoint], output.max_profiles_per_second)
        return Channel(output, self.client(output), endpoint, self._pacers[key])


@dataclass(frozen=True)
class Session:
    """What the pushes of all syncs have in common."""

    warehouse: Warehouse
    channels: Channels
    options: PushOptions
    run_id: str
    target_name: str
    clock: Clock
    stop: Event
    observer: Observer

    def push_idle(self, syncs: Sequence[Sync], outputs: Mapping[str | None, Output]) -> dict[str, SyncPushed]:
        """Pushes those syncs that plainly have nothing to do; the others need `push`."""
        options = self.options
        if options.dry_run or options.full_refresh or options.retry_rejected or options.plan is not None:
            return {}
        now = self.clock.now()
        return push_idle(self.warehouse, syncs, outputs, self.target_name, self.run_id, now)

    def push(self, sync: Sync, output: Output) -> SyncPushed:
        """Pushes one sync; what goes wrong is in the answer. Raises ConfigurationError alone."""
        return self._timed(sync, self._dry if self.options.dry_run else self._push, output)

    def adopt(self, sync: Sync, output: Output) -> SyncPushed:
        """Commits the sync's delta without sending it: for profiles that Batch already has."""
        return self._timed(sync, self._adopt, output)

    def _timed(self, sync: Sync, act: Callable[[Work, Output], SyncPushed], output: Output) -> SyncPushed:
        began = self.clock.monotonic()
        try:
            check_target(self.target_name, output)
            # A push looks at the delta's mapping under its lease, and writes down that it stopped.
            pushed = act(open_work(self.warehouse, sync, check=self.options.dry_run), output)
        except ConfigurationError:
            raise
        except BatchSyncError as error:
            pushed = SyncPushed(sync.mapping.sync, "failed", error=str(error))
        return replace(pushed, seconds=round(self.clock.monotonic() - began, 3))

    def _push(self, work: Work, output: Output) -> SyncPushed:
        work.ledger.prepare()
        with self._leased(work) as lease:
            try:
                work = self._ready(work, output)
            except Stopped as stopped:
                run = self._start(work, output, None)
                run = replace(run, status="failed", error=str(stopped), finished_at=self.clock.now())
                return self._end(work, output, run)
            endpoint = work.endpoint() if work.delta_id is not None else None
            run = self._start(work, output, endpoint)
            if endpoint is not None:
                self.observer.started(work, endpoint)
                channel = self.channels.channel(output, endpoint)
                pushing = SyncPush(
                    self.warehouse,
                    work,
                    channel,
                    run,
                    lease,
                    self.clock,
                    self.stop,
                    self.observer,
                    self.options.limit,
                )
                run = pushing.send()
            else:
                run = replace(run, status="succeeded", finished_at=self.clock.now())
            return self._end(work, output, run)

    def _ready(self, work: Work, output: Output) -> Work:
        """The work as it is under the lease: with its ledger, requeued if that was asked for, and past its
        guards.
        """
        full = self.options.full_refresh
        if not full:
            _check_project(work, output)
        if full or self.options.retry_rejected:
            work = self._requeued(work)
        work = replace(open_work(self.warehouse, work.sync), has_ledger=True)
        if self.options.plan is not None:
            check_planned(work, self.options.plan)
        if not (self.options.force or full):
            check_guards(self.warehouse, work)
        return work

    def _requeued(self, work: Work) -> Work:
        work = open_work(self.warehouse, work.sync)
        if work.delta_id is None:
            last = work.ledger.last_types()
            if last is None:
                return work
            if last[0] != work.sync.mapping.hash and not work.has_columns_of_mapping:
                raise Stopped(
                    f"the mapping of `{work.name}` has changed since it was last pushed; nothing was sent. "
                    f"Run: dbt run --select {work.name}+"
                )
            types = ",".join(pair for pair in last[1].split(",") if work.delta.has(pair.partition(":")[0]))
            work = replace(work, types=types, attributes=parse_types(types))
        requeue = requeue_all if self.options.full_refresh else requeue_rejected
        requeue(self.warehouse, work, str(uuid.uuid4()))
        crash_point("requeued")
        return work

    def _adopt(self, work: Work, output: Output) -> SyncPushed:
        work.ledger.prepare()
        with self._leased(work):
            _check_project(work, output)
            work = replace(open_work(self.warehouse, work.sync), has_ledger=True)
            run = self._start(work, output, None)
            rows = self.warehouse.fetch(
                Statement(last_pending(work.delta, after=bool(work.after)), work.after)
            )
            count, key = int(str(rows[0][0])), rows[0][1]
            if work.delta_id is not None and count:
                position = work.resume.position + count
                run = replace(
                    run,
                    committed=count,
                    committed_key=str(key),
                    committed_position=position,
                    intent_position=position,
                )
                work.ledger.commit(run, work.resume, [], self.clock.now(), open_rejects=True)
            status = "partial" if run.invalid else "succeeded"
            return self._end(work, output, replace(run, status=status, finished_at=self.clock.now()))

    def _start(self, work: Work, output: Output, endpoint: Endpoint | None) -> Run:
        run = new_run(self.run_id, work, endpoint, output, self.clock.now())
        work.ledger.mark_dead(self.run_id)
        work.ledger.start(run)
        crash_point("run_started")
        return run

    def _end(self, work: Work, output: Output, run: Run) -> SyncPushed:
        run = replace(run, seconds=round((self.clock.now() - run.started_at).total_seconds(), 3))
        crash_point("before_end")
        try:
            work.ledger.record(run)
            now = self.clock.now()
            work.ledger.rejects.tidy(now, now - timedelta(days=output.retention_days))
        except WarehouseError as error:
            # What Batch took is taken: the counts are worth more to the caller than this error alone.
            run = replace(run, status="failed", error=run.error or str(error))
        crash_point("ended")
        describe_current({f"{phase}_seconds": getattr(run, f"{phase}_seconds") for phase in PHASES})
        return SyncPushed.of(run)

    @contextmanager
    def _leased(self, work: Work) -> Iterator[Lease]:
        """The sync is ours alone in here."""
        table = beside(work.snapshot.table, LEASES)
        lease = Lease(self.warehouse, table, work.name, self.run_id, self.clock.now)
        lease.take()
        crash_point("lease_taken")
        lease.start_heartbeat(self.warehouse.twin)
        try:
            yield lease
        finally:
            lease.stop_heartbeat()
            with suppress(WarehouseError):  # a warehouse that is gone frees it by the missing heartbeats
                lease.release()

    def _dry(self, work: Work, output: Output) -> SyncPushed:
        """Renders everything and sends nothing: `sent` and `requests` are what would be."""
        counts = work.counts
        if self.options.plan is not None:
            check_planned(work, self.options.plan)
        pushed = SyncPushed(
            work.name,
            "partial" if counts.invalid else "succeeded",
            work.delta_id,
            inserts=counts.inserts,
            updates=counts.updates,
            exits=counts.exits,
            invalid=counts.invalid,
        )
        if work.delta_id is None:
            return pushed
        if not self.options.force:
            check_guards(self.warehouse, work)
        endpoint, sent, requests = work.endpoint(), 0, 0
        notes: list[Withheld | Parked] = []
        phases = Phases(self.clock.monotonic)
        with pending(self.warehouse, work, self.options.limit, notes, phases) as rendered:
            size = call_size(LIMITS[endpoint], output.max_profiles_per_second)
            for chunk in chunk_rows(_noted(rendered, notes), size):
                sent, requests = sent + chunk.profiles, requests + bool(len(chunk))
        return replace(
            pushed,
            status="partial" if counts.invalid or notes else "succeeded",
            endpoint=endpoint.value,
            sent=sent,
            requests=requests,
            rejected_attributes=sum(isinstance(note, Withheld) for note in notes),
        )


def _noted(rendered: Iterator[Rendered], notes: list[Withheld | Parked]) -> Iterator[pa.RecordBatch]:
    for part in rendered:
        notes += [*part.withheld, *part.parked]
        yield part.rows


def _check_project(work: Work, output: Output) -> None:
    """A snapshot describes one Batch project: pushing its delta to another would leave that one with
    holes.
    """
    last = work.ledger.last_project()
    if last is not None and last != output.project_hash:
        raise Stopped(
            f"{work.snapshot.table.name} describes another Batch project than output `{output.name}` "
            "writes to; nothing was "
            "sent. Choose the output that it was pushed to, or send everything again: dbt-batch-sync push "
            "--full-refresh"
        )
