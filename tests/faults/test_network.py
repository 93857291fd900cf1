"""How a push handles network and Batch failures: it waits and continues, or stops with a reason and keeps its
progress.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any
from unittest import mock

import pytest
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject

from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery.pacing import Timing, pacer_for
from dbt_batch_sync.push import channels as channels_module
from dbt_batch_sync.sandbox.server import SandboxSettings

COLUMNS = {"id": "varchar", "points": "bigint"}
CALL = 200
SECRET_VALUE = 987654321
"""A value that no message may show."""


@dataclass
class Patience:
    """Simulated time: waits don't sleep, and `waited` records them."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        return self.seconds

    def wait(self, event: Event, seconds: float) -> bool:
        with self._lock:
            self.seconds += seconds
            self.waited.append(seconds)
        return event.is_set()


@pytest.fixture
def patience() -> Iterator[Patience]:
    """Replace all sleeps between retries."""
    time = Patience()
    timing = Timing(time.now, time.wait, lambda: 0.0)
    with (
        mock.patch.object(sender_module, "SYSTEM_TIMING", timing),
        mock.patch.object(channels_module, "pacer_for", partial(pacer_for, now=time.now)),
    ):
        yield time


def begin(project: QuickProject, calls: int = 3, **output: object) -> int:
    """Build a sync of `calls` calls, sent one by one with a checkpoint after each."""
    settings = {"max_in_flight": 1, "checkpoint_seconds": 0, "max_attempts": 3, "timeout": 5, **output}
    project.outputs(sandbox=settings)
    project.map({"identifier": "id", "custom": ["points"], "endpoint": "update"})
    project.set_rows(COLUMNS, [{"id": f"p{n:05d}", "points": SECRET_VALUE} for n in range(calls * CALL)])
    project.build()
    return calls * CALL


def everybody(project: QuickProject, rows: int) -> None:
    """Assert that all rows are in Batch and in the snapshot, and nothing is left to do."""
    project.build()
    assert len(project.sandbox.profiles) == len(project.snapshot()) == rows
    assert all(each["points"].value == SECRET_VALUE for each in project.profiles().values())
    assert project.push_one().requests == 0


HEALING = {
    "429": Fault(FaultKind.STATUS, When(nth=(2,)), status=429),
    "500": Fault(FaultKind.STATUS, When(nth=(2, 3)), status=500),
    "502 of a gateway": Fault(FaultKind.STATUS, When(nth=(1,)), status=502),
    "503": Fault(FaultKind.STATUS, When(nth=(2,)), status=503),
    "reset before the request was taken": Fault(FaultKind.CUT_BEFORE, When(nth=(2,)), reset=True),
    "reset after the request was applied": Fault(FaultKind.CUT_AFTER, When(nth=(2,)), reset=True),
    "closed before the request was taken": Fault(FaultKind.CUT_BEFORE, When(nth=(1, 2))),
    "closed after the request was applied": Fault(FaultKind.CUT_AFTER, When(nth=(1, 2))),
    "a truncated answer": Fault(FaultKind.TRUNCATE, When(nth=(2,))),
    "an answer that is no JSON": Fault(FaultKind.GARBAGE, When(nth=(2,))),
    "a huge answer": Fault(FaultKind.HUGE, When(nth=(2,)), size=32 * 1024 * 1024),
    "a storm": Fault(FaultKind.STORM, When(nth=(2,)), requests=2),
}


@pytest.mark.parametrize("fault", HEALING.values(), ids=HEALING.keys())
def test_temporary_failures_are_waited_out(quick: QuickProject, patience: Patience, fault: Fault) -> None:
    rows = begin(quick)
    quick.sandbox.faults.set([fault])
    pushed = quick.push_one()
    assert (pushed.status, pushed.error, pushed.settled) == ("succeeded", None, rows)
    assert pushed.retries == sum(quick.sandbox.struck.values()) > 0
    assert patience.waited
    applied = quick.sandbox.stats.custom_ids
    # Only calls with a lost answer are applied twice.
    assert sum(applied.values()) - rows <= CALL * pushed.retries
    everybody(quick, rows)


LASTING = {
    "429": (Fault(FaultKind.STATUS, status=429), ["can't take calls now", "HTTP 429", "max_attempts"]),
    "500": (Fault(FaultKind.STATUS, status=500), ["HTTP 500", "max_attempts"]),
    "503": (Fault(FaultKind.STATUS, status=503), ["HTTP 503", "max_attempts"]),
    "a storm": (Fault(FaultKind.STORM, requests=1000), ["HTTP 429"]),
    "cut before": (Fault(FaultKind.CUT_BEFORE), ["max_attempts"]),
    "cut after": (Fault(FaultKind.CUT_AFTER, reset=True), ["max_attempts"]),
    "truncated": (Fault(FaultKind.TRUNCATE), ["max_attempts"]),
    "no JSON": (Fault(FaultKind.GARBAGE), ["unexpected response"]),
    "huge": (Fault(FaultKind.HUGE), ["too large to read"]),
    "a long Retry-After": (Fault(FaultKind.STATUS, status=429, retry_after=301), ["asked to wait 301 s"]),
    "401": (Fault(FaultKind.STATUS, status=401), ["rejected the credentials", "rest_api_key"]),
    "403": (Fault(FaultKind.STATUS, status=403), ["rejected the credentials"]),
    "404": (Fault(FaultKind.STATUS, status=404), ["api_version"]),
    "redirect": (Fault(FaultKind.REDIRECT), ["answered with a redirect, which is not followed"]),
}


