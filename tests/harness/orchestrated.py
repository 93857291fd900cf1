"""Shared by the tests of the orchestrators: a sync of a few people, and the docs' examples."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.faults import Fault, FaultKind, When
from harness.markdown import read
from harness.project import PEOPLE, Project

DOCS = "docs/orchestrators.md"
DIRECTORY = "/opt/shop"
"""The project directory in the docs' examples."""

CALL = 200
"""Operations per call to `update`."""

GOOD = "ada@example.com"
WRONG = "nobody"
"""An invalid e-mail address: it is held back and makes the push partial."""

PATIENCE = 60.0
"""Seconds to wait for another process before the test fails."""


def prepare(
    project: Project, *emails: str, sync: str = PEOPLE, build: bool = True, **mapping: object
) -> None:
    """Build a sync with one person for each e-mail address."""
    whole: Mapping[str, object] = {"identifier": "id", "standard": {"email_address": "email"}, **mapping}
    rows = [{"id": f"{sync}-{n:05}", "email": email} for n, email in enumerate(emails)]
    project.map(whole, sync)
    project.set_rows({"id": "varchar", "email": "varchar"}, rows, sync)
    if build:
        project.build()


def fail_once(project: Project) -> None:
    """Answer the first request with 401, so that the push fails and the next one succeeds."""
    project.sandbox.faults.set([Fault(FaultKind.STATUS, When(nth=(1,)), status=401)])


def example(info: str, project: Project) -> str:
    """The docs' only block with this info string, adapted to the project."""
    (text,) = [block.text for block in read(DOCS).blocks if block.info == info]
    return text.replace(DIRECTORY, str(project.directory))


def prepare_slow(project: Project) -> None:
    """Build a sync of two calls. The rate limit delays the second by minutes."""
    project.outputs(sandbox={"max_profiles_per_second": 1, "checkpoint_seconds": 3600})
    prepare(project, *[GOOD] * (2 * CALL), endpoint="update")


def assert_interrupted(project: Project, printed: str = "") -> None:
    """Assert that a push of `prepare_slow` recorded its first call. Then let the next push complete it."""
    assert len(project.profiles()) == CALL, printed
    assert [run["status"] for run in project.query("from batch_sync_runs")] == ["interrupted"], printed
    project.outputs()
    assert project.push_one().status == "succeeded"
    assert len(project.profiles()) == 2 * CALL


def interrupt(script: Path, project: Project, number: int) -> str:
    """Run a script that pushes, send a signal between its two calls, and return its output."""
    prepare_slow(project)
    with script.with_suffix(".log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen([sys.executable, str(script)], stdout=log, stderr=subprocess.STDOUT)
        try:
            _until(lambda: len(project.profiles()) >= CALL or process.poll() is not None)
            process.send_signal(number)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        printed = log.read()
    assert_interrupted(project, printed)
    return printed


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
