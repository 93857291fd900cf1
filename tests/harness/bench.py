"""One sync, from its rows to Batch, at milliseconds a step: what a model checker needs.

Real parts: dbt's own compiler, contexts and materializations render and run the package's macros (only dbt's start, its
parser and its scheduler are left out, so a `dbt run` costs 0.1 s instead of 2), `Session.push` pushes, and Batch is the
sandbox over HTTP. What stands in for something, and what it can't show:

- A kill is an exception of the class `Killed` before or after a call of the warehouse or of Batch, after which the
  warehouse takes no more calls: no `finally` of the push can append anything. What was queued to be sent may still
  arrive (by chance), as from a process that died a moment later. It shows neither what a database file looks like after
  a kill, nor a torn request.
- The senders take turns in one thread, in an order drawn from a seed, so that a sequence can be repeated.
- Time passes only when somebody waits, for the warehouse too: its `now()` is shadowed by ours.
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
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa
import yaml
from harness.faults import Fault
from harness.faulty import FaultyWarehouse, Points, Trouble, do, faulty_send
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project, Row
from harness.quick import QuickDbt
from harness.repeated import answered_at_once, remembered
from sqlglot import exp

from dbt_batch_sync.artifacts.manifest import Model
from dbt_batch_sync.audit import AuditOptions, Wait
from dbt_batch_sync.audit.run import Audit
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery import talking as talking_module
from dbt_batch_sync.delivery.pacing import pacer_for
from dbt_batch_sync.delivery.timing import Timing
from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.kinds.kind import Kind, Route
from dbt_batch_sync.ledger.claims import Timing as ClaimTiming
from dbt_batch_sync.ledger.records import JOURNAL
from dbt_batch_sync.ledger.requests import Scope, append_requests
from dbt_batch_sync.mapping.mapping import Location
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
from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

EXPIRY_SECONDS = 91.0
"""After so long without a sign of life a push counts as dead, for dbt too."""


BEGIN = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
"""Real, because the sandbox refuses events of another day."""


class Killed(BaseException):
    """The process died here. No `except Exception` catches it."""


@dataclass(frozen=True)
class Knobs:
    """How a push goes about its work; small numbers make a few rows enough for everything that can happen.

    `chunk_rows` operations a call; `window_rows` rows that an intent reaches ahead (0: a quarter of a million);
    `slice_rows` rows that are rendered at a time; `checkpoint_every` settled chunks; `seed` decides whose turn it is.
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
    """The time of day and seconds on a watch; both only move when they are told to."""

    seconds: float = 0.0

    def now(self) -> datetime:
        """Never the same twice: what happened later is later."""
        self.seconds += 0.01
        return BEGIN + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def wait(self, event: Event, seconds: float) -> bool:
        self.seconds += seconds
        return event.is_set()


@dataclass
class Outcome:
    """How a push ended: with a result, or killed. `sent` are the operations that arrived, by custom_id."""

    pushed: SyncPushed | None
    requests: int
    sent: Counter[str]

    @property
    def killed(self) -> bool:
        return self.pushed is None


class Life:
    """Whether the process lives, and its connection."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self.dead = False
        self.lost = False
        self._on_death = on_death

    def end(self, trouble: Trouble) -> None:
        """The process is killed here, or loses its connection."""
        self.check()
        self.lost = trouble.act == "lose"
        if trouble.act in ("fail", "lose"):
            do(trouble)
        self._on_death()
        self.dead = True
        raise Killed(trouble)

    def check(self) -> None:
        if self.dead:
            raise Killed("dead already")
        if self.lost:
            raise WarehouseError("the connection was lost")


class MortalWarehouse(FaultyWarehouse):
    """A warehouse whose connection ends with the process, and whose clock is the bench's."""

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
    """Stands in for the senders' pool: who is next is drawn from a seed, and runs to the end of its chunk."""

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
        """What was under way when the process died: any part of what was queued."""
        for _ in range(self._chance.randint(0, len(self._queue))):
            self._next()

    def _next(self) -> None:
        future, work, arguments = self._queue.pop(self._chance.randrange(len(self._queue)))
        future.set_result(work(*arguments))

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        self._queue.clear()


@dataclass
class Watcher:
    """An observer that calls back once, when so many chunks are settled."""

    at: int = 0
    act: Callable[[], None] = lambda: None
    checkpoint_every: int = 1
    _seen: int = 0

    def seconds(self) -> float:
        """A watch that makes every so-many-th settled chunk a checkpoint."""
        return self._seen / self.checkpoint_every

    def started(self, work: object) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: object) -> None:
        self._seen += 1
        if self._seen == self.at:
            self.act()


