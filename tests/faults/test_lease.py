"""One push per sync: who holds the lease, when it is taken over, and what a push does that has lost it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from threading import Event
from types import SimpleNamespace

import pytest
from dbt_batch_sync.ledger.lease import LEASES, Lease, this_host
from dbt_batch_sync.ledger.ledger import Run
from harness.project import PEOPLE
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import Stopped, WarehouseError
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.ledger import lease as leases
from dbt_batch_sync.push.sync_push import Clock
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.warehouse import Warehouse
from dbt_batch_sync.warehouse import duckdb as duckdb_warehouse
from dbt_batch_sync.warehouse.relations import parse_table

CALL = 200
NOW = datetime(2026, 5, 4, 12, 0, 0)
ELSEWHERE = "elsewhere[4026531836]"


class Watch:
    """An observer that does something when a push has started, and when so many chunks are settled."""

    def __init__(
        self,
        *,
        started: Callable[[], None] | None = None,
        settled: dict[int, Callable[[], None]] | None = None,
    ) -> None:
        self._started = started
        self._settled = settled or {}
        self._chunks = 0

    def started(self, work: Work, endpoint: Route) -> None:
        if self._started is not None:
            self._started()

    def troubled(self, sync: str, message: str) -> None: ...

    def progressed(self, run: Run) -> None:
        self._chunks += 1
        self._settled.get(self._chunks, lambda: None)()


def begin(project: QuickProject, count: int) -> None:
    """A delta of so many people, in calls of 200, each with a checkpoint behind it."""
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 1})
    project.map({"identifier": "id", "custom": ["points"], "endpoint": "update"})
    change(project, count, 1)


def change(project: QuickProject, count: int, points: int) -> None:
    rows = [{"id": f"p{n:04d}", "points": points} for n in range(count)]
    project.set_rows({"id": "varchar", "points": "bigint"}, rows)
    project.build()


def hold(project: QuickProject, *, host: str, process: int, heartbeat_at: datetime) -> None:
    """Somebody has the lease, whose table an earlier push created."""
    project.execute(
        f"update {LEASES} set run_id = 'theirs', host = $host, process = $process, "
        "taken_at = $taken, heartbeat_at = $heartbeat",
        host=host,
        process=process,
        taken=heartbeat_at - timedelta(minutes=5),
        heartbeat=heartbeat_at,
    )


def holder(project: QuickProject) -> dict[str, object]:
    (row,) = project.query(f"from {LEASES}")
    return row


def push_at(project: QuickProject, now: datetime) -> SyncPushed:
    """A push whose clock stands still."""
    project.forget_requests()
    clock = Clock(lambda: now, lambda: 0.0)
    (sync,) = api.push(project.options(), clock=clock).syncs
    return sync


@contextlib.contextmanager
def zombie() -> Iterator[int]:
    """The number of a process that has ended, and whose parent has not noticed yet."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid
    finally:
        process.wait()


