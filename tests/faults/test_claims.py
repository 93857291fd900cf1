"""Claims: only one push of a sync runs at a time, even if others try, die, sleep, or run on hosts with equal
names.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness.bench import Bench, Knobs
from harness.databases import PostgresDatabase, PostgresServer
from harness.quick import QuickProject
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.ledger.claims import Hold, Timing, contend
from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import COLUMNS, JOURNAL, Event, Run
from dbt_batch_sync.ledger.state import state_of, this_host
from dbt_batch_sync.push.source import Work
from dbt_batch_sync.warehouse import duckdb as duckdb_warehouse
from dbt_batch_sync.warehouse import open_warehouse

CALL = 200
ELSEWHERE = "elsewhere[4026531836]"
NOW = "(now() at time zone 'UTC')::timestamp"


class Watch:
    """An observer with callbacks for the start of a push and for numbers of settled chunks."""

    def __init__(
        self,
        *,
        started: Callable[[], None] | None = None,
        settled: dict[int, Callable[[], None]] | None = None,
    ) -> None:
        self._started = started
        self._settled = settled or {}
        self._chunks = 0

    def started(self, work: Work) -> None:
        if self._started is not None:
            self._started()

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: Run) -> None:
        self._chunks += 1
        self._settled.get(self._chunks, lambda: None)()


def begin(project: QuickProject, count: int) -> None:
    """Build a delta of `count` profiles, sent in calls of 200 with a checkpoint after each."""
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 1})
    project.map({"identifier": "id", "custom": ["points"], "endpoint": "update"})
    change(project, count, 1)


def change(project: QuickProject, count: int, points: int) -> None:
    rows = [{"id": f"p{n:04d}", "points": points} for n in range(count)]
    project.set_rows({"id": "varchar", "points": "bigint"}, rows)
    project.build()


def claim(project: QuickProject, *, host: str, process: int, seconds_ago: float = 0.0) -> None:
    """Record another process's claim and its last heartbeat."""
    columns = "recorded_at, sync, event, run_id, host, process"
    moment = f"{NOW} - to_milliseconds({round(seconds_ago * 1000)})"
    project.execute(
        f"insert into batch_sync_journal ({columns}) select {moment}, 'people', 'claimed', 'theirs', $host, $process",
        host=host,
        process=process,
    )


def forget(project: QuickProject) -> None:
    project.execute("delete from batch_sync_journal where run_id = 'theirs'")


@contextlib.contextmanager
def zombie() -> Iterator[int]:
    """The id of a process that has ended but was not reaped."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid
    finally:
        process.wait()


def ended() -> int:
    """The id of a process that no longer exists."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_a_second_push_fails_at_once_and_names_the_first(quick: QuickProject) -> None:
    begin(quick, 2 * CALL)
    seen: list[subprocess.CompletedProcess[str]] = []

    def push_too() -> None:
        seen.append(quick.call("push", "--json"))
        seen.append(quick.call("adopt", "--yes"))
        assert not quick.sandbox.requests, "the first push has already sent requests"

    first = quick.push_one(observer=Watch(started=push_too))
    assert (first.status, first.accepted) == ("succeeded", 2 * CALL)
    second, adopted = seen
    assert (second.returncode, adopted.returncode) == (1, 1)
    (sync,) = json.loads(second.stdout)["syncs"]
    assert (sync["status"], sync["sent"], sync["settled"]) == ("failed", 0, 0)
    assert f"by process {os.getpid()} on {this_host().split('[')[0]}, since " in sync["error"]
    assert "is already being pushed" in " ".join(adopted.stdout.split())
    assert max(quick.sandbox.stats.custom_ids.values()) == 1
    change(quick, 2 * CALL, 2)
    assert quick.push_one().accepted == 2 * CALL


def test_a_push_that_fails_releases_its_claim(quick: QuickProject) -> None:
    begin(quick, 2)
    quick.outputs(sandbox={"rest_api_key": "wrong"})
    assert quick.push_one().status == "failed"
    quick.sandbox.reset()
    quick.outputs()
    assert quick.push_one().accepted == 2


@pytest.mark.parametrize(("age", "taken_over"), [(0, False), (50, False), (61, True), (-5, False)])
def test_a_holder_elsewhere_is_dead_after_a_minute(quick: QuickProject, age: int, taken_over: bool) -> None:
    begin(quick, 1)
    claim(quick, host=ELSEWHERE, process=ended(), seconds_ago=age)
    pushed = quick.push_one()
    if taken_over:
        assert (pushed.status, pushed.accepted) == ("succeeded", 1)
        return
    assert pushed.status == "failed"
    assert "on elsewhere, since " in str(pushed.error)
    assert not quick.sent.requests
    forget(quick)
    assert quick.push_one().accepted == 1, "the refused push kept its claim"


