"""Audits report the edits made in Batch directly and nothing else, and their repair undoes them. No audit
leaves a file behind, however it ends.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import typer
from harness.audited_life import AuditedLife
from harness.bench import Bench
from harness.clocked import Engine
from harness.faults import Fault, FaultKind, When
from harness.lives import play, play_at_once
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.audit import AuditOptions, Wait
from dbt_batch_sync.cli.progress import Watch, watching

COLUMNS = {"id": "varchar", "points": "bigint"}
FILE = When(endpoint="_files/{token}")
PATIENCE = 60.0
"""Seconds to wait for another process before the test fails."""


def test_random_sequences_with_edits(bench: Bench) -> None:
    lived = play(bench, 4, 10, life=AuditedLife)
    assert lived.sequences >= 4


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_many_random_sequences_with_edits(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """The variable `LIVES` sets the number of sequences."""
    shares = max(1, int(os.environ.get("LIVES", "300")) // 30)
    with capsys.disabled():
        told = partial(print, flush=True)
        told()
        lived = play_at_once(
            range(1, shares + 1), sequences=30, steps=14, tell=told, engine=engine, life=AuditedLife
        )
        told(lived)
    assert lived.sequences >= 30 * shares


@pytest.fixture
def synced(quick: QuickProject) -> Iterator[QuickProject]:
    """Three profiles that are in Batch."""
    quick.map({"identifier": "id", "custom": ["points"]})
    quick.set_rows(COLUMNS, [{"id": f"p{n}", "points": n} for n in range(3)])
    assert quick.sync().accepted == 3
    yield quick
    quick.sandbox.change(export_seconds=0.0, export_result="SUCCESS")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate directory for this process's temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def audit(
    project: QuickProject,
    waited: list[float] | None = None,
    observer: Watch | None = None,
    **options: object,
) -> api.AuditResult:
    """Audit without waiting; `waited` collects the waits."""
    wait = Wait((waited if waited is not None else list[float]()).append, time.monotonic)
    given = AuditOptions(**options)  # type: ignore[arg-type]
    return api.audit(project.options(), options=given, observer=observer, wait=wait)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("while_it", ["waits", "downloads"])
def test_a_signal_ends_an_audit_and_not_its_export(
    synced: QuickProject, tmp_path: Path, number: int, code: int, while_it: str
) -> None:
    # Until the export was requested and polled, or until the first bytes of a file have arrived.
    asked = synced.sandbox.stats.requests

    def under_way() -> bool:
        begun = synced.sandbox.stats.requests - asked >= 2
        return begun and (while_it == "waits" or any(tmp_path.rglob("*.jsonl")))

    if while_it == "waits":
        synced.sandbox.change(export_seconds=3600.0)
    else:
        synced.sandbox.faults.set([Fault(FaultKind.DRIP, FILE, seconds=0.2)])
    command = ("audit", "--select", "people")
    with closing(synced.forked(*command, env={"TMPDIR": str(tmp_path)})) as audit:
        until(lambda: under_way() or audit.poll() is not None)
        assert list(tmp_path.iterdir())
        audit.send_signal(number)
        out, err = audit.communicate(timeout=PATIENCE)
    assert (audit.returncode, out) == (code, ""), err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())
    synced.sandbox.change(export_seconds=0.0)
    synced.sandbox.faults.clear()
    hint = err.split("dbt-batch-sync audit ")[-1].split()
    assert hint[:3] == ["--select", "people", "--export"]
    resumed = synced.call("audit", *hint)
    assert (resumed.returncode, "no drift" in resumed.stdout) == (0, True), resumed.stderr
    (run,) = synced.query("select compared from batch_sync_journal where event = 'audited'")
    assert run["compared"] == 3


def test_a_signal_ends_an_audit_even_without_its_exception() -> None:
    """DuckDB turns an exception in a signal handler into `Query interrupted`. A second signal must not
    interrupt the clean-up.
    """
    cleaned: list[str] = []

    def compare() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append("up")

    with pytest.raises(typer.Exit) as ended, watching(quiet=True):
        compare()
    assert (ended.value.exit_code, cleaned) == (143, ["up"])
    with pytest.raises(RuntimeError), watching(quiet=True):
        raise RuntimeError


@pytest.mark.parametrize(
    ("endpoint", "hint"),
    [("export", 720), ("export", None), ("exports/view", 720), ("exports/download", 720)],
)
def test_a_rate_limit_is_waited_out(
    synced: QuickProject,
    temporary: Path,
    endpoint: str,
    hint: int | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault = Fault(FaultKind.STATUS, When(nth=(1, 2), endpoint=endpoint), status=429, retry_after=hint)
    synced.sandbox.faults.set([fault])
    waited: list[float] = []
    assert audit(synced, waited, Watch(quiet=False)).status == "succeeded"
    assert synced.sandbox.struck == {"status": 2}
    assert len([seconds for seconds in waited if seconds >= 720]) == 2
    assert capsys.readouterr().err.count("trying again in 72") == 2
    assert not list(temporary.glob("dbt-batch-sync-*"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(FaultKind.STATUS, When(endpoint="exports/view"), status=401), "401"),
        (Fault(FaultKind.GARBAGE, FILE, status=200), "not what was expected"),
        (Fault(FaultKind.STATUS, FILE, status=403), "could not be downloaded"),
        (Fault(FaultKind.TRUNCATE, FILE), "could not be downloaded"),
        (Fault(FaultKind.CUT_AFTER, When(endpoint="export")), "broke"),
        (None, "could not make the export"),
    ],
    ids=["view", "garbage", "expired", "cut", "begin", "error"],
)
def test_a_failed_audit_says_why_and_reports_no_drift(
    synced: QuickProject, temporary: Path, fault: Fault | None, words: str
) -> None:
    if fault is None:
        synced.sandbox.change(export_result="ERROR")
    else:
        synced.sandbox.faults.set([fault])
    found = audit(synced, repair=True)
    assert found.status == "failed"
    assert words in str(found.syncs[0].error)
    assert not found.next
    assert not synced.query("select * from batch_sync_drift")
    assert not synced.query("select * from batch_sync_journal where event in ('audited', 'resend')")
    assert not list(temporary.glob("dbt-batch-sync-*"))
