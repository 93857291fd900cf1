"""The push of one sync: stream, render, chunk, send, and commit what was accepted, checkpoint by
checkpoint.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync import __version__
from dbt_batch_sync.attributes import may_split
from dbt_batch_sync.batch_api.answers import Answer, Broken, Busy
from dbt_batch_sync.batch_api.limits import LIMITS, Endpoint
from dbt_batch_sync.batch_api.messages import describe
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.crash import crash_point
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.outcomes import RefusedRow, Settled
from dbt_batch_sync.delivery.pacing import Pacer, call_size
from dbt_batch_sync.delivery.sender import Interrupted, deliver
from dbt_batch_sync.errors import BatchSyncError
from dbt_batch_sync.ledger.lease import Lease
from dbt_batch_sync.ledger.records import Reject, Resume, Run
from dbt_batch_sync.payload.render import Parked, Rendered, Withheld, render, sent_hash
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.sql.pending import BLOCKED, NEVER_RESUBSCRIBE
from dbt_batch_sync.telemetry import span
from dbt_batch_sync.warehouse import Rows, Warehouse

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client

STREAM_CELLS = 400_000
"""Cells of one record batch, of at most `STREAM_ROWS`: what is held is a few of these."""

STREAM_ROWS = 20_000

BATCH, RUNNER = "batch", "dbt-batch-sync"
"""Who refused something."""

UNPACED_WINDOW = 250_000
"""Rows that a run without pacing intends to send at a time."""


class Observer(Protocol):
    """Told what happens while a push goes on; shows it, or not."""

    def started(self, work: Work, endpoint: Endpoint) -> None:
        """A sync is about to be sent."""

    def progressed(self, run: Run) -> None:
        """More rows are settled."""

    def troubled(self, sync: str, message: str) -> None:
        """A call failed for a reason that may pass; it is made again if that is worth it. From any thread."""


@dataclass(frozen=True)
class Clock:
    """Time, passed in: UTC without a zone for what is written down, monotonic seconds for what is
    measured.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


@dataclass(frozen=True)
class Channel:
    """A way to Batch for one sync's push; the pacer is shared by all syncs of the output and
    endpoint.
    """

    output: Output
    client: Client
    endpoint: Endpoint
    pacer: Pacer

    @property
    def call_size(self) -> int:
        """Profiles of one call at most."""
        return call_size(LIMITS[self.endpoint], self.output.max_profiles_per_second)

    @property
    def window(self) -> int:
        """Rows that an intent reaches ahead at most, per second of a checkpoint interval."""
        rate = self.output.max_profiles_per_second
        return int(LIMITS[self.endpoint].profiles_per_second if rate is None else rate)


