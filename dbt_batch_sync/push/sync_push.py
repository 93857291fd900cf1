"""Pushes one sync: reads pages, renders, cuts chunks, sends them, and appends what is settled to the ledger.

The order of appends makes it safe to kill a push: an intent before the first request of its pages, rejects
before the checkpoint of their rows, a checkpoint for settled rows only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from threading import Event as Signal
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, Busy, PartialError, describe
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.pacing import Pacer
from dbt_batch_sync.delivery.sender import Delivery, Interrupted, Settled
from dbt_batch_sync.errors import BatchSyncError, Stopped
from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.ledger.claims import Hold, Timing
from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event, EventName, Reject, Run
from dbt_batch_sync.ledger.state import Checkpoint, SyncState
from dbt_batch_sync.payload.events import NAME, TIME
from dbt_batch_sync.push.erasing import Erasing
from dbt_batch_sync.push.phases import Phases
from dbt_batch_sync.push.source import Source, Work
from dbt_batch_sync.telemetry import span
from dbt_batch_sync.warehouse import Warehouse

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client

UNPACED_WINDOW = 250_000
"""Rows covered by an intent without a rate limit."""

AHEAD_ROWS = 2_000
"""Rows rendered ahead, at least one request: small requests go on while a checkpoint is recorded."""


class Observer:
    """Receives the progress of a push. Its methods do nothing; a subclass overrides those it needs."""

    def started(self, work: Work) -> None:
        """A sync is about to be sent."""

    def progressed(self, run: Run) -> None:
        """More rows are settled."""

    def troubled(self, sync: str, message: str) -> None:
        """A request failed temporarily and is retried. Called from any thread."""


@dataclass(frozen=True)
class Clock:
    """Injected time: UTC without a zone for display, monotonic seconds for measuring, a lease's clock."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    claims: Timing = field(default_factory=Timing)