def ended() -> int:
    """The number of a process that does not exist any more."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_a_second_push_fails_at_once_and_names_the_first(quick: QuickProject) -> None:
    begin(quick, 2 * CALL)
    seen: list[subprocess.CompletedProcess[str]] = []
    rows: list[dict[str, object]] = []

    def push_too() -> None:
        seen.append(quick.call("push", "--json"))
        seen.append(quick.call("adopt", "--yes"))
        rows.append(holder(quick))
        assert not quick.sandbox.requests, "the first push has not sent anything yet"

    first = quick.push_one(observer=Watch(started=push_too))
    assert (first.status, first.accepted) == ("succeeded", 2 * CALL)
    second, adopted = seen
    assert (second.returncode, adopted.returncode) == (1, 1)
    (sync,) = json.loads(second.stdout)["syncs"]
    assert (sync["status"], sync["sent"], sync["committed"]) == ("failed", 0, 0)
    since = rows[0]["taken_at"]
    assert isinstance(since, datetime)
    host = str(rows[0]["host"]).split("[")[0]
    told = (
        f"by process {os.getpid()} on {host}, since {since:%Y-%m-%d %H:%M:%S} UTC (run {rows[0]['run_id']})"
    )
    assert told in sync["error"]
    assert "is being pushed already" in " ".join(adopted.stdout.split())
    assert max(quick.sandbox.stats.custom_ids.values()) == 1
    (run,) = quick.query("from batch_sync_runs")
    assert run["status"] == "succeeded"
    assert rows[0]["run_id"] == run["run_id"]

    released = holder(quick)
    assert {name for name, cell in released.items() if cell is not None} == {"sync"}
    change(quick, 2 * CALL, 2)
    assert quick.push_one().accepted == 2 * CALL


def test_the_lease_is_given_back_by_a_push_that_fails(quick: QuickProject) -> None:
    begin(quick, 2)
    quick.outputs(sandbox={"rest_api_key": "wrong"})
    assert quick.push_one().status == "failed"
    quick.sandbox.reset()
    assert holder(quick)["run_id"] is None
    quick.outputs()
    assert quick.push_one().accepted == 2


@pytest.mark.parametrize(
    ("age", "taken_over"), [(0, False), (59, False), (60, False), (61, True), (-5, False)]
)
def test_a_holder_elsewhere_is_dead_after_three_missed_heartbeats(
    quick: QuickProject, age: int, taken_over: bool
) -> None:
    begin(quick, 1)
    quick.push_one()
    change(quick, 1, 2)
    hold(quick, host=ELSEWHERE, process=ended(), heartbeat_at=NOW - timedelta(seconds=age))
    pushed = push_at(quick, NOW)
    if taken_over:
        assert (pushed.status, pushed.accepted) == ("succeeded", 1)
        assert holder(quick)["run_id"] is None
        return
    assert pushed.status == "failed"
    since = NOW - timedelta(seconds=age, minutes=5)
    assert f"on elsewhere, since {since:%Y-%m-%d %H:%M:%S} UTC (run theirs)" in str(pushed.error)
    assert not quick.sent.requests
    assert holder(quick)["run_id"] == "theirs", "a push that was turned away gives back what is not its own"
    assert len(quick.query("from batch_sync_runs")) == 1


def test_a_holder_of_this_host_is_dead_when_its_process_is(quick: QuickProject) -> None:
    begin(quick, 1)
    quick.push_one()
    for version, (process, alive) in enumerate([(ended(), False), (os.getppid(), True)], 2):
        change(quick, 1, version)
        hold(quick, host=this_host(), process=process, heartbeat_at=NOW)
        assert push_at(quick, NOW).status == ("failed" if alive else "succeeded")
    with zombie() as process:
        hold(quick, host=this_host(), process=process, heartbeat_at=NOW)
        assert push_at(quick, NOW).accepted == 1


def test_a_lost_lease_is_noticed_at_the_next_checkpoint(quick: QuickProject) -> None:
    begin(quick, 5 * CALL)

    def lose() -> None:
        hold(quick, host=ELSEWHERE, process=1, heartbeat_at=datetime(9999, 1, 1))

    lost = quick.push_one(observer=Watch(settled={3: lose}))
    assert lost.status == "failed"
    assert "another push has taken over" in str(lost.error)
    assert lost.committed == len(quick.snapshot()) == 2 * CALL
    assert 3 <= len(quick.sent.requests) < 5, "it went on without its lease"
    assert holder(quick)["run_id"] == "theirs"
    (run,) = quick.query("from batch_sync_runs")
    assert (run["status"], run["committed_position"]) == ("failed", 2 * CALL)
    assert run["intent_position"] > run["committed_position"], "what was sent is in doubt"

    quick.execute(f"update {LEASES} set heartbeat_at = timestamp '2000-01-01'")
    again = quick.push_one()
    assert (again.status, again.accepted) == ("succeeded", 3 * CALL)
    counts = quick.sandbox.stats.custom_ids
    assert all(counts[f"p{n:04d}"] == 1 for n in range(2 * CALL))
    assert len(counts) == 5 * CALL


def test_a_push_that_was_not_heard_of_sends_no_more(quick: QuickProject) -> None:
    """It slept for a minute: another push may have sent newer values meanwhile, and would be overwritten."""
    begin(quick, 6 * CALL)
    time = [NOW]

    def sleep() -> None:
        time[0] = NOW + timedelta(seconds=60)

    quick.forget_requests()
    clock = Clock(lambda: time[0], lambda: 0.0)
    (slept,) = api.push(quick.options(), clock=clock, observer=Watch(settled={2: sleep})).syncs
    assert slept.status == "failed"
    assert "had not been heard of for 60 s, and another push may have taken over" in str(slept.error)
    assert len(quick.sent.requests) < 6
    # Nobody took over: what was acknowledged is kept.
    assert slept.committed == slept.accepted == len(quick.snapshot()) >= 2 * CALL
    assert quick.push_one().status == "succeeded"
    assert len(quick.profiles()) == 6 * CALL


class Twin:
    """A heartbeat's connection, which tells of each beat and can be broken."""

    def __init__(self, inner: Warehouse, beaten: Event, *, broken: bool) -> None:
        self._inner, self._beaten, self._broken = inner, beaten, broken

    def execute(self, steps: object) -> None:
        if self._broken:
            raise WarehouseError("the connection is gone")
        self._inner.execute(steps)  # type: ignore[arg-type]

    def fetch(self, query: object) -> object:
        found = self._inner.fetch(query)  # type: ignore[arg-type]
        self._beaten.set()
        return found

    def close(self) -> None:
        self._inner.close()


