"""What the tests of the orchestrators push: a sync of a few people, and the examples of the docs."""

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
"""The project's in the examples."""

CALL = 200
"""Operations of a call to `update`."""

GOOD = "ada@example.com"
WRONG = "nobody"
"""No e-mail address: it is withheld, and makes the push partial."""

PATIENCE = 60.0
"""Seconds after which a test fails that waits for another process."""


def prepare(
    project: Project, *emails: str, sync: str = PEOPLE, build: bool = True, **mapping: object
) -> None:
    """A sync with a person for each e-mail address, and its delta."""
    whole: Mapping[str, object] = {"identifier": "id", "standard": {"email_address": "email"}, **mapping}
    rows = [{"id": f"{sync}-{n:05}", "email": email} for n, email in enumerate(emails)]
    project.map(whole, sync)
    project.set_rows({"id": "varchar", "email": "varchar"}, rows, sync)
    if build:
        project.build()


def fail_once(project: Project) -> None:
    """The first request is answered by 401: the push fails, and the next one does not."""
    project.sandbox.faults.set([Fault(FaultKind.STATUS, When(nth=(1,)), status=401)])


def example(info: str, project: Project) -> str:
    """The one block of this kind in the docs, for this project."""
    (text,) = [block.text for block in read(DOCS).blocks if block.info == info]
    return text.replace(DIRECTORY, str(project.directory))


def prepare_slow(project: Project) -> None:
    """A sync of two calls: the first goes at once, the second is held back by the pace for minutes."""
    project.outputs(sandbox={"max_profiles_per_second": 1, "checkpoint_seconds": 3600})
    prepare(project, *[GOOD] * (2 * CALL), endpoint="update")


def assert_interrupted(project: Project, printed: str = "") -> None:
    """Of a push of `prepare_slow`, the first call arrived and the run is recorded; the next push completes it."""
    assert len(project.profiles()) == CALL, printed
    assert [run["status"] for run in project.query("from batch_sync_runs")] == ["interrupted"], printed
    project.outputs()
    assert project.push_one().status == "succeeded"
    assert len(project.profiles()) == 2 * CALL


def interrupt(script: Path, project: Project, number: int) -> str:
    """What a script printed that pushes and gets a signal between its two calls."""
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
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