@pytest.mark.parametrize(("fault", "words"), LASTING.values(), ids=LASTING.keys())
def test_lasting_failures_end_the_push_and_keep_the_settled_prefix(
    quick: QuickProject, patience: Patience, fault: Fault, words: list[str]
) -> None:
    """A failure after the first call that outlasts the retries: exit 1, accepted rows are settled, nothing is
    lost.
    """
    rows = begin(quick)
    # The first call passes; all later ones fail.
    lasting = Fault(**{**vars(fault), "when": When(custom_ids=tuple(f"p{n:05d}" for n in range(CALL, rows)))})
    quick.sandbox.faults.set([lasting])
    done = quick.call("push", "--json")
    assert done.returncode == 1
    (sync,) = json.loads(done.stdout)["syncs"]
    assert (sync["status"], sync["settled"]) == ("failed", CALL)
    for each in words:
        assert each in sync["error"]
    assert str(SECRET_VALUE) not in done.stdout + done.stderr
    (run,) = quick.query("from batch_sync_runs")
    assert (run["status"], run["error"]) == ("failed", sync["error"])
    quick.sandbox.faults.clear()
    assert quick.push_one().settled == rows - CALL
    everybody(quick, rows)
    assert all(quick.sandbox.stats.custom_ids[f"p{n:05d}"] == 1 for n in range(CALL)), (
        "settled rows were sent again"
    )


@pytest.mark.parametrize("as_date", [False, True])
def test_both_forms_of_retry_after_are_honored(
    quick: QuickProject, patience: Patience, as_date: bool
) -> None:
    rows = begin(quick)
    fault = Fault(FaultKind.STATUS, When(nth=(2,)), status=503, retry_after=90, retry_after_date=as_date)
    quick.sandbox.faults.set([fault])
    assert quick.push_one().settled == rows
    # HTTP dates have whole seconds.
    assert 88 <= sum(patience.waited) <= 93
    everybody(quick, rows)


def test_redirects_are_not_followed(quick: QuickProject) -> None:
    rows = begin(quick)
    with FaultyServer(SandboxSettings(rate_limits=False)) as elsewhere:
        target = f"{elsewhere.url}/2.11/profiles/update"
        for status in (301, 302, 303, 307, 308):
            quick.sandbox.faults.set([Fault(FaultKind.REDIRECT, status=status, location=target)])
            assert quick.push_one().status == "failed"
        assert not elsewhere.requests, "the key and the profiles were sent elsewhere"
    quick.sandbox.faults.clear()
    assert quick.push_one().settled == rows


def test_batch_goes_down_and_comes_back(quick: QuickProject, patience: Patience) -> None:
    """The whole server goes down during a push."""
    rows = begin(quick, 20)

    class Outage:
        seen = 0

        def started(self, work: object) -> None: ...

        def troubled(self, sync: str, message: str) -> None: ...

        def progressed(self, run: object) -> None:
            self.seen += 1
            if self.seen == 2:
                quick.sandbox.stop()

    pushed = quick.push_one(observer=Outage())
    try:
        assert pushed.status == "failed"
        assert "could not be reached" in str(pushed.error)
        kept = pushed.settled
        assert kept >= 2 * CALL
        assert quick.push_one().status == "failed"
    finally:
        quick.sandbox.start()
    assert quick.push_one().settled == rows - kept
    everybody(quick, rows)


@contextlib.contextmanager
def silent(accepts: bool) -> Iterator[str]:
    """A server that never answers: it accepts connections and reads nothing, or doesn't even accept."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0 if not accepts else 16)
        address = listening.getsockname()
        if not accepts:
            # These fill the queue of a backlog of 0; later connections wait until they time out.
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}"


@contextlib.contextmanager
def refused() -> Iterator[str]:
    """An address on which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@contextlib.contextmanager
def unknown() -> Iterator[str]:
    """A name that doesn't resolve."""

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        if host == "batch.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return original(host, *arguments, **options)

    original = socket.getaddrinfo
    with mock.patch.object(socket, "getaddrinfo", resolve):
        yield "https://batch.invalid"


UNREACHED: dict[str, tuple[Callable[[], Any], str, bool]] = {
    "connect time-out": (partial(silent, False), "could not be reached", False),
    "read time-out": (partial(silent, True), "within `timeout`", True),
    "refused": (refused, "; is `dbt-batch-sync sandbox` running?)", False),
    "DNS": (unknown, "(ConnectionError at batch.invalid)", False),
}


@pytest.mark.parametrize(("place", "words", "may_be_sent"), UNREACHED.values(), ids=UNREACHED.keys())
def test_unresponsive_servers(
    quick: QuickProject, patience: Patience, place: Callable[[], Any], words: str, may_be_sent: bool
) -> None:
    rows = begin(quick, 2)
    with place() as url:
        quick.outputs(sandbox={"api_url": url, "timeout": 0.3, "max_attempts": 2})
        pushed = quick.push_one()
    assert (pushed.status, pushed.settled) == ("failed", 0)
    assert words in str(pushed.error), pushed.error
    assert "max_attempts" in str(pushed.error)
    assert str(SECRET_VALUE) not in str(pushed.error)
    quick.build()
    assert {row["points"] for row in quick.snapshot().values()} == ({None} if may_be_sent else set())
    quick.outputs()
    again = quick.push_one()
    assert again.settled == (again.updates if may_be_sent else again.inserts) == rows
    everybody(quick, rows)


def test_a_slow_batch_that_applies_after_the_timeout(quick: QuickProject, patience: Patience) -> None:
    """The answer is late, so the call is repeated. Applying it twice is harmless."""
    rows = begin(quick, timeout=0.3)
    quick.sandbox.faults.set([Fault(FaultKind.SLOW, When(nth=(2,)), seconds=0.6)])
    pushed = quick.push_one()
    assert (pushed.status, pushed.settled) == ("succeeded", rows)
    assert pushed.retries >= 1
    everybody(quick, rows)