def test_heartbeats_keep_the_lease(quick: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that can't be written is missed, and the next one has a new connection."""
    begin(quick, 1)
    quick.push_one()
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.001)
    time, beaten, opened = [NOW], Event(), list[Twin]()
    with api.opened(read_target(quick.options())) as warehouse:
        table = parse_table(f"shop.main.{LEASES}", "duckdb")
        lease = Lease(warehouse, table, PEOPLE, "ours", lambda: time[0])
        lease.take()
        row = holder(quick)
        assert (row["run_id"], row["host"], row["process"]) == ("ours", this_host(), os.getpid())
        assert row["taken_at"] == row["heartbeat_at"] == NOW
        time[0] = NOW + timedelta(seconds=60)
        with pytest.raises(Stopped, match="may have taken over"):
            lease.check_heard()

        def twin() -> Warehouse:
            opened.append(Twin(warehouse.twin(), beaten, broken=not opened))
            return opened[-1]  # type: ignore[return-value]

        lease.start_heartbeat(twin)
        try:
            assert beaten.wait(20)
        finally:
            lease.stop_heartbeat()
        lease.check_heard()
        lease.check()
        assert len(opened) == 2
        row = holder(quick)
        assert (row["taken_at"], row["heartbeat_at"]) == (NOW, time[0])

        # A heartbeat does not bring back what another push has taken.
        hold(quick, host=ELSEWHERE, process=1, heartbeat_at=NOW)
        with pytest.raises(Stopped, match="another push has taken over"):
            lease.check()
        lease.release()
        assert holder(quick)["run_id"] == "theirs"


def test_what_a_dead_push_left_running_is_interrupted(quick: QuickProject) -> None:
    begin(quick, 1)
    quick.push_one()
    quick.execute("update batch_sync_runs set status = 'running', finished_at = null")
    quick.execute(
        "insert into batch_sync_runs by name select * replace ('other' as sync) from batch_sync_runs"
    )
    hold(quick, host=this_host(), process=ended(), heartbeat_at=NOW)
    assert quick.push_one().status == "succeeded"
    first, second = quick.query("from batch_sync_runs where sync = 'people' order by started_at")
    assert (first["status"], second["status"]) == ("interrupted", "succeeded")
    assert first["finished_at"] == first["heartbeat_at"]
    assert "killed" in first["error"]
    (other,) = quick.query("from batch_sync_runs where sync = 'other'")
    assert other["status"] == "running", "the lease is of one sync alone"


@contextlib.contextmanager
def locked(project: QuickProject) -> Iterator[subprocess.Popen[str]]:
    """Another process has the file open."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(project.database)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_locked_file_is_waited_for_and_named(quick: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert quick.push_one().accepted == 1, "it did not wait until the file was free"


@pytest.mark.parametrize(("silent", "in_doubt"), [(10, True), (600, False)])
def test_a_delta_that_is_replaced_under_a_live_push_leaves_all_of_it_in_doubt(
    quick: QuickProject, silent: int, in_doubt: bool
) -> None:
    """The push may write down another intent after `dbt run` has looked, and before the delta is another."""
    begin(quick, 3)
    quick.push_one()
    change(quick, 3, 2)
    (row,) = quick.query("select any_value(_batch_delta_id) as delta_id from people_delta")
    heard = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=silent)
    hold(quick, host=ELSEWHERE, process=1, heartbeat_at=heard)
    quick.execute(
        "insert into batch_sync_runs (run_id, sync, status, started_at, delta_id) "
        "values ('theirs', 'people', 'running', $heard, $delta_id)",
        heard=heard,
        delta_id=row["delta_id"],
    )
    change(quick, 3, 1)
    assert len(quick.delta()) == (3 if in_doubt else 0)
    quick.execute(f"update {LEASES} set run_id = null")
    assert quick.push_one().accepted == (3 if in_doubt else 0)
    quick.build()
    assert quick.delta() == []