def test_a_holder_of_this_host_is_dead_when_its_process_is(quick: QuickProject) -> None:
    begin(quick, 1)
    for version, (process, alive) in enumerate([(ended(), False), (os.getppid(), True)], 2):
        change(quick, 1, version)
        claim(quick, host=this_host(), process=process)
        assert quick.push_one().status == ("failed" if alive else "succeeded")
        forget(quick)
    with zombie() as process:
        claim(quick, host=this_host(), process=process)
        assert quick.push_one().accepted == 1


def test_hosts_with_equal_names_differ() -> None:
    """Virtual machines from one image share their name and first namespace, but never their boot id."""
    name = Path("/proc/sys/kernel/random/boot_id")
    if name.exists():
        assert this_host().endswith(name.read_text().strip())


def test_a_contender_does_not_stop_the_running_push(bench: Bench) -> None:
    """Between its claim and its retreat, a contender looks like a push that has taken over."""
    people(bench, 1)

    def contend() -> None:
        bench.add("claimed", run_id="theirs", host=ELSEWHERE, process=1)

    pushed = bench.push(meanwhile=(1, contend), knobs=Knobs(chunk_rows=1, checkpoint_every=1)).pushed
    assert pushed is not None
    assert (pushed.status, pushed.accepted) == ("succeeded", 4)


def test_a_push_whose_sync_was_taken_over_stops_at_the_next_checkpoint(bench: Bench) -> None:
    people(bench, 1)

    def take() -> None:
        bench.add("claimed", run_id="theirs", host=ELSEWHERE, process=1)
        bench.time.seconds += 11

    knobs = Knobs(chunk_rows=1, in_flight=1, checkpoint_every=1)
    pushed = bench.push(meanwhile=(1, take), knobs=knobs).pushed
    assert pushed is not None
    assert pushed.status == "failed"
    assert "was taken over" in str(pushed.error)
    assert pushed.sent < 4
    bench.let_leases_expire()
    assert bench.build()
    assert bench.push().pushed is not None
    assert {row["event"] for row in bench.journal()} >= {"doubt", "merged"}
    assert len(bench.profiles()) == 4


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_host_whose_clock_is_an_hour_off(bench: Bench, hours: int) -> None:
    """The warehouse's clock alone decides who holds a sync and what was first."""
    people(bench, 1)
    off = timedelta(hours=hours)
    seen: list[str] = []

    def push_too() -> None:
        pushed = bench.push(force=True).pushed
        assert pushed is not None
        seen.append(str(pushed.error))

    first = bench.push(meanwhile=(1, push_too), knobs=Knobs(chunk_rows=1), clock_off=off).pushed
    assert first is not None
    assert (first.status, first.accepted) == ("succeeded", 4)
    assert "is already being pushed" in seen[0]
    moments = [row["recorded_at"] for row in bench.journal()]
    assert max(moments) - min(moments) < timedelta(minutes=1)

    people_again(bench, 2)

    def overtake() -> None:
        bench.let_leases_expire()
        people_again(bench, 3)
        assert bench.push(force=True).pushed.status == "succeeded"  # type: ignore[union-attr]

    overtaken = bench.push(asleep=(2, overtake), knobs=Knobs(chunk_rows=1, in_flight=1), clock_off=off).pushed
    assert overtaken is not None
    assert overtaken.status == "failed"
    assert bench.build()
    assert bench.push(clock_off=off).pushed.status == "succeeded"  # type: ignore[union-attr]
    assert {value.value for have in bench.profiles().values() for value in have.values()} == {3}
    assert bench.build()
    assert bench.push().requests == 0


def people(bench: Bench, points: int) -> None:
    bench.reset()
    bench.map({"identifier": "id", "custom": ["points"], "guards": {"min_rows": 0}})
    people_again(bench, points)


def people_again(bench: Bench, points: int) -> None:
    bench.set_rows({"id": "varchar", "points": "bigint"}, [{"id": name, "points": points} for name in "abcd"])
    assert bench.build()


def test_a_delayed_append_renews_the_claim_from_when_it_ran(bench: Bench) -> None:
    """Others see the time of the append. Counting from a later time, a dead push would believe itself alive."""
    people(bench, 1)
    appended: list[datetime] = []
    seconds = SimpleNamespace(now=0.0)

    class Waiting:
        def stamp(self) -> datetime:
            return datetime(2026, 1, 1) + timedelta(seconds=seconds.now)

        def append(self, events: list[SimpleNamespace]) -> None:
            appended.extend(each.recorded_at for each in events)

    hold = Hold(Waiting(), "people", "ours", Timing(lambda: seconds.now))  # type: ignore[arg-type]
    event = hold.event("beat")
    seconds.now = 30.0
    hold.append([event])
    assert appended == [datetime(2026, 1, 1) + timedelta(seconds=30)]
    assert hold.seconds_left == 60.0


