"""Puts the parts together: what the command line and orchestrators call.

    from dbt_batch_sync.api import push
    result = push(options)          # options: profiles.DbtOptions

Nothing is printed here, nothing is asked, and no signal is handled: set `stop` to end a push early.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from threading import Event

from dbt_batch_sync import __version__
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.batch_api.limits import LIMITS, Endpoint
from dbt_batch_sync.delivery.chunks import chunk_rows
from dbt_batch_sync.delivery.pacing import Pacer, pacer_for
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, Stopped
from dbt_batch_sync.manifest import Manifest, read_manifest
from dbt_batch_sync.outputs import Output, read_output
from dbt_batch_sync.payload.render import render
from dbt_batch_sync.plan import plan_segment
from dbt_batch_sync.profiles import DbtOptions, read_project, read_target
from dbt_batch_sync.push import STREAM_ROWS, Channel, Clock, Observer, SegmentPush, new_run
from dbt_batch_sync.results import (
    PlanResult,
    PushResult,
    SegmentPushed,
    SegmentStatus,
    StatusResult,
    ValidateResult,
)
from dbt_batch_sync.warehouse import Warehouse, open_warehouse
from dbt_batch_sync.segments import Segment, read_segments
from dbt_batch_sync.selection import select_segments
from dbt_batch_sync.work import Work, open_work


def system_clock() -> Clock:
    """The machine's."""
    return Clock(lambda: datetime.now(timezone.utc).replace(tzinfo=None), time.monotonic)


@dataclass(frozen=True)
class Selection:
    """`--select` and `--exclude`: model names, `tag:…`, `path:…`; nothing selects every segment."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class PushOptions:
    """What a push may be told. `limit` counts rows of each segment's delta."""

    dry_run: bool = False
    limit: int | None = None


class _Silent:
    """An observer that shows nothing."""

    def started(self, work: Work, endpoint: Endpoint) -> None: ...

    def progressed(self, run: object) -> None: ...


def push(
    dbt: DbtOptions,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    options: PushOptions = PushOptions(),  # noqa: B008 - frozen
    *,
    stop: Event | None = None,
    observer: Observer | None = None,
    clock: Clock | None = None,
) -> PushResult:
    """Sends the deltas of the selected segments, one after another, and commits what Batch accepts.

    A segment that fails does not keep the next one from being pushed; its error is in its result. Raises
    ConfigurationError and WarehouseError when nothing could be started.
    """
    clock, stop = clock or system_clock(), stop or Event()
    segments = load_segments(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {segment.mapping.output for segment in segments}}
    started, run_id = clock.now(), str(uuid.uuid4())
    pushed: list[SegmentPushed] = []
    with opened(dbt) as warehouse, _Channels() as channels:
        pushing = _Pushing(warehouse, channels, options, run_id, clock, stop, observer or _Silent())
        for segment in segments:
            pushed.append(pushing.segment(segment, outputs[segment.mapping.output]))
            if stop.is_set():
                break
    return PushResult(run_id, started, clock.now(), tuple(pushed))


def plan(dbt: DbtOptions, selection: Selection = Selection()) -> PlanResult:  # noqa: B008 - frozen
    """What a push would do now; writes and sends nothing."""
    segments = load_segments(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {segment.mapping.output for segment in segments}}
    with opened(dbt) as warehouse:
        return PlanResult(
            tuple(
                plan_segment(warehouse, open_work(warehouse, s), outputs[s.mapping.output]) for s in segments
            )
        )


def status(dbt: DbtOptions, selection: Selection = Selection(), *, limit: int = 10) -> StatusResult:  # noqa: B008
    """The last runs of the selected segments."""
    segments = load_segments(dbt, selection)
    with opened(dbt) as warehouse:
        works = [open_work(warehouse, segment, check=False) for segment in segments]
        return StatusResult(
            tuple(SegmentStatus(work.name, tuple(work.ledger.recent_runs(limit))) for work in works)
        )


def validate(dbt: DbtOptions, selection: Selection = Selection(), *, online: bool = False) -> ValidateResult:  # noqa: B008
    """Checks the mappings; `online` asks the warehouse for the relations and Batch for the credentials too.

    Raises MappingError with everything that is wrong at once.
    """
    segments = load_segments(dbt, selection)
    outputs = {name: read_output(dbt, name) for name in {segment.mapping.output for segment in segments}}
    if online:
        with opened(dbt) as warehouse, _Channels() as channels:
            for segment in segments:
                open_work(warehouse, segment)
            for output in outputs.values():
                channels.client(output).check()
    return ValidateResult(tuple(segment.mapping.segment for segment in segments), online)


def load_manifest(dbt: DbtOptions) -> Manifest:
    """The project's manifest. Raises ManifestError when there is none."""
    return read_manifest(read_project(dbt).manifest)