class _Watching:
    """An observer of audits that shows nothing."""

    def exporting(self, export_id: str) -> None: ...

    def state(self, line: str) -> None: ...

    def told(self, message: str) -> None: ...


class Bench:
    """One sync, `people`, on an engine that lives in this process; `sandbox` is this bench's alone. `kind` is what the models
    are written for.
    """

    def __init__(
        self, directory: Path, sandbox: FaultyServer, mapping: Mapping[str, object] | None = None
    ) -> None:
        """`mapping` is of the kind that all mappings of this bench are."""
        self.sandbox = sandbox
        self.time = Time()
        self.output = Output(
            name="sandbox",
            rest_api_key=sandbox.settings.rest_api_key,
            project_key=sandbox.settings.project_key,
            api_url=sandbox.url,
            timeout=10.0,
        )
        project = Project(directory, sandbox)
        self.mapping: Mapping[str, object] = mapping or {"identifier": "id", "custom": ["a"]}
        project.map(self.mapping)
        profiles = yaml.safe_load((directory / "profiles.yml").read_text())
        profiles["shop"]["outputs"]["dev"] = _ENGINE
        (directory / "profiles.yml").write_text(yaml.safe_dump(profiles))
        self._dbt = QuickDbt(directory, page_rows=PAGE_ROWS)
        adapter = self._dbt.adapter
        adapter.set_macro_context_generator(remembered(adapter._macro_context_generator))
        with self._installed():
            credentials = {key: value for key, value in _ENGINE.items() if key not in ("type", "threads")}
            self._warehouse = DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", credentials))
            for statement in _CLOCK:
                self._query(statement)

    def reset(self) -> None:
        """No tables, no profiles, no faults."""
        with self._installed():
            query = "select table_type, table_name from information_schema.tables where table_schema = 'main'"
            for kind, name in self._query(query):
                self._query(f'drop {"view" if kind == "VIEW" else "table"} "main"."{name}"')
        self.sandbox.reset()

    # What the user does

    def map(self, mapping: Mapping[str, object]) -> None:
        """The sync's meta; it counts for the next `build`, and for a push from now on."""
        self.mapping = mapping
        self._dbt.map(mapping)

    def set_rows(self, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
        """The sync's rows: `columns` are names and types of the engine."""
        listed = list(rows)
        cells = pa.table({name: pa.array([row.get(name) for row in listed]) for name in columns})
        chosen = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in columns.items())
        with self._installed(), self._warehouse._file.cursor() as connection:
            connection.register("given", cells)
            connection.execute(f"create or replace table {PEOPLE} as select {chosen} from given")
            connection.unregister("given")

    def build(self, *suffixes: str, dies_at: int | None = None) -> bool:
        """`dbt run` of the snapshot and the delta, or of one of the two; whether it came to its end.

        `dies_at`: it is killed at its so many-th statement.
        """
        self._tick()
        with self._installed(), self._dbt.dying(dies_at, Killed), contextlib.suppress(Killed):
            self._dbt.run([PEOPLE + suffix for suffix in suffixes or ("_sent_snapshot", "_delta")])
            return True
        return False

    def resend(self, scope: Scope) -> None:
        """Asks the next `dbt run` to send everything again, or what was rejected."""
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
        """One push, or adoption. `meanwhile`: what happens once so many chunks are settled; `asleep`: what happens while its
        so many-th request is on its way to Batch; `reading`: before its so many-th query; `clock_off`: how wrong its host's clock is.
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
        """One audit; `options` are those of `AuditOptions`. None: it was killed."""
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
        return Session(warehouse, {}, channels or Channels(), options, run_id, clock, Event(), watcher)

    def let_leases_expire(self) -> None:
        """A while passes in which nobody says that he lives."""
        self.time.seconds += EXPIRY_SECONDS

    def add(self, event: str, **cells: object) -> None:
        """Appends an event of somebody else to the journal."""
        self.time.now()
        moment = BEGIN + timedelta(seconds=self.time.seconds)
        given = {"recorded_at": moment, "sync": PEOPLE, "event": event, **cells}
        names, marks = ", ".join(given), ", ".join("?" * len(given))
        with self._installed(), self._warehouse._file.cursor() as connection:
            connection.execute(f"insert into {JOURNAL} ({names}) values ({marks})", list(given.values()))

    def execute(self, *statements: str) -> None:
        """What somebody does to the warehouse by hand."""
        with self._installed():
            for statement in statements:
                self._query(statement)

    # What there is afterwards

    def profiles(self) -> dict[str, dict[str, Any]]:
        """What Batch holds, by custom_id."""
        return {name: dict(profile.attributes) for name, profile in self.sandbox.profiles.items()}

    def rejects(self) -> dict[tuple[str, str | None], str]:
        """What is rejected: by custom_id and the relations' name of the attribute."""
        with self._installed():
            if not self._query(
                "select 1 from information_schema.tables where table_name = 'batch_sync_rejects'"
            ):
                return {}
            query = "select key, attribute, rejected_by from batch_sync_rejects where resolved_at is null"
            return {(row[0], row[1]): row[2] for row in self._query(query)}

    def table(self, suffix: str) -> list[dict[str, Any]]:
        """All rows of the snapshot, the delta or the ledger, to look at."""
        name = suffix if suffix.startswith("batch") else PEOPLE + suffix
        with self._installed(), self._warehouse._file.cursor() as connection:
            found = connection.execute(f"select * from {name}")
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def journal(self) -> list[dict[str, Any]]:
        """What happened, to look at."""
        rows = sorted(self.table(JOURNAL), key=lambda row: row["recorded_at"])
        return [{name: cell for name, cell in row.items() if cell is not None} for row in rows]

    @contextlib.contextmanager
    def _installed(self) -> Iterator[None]:
        with self._dbt.installed(), answered_at_once():
            yield

    def _tick(self) -> None:
        """The warehouse's clock is the bench's."""
        self.time.now()
        with self._installed():
            self._query(f"update bench.clock set seconds = {self.time.seconds!r}")

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._warehouse._file.cursor() as connection:
            return connection.execute(sql).fetchall()

    def _sync(self) -> Sync:
        location = Location("models/people.yml", PEOPLE)
        mapping = parse_mapping(PEOPLE, self.mapping, location)
        return Sync(mapping, _model(PEOPLE), _model(PEOPLE + "_sent_snapshot"), _model(PEOPLE + "_delta"))


