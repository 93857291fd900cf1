"""One sync, from its rows to Batch, at milliseconds per step: fast enough for model checking.

The parts are real: dbt's own compiler, contexts and materializations run the package's macros (without dbt's
start-up, parser and scheduler, so a `dbt run` takes 0.1 s instead of 2), `Session.push` pushes, and Batch is
the sandbox over HTTP. The simulated parts, and their limits:

- A kill is the exception `Killed`, raised before or after a call to the warehouse or Batch. The warehouse
  then accepts no more calls, so no `finally` block can append anything. Queued requests may still arrive, at
  random, as from a process that died a moment later. Database files damaged by a kill and torn requests are
  not covered.
- Senders take turns in one thread, in an order drawn from a seed, so that sequences can be repeated.
- Time passes only when somebody waits, for the warehouse as well.
- A page has two rows.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa
from harness.clocked import BEGIN, ClockedDatabase, DuckDbInMemory
from harness.faults import Fault
from harness.faulty import FaultyWarehouse, Points, Trouble, do, faulty_send
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project, Row
from harness.repeated import answered_at_once
from sqlglot import exp

from dbt_batch_sync.artifacts.manifest import read_manifest
from dbt_batch_sync.audit import AuditOptions, Wait
from dbt_batch_sync.audit.run import Audit
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery.pacing import Timing, pacer_for
from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.kinds.kind import Kind, Route
from dbt_batch_sync.ledger.claims import Timing as ClaimTiming
from dbt_batch_sync.ledger.records import JOURNAL, REJECTS
from dbt_batch_sync.ledger.requests import Scope, append_requests
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.payload.events import render_events
from dbt_batch_sync.payload.render import Rendered, render
from dbt_batch_sync.push import channels as channels_module
from dbt_batch_sync.push import pages as pages_module
from dbt_batch_sync.push import source as source_module
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.known import read_each
from dbt_batch_sync.push.session import PushOptions, Session
from dbt_batch_sync.push.sync_push import Clock
from dbt_batch_sync.results.look import SyncAudited
from dbt_batch_sync.results.sync import SyncPushed
from dbt_batch_sync.warehouse import Column, Statement, Warehouse

EXPIRY_SECONDS = 91.0
"""Seconds without a heartbeat after which a push counts as dead, for dbt too."""


EVENTS: dict[str, Any] = {
    **{"kind": "events", "identifier": "customer", "event_id": "id", "name": "name", "time": "at"},
    "attributes": [{"column": "id", "name": "number"}],
}
EVENT_COLUMNS = {"id": "bigint", "customer": "varchar", "name": "varchar", "at": "timestamp"}


def events(count: int, start: int = 0) -> list[dict[str, object]]:
    """Events of four profiles in turn; the last profile has the most."""
    return [
        {
            "id": n, "customer": "abcdddd"[n % 7], "name": "bought",
            "at": BEGIN - timedelta(hours=2) + timedelta(minutes=n),
        }
        for n in range(start, start + count)
    ]  # fmt: skip


class Killed(BaseException):
    """Simulates the death of the process. No `except Exception` catches it."""


@dataclass(frozen=True)
class Knobs:
    """Settings of a push. Small numbers let a few rows exercise everything.

    `chunk_rows`: operations per call. `window_rows`: rows that an intent covers ahead (0: 250,000).
    `slice_rows`: rows rendered at a time. `checkpoint_every`: settled chunks per checkpoint. `seed`: the
    order of the senders' turns.
    """

    chunk_rows: int = 2
    window_rows: int = 1
    slice_rows: int = 2
    in_flight: int = 2
    checkpoint_every: int = 2
    max_attempts: int = 2
    seed: int = 0


@dataclass
class Time:
    """A simulated clock and stopwatch. They move only when told to."""

    seconds: float = 0.0

    def now(self) -> datetime:
        """Strictly increasing: two calls never return the same time."""
        self.seconds += 0.01
        return BEGIN + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def wait(self, event: Event, seconds: float) -> bool:
        self.seconds += seconds
        return event.is_set()


@dataclass
class Outcome:
    """The result of a push; `pushed` is None if it was killed. `sent`: the operations that arrived, by custom_id."""

    pushed: SyncPushed | None
    requests: int
    sent: Counter[str]

    @property
    def killed(self) -> bool:
        return self.pushed is None


class Life:
    """Whether the process and its connection are alive."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self.dead = False
        self.lost = False
        self._on_death = on_death

    def end(self, trouble: Trouble) -> None:
        """Kill the process or drop its connection."""
        self.check()
        self.lost = trouble.act == "lose"
        if trouble.act in ("fail", "lose"):
            do(trouble)
        self._on_death()
        self.dead = True
        raise Killed(trouble)

    def check(self) -> None:
        if self.dead:
            raise Killed("already dead")
        if self.lost:
            raise WarehouseError("the connection was lost")


