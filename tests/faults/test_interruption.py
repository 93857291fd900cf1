"""SIGINT and SIGTERM to a real push: it starts no new requests, waits for those in flight, and keeps what was
accepted.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from harness.forked import Forked
from harness.quick import QuickProject

COLUMNS = {"id": "varchar", "points": "bigint"}
CALL = 200
PATIENCE = 60.0
"""Seconds to wait for another process before the test fails."""


def begin(project: QuickProject, calls: int, **output: object) -> int:
    """Build a sync of `calls` calls. Returns its number of rows."""
    project.outputs(sandbox={"max_in_flight": 2, "checkpoint_seconds": 3600, **output})
    project.map({"identifier": "id", "custom": ["points"], "endpoint": "update"})
    project.set_rows(COLUMNS, [{"id": f"p{n:05d}", "points": n} for n in range(calls * CALL)])
    project.build()
    return calls * CALL


@contextmanager
def pushing(project: QuickProject, *arguments: str) -> Iterator[Forked]:
    """A push in its own process, once its first request has arrived."""
    with closing(project.forked("push", *arguments)) as process:
        until(lambda: project.sandbox.stats.max_in_flight > 0 or process.poll() is not None)
        yield process


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


@pytest.fixture
def slow(quick: QuickProject) -> Iterator[QuickProject]:
    """A sandbox that takes a third of a second per call."""
    quick.sandbox.change(latency=0.3)
    yield quick
    quick.sandbox.change(latency=0.0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_requests_in_flight_are_awaited_and_kept(slow: QuickProject, number: int, code: int) -> None:
    rows = begin(slow, 40)
    with pushing(slow, "--json") as push:
        until(lambda: len(slow.sandbox.profiles) >= 2 * CALL)
        push.send_signal(number)
        out, err = push.communicate(timeout=PATIENCE)
    assert push.returncode == code
    (sync,) = json.loads(out)["syncs"]
    arrived = len(slow.sandbox.profiles)
    assert 2 * CALL <= arrived < rows
    assert (sync["status"], sync["settled"], sync["error"]) == ("interrupted", arrived, None)
    assert "waiting for those in flight" in err
    assert "Traceback" not in err
    (run,) = slow.query("from batch_sync_runs")
    assert (run["status"], run["settled"]) == ("interrupted", arrived)
    assert run["finished_at"] is not None
    # The next push takes over immediately and sends nobody twice.
    slow.sandbox.change(latency=0.0)
    assert slow.push_one().settled == rows - arrived
    assert set(slow.sandbox.stats.custom_ids.values()) == {1}
    assert len(slow.sandbox.profiles) == rows
    slow.build()
    assert len(slow.snapshot()) == rows
    assert not slow.delta()


def test_a_signal_ends_a_wait(quick: QuickProject) -> None:
    """A signal also ends a wait for the rate limit or a retry."""
    begin(quick, 3, max_profiles_per_second=1)
    with pushing(quick) as push:
        until(lambda: len(quick.sandbox.profiles) >= CALL)
        push.send_signal(signal.SIGINT)
        push.communicate(timeout=PATIENCE)
    assert push.returncode == 130
    quick.build()
    # Rows of calls that were still waiting have no value.
    known = {name for name, row in quick.snapshot().items() if row["points"] is not None}
    assert known == quick.sandbox.profiles.keys()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_erasures_ends(quick: QuickProject, number: int, code: int) -> None:
    quick.outputs(sandbox={"only_from": ["dev"], "app_keys": ["sandbox_app"]})
    quick.map({"kind": "deletions", "identifier": "id", "confirm": "erase"})
    quick.set_rows({"id": "varchar"}, [{"id": "a"}])
    quick.sandbox.change(deletion_delay=3600.0)
    try:
        quick.sync()
        asked = quick.sandbox.stats.requests
        with closing(quick.forked("status", "--wait")) as status:
            until(lambda: quick.sandbox.stats.requests > asked or status.poll() is not None)
            status.send_signal(number)
            out, err = status.communicate(timeout=PATIENCE)
    finally:
        quick.sandbox.change(deletion_delay=0.0)
    assert status.returncode == code, err
    assert "erasure of 1 person: 0 done, 1 pending" in out
    assert "Traceback" not in err


def test_a_second_signal_ends_the_push_immediately(quick: QuickProject) -> None:
    rows = begin(quick, 4)
    quick.sandbox.change(latency=600.0)
    try:
        with pushing(quick) as push:
            push.send_signal(signal.SIGINT)
            assert any("Stopping" in line for line in push.stderr)
            push.send_signal(signal.SIGINT)
            began = time.monotonic()
            push.communicate(timeout=PATIENCE)
            # It waits neither for the two calls (ten minutes) nor for the grace period (30 s).
            assert time.monotonic() - began < 20
        assert push.returncode == -signal.SIGINT
    finally:
        quick.sandbox.change(latency=0.0)
        quick.sandbox.stop()
        quick.sandbox.start()
    assert quick.push_one().settled == rows
    # It couldn't record its end, which shows only once its heartbeats are overdue.
    quick.execute("update batch_sync_journal set recorded_at = recorded_at - interval 2 minute")
    runs = quick.query("from batch_sync_runs order by started_at")
    assert [run["status"] for run in runs] == ["failed", "succeeded"]
    assert "process ended unexpectedly" in runs[0]["error"]
    assert len(quick.sandbox.profiles) == rows


def test_syncs_that_were_not_started_are_unchanged(quick: QuickProject) -> None:
    """A signal between two syncs: `stop` is set before the first."""
    from threading import Event

    begin(quick, 1)
    stop = Event()
    stop.set()
    pushed = quick.push_one(stop=stop)
    assert (pushed.status, pushed.sent) == ("skipped", 0)
    assert not quick.sandbox.profiles
    assert quick.push_one().settled == CALL