PAGE_ROWS = 2
_ENGINE: dict[str, Any] = {"type": "duckdb", "path": ":memory:", "threads": 1, "settings": {"threads": 1}}
_NOW = f"""
(select timestamptz '{BEGIN}+00' + to_microseconds(cast(round(seconds * 1000000) as bigint) + nextval('bench.calls'))
from bench.clock)
"""
_CLOCK = (
    "create schema bench",
    "create table bench.clock as select 0.0::double as seconds",
    "create sequence bench.calls",
    f"create macro now() as {_NOW}",
    f"create macro get_current_timestamp() as {_NOW}",
)
"""No two answers are the same."""


@dataclass
class _Channels(Channels):
    """Channels whose clients pass the bench's points."""

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
    """Stands in for the pool that reads ahead."""

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
    """Small chunks, slices, ranges and windows; nobody sleeps; nobody is out of turn."""
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
        put(talking_module, "SYSTEM_TIMING", timing)
        put(sender_module, "ThreadPoolExecutor", turns.pool)
        put(sender_module, "wait", turns.wait)
        stack.enter_context(mock.patch.dict(sender_module.deliver.__kwdefaults__, {"timing": timing}))
        yield


def _put(stack: contextlib.ExitStack, module: object, name: str, value: object) -> None:
    stack.enter_context(mock.patch.object(module, name, value))


def _render_slices(rows: int, *arguments: Any, **options: Any) -> Iterator[Rendered]:
    """The same rendering in smaller pieces."""
    before = 0
    for part in render(*arguments, **options):
        for start in range(0, part.rows.num_rows, rows):
            piece = part.rows.slice(start, rows)
            last = before + piece.num_rows
            yield Rendered(piece, tuple(note for note in part.rejected if before < note.position <= last))
            before = last


def _model(name: str) -> Model:
    return Model(
        unique_id=f"model.shop.{name}",
        name=name,
        database="memory",
        schema="main",
        alias=name,
        relation_name=f'"memory"."main"."{name}"',
        file="models/people.yml",
        path=f"models/{name}.sql",
        tags=(),
        materialized="table",
        fqn=("shop", name),
        package="shop",
        depends_on=(),
        compiled_code=None,
        enabled=True,
        latest=True,
        columns=(),
        raw_mapping=None,
    )
