"""One sync, from its rows to Batch, at milliseconds a step: what a model checker needs.

Real parts: dbt's own compiler, contexts and materializations render and run the package's macros (only dbt's start, its
parser and its scheduler are left out, so a `dbt run` costs 0.1 s instead of 2), `Session.push` pushes, and Batch is the
sandbox over HTTP. What stands in for something, and what it can't show:

- A kill is an exception of the class `Killed` at a crash point, after which the warehouse refuses every statement: no
  `finally` of the push can write, release or commit. What was queued to be sent may still arrive (by chance), as from a
  process that died a moment later. It shows neither what a database file looks like after a kill, nor a torn request.
- The senders take turns in one thread, in an order drawn from a seed, so that a sequence can be repeated.
- Time passes only when somebody waits.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

import pyarrow as pa
import yaml
from harness.faults import Fault
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project, Row
from harness.quick import QuickDbt
from harness.repeated import answered_at_once, remembered
from sqlglot import exp

from dbt_batch_sync.artifacts.manifest import Model
from dbt_batch_sync.batch_api.limits import Endpoint, Limits
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery.pacing import pacer_for
from dbt_batch_sync.delivery.timing import Timing
from dbt_batch_sync.mapping.mapping import Location
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.payload.render import Rendered, render
from dbt_batch_sync.push import session as session_module
from dbt_batch_sync.push import sync_push as push_module
from dbt_batch_sync.push.session import Channels, PushOptions, Session
from dbt_batch_sync.push.sync_push import Clock
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.warehouse import Column, Load, Rows, Statement, Value, Warehouse
from dbt_batch_sync.warehouse import duckdb as duckdb_module

EXPIRY_SECONDS = 61.0
"""After so long without a heartbeat a lease is anybody's."""


class Killed(BaseException):
    """The process died here. No `except Exception` catches it."""


@dataclass(frozen=True)
class Crash:
    """Dies at the `nth` passing of a crash point, or never."""

    point: str = ""
    nth: int = 1


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
        self.seconds += 0.001
        return datetime(2024, 2, 29, 12) + timedelta(seconds=self.seconds)

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
    """Whether the process lives, and where it dies."""

    def __init__(self, crash: Crash, on_death: Callable[[], None]) -> None:
        self.dead = False
        self._crash = crash
        self._passed = 0
        self._on_death = on_death

    def crash_point(self, name: str) -> None:
        if name != self._crash.point:
            return
        self._passed += 1
        if self._passed == self._crash.nth:
            self._on_death()
            self.dead = True
            raise Killed(name)

    def check(self) -> None:
        if self.dead:
            raise Killed("dead already")


class MortalWarehouse:
    """A warehouse whose connection ends with the process."""

    def __init__(self, inner: Warehouse, life: Life) -> None:
        self._inner = inner
        self._life = life
        self.dialect = inner.dialect
        self.transactions = inner.transactions
        self.checkpoint_seconds = 1.0

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        self._life.check()
        return self._inner.columns(table)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        self._life.check()
        return self._inner.fetch(query)

    def stream(self, query: Statement, batch_rows: int) -> AbstractContextManager[Rows]:
        self._life.check()
        return self._inner.stream(query, batch_rows)

    def execute(self, steps: Sequence[Statement | Load]) -> None:
        self._life.check()
        self._inner.execute(steps)

    def twin(self) -> MortalWarehouse:
        return MortalWarehouse(self._inner.twin(), self._life)

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
    _seen: int = 0

    def started(self, work: object, endpoint: object) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: object) -> None:
        self._seen += 1
        if self._seen == self.at:
            self.act()