@dataclass
class SyncPush:
    """One push of one sync's delta, under its claim. Call `send` once."""

    warehouse: Warehouse
    hold: Hold
    work: Work
    client: Client
    pacer: Pacer
    run: Run
    clock: Clock
    stop: Signal
    observer: Observer
    confirm: Callable[[Sequence[str]], None] | None = None  # waits until Batch has applied these tokens

    def __post_init__(self) -> None:
        container = self.work.sync.kind.container
        every = container is not None and container.replaceable
        self._tokens: deque[str] = deque(maxlen=None if every else self.work.max_in_flight)
        erases = self.work.sync.kind.erases
        self._erasing = Erasing(self.work, self.client, self.pacer, self.hold) if erases else None
        self._phases = Phases(self.clock.monotonic)
        self._source = Source(self.warehouse, self.work, self._phases, self.clock.now)
        given_up = self.work.given_up
        self._checkpoint = self.work.state.checkpoint if given_up is None else Checkpoint(given_up)
        self._began = self._checkpoint_at = self.clock.monotonic()
        self._intent: int | None = None
        self._sent = 0  # rows with all sent ones of settled chunks among the first
        self._open: dict[int, int] = {}  # how far each other chunk reaches that may have been sent
        self._settled = 0  # rows before which everything is settled
        self._unsure_before = self.run.unsure
        self._rejects: list[Reject] = []  # of settled rows, not appended yet
        self._lock = Lock()
        self._in_flight: deque[pa.ChunkedArray] = deque()
        # The keys settled since the last checkpoint by chunk, each with its last row.
        self._unrecorded: list[tuple[int, pa.Array]] = []
        self._names: dict[str | None, str] = {each.plain_name: each.name for each in self.work.attributes}

    def send(self) -> Run:
        """Sends what is not settled and records it. Returns the finished run."""
        error, interrupted = None, False
        with self.hold.beating():
            try:
                self._deliver()
                if self.confirm is not None:
                    self._record_progress()
                    self.confirm(self._tokens)
            except Interrupted:
                interrupted = True
            except BatchSyncError as failure:
                error = str(failure)
            except BaseException as failure:
                self._end(type(failure).__name__, interrupted=False)
                raise
            return self._end(error, interrupted=interrupted)

    def _deliver(self) -> None:
        at_most_once = self.work.sync.mapping.at_most_once
        if self.work.given_up is not None:
            self.hold.append([self._event("checkpoint", page=self.work.given_up, unsure=self._unsure)])
        with closing(self._source.rendered()) as rendered:
            chunks = chunk_rows(rendered, self.work.call_size, envelope=self.work.envelope)
            delivery = Delivery(
                self._send,
                self.pacer,
                RetryPolicy(self.work.output.max_attempts, repeatable=not at_most_once),
                self.stop,
                max_in_flight=self.work.max_in_flight,
                ahead=0 if at_most_once else max(1, AHEAD_ROWS // self.work.call_size),
                begun=self._begun,
                repeatable=self.work.sync.kind.repeatable,
            )
            settled_chunks = delivery.run(self._intended(self._phases.pulled("rendering", chunks)))
            with closing(settled_chunks):  # an error here must not leave senders running
                for settled in self._phases.pulled("sending", settled_chunks):
                    self._settle(settled)
                    if self.clock.monotonic() - self._checkpoint_at >= self._checkpoint_seconds:
                        self._record_progress()

    @property
    def _checkpoint_seconds(self) -> float:
        if self.work.sync.mapping.at_most_once:
            return 0.0
        configured = self.work.output.checkpoint_seconds
        return self.warehouse.checkpoint_seconds if configured is None else configured

    def _send(self, body: bytes) -> Answer:
        """Runs in a sender's thread. Sends nothing unless the claim still holds."""
        self.hold.check()
        if self._erasing is not None:
            answer = self._erasing.ask(body)
        else:
            answer = self.client.send(self.work.route, body, self.hold.seconds_left)
        if isinstance(answer, Accepted) and answer.token:
            self._tokens.append(answer.token)
        if isinstance(answer, Accepted) and answer.errors and self.work.sync.kind.per_operation:
            # [U] how Batch names a rejected event: an error that names no attribute is about its events.
            answer = replace(answer, errors=tuple(map(self._of_events, answer.errors)))
        if isinstance(answer, Busy | Broken):
            self.observer.troubled(self.work.name, describe(answer))
        return answer

    def _of_events(self, error: PartialError) -> PartialError:
        named = self._names.get(error.attribute)
        return error if named and named not in (CUSTOM_ID, NAME, TIME) else replace(error, attribute=None)

    def _intended(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Appends intents before their rows are sent: of many chunks, or one if rows must not be repeated."""
        histogram = self.work.histogram
        window = int(self.work.rate * self._checkpoint_seconds) or UNPACED_WINDOW
        if self.work.sync.mapping.at_most_once:
            window = 0
        for chunk in chunks:
            page = histogram.page_of(chunk.reached)
            if page is not None and (self._intent is None or page > self._intent):
                self._intent = histogram.page_of(min(chunk.reached + window, self.work.rows))
                output = self.work.output
                cells = {"output": output.name, "project_hash": self.run.project_hash}
                with self._phases.spent_on("recording"):
                    self.hold.append([self._event("intent", page=self._intent, **cells)])
            if self._erasing is not None:
                self._erasing.announce([str(key) for key in chunk.keys.to_pylist()])
            self._in_flight.append(chunk.keys)
            yield chunk

    def _begun(self, chunk: Chunk, may_be_sent: bool) -> None:
        """A request of the chunk is about to be sent, or none had a connection. In a sender's thread."""
        with self._lock:
            self._open[chunk.number] = chunk.reached if may_be_sent or self._erasing is not None else 0

    @property
    def _reached(self) -> int:
        """Rows of which all that may have been sent are among the first."""
        with self._lock:
            return max([self._sent, *self._open.values()])

    def _settle(self, settled: Settled) -> None:
        chunk = settled.chunk
        with self._lock:
            self._sent = max(self._sent, self._open.pop(chunk.number, 0))
        self._settled += chunk.rows
        # In a copy: a slice of a column that DuckDB made holds all columns of its batch.
        self._unrecorded.append((self._settled, self._in_flight.popleft().combine_chunks()))
        names = self._names
        rejects = [
            replace(each, attribute=names.get(each.attribute, each.attribute))
            for each in (*settled.rejects, *self._source.settled(self._settled))
        ]
        self._rejects += rejects
        of_rows = [each for each in rejects if each.attribute is None]
        sent = {each.key for each in of_rows if each.rejected_by == "batch"}
        self.run = replace(
            self.run,
            sent=self.run.sent + chunk.sent,
            accepted=self.run.accepted + chunk.sent - len(sent),
            rejected_rows=self.run.rejected_rows + len({each.key for each in of_rows}),
            rejected_attributes=self.run.rejected_attributes + len(rejects) - len(of_rows),
            requests=self.run.requests + settled.requests,
            retries=self.run.retries + settled.retries,
            unsure=self.run.unsure + (0 if self.work.sync.kind.repeatable else settled.unsure),
        )
        self.observer.progressed(self.run)

    def _record_progress(self) -> None:
        """Appends how far the delta is settled, if the ledger still shows this push's claim."""
        self._checkpoint_at = self.clock.monotonic()
        with self._phases.spent_on("recording"):
            if self._is_lost(self.hold.journal.state(self.work.name)):
                raise Stopped(self._lost())
            self._append_rejects()
            reached = self._reached_checkpoint()
            if reached is not None:
                with span("checkpoint", sync=self.work.name, page=reached.page):
                    self.hold.append([self._checkpoint_event(reached)])
                self._take(reached)
                recorded = self._sent_up_to(reached)
                self._unrecorded = [each for each in self._unrecorded if each[0] > recorded]

    def _lost(self) -> str:
        return (
            f"`{self.work.name}` was taken over during the push, by dbt or by another push. It sent nothing "
            "more; what was settled is recorded. Run: dbt run, then dbt-batch-sync push"
        )

    def _is_lost(self, state: SyncState) -> bool:
        """Whether another push has claimed the sync or dbt is rebuilding its delta."""
        same = state.built is not None and state.built.delta_id == self.work.built.delta_id
        return self.hold.is_lost(state) or state.is_building or not same

    def _append_rejects(self) -> None:
        if self._erasing is not None:
            self._erasing.record()
        self.hold.append_rejects(self.work.built.delta_id, self._rejects)
        self._rejects = []

    def _checkpoint_event(self, reached: Checkpoint) -> Event:
        return self._event("checkpoint", page=reached.page, key=reached.key, unsure=self._unsure or None)

    @property
    def _unsure(self) -> int:
        """Settled rows that may have been sent twice or never. A killed push reports them by checkpoints."""
        given_up = self.work.given_up is not None
        before = self.work.unsure if given_up else min(self._settled, self.work.unsure)
        return before + self.run.unsure - self._unsure_before

    def _take(self, reached: Checkpoint) -> None:
        """The checkpoint is in the journal, or will be with the end of the run."""
        rows = self.work.histogram.settled_rows(self._sent_up_to(reached), reached.page)
        self._checkpoint = reached
        self.run = replace(self.run, settled=rows, **self._phases.seconds)

    def _reached_checkpoint(self) -> Checkpoint | None:
        """The checkpoint of what is settled; None if it is not beyond the last one."""
        page = self.work.histogram.settled_page(self._settled)
        reached = None if page is None else Checkpoint(page)
        if self._source.last_key is not None and self._settled == self.work.rows:
            reached = self._source.last_key
        return None if reached == self._checkpoint else reached

    def _sent_up_to(self, at: Checkpoint) -> int:
        return self._settled if at.key is not None else self.work.histogram.rows_up_to(at.page)

    def _end(self, error: str | None, *, interrupted: bool) -> Run:
        """Appends the end of the run as the claim's holder, or else with what may have been in flight."""
        recorded = self.run.settled
        try:
            with self._phases.spent_on("recording"):
                held = self.hold.seconds_left > 0
                sent = bool(self._in_flight or (self._unrecorded and not held))
                lost = sent and self._is_lost(self.hold.journal.state(self.work.name))
                events = []
                if held and not lost:
                    self._append_rejects()
                    reached = self._reached_checkpoint()
                    if reached is not None:
                        events.append(self._checkpoint_event(reached))
                        self._take(reached)
                else:
                    error = error or self._lost()
                if lost:
                    self._append_doubt()
                self._conclude(error, interrupted=interrupted)
                self.hold.finish([*events, self._ended(), self._event("released")])
        except BatchSyncError as failure:
            # Batch has accepted what it has accepted: the counts are worth more to the caller than this error
            # alone.
            self.run = replace(self.run, status="failed", error=error or str(failure), settled=recorded)
        return self.run

    def _conclude(self, error: str | None, *, interrupted: bool) -> None:
        self.run = replace(
            self.run,
            status=status_of(self.run, error, interrupted=interrupted, lost=self.work.given_up is not None),
            error=error,
            requests=self.run.requests + (self._erasing.requests if self._erasing is not None else 0),
            seconds=round(self.clock.monotonic() - self._began, 3),
            **self._phases.seconds,
        )

    def _append_doubt(self) -> None:
        """Another push or dbt has taken over: what was sent since the last checkpoint may have reached Batch
        after newer values, answered or not. For events, the intents cover it.
        """
        if not self.work.sync.kind.repeatable:
            return
        chunks = [*(chunk for _, chunk in self._unrecorded), *self._in_flight]
        keys = list(dict.fromkeys(key for chunk in chunks for key in chunk.to_pylist()))
        names = ",".join(each.partition(":")[0] for each in self.work.built.attribute_types.split(","))
        self.hold.journal.append_doubt(self.work.name, self.run.run_id, self.work.built.delta_id, keys, names)

    def _ended(self) -> Event:
        """Adds the last page that a sender had rows of; if all of them are settled, the checkpoint's."""
        settled = self._reached and self._reached == self._sent_up_to(self._checkpoint)
        page = self._checkpoint.page if settled else self.work.histogram.page_of(self._reached)
        return ended(self.hold.journal, self.run, self.work.output, page)

    def _event(self, name: EventName, **cells: Any) -> Event:
        return self.hold.event(name, delta_id=self.work.built.delta_id, **cells)


def status_of(run: Run, error: str | None = None, *, interrupted: bool = False, lost: bool = False) -> str:
    """The status of a run, from its counts and its error."""
    if error is not None:
        return "failed"
    if interrupted:
        return "interrupted"
    rejected = run.invalid or run.parked or run.rejected_rows or run.rejected_attributes or lost
    return "partial" if rejected else "succeeded"


def ended(journal: Journal, run: Run, output: Output, page: int | None = None) -> Event:
    """The event that ends a run, with the whole run."""
    own = {f.name for f in fields(Event)}
    cells = {f.name: getattr(run, f.name) for f in fields(Run) if f.name in own}
    return Event(journal.stamp(), event="ended", page=page, retention_days=output.retention_days, **cells)