@contextlib.contextmanager
def locked(project: QuickProject) -> Iterator[subprocess.Popen[str]]:
    """Open the file in another process."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(project.database)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_waits_for_a_locked_file_and_names_it(quick: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(quick, 1)
    with locked(quick) as process:
        monkeypatch.setattr(duckdb_warehouse, "LOCK_WAIT_SECONDS", 0.0)
        refused = quick.call("push")
        assert refused.returncode == 1
        told = " ".join(refused.stderr.split())
        assert "the DuckDB file is locked by another process" in told
        assert "end the `dbt run`, the push or the shell that has it open" in told
        assert not quick.sandbox.requests

        def let_go(seconds: float) -> None:
            process.kill()
            process.wait()

        monkeypatch.setattr(duckdb_warehouse, "LOCK_WAIT_SECONDS", 1.0)
        monkeypatch.setattr(duckdb_warehouse, "time", SimpleNamespace(monotonic=lambda: -1.0, sleep=let_go))
        assert quick.push_one().accepted == 1, "the push didn't wait for the file"


@pytest.mark.parametrize(("silent", "in_doubt"), [(10, True), (600, False)])
def test_replacing_a_delta_during_a_push_puts_it_all_in_doubt(
    quick: QuickProject, silent: int, in_doubt: bool
) -> None:
    """The push may record another intent after `dbt run` has read the ledger and before it replaces the
    delta.
    """
    begin(quick, 3)
    quick.push_one()
    change(quick, 3, 2)
    claim(quick, host=ELSEWHERE, process=1, seconds_ago=silent)
    change(quick, 3, 1)
    assert len(quick.delta()) == (3 if in_doubt else 0)
    forget(quick)
    assert quick.push_one().accepted == (3 if in_doubt else 0)
    quick.build()
    assert quick.delta() == []


@pytest.mark.parametrize("times", [3_000, pytest.param(10_000, marks=pytest.mark.thorough)])
def test_claims_at_once(times: int) -> None:
    """Only the protocol, with its steps in random order: at most one contender holds the sync, and usually
    one does.
    """
    chance, held = random.Random(1), 0
    for _ in range(times):
        events: list[Event] = []
        seconds = 0.0
        contenders = {f"run-{n}": contend("people", f"run-{n}", chance.random) for n in range(2)}
        answers: dict[str, object] = dict.fromkeys(contenders)
        waiting = dict.fromkeys(contenders, 0.0)
        holders = []
        while contenders:
            seconds += 0.05
            ready = [run for run in contenders if waiting[run] <= seconds]
            if not ready:
                continue
            run = chance.choice(ready)
            try:
                step = contenders[run].send(answers[run])
            except (StopIteration, Stopped) as end:
                holders += [run] if isinstance(end, StopIteration) else []
                del contenders[run]
                continue
            now = datetime(2026, 1, 1) + timedelta(seconds=seconds)
            answers[run] = None
            if step == "read":
                answers[run] = state_of("people", events, now)
            elif isinstance(step, str):
                events.append(Event(now, "people", step, run_id=run, host=ELSEWHERE, process=1))
            else:
                waiting[run] = seconds + step
        assert len(holders) <= 1
        held += len(holders)
    assert held > 0.9 * times


@pytest.mark.thorough
def test_hundreds_of_claims_at_once(postgres: PostgresServer) -> None:
    """Four contenders on a real warehouse, repeatedly: at most one holds the sync."""
    database = PostgresDatabase(postgres)
    kinds = {"double": "double precision"}
    columns = ", ".join(f"{name} {kinds.get(kind, kind)}" for name, kind in COLUMNS[JOURNAL].items())
    database.execute(f"create table shop.batch_sync_journal ({columns})", {})
    credentials = {
        name: cell for name, cell in database.credentials.items() if name not in ("type", "threads")
    }
    holders: Counter[int] = Counter()
    wrong: list[int] = []
    lock, number = threading.Lock(), iter(range(1_000_000))

    def try_often(seed: int) -> None:
        chance = random.Random(seed)
        target = WarehouseTarget("shop", "dev", "postgres", credentials)
        with contextlib.closing(open_warehouse(target)) as warehouse:
            journal = Journal(warehouse, exp.to_table("shop.batch_sync_journal", dialect="postgres"))
            for _ in range(100):
                journal.state("people")
                hold = Hold(journal, "people", f"run-{next(number)}", Timing(chance=chance.random))
                with contextlib.suppress(Stopped):
                    hold.take()
                    with lock:
                        holders["now"] += 1
                        if holders["now"] > 1:
                            wrong.append(seed)
                    journal.state("people")
                    with lock:
                        holders["now"] -= 1
                        holders["ever"] += 1
                    hold.finish([hold.event("released")])

    threads = [threading.Thread(target=try_often, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, "two contenders held the sync at once"
    assert holders["ever"] > 20