@dataclass
class SyncPush:
    """One push of one sync's delta. `send` returns the run as it ended; it is in the ledger by then."""

    warehouse: Warehouse
    work: Work
    channel: Channel
    run: Run
    lease: Lease
    clock: Clock
    stop: Event
    observer: Observer
    limit: int | None = None
    _notes: list[Withheld | Parked] = field(default_factory=list)
    _rejects: list[Reject] = field(default_factory=list)
    _committed: Resume = field(default_factory=Resume)
    _settled: Resume = field(default_factory=Resume)
    _read_position: int = 0
    _open_rejects: bool = False
    _last_checkpoint: float = 0.0
    _interrupted: bool = False

    def __post_init__(self) -> None:
        self._phases = Phases(self.clock.monotonic)

    def send(self) -> Run:
        """Sends what is pending and commits what is accepted; an error ends the run as failed, with its
        message.
        """
        self._committed = self._settled = self.work.resume
        self._read_position = self.work.resume.position
        self._open_rejects = self.work.ledger.rejects.any()
        self._last_checkpoint = self.clock.monotonic()
        error: str | None = None
        try:
            self._deliver()
        except Interrupted:
            self._interrupted = True
        except BatchSyncError as failure:
            error = str(failure)
        try:
            self._checkpoint()
        except BatchSyncError as failure:
            error = error or str(failure)
        return self._end(error)

    def _deliver(self) -> None:
        with pending(self.warehouse, self.work, self.limit, self._notes, self._phases) as rendered:
            self._send_chunks(rendered)

    def _send_chunks(self, rendered: Iterable[Rendered]) -> None:
        chunks = chunk_rows(self._noted(rendered), self.channel.call_size)
        settled_chunks = deliver(
            self._intended(self._phases.pulled("rendering", chunks)),
            self._send,
            pacer=self.channel.pacer,
            policy=RetryPolicy(max_attempts=self.channel.output.max_attempts),
            stop=self.stop,
            max_in_flight=self.channel.output.max_in_flight,
        )
        with closing(settled_chunks):  # an error in here must not leave senders at work behind it
            for settled in self._phases.pulled("sending", settled_chunks):
                self._settle(settled)
                crash_point("chunk_settled")
                if self.clock.monotonic() - self._last_checkpoint >= self._checkpoint_seconds:
                    self._checkpoint()

    def _send(self, body: bytes) -> Answer:
        self.lease.check_heard()
        answer = self.channel.client.send(self.channel.endpoint, body)
        if isinstance(answer, Busy | Broken):
            self.observer.troubled(self.work.name, describe(answer))
        return answer

    @property
    def _checkpoint_seconds(self) -> float:
        configured = self.channel.output.checkpoint_seconds
        return self.warehouse.checkpoint_seconds if configured is None else configured

    def _noted(self, rendered: Iterable[Rendered]) -> Iterator[pa.RecordBatch]:
        """Keeps what was withheld or skipped until its row is committed."""
        for part in rendered:
            self._notes += [*part.withheld, *part.parked]
            self._read_position += part.rows.num_rows
            yield part.rows

    def _intended(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Writes down what is about to be sent before it is, some way ahead so that it is not written for
        every chunk.
        """
        window = int(self.channel.window * self._checkpoint_seconds) or UNPACED_WINDOW
        for chunk in chunks:
            if self._read_position > (self.run.intent_position or 0):
                with self._phases.spent_on("committing"):
                    self.work.ledger.check_delta(self.run.delta_id)
                    self.run = replace(self.run, intent_position=self._read_position + window)
                    self.work.ledger.record(self.run)
                crash_point("intent_recorded")
            yield chunk

    def _settle(self, settled: Settled) -> None:
        chunk, outcome = settled.chunk, settled.outcome
        refused = {row.custom_id for row in outcome.refused_rows}
        self._rejects += [_refused_row(chunk, row) for row in outcome.refused_rows]
        names = {attribute.plain_name: attribute.name for attribute in self.work.attributes}
        self._rejects += [
            Reject(
                item.custom_id,
                names.get(item.attribute, item.attribute),
                _reason(item.category, item.reason),
                BATCH,
            )
            for item in outcome.refused_attributes
        ]
        if chunk.last_key is not None and chunk.last_position is not None:
            self._settled = Resume(chunk.last_position, chunk.last_key)
        self.run = replace(
            self.run,
            sent=self.run.sent + chunk.profiles,
            accepted=self.run.accepted + chunk.profiles - len(refused),
            rejected_rows=self.run.rejected_rows + len(refused),
            rejected_attributes=self.run.rejected_attributes + len(outcome.refused_attributes),
            requests=self.run.requests + outcome.tally.requests,
            retries=self.run.retries + outcome.tally.retries,
        )
        self.observer.progressed(self.run)

    def _checkpoint(self) -> None:
        self._last_checkpoint = self.clock.monotonic()
        if self._settled.position > self._committed.position:
            with self._phases.spent_on("committing"):
                self._commit()

    def _commit(self) -> None:
        """Commits the acknowledged prefix; what Batch refused of it is written down in the same
        transaction.
        """
        self.lease.check()
        self._take_notes()
        kept_out = sum(1 for reject in self._rejects if reject.attribute is None)
        now = self.clock.now()
        run = replace(
            self.run,
            heartbeat_at=now,
            committed=self.run.committed + self._settled.position - self._committed.position - kept_out,
            committed_position=self._settled.position,
            committed_key=self._settled.key,
            **self._phases.seconds,
        )
        crash_point("before_commit")
        with span("commit", sync=self.work.name, rows=run.committed - self.run.committed):
            self.work.ledger.commit(
                run,
                self._committed,
                self._rejects,
                now,
                open_rejects=self._open_rejects,
                split_rows=may_split(self.work.attributes),
            )
        crash_point("after_commit")
        # Not before: what a commit that failed would have reached must not be written down as committed.
        self.run = run
        self._open_rejects = self._open_rejects or bool(self._rejects)
        self._committed, self._rejects = self._settled, []

    def _take_notes(self) -> None:
        due = [note for note in self._notes if note.position <= self._settled.position]
        self._notes[:] = [note for note in self._notes if note.position > self._settled.position]
        for note in due:
            if isinstance(note, Withheld):
                self._rejects.append(Reject(note.custom_id, note.attribute, note.reason, RUNNER))
                self.run = replace(self.run, rejected_attributes=self.run.rejected_attributes + 1)
            else:
                self._rejects.append(
                    Reject(note.custom_id, None, "parked", BATCH, note.sent_hash, attempts=0)
                )
                self.run = replace(self.run, parked=self.run.parked + 1)

    def _end(self, error: str | None) -> Run:
        finished = error is None and not self._interrupted
        parked = finished and self._open_rejects and self.work.ledger.rejects.any_parked_in_delta()
        intent = (
            self.run.committed_position
            if finished
            else min(self.run.intent_position or 0, self._read_position)
        )
        self.run = replace(
            self.run,
            status=_status(self.run, error, interrupted=self._interrupted, parked=parked),
            finished_at=self.clock.now(),
            intent_position=intent if self.run.intent_position is not None else None,
            error=error,
            **self._phases.seconds,
        )
        return self.run


@contextmanager
def pending(
    warehouse: Warehouse, work: Work, limit: int | None, notes: list[Withheld | Parked], phases: Phases
) -> Iterator[Iterator[Rendered]]:
    """The rows to send, rendered as they come. Blocked consents are noted as withheld."""
    position = work.resume.position
    batch_rows = min(STREAM_ROWS, STREAM_CELLS // (1 + len(work.attributes)))
    with ExitStack() as stack:
        with phases.spent_on("reading"):
            rows = stack.enter_context(warehouse.stream(work.pending_rows(limit), max(1, batch_rows)))
        rows = Rows(rows.schema, phases.pulled("reading", rows.batches))
        batches, schema = _unblocked(rows, position, notes)
        # Closed before the stream is that it reads from.
        with closing(render(batches, schema, work.attributes, after=position)) as rendered:
            yield rendered


def _unblocked(
    rows: Rows, position: int, notes: list[Withheld | Parked]
) -> tuple[Iterator[pa.RecordBatch], pa.Schema]:
    """The stream without its column of blocked consents; each of them is noted as withheld."""
    names = [name for name in rows.schema.names if name != BLOCKED]
    if len(names) == len(rows.schema.names):
        return rows.batches, rows.schema

    def batches() -> Iterator[pa.RecordBatch]:
        start = position
        for batch in rows.batches:
            blocked = batch.column(BLOCKED)
            if blocked.null_count < batch.num_rows:
                for row, listed in enumerate(blocked.to_pylist()):
                    custom_id = batch.column("custom_id")[row].as_py() if listed else ""
                    for name in filter(None, (listed or "").split(",")):
                        notes.append(Withheld(start + row + 1, custom_id, name, NEVER_RESUBSCRIBE))
            start += batch.num_rows
            yield batch.select(names)

    return batches(), pa.schema([rows.schema.field(name) for name in names])


def _status(run: Run, error: str | None, *, interrupted: bool, parked: bool) -> str:
    if error is not None:
        return "failed"
    if interrupted:
        return "interrupted"
    refused = run.invalid or run.rejected_rows or run.rejected_attributes or parked
    return "partial" if refused else "succeeded"


def _refused_row(chunk: Chunk, row: RefusedRow) -> Reject:
    reason = _reason(row.category, row.reason)
    if row.by != "batch":
        return Reject(row.custom_id, None, reason, RUNNER)
    place = pc.index(chunk.custom_ids, row.custom_id).as_py()
    return Reject(row.custom_id, None, reason, BATCH, sent_hash(chunk.operations[place].as_py()))


def _reason(category: str, reason: str) -> str:
    return reason or category or "refused"


def new_run(run_id: str, work: Work, endpoint: Endpoint | None, output: Output, now: datetime) -> Run:
    """The run's row as it starts."""
    return Run(
        run_id=run_id,
        sync=work.name,
        status="running",
        started_at=now,
        heartbeat_at=now,
        delta_id=work.delta_id,
        endpoint=endpoint.value if endpoint is not None else None,
        output=output.name,
        project_hash=output.project_hash,
        mapping_hash=work.sync.mapping.hash,
        attribute_types=work.types or None,
        tool_version=__version__,
        host=socket.gethostname(),
        process=os.getpid(),
        inserts=work.counts.inserts,
        updates=work.counts.updates,
        exits=work.counts.exits,
        invalid=work.counts.invalid,
        committed_position=work.resume.position or None,
        committed_key=work.resume.key,
    )