class Bench:
    """One sync, `people`, on an engine that lives in this process; `sandbox` is this bench's alone."""

    def __init__(self, directory: Path, sandbox: FaultyServer) -> None:
        self.sandbox = sandbox
        self.time = Time()
        self.mapping: Mapping[str, object] = {}
        self.output = Output(
            name="sandbox",
            rest_api_key=sandbox.settings.rest_api_key,
            project_key=sandbox.settings.project_key,
            api_url=sandbox.url,
            timeout=10.0,
        )
        project = Project(directory, sandbox)
        project.map({"identifier": "id", "custom": ["a"]})
        profiles = yaml.safe_load((directory / "profiles.yml").read_text())
        profiles["shop"]["outputs"]["dev"] = _ENGINE
        (directory / "profiles.yml").write_text(yaml.safe_dump(profiles))
        self._dbt = QuickDbt(directory)
        adapter = self._dbt._adapter
        adapter.set_macro_context_generator(remembered(adapter._macro_context_generator))
        with self._installed():
            self._warehouse = self._new_warehouse()

    def reset(self) -> None:
        """No tables, no profiles, no faults."""
        with self._installed():
            listed = self._query("select table_schema, table_name from information_schema.tables")
            for schema, name in listed:
                self._run(f'drop table "{schema}"."{name}"')
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
        with self._installed():
            connection = self._warehouse._connection  # type: ignore[attr-defined]
            connection.register("given", cells)
            connection.execute(f"create or replace table {PEOPLE} as select {chosen} from given")
            connection.unregister("given")

    def build(self, *suffixes: str) -> None:
        """`dbt run` of the snapshot and the delta, or of one of the two."""
        with self._installed():
            self._dbt.run([PEOPLE + suffix for suffix in suffixes or ("_sent_snapshot", "_delta")])

    def push(
        self,
        *,
        faults: Sequence[Fault] = (),
        crash: Crash = Crash(),
        knobs: Knobs = Knobs(),
        meanwhile: tuple[int, Callable[[], None]] = (0, lambda: None),
        adopt: bool = False,
        **options: Any,
    ) -> Outcome:
        """One push, or adoption. `meanwhile`: what happens once so many chunks are settled."""
        self.sandbox.faults.set(faults)
        before = self.sandbox.stats
        turns = Turns(knobs.seed)
        life = Life(crash, turns.some)
        pushed: SyncPushed | None = None
        with self._installed(), _small(self.time, knobs, turns, life), Channels() as channels:
            warehouse = MortalWarehouse(self._new_warehouse(), life)
            session = Session(
                warehouse,
                channels,
                PushOptions(**options),
                str(uuid.uuid4()),
                "dev",
                Clock(self.time.now, _Watch(knobs.checkpoint_every)),
                Event(),
                Watcher(*meanwhile),
            )
            act = session.adopt if adopt else session.push
            output = replace(
                self.output,
                max_attempts=knobs.max_attempts,
                max_in_flight=knobs.in_flight,
                checkpoint_seconds=1.0,
                max_profiles_per_second=float(knobs.window_rows),
            )
            with contextlib.suppress(Killed):
                pushed = act(self._sync(), output)
        self.sandbox.faults.clear()
        after = self.sandbox.stats
        return Outcome(pushed, after.requests - before.requests, after.custom_ids - before.custom_ids)

    def let_leases_expire(self) -> None:
        """A while passes in which nobody says that he lives."""
        self.time.seconds += EXPIRY_SECONDS

    # What there is afterwards

    def profiles(self) -> dict[str, dict[str, Any]]:
        """What Batch holds, by custom_id."""
        return {name: dict(profile.attributes) for name, profile in self.sandbox.profiles.items()}

    def rejects(self) -> dict[tuple[str, str | None], str]:
        """Who refused what, and still does: by custom_id and the relations' name of the attribute."""
        with self._installed():
            if not self._query(
                "select 1 from information_schema.tables where table_name = 'batch_sync_rejects'"
            ):
                return {}
            query = "select custom_id, attribute, rejected_by, staged from batch_sync_rejects where resolved_at is null"
            rows = self._query(query)
        assert not any(row[3] for row in rows), "a staged reject was left"
        return {(row[0], row[1]): row[2] for row in rows}

    def table(self, suffix: str) -> list[tuple[Any, ...]]:
        """All rows of the snapshot, the delta or the ledger, to look at."""
        with self._installed():
            return self._query(f"select * from {suffix if suffix.startswith('batch') else PEOPLE + suffix}")

    @contextlib.contextmanager
    def _installed(self) -> Iterator[None]:
        with self._dbt.installed(), answered_at_once():
            yield

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._warehouse._connection.execute(sql).fetchall()  # type: ignore[attr-defined, no-any-return]

    def _run(self, sql: str) -> None:
        self._warehouse._connection.execute(sql)  # type: ignore[attr-defined]

    def _new_warehouse(self) -> Warehouse:
        credentials = {key: value for key, value in _ENGINE.items() if key not in ("type", "threads")}
        return duckdb_module.DuckDbWarehouse(WarehouseTarget("shop", "dev", "duckdb", credentials))

    def _sync(self) -> Sync:
        location = Location("models/people.yml", PEOPLE)
        mapping = parse_mapping(PEOPLE, self.mapping, location)
        return Sync(mapping, _model(PEOPLE), _model(PEOPLE + "_sent_snapshot"), _model(PEOPLE + "_delta"))


_ENGINE: dict[str, Any] = {"type": "duckdb", "path": ":memory:", "threads": 1, "settings": {"threads": 1}}


@dataclass
class _Watch:
    """Seconds that make every so-many-th settled chunk a checkpoint: a push looks at it when a chunk is settled."""

    every: int
    _asked: int = field(default=0)

    def __call__(self) -> float:
        self._asked += 1
        return self._asked / self.every


@contextlib.contextmanager
def _small(time: Time, knobs: Knobs, turns: Turns, life: Life) -> Iterator[None]:
    """Small chunks, slices and windows; nobody sleeps; nobody is out of turn."""
    limits = {endpoint: Limits(knobs.chunk_rows, knobs.window_rows, 0) for endpoint in Endpoint}
    timing = Timing(lambda: time.seconds, time.wait, lambda: 0.0)
    with contextlib.ExitStack() as stack:
        put = partial(_put, stack)
        for module in (push_module, session_module):
            put(module, "LIMITS", limits)
        for module in (push_module, session_module, duckdb_module):
            put(module, "crash_point", life.crash_point)
        put(push_module, "render", partial(_render_slices, knobs.slice_rows))
        put(session_module, "pacer_for", partial(pacer_for, now=lambda: time.seconds))
        put(sender_module, "ThreadPoolExecutor", turns.pool)
        put(sender_module, "wait", turns.wait)
        stack.enter_context(mock.patch.dict(sender_module.deliver.__kwdefaults__, {"timing": timing}))
        yield


def _put(stack: contextlib.ExitStack, module: object, name: str, value: object) -> None:
    stack.enter_context(mock.patch.object(module, name, value))


def _render_slices(rows: int, *arguments: Any, **options: Any) -> Iterator[Rendered]:
    """The same rendering in smaller pieces."""
    for part in render(*arguments, **options):
        for start in range(0, part.rows.num_rows, rows):
            piece = part.rows.slice(start, rows)
            positions = set(piece.column("position").to_pylist())
            withheld = tuple(note for note in part.withheld if note.position in positions)
            parked = tuple(note for note in part.parked if note.position in positions)
            yield Rendered(piece, withheld, parked)


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