class MortalWarehouse(FaultyWarehouse):
    """A warehouse whose connection dies with the process and whose clock is simulated."""

    def __init__(self, inner: Warehouse, points: Points, life: Life, tick: Callable[[], None]) -> None:
        super().__init__(inner, points)
        self._life = life
        self._tick = tick
        self.checkpoint_seconds = 1.0

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        self._life.check()
        return super().columns(table)

    def fetch(self, query: Statement) -> pa.Table:
        self._life.check()
        self._tick()
        return super().fetch(query)

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        self._life.check()
        self._tick()
        super().append(table, rows)

    def close(self) -> None:
        self._life.check()


class Turns:
    """Stand-in for the senders' thread pool. The next sender is drawn from a seed, and finishes its chunk."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._queue: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def pool(self, workers: int, thread_name_prefix: str = "") -> Turns:
        self._queue.clear()
        return self

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._queue.append((future, work, arguments))
        return future

    def wait(self, futures: Iterable[Future[Any]], timeout: float | None = None) -> None:
        while self._queue and not all(future.done() for future in futures):
            self._next()

    def some(self) -> None:
        """Run a random part of the queue, as if requests were under way when the process died."""
        for _ in range(self._chance.randint(0, len(self._queue))):
            self._next()

    def _next(self) -> None:
        future, work, arguments = self._queue.pop(self._chance.randrange(len(self._queue)))
        try:
            future.set_result(work(*arguments))
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            future.set_exception(error)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        self._queue.clear()


@dataclass
class Watcher:
    """An observer that calls back once, after a number of settled chunks."""

    at: int = 0
    act: Callable[[], None] = lambda: None
    checkpoint_every: int = 1
    _seen: int = 0

    def seconds(self) -> float:
        """A stopwatch that makes a checkpoint due every `checkpoint_every` settled chunks."""
        return self._seen / self.checkpoint_every

    def started(self, work: object) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: object) -> None:
        self._seen += 1
        if self._seen == self.at:
            self.act()


class _Watching:
    """An audit observer that shows nothing."""

    def exporting(self, export_id: str) -> None: ...

    def state(self, line: str) -> None: ...

    def told(self, message: str) -> None: ...


class Bench:
    """One sync, `people`, on an in-process DuckDB or the given database. The sandbox must not be shared."""

    def __init__(
        self,
        directory: Path,
        sandbox: FaultyServer,
        mapping: Mapping[str, object] | None = None,
        database: ClockedDatabase | None = None,
    ) -> None:
        """Every later mapping must be of the same kind as `mapping`."""
        self.sandbox = sandbox
        self.time = Time()
        self.output = Output(
            name="sandbox",
            rest_api_key=sandbox.settings.rest_api_key,
            project_key=sandbox.settings.project_key,
            api_url=sandbox.url,
            timeout=10.0,
        )
        self.mapping: Mapping[str, object] = mapping or {"identifier": "id", "custom": ["a"]}
        self.target: str | None = None  # that of pushes, if it is checked
        self.database = database or DuckDbInMemory()
        project = Project(directory, sandbox, self.database)
        project.map(self.mapping)
        project.dbt("parse")
        self._dbt = project._quick
        self._dbt.divide(PAGE_ROWS)
        manifest = read_manifest(directory / "target" / "manifest.json")
        self._models = {model.name: model for model in manifest.models}
        with self._installed():
            self._warehouse = self.database.open()

    def reset(self) -> None:
        """Remove all tables, profiles and faults."""
        self.database.clear()
        self.sandbox.reset()

    # User actions

    def map(self, mapping: Mapping[str, object]) -> None:
        """Set the sync's meta for the next `build` and push."""
        self.mapping = mapping
        self._dbt.map(PEOPLE, mapping)

    def set_rows(self, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
        """Set the sync's rows. `columns` are names and types."""
        self.database.create(PEOPLE, columns, list(rows))
        source = self.database.source(PEOPLE)
        self.execute(f"create or replace view {PEOPLE} as select * from {source}")

    def build(self, *suffixes: str, dies_at: int | None = None) -> bool:
        """Run dbt on the snapshot and the delta, or on one of them. Return whether it completed.

        `dies_at`: the number of the statement at which it is killed.
        """
        self._tick()
        with self._installed(), self._dbt.dying(dies_at, Killed), contextlib.suppress(Killed):
            self._dbt.run([PEOPLE + suffix for suffix in suffixes or ("_sent_snapshot", "_delta")])
            return True
        return False

    def resend(self, scope: Scope) -> None:
        """Request that the next `dbt run` resends everything, or what was rejected."""
        with self._installed():
            session = self._session(
                PushOptions(), MortalWarehouse(self._warehouse, Points(()), Life(int), self._tick)
            )
            (target,), _ = session.read([self._sync()])
            append_requests(target.journal, scope, [PEOPLE])

    def push(
        self,
        *,
        faults: Sequence[Fault] = (),
        trouble: Trouble | None = None,
        knobs: Knobs = Knobs(),
        meanwhile: tuple[int, Callable[[], None]] = (0, lambda: None),
        asleep: tuple[int, Callable[[], None]] = (0, lambda: None),
        reading: tuple[int, Callable[[], None]] = (0, lambda: None),
        adopt: bool = False,
        clock_off: timedelta = timedelta(0),
        **options: Any,
    ) -> Outcome:
        """Push or adopt. `meanwhile`: called after that many settled chunks. `asleep`: called while that
        request is on its way to Batch. `reading`: called before that query. `clock_off`: error of the host's
        clock.
        """
        self.sandbox.faults.set(faults)
        before = self.sandbox.stats
        turns = Turns(knobs.seed)
        life = Life(turns.some)
        points = Points([trouble] if trouble else [], life.end)
        requests = Points([Trouble("send", asleep[0])], lambda _: asleep[1]())
        watcher = Watcher(*meanwhile, knobs.checkpoint_every)
        pushed: SyncPushed | None = None
        with self._installed(), _small(self.time, knobs, turns), _Channels() as channels:
            channels.points = (points, requests)
            mortal = MortalWarehouse(self._warehouse, points, life, self._tick)
            warehouse = FaultyWarehouse(
                mortal, Points([Trouble("fetch", reading[0])], lambda _: reading[1]())
            )
            session = self._session(PushOptions(**options), warehouse, channels, watcher, clock_off)
            output = replace(
                self.output,
                max_attempts=knobs.max_attempts,
                max_in_flight=knobs.in_flight,
                checkpoint_seconds=1.0,
                max_profiles_per_second=float(knobs.window_rows),
            )
            with contextlib.suppress(Killed):
                pushed = _pushed(session, self._sync(), output, adopt=adopt)
        self.sandbox.faults.clear()
        after = self.sandbox.stats
        return Outcome(pushed, after.requests - before.requests, after.custom_ids - before.custom_ids)

    def audit(self, *, trouble: Trouble | None = None, **options: Any) -> SyncAudited | None:
        """Audit; `options` are those of `AuditOptions`. Return None if it was killed."""
        life = Life(int)
        warehouse = MortalWarehouse(
            self._warehouse, Points([trouble] if trouble else [], life.end), life, self._tick
        )
        sync, wait = self._sync(), Wait(self.time.sleep, lambda: self.time.seconds)
        with self._installed(), Channels() as channels:
            outputs = {PEOPLE: self.output}
            run = Audit(warehouse, channels, outputs, AuditOptions(**options), wait, _Watching())
            with contextlib.suppress(Killed):
                known, wrong = read_each(warehouse, [sync], lambda: self.time.seconds)
                assert not wrong, wrong
                (found,) = run.run(known)
                return found
        return None

    def _session(
        self,
        options: PushOptions,
        warehouse: Warehouse,
        channels: Channels | None = None,
        watcher: Watcher | None = None,
        clock_off: timedelta = timedelta(0),
    ) -> Session:
        watcher = watcher or Watcher()
        began = clock_off.total_seconds()
        claims = ClaimTiming(lambda: began + self.time.seconds, self.time.sleep, lambda: 0.5)
        clock = Clock(lambda: self.time.now() + clock_off, watcher.seconds, claims)
        run_id = str(uuid.uuid4())
        channels, target = channels or Channels(), self.target
        return Session(warehouse, {}, channels, options, run_id, clock, Event(), watcher, target=target)

    def let_leases_expire(self) -> None:
        """Let enough time pass that every claim expires."""
        self.time.seconds += EXPIRY_SECONDS

    def add(self, event: str, **cells: object) -> None:
        """Append another process's event to the journal."""
        self.time.now()
        moment = BEGIN + timedelta(seconds=self.time.seconds)
        given = {"recorded_at": moment, "sync": PEOPLE, "event": event, **cells}
        names, marks = ", ".join(given), ", ".join(f"${name}" for name in given)
        self.database.execute(f"insert into {JOURNAL} ({names}) values ({marks})", given)

    def execute(self, *statements: str) -> None:
        """Run manual statements on the warehouse."""
        for statement in statements:
            self.database.execute(statement, {})

    # Results

    def profiles(self) -> dict[str, dict[str, Any]]:
        """The profiles in Batch, by custom_id."""
        return {name: dict(profile.attributes) for name, profile in self.sandbox.profiles.items()}

    def rejects(self) -> dict[tuple[str, str | None], str]:
        """Open rejections, by custom_id and relation column."""
        if not self.database.has_table(REJECTS):
            return {}
        query = f"select key, attribute, rejected_by from {REJECTS} where resolved_at is null"
        return {(row["key"], row["attribute"]): row["rejected_by"] for row in self.database.query(query, {})}

    def table(self, suffix: str) -> list[dict[str, Any]]:
        """All rows of the snapshot, the delta or a ledger table."""
        name = suffix if suffix.startswith("batch") else PEOPLE + suffix
        return self.database.query(f"from {name}", {})

    def journal(self) -> list[dict[str, Any]]:
        """All events, without nulls."""
        rows = sorted(self.table(JOURNAL), key=lambda row: row["recorded_at"])
        return [{name: cell for name, cell in row.items() if cell is not None} for row in rows]

    @contextlib.contextmanager
    def _installed(self) -> Iterator[None]:
        with self._dbt.installed(), answered_at_once():
            yield

    def _tick(self) -> None:
        """Set the warehouse's clock."""
        self.time.now()
        self.database.set_clock(self.time.seconds)

    def _sync(self) -> Sync:
        mapping = parse_mapping(PEOPLE, self.mapping, "models/people.yml")
        model, snapshot, delta = (
            self._models[PEOPLE + suffix] for suffix in ("", "_sent_snapshot", "_delta")
        )
        return Sync(mapping, model, snapshot, delta)


PAGE_ROWS = 2


@dataclass
class _Channels(Channels):
    """Channels whose clients pass the bench's fault points."""

    points: Sequence[Points] = ()

    def client(self, output: Output) -> Any:
        client = super().client(output)
        send = client.send
        for points in self.points:
            send = faulty_send(send, points)
        return SimpleNamespace(send=send, ask=client.ask)


def _pushed(session: Session, sync: Sync, output: Output, *, adopt: bool) -> SyncPushed:
    try:
        session = replace(session, outputs={sync.name: output})
        found, wrong = session.read([sync])
        for error in wrong.values():
            raise error
        if adopt:
            return session.adopt(found[0])
        done = session.push_idle(found)
        return done.get(PEOPLE) or session.push(found[0])
    except (ConfigurationError, WarehouseError) as error:
        return SyncPushed(PEOPLE, "profiles", "failed", error=str(error))


class _AtOnce:
    """Stand-in for the thread pool that reads ahead."""

    def __init__(self, workers: int, thread_name_prefix: str = "") -> None: ...

    def __enter__(self) -> _AtOnce:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - raised by whoever asks for the result
            future.set_exception(error)
        return future


@contextlib.contextmanager
def _small(time: Time, knobs: Knobs, turns: Turns) -> Iterator[None]:
    """Make chunks, slices, ranges and windows small, without real sleeps or threads."""
    route = Kind.route

    def small(kind: Kind, endpoint: str, rows: int) -> Route:
        return replace(
            route(kind, endpoint, rows), max_rows=knobs.chunk_rows, rate=knobs.window_rows, burst=0
        )

    timing = Timing(lambda: time.seconds, time.wait, lambda: 0.0)
    with contextlib.ExitStack() as stack:
        put = partial(_put, stack)
        put(Kind, "route", small)
        put(source_module, "render", partial(_render_slices, knobs.slice_rows))
        put(source_module, "render_events", partial(render_events, batch_rows=knobs.slice_rows))
        put(pages_module, "RANGE_ROWS", knobs.slice_rows)
        put(pages_module, "ThreadPoolExecutor", _AtOnce)
        put(channels_module, "pacer_for", partial(pacer_for, now=lambda: time.seconds))
        put(channels_module, "SYSTEM_TIMING", timing)
        put(sender_module, "SYSTEM_TIMING", timing)
        put(sender_module, "ThreadPoolExecutor", turns.pool)
        put(sender_module, "wait", turns.wait)
        yield


def _put(stack: contextlib.ExitStack, module: object, name: str, value: object) -> None:
    stack.enter_context(mock.patch.object(module, name, value))


def _render_slices(rows: int, *arguments: Any, **options: Any) -> Iterator[Rendered]:
    """Render, then split the result into smaller pieces."""
    before = 0
    for part in render(*arguments, **options):
        for start in range(0, part.rows.num_rows, rows):
            piece = part.rows.slice(start, rows)
            last = before + piece.num_rows
            yield Rendered(piece, tuple(note for note in part.rejected if before < note.position <= last))
            before = last
