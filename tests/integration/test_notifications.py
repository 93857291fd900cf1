"""Notification hooks: their recipients and content, and that failing hooks do no harm. Uses a real server and
real commands.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from harness.databases import Row
from harness.faults import Fault, FaultKind
from harness.project import Project

from dbt_batch_sync import notifications as run_hooks

SECRET = "T0KEN-qwxz"
COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint"}
MAPPING: dict[str, object] = {"identifier": "id", "custom": ["name", "points"]}


@dataclass
class Listener:
    """A webhook endpoint that answers `status`. While `held` is set, it doesn't answer."""

    url: str = ""
    status: int = 200
    held: Event | None = None
    got: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    state = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, json.loads(body)))
            if state.held is not None:
                state.held.wait(30)
            self.send_response(state.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep standard error clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/{SECRET}?sig={SECRET}"
    yield state
    if state.held is not None:
        state.held.set()
    server.shutdown()
    thread.join()
    server.server_close()


def person(name: str, **changes: object) -> Row:
    return {"id": name, "name": f"Name of {name}", "points": 1, **changes}


def ready(project: Project, *names: str, **hooks: object) -> None:
    project.outputs(sandbox={"max_attempts": 1, **hooks})
    project.map(MAPPING)
    project.set_rows(COLUMNS, [person(name) for name in names])
    project.build()


def test_each_status_calls_its_hook_with_the_document(project: Project, listener: Listener) -> None:
    hooks = {f"on_{name}": listener.url + f"&{name}" for name in ("success", "partial", "failure")}
    ready(project, "anna", "bert", **hooks)
    assert project.call("push", "--dry-run").returncode == 0
    assert listener.got == []

    done = project.cli("push", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert listener.got == [(f"/{SECRET}?sig={SECRET}&success", json.loads(done.stdout))]

    project.execute("insert into raw.people values (null, 'x', 1)")
    project.build()
    assert project.push_one().status == "partial"
    project.sandbox.faults.set([Fault(FaultKind.STATUS, status=500)])
    project.execute("insert into raw.people values ('carl', 'x', 1)")
    project.build()
    failed = project.call("push", "--json")
    assert failed.returncode == 1
    assert [path.rpartition("&")[2] for path, _ in listener.got] == ["success", "partial", "failure"]
    assert listener.got[-1][1] == json.loads(failed.stdout)
    told = json.dumps(listener.got)
    assert not [each for each in ("anna", "Name of", "sandbox") if each in told]


def test_an_interrupted_push_is_a_failure(project: Project, listener: Listener) -> None:
    ready(project, "anna", on_failure=[listener.url], on_success=f"{listener.url}&success")
    stop = Event()
    stop.set()
    assert project.push(stop=stop).status == "interrupted"
    assert [(path, body["status"]) for path, body in listener.got] == [
        (f"/{SECRET}?sig={SECRET}", "interrupted")
    ]


def test_a_push_that_raises_is_a_failure(project: Project, listener: Listener) -> None:
    ready(project, "anna", on_failure=listener.url)
    (project.directory / "shop.duckdb").rename(project.directory / "kept.duckdb")
    (project.directory / "shop.duckdb").write_text("no database")
    try:
        failed = project.call("push")
    finally:
        (project.directory / "kept.duckdb").replace(project.directory / "shop.duckdb")
    assert (failed.returncode, failed.stdout) == (1, "")
    ((_, document),) = listener.got
    (sync,) = document["syncs"]
    assert (document["status"], sync["sync"], sync["status"]) == ("failed", "people", "failed")
    assert sync["error"] in failed.stderr.replace("\n", " ")


def test_slack(project: Project, listener: Listener) -> None:
    ready(project, "anna", "bert", on_success={"url": listener.url, "format": "slack"})
    run_id = project.push().run_id
    text = (
        f"*dbt-batch-sync: push to sandbox succeeded* (run {run_id})\n"
        "• people: succeeded: 2 inserts, 0 updates, 0 exits; 2 of 2 profiles accepted, 1 request"
    )
    assert listener.got[0][1] == {"text": text}


def test_a_command_reads_the_document(project: Project, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    script = (
        "import sys; print('a word'); open(sys.argv[1], 'w').write(sys.stdin.read() + '\\n' + sys.argv[2])"
    )
    ready(project, "anna", on_success={"command": [sys.executable, "-c", script, str(told), "$HOME; true"]})
    done = project.cli("push", "--json")
    document, _, argument = told.read_text().partition("\n")
    assert json.loads(document) == json.loads(done.stdout), (
        "the command's output must not mix with the result"
    )
    assert argument == "$HOME; true", "the command must not run in a shell"
    assert done.stderr == "a word\n"


def python(code: str) -> dict[str, object]:
    return {"command": [sys.executable, "-c", code, SECRET]}


def test_failing_hooks_are_warnings(project: Project, listener: Listener) -> None:
    gone = f"http://localhost:1/{SECRET}"
    hooks = [gone, python("raise SystemExit(7)"), {"command": [f"/no/such/{SECRET}/program"]}, listener.url]
    ready(project, "anna", on_success=hooks)
    listener.status = 302
    done = project.cli("push", "--json")
    assert (done.returncode, json.loads(done.stdout)["syncs"][0]["settled"]) == (0, 1)
    assert [path for path, _ in listener.got] == [f"/{SECRET}?sig={SECRET}"], "redirects must not be followed"
    said = "Warning: on_success of output `sandbox`, "
    program = Path(sys.executable).name
    assert done.stderr.splitlines() == [
        f"{said}localhost: it could not be reached, or did not answer within 10 s (ConnectionError)",
        f"{said}command `{program}`: it ended with 7",
        f"{said}command `program`: it could not be started (FileNotFoundError)",
        f"{said}127.0.0.1: it answered 302",
    ]
    assert SECRET not in done.stderr
    assert set(project.profiles()) == {"anna"}


def test_hanging_hooks_are_stopped(
    project: Project,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(run_hooks, "HOOK_SECONDS", 2.0)
    listener.held = Event()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"exec 3> {pipe}; echo started >&3; sleep 60; true"  # `sleep` runs as a child process
    ready(project, "anna", on_success=[listener.url, {"command": ["sh", "-c", script]}])
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert project.push_one().settled == 1
        assert os.read(reader, 100) == b"started\n"
        assert select.select([reader], [], [], 20)[0], "a child process is still running"
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "it could not be reached, or did not answer within 2 s (ReadTimeout)",
        "it was killed after 2 s",
    ]


def test_every_output_is_notified_of_its_own_syncs(project: Project, listener: Listener) -> None:
    ready(project, "anna", on_success=f"{listener.url}&one")
    project.outputs(
        sandbox={"on_success": f"{listener.url}&one"}, other={"on_success": f"{listener.url}&other"}
    )
    project.map({**MAPPING, "output": "other"}, "second")
    project.set_rows(COLUMNS, [person("carl")], "second")
    project.build()
    assert project.push().status == "succeeded"
    heard = {path.rpartition("&")[2]: [each["sync"] for each in body["syncs"]] for path, body in listener.got}
    assert heard == {"one": ["people"], "other": ["second"]}


def test_validate_reports_invalid_hooks(project: Project) -> None:
    ready(project, "anna", on_failure=[{"url": f"http://example.org/{SECRET}"}, {"command": "echo"}])
    done = project.call("validate", "--online")
    assert done.returncode == 2
    assert "outputs.sandbox.on_failure[0].url: must begin with `https://`" in done.stderr
    assert "outputs.sandbox.on_failure[1].command: must be a list of a program" in done.stderr
    assert SECRET not in done.stderr