def load_segments(dbt: DbtOptions, selection: Selection) -> tuple[Segment, ...]:
    """The selected segments, all of whose mappings are right."""
    segments = read_segments(load_manifest(dbt))
    if not segments:
        raise ConfigurationError(
            "no model of this project has `batch_sync` under `config: meta:`. `dbt-batch-sync init` prints what to add; "
            "run `dbt parse` after it"
        )
    return select_segments(segments, selection.select, selection.exclude)


@contextmanager
def opened(dbt: DbtOptions) -> Iterator[Warehouse]:
    """The warehouse of the dbt target, closed afterwards."""
    warehouse = open_warehouse(read_target(dbt))
    try:
        yield warehouse
    finally:
        warehouse.close()


@dataclass
class _Channels:
    """One client per output, and one pacer per output and endpoint, for all segments."""

    _clients: dict[str, Client] = field(default_factory=dict)
    _pacers: dict[tuple[str, Endpoint], Pacer] = field(default_factory=dict)

    def __enter__(self) -> _Channels:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, output: Output) -> Client:
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
        key = (output.name, endpoint)
        if key not in self._pacers:
            self._pacers[key] = pacer_for(LIMITS[endpoint], output.max_profiles_per_second)
        return Channel(output, self.client(output), endpoint, self._pacers[key])


@dataclass(frozen=True)
class _Pushing:
    """What the pushes of all segments have in common."""

    warehouse: Warehouse
    channels: _Channels
    options: PushOptions
    run_id: str
    clock: Clock
    stop: Event
    observer: Observer

    def segment(self, segment: Segment, output: Output) -> SegmentPushed:
        """Pushes one segment; what goes wrong is in the answer."""
        began = self.clock.monotonic()
        try:
            work = open_work(self.warehouse, segment)
            pushed = self._dry(work) if self.options.dry_run else self._push(work, output)
        except ConfigurationError:
            raise
        except BatchSyncError as error:
            pushed = SegmentPushed(segment.mapping.segment, "failed", error=str(error))
        return replace(pushed, seconds=round(self.clock.monotonic() - began, 3))

    def _push(self, work: Work, output: Output) -> SegmentPushed:
        began, now = self.clock.monotonic(), self.clock.now()
        work.ledger.prepare()
        _check_project(work, output)
        endpoint = work.endpoint() if work.delta_id is not None else None
        run = new_run(self.run_id, work, endpoint, output.name, output.project_hash, now)
        work.ledger.start(run)
        if endpoint is not None:
            self.observer.started(work, endpoint)
            channel = self.channels.channel(output, endpoint)
            ready = replace(work, has_ledger=True)
            pushing = SegmentPush(
                self.warehouse, ready, channel, run, self.clock, self.stop, self.observer, self.options.limit
            )
            run = pushing.send()
        else:
            run = replace(run, status="succeeded", finished_at=self.clock.now())
        run = replace(run, seconds=round(self.clock.monotonic() - began, 3))
        work.ledger.record(run)
        return SegmentPushed.of(run)

    def _dry(self, work: Work) -> SegmentPushed:
        """Renders everything and sends nothing: `sent` and `requests` are what would be."""
        counts = work.counts
        pushed = SegmentPushed(
            work.name,
            "succeeded",
            work.delta_id,
            None,
            counts.inserts,
            counts.updates,
            counts.exits,
            counts.invalid,
        )
        if work.delta_id is None:
            return pushed
        endpoint, sent, requests, withheld = work.endpoint(), 0, 0, 0

        def rows(parts: Sequence[object] | Iterator[object]) -> Iterator[object]:
            nonlocal withheld
            for part in parts:
                withheld += len(part.withheld)  # type: ignore[attr-defined]
                yield part.rows  # type: ignore[attr-defined]

        with self.warehouse.stream(work.pending_rows(self.options.limit), STREAM_ROWS) as source:
            rendered = render(source.batches, source.schema, work.attributes, after=work.resume.position)
            for chunk in chunk_rows(rows(rendered), LIMITS[endpoint].max_operations):
                sent, requests = sent + chunk.profiles, requests + bool(len(chunk))
        state = "partial" if counts.invalid or withheld else "succeeded"
        return replace(
            pushed,
            status=state,
            endpoint=endpoint.value,
            sent=sent,
            requests=requests,
            rejected_attributes=withheld,
        )


def _check_project(work: Work, output: Output) -> None:
    """A snapshot describes one Batch project: pushing its delta to another would leave that one with holes."""
    last = work.ledger.last_project()
    if last is not None and last != output.project_hash:
        raise Stopped(
            f"{work.snapshot.table.name} describes another Batch project than output `{output.name}` writes to; nothing was sent. "
            "Choose the output that it was pushed to, or send everything again: dbt-batch-sync push --full-refresh"
        )


__all__ = [
    "DbtOptions",
    "PushOptions",
    "Selection",
    "__version__",
    "plan",
    "push",
    "status",
    "validate",
]
