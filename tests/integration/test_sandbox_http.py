"""The sandbox over real HTTP: headers, routes, cut connections, controls, start and stop."""

from __future__ import annotations

import builtins
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultyServer

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings, TypedValue

ROOT = Path(__file__).parents[2]
HEADERS = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}
UPDATE = "/2.11/profiles/update"


def op(custom_id: str, **attributes: object) -> dict[str, object]:
    return {"identifiers": {"custom_id": custom_id}, "attributes": attributes or {"a": 1}}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        yield server


@pytest.fixture
def server(shared: SandboxServer) -> Iterator[SandboxServer]:
    yield shared
    shared.change(latency=0.0, reject_attributes=frozenset(), max_body_bytes=8 * 1024 * 1024)
    shared.reset()


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with FaultyServer(SandboxSettings(rate_limits=False)) as server:
        yield server


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers.update(HEADERS)
        yield session


def raw_call(server: SandboxServer, operations: object) -> socket.socket:
    """A connection after sending a whole call, with its answer unread."""
    body = json.dumps(operations).encode()
    head = "".join(
        f"{name}: {value}\r\n"
        for name, value in {
            **HEADERS,
            "Host": f"127.0.0.1:{server.port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items()
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(f"POST {UPDATE} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return connection


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, with a timeout."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_a_profile_arrives(server: SandboxServer, http: requests.Session) -> None:
    attributes = {
        "name": "Zoé 😀",
        "n": 2**63 - 1,
        "date(day)": "2024-01-01T00:00:00Z",
        "l": ["x"],
        "gone": None,
    }
    answer = http.post(server.url + UPDATE, json=[op("jané/1", **attributes)])
    assert (answer.status_code, answer.json()) == (202, {"code": "SUCCESS"})
    assert server.profiles["jané/1"].attributes == {
        "name": TypedValue("string", "Zoé 😀"),
        "n": TypedValue("integer", 2**63 - 1),
        "day": TypedValue("date", "2024-01-01T00:00:00Z"),
        "l": TypedValue("string_array", ("x",)),
    }
    stats = server.stats
    assert (stats.requests, stats.applied, stats.statuses, stats.in_flight) == (1, 1, {202: 1}, 0)
    assert stats.custom_ids == {"jané/1": 1}
    assert stats.attributes["date(day)"] == 1
    assert not stats.violations
    assert server.requests[0].path == UPDATE
    assert json.loads(server.requests[0].body or b"")[0]["identifiers"] == {"custom_id": "jané/1"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/2.11/profiles/mass-update", {}, 202),
        ("GET", "/2.11/audiences/list", {"Content-Type": None}, 200),
        ("GET", "/2.11/audiences/list", {"Authorization": "Bearer other"}, 401),
        ("GET", "/2.11/audiences/list", {"X-Batch-Project": None}, 400),
        ("GET", "/9.9/audiences/list", {}, 404),
        ("POST", UPDATE, {"Authorization": None}, 401),
        ("POST", UPDATE, {"X-Batch-Project": "other"}, 401),
        ("POST", UPDATE, {"Content-Type": "text/plain"}, 400),
        ("POST", UPDATE, {"Content-Encoding": "gzip"}, 400),
        ("POST", "/9.9/profiles/update", {}, 404),
        ("POST", "/2.11/profiles/updates", {}, 404),
        ("POST", "/2.11/profiles/update/", {}, 404),
        ("GET", UPDATE, {}, 404),
        ("PUT", UPDATE, {}, 404),
        ("POST", "/2.11/audiences/list", {}, 404),
        ("POST", "/", {}, 404),
    ],
)
def test_routes_and_headers(
    server: SandboxServer,
    http: requests.Session,
    method: str,
    path: str,
    headers: dict[str, str | None],
    status: int,
) -> None:
    sent = {name: value for name, value in {"Content-Type": "application/json", **headers}.items() if value}
    for name, value in headers.items():
        if value is None:
            http.headers.pop(name, None)
    answer = http.request(method, server.url + path, headers=sent, data=json.dumps([op("a")]))
    assert answer.status_code == status
    if status >= 400:
        assert set(answer.json()) == {"error_code", "error_message"}
        assert server.stats.violations.total() == 1
        assert not server.profiles
    assert server.stats.statuses == {status: 1}


@pytest.mark.parametrize("body", [b"[NaN]", b"{}", b"", b'[{"a":1,"a":2}]', b"\xff"])
def test_malformed_bodies(server: SandboxServer, http: requests.Session, body: bytes) -> None:
    answer = http.post(server.url + UPDATE, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_BODY")


def test_a_body_that_is_too_large_is_answered(server: SandboxServer, http: requests.Session) -> None:
    server.change(max_body_bytes=1_000_000)
    body = json.dumps([op("a", x="y" * 3_000_000)])
    answer = http.post(server.url + UPDATE, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BODY_TOO_LARGE")
    assert server.stats.bytes == len(body)
    assert http.post(server.url + UPDATE, json=[op("a")]).status_code == 202


def test_rate_limit_over_http(http: requests.Session) -> None:
    full = [op(f"c{n}") for n in range(10_000)]
    with SandboxServer(clock=lambda: 0.0) as server:
        assert http.post(server.url + "/2.11/profiles/mass-update", json=full).status_code == 202
        answer = http.post(server.url + "/2.11/profiles/mass-update", json=full)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert server.stats.throttled == 1


def test_immediate_start_and_stop() -> None:
    for _ in range(3):
        with SandboxServer():
            pass


@pytest.mark.parametrize(("kind", "applied"), [(FaultKind.CUT_BEFORE, False), (FaultKind.CUT_AFTER, True)])
@pytest.mark.parametrize("reset", [False, True])
def test_cut_connections(faulty: FaultyServer, kind: FaultKind, applied: bool, reset: bool) -> None:
    faulty.faults.set([Fault(kind, When(times=1), reset=reset)])
    with raw_call(faulty, [op("a")]) as connection:
        if reset:
            with pytest.raises(ConnectionResetError):
                read_all(connection)
        else:
            assert read_all(connection) == b""
    assert ("a" in faulty.profiles) is applied
    assert faulty.stats.statuses == {0: 1}
    with raw_call(faulty, [op("b")]) as connection:
        assert connection.recv(12) == b"HTTP/1.1 202"


def test_a_truncated_answer(faulty: FaultyServer) -> None:
    faulty.faults.set([Fault(FaultKind.TRUNCATE)])
    with raw_call(faulty, [op("a")]) as connection:
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202")
    assert b"content-length: 18" in head
    assert body == b'{"code":"'
    assert "a" in faulty.profiles


def test_a_huge_answer_is_json_and_can_be_aborted(faulty: FaultyServer, http: requests.Session) -> None:
    faulty.faults.set(
        [Fault(FaultKind.HUGE, When(times=1), size=1_000_000), Fault(FaultKind.HUGE, size=16 * 1024**3)]
    )
    answer = http.post(faulty.url + UPDATE, json=[op("a")])
    assert (answer.status_code, len(answer.content), answer.json()) == (202, 1_000_018, {"code": "SUCCESS"})
    with raw_call(faulty, [op("b")]) as connection:
        assert connection.recv(12) == b"HTTP/1.1 202"
    faulty.faults.clear()
    assert http.post(faulty.url + UPDATE, json=[op("c")]).status_code == 202


def test_other_answers_on_demand(faulty: FaultyServer, http: requests.Session) -> None:
    faulty.faults.set(
        [
            Fault(FaultKind.GARBAGE, When(nth=(1,))),
            Fault(FaultKind.REDIRECT, When(nth=(2,)), location="http://127.0.0.1:9/x"),
            Fault(FaultKind.STATUS, When(nth=(3,)), status=503, retry_after=7),
            Fault(FaultKind.DRIP, When(nth=(4,))),
        ]
    )
    answers = [http.post(faulty.url + UPDATE, json=[op(str(n))], allow_redirects=False) for n in range(1, 6)]
    assert [answer.status_code for answer in answers] == [202, 307, 503, 202, 202]
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answers[0].json()
    assert answers[1].headers["Location"] == "http://127.0.0.1:9/x"
    assert answers[2].headers["Retry-After"] == "7"
    assert answers[3].json() == {"code": "SUCCESS"}
    assert list(faulty.profiles) == ["1", "4", "5"]
    assert faulty.struck == {"garbage": 1, "redirect": 1, "status": 1, "drip": 1}


def test_requests_in_flight_are_counted() -> None:
    # Stopping ends all waits and answers requests in flight.
    with SandboxServer(SandboxSettings(latency=3_600.0)) as slow:
        connections = [raw_call(slow, [op(str(n))]) for n in range(4)]
        until(lambda: slow.stats.in_flight == len(slow.profiles) == 4)
        with requests.get(slow.url + "/_sandbox/stats") as answer:
            assert answer.json()["in_flight"] == 4
        slow.stop()
        answers = [read_all(connection) for connection in connections]
        for connection in connections:
            connection.close()
    assert all(answer.startswith(b"HTTP/1.1 202") for answer in answers)
    assert (slow.stats.max_in_flight, slow.stats.in_flight) == (4, 0)


def test_a_client_that_disconnects_mid_body(server: SandboxServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        head = f"POST {UPDATE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n["
        connection.sendall(head.encode())
        until(lambda: server.stats.in_flight == 1)
    until(lambda: server.stats.in_flight == 0)
    assert (server.stats.broken_uploads, server.stats.statuses) == (1, {0: 1})


def test_many_clients_at_once(server: SandboxServer) -> None:
    def send(number: int) -> int:
        operations = [op(f"{number}-{n}") for n in range(100)]
        with requests.post(server.url + UPDATE, json=operations, headers=HEADERS) as answer:
            return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {202}
    assert len(server.profiles) == server.stats.applied == 4_000


def test_controls(server: SandboxServer, http: requests.Session) -> None:
    def get(path: str) -> Any:
        answer = http.get(server.url + path)
        assert answer.status_code == 200, path
        return answer.json()

    settings = {"reject_attributes": ["b"], "latency": 0.001}
    assert http.post(server.url + "/_sandbox/settings", json=settings).status_code == 200
    changed = {"rate_limits": False, "latency": 0.001, "reject_ids": [], "reject_attributes": ["b"]}
    assert changed.items() <= get("/_sandbox/settings").items()
    http.post(server.url + UPDATE, json=[op("é/1?x", a=["x"]), op("2")])
    http.post(server.url + UPDATE, json=[op("3", b=1)])
    assert get("/_sandbox/profiles/%C3%A9%2F1%3Fx")["attributes"] == {
        "a": {"type": "string_array", "value": ["x"]}
    }
    assert http.get(server.url + "/_sandbox/profiles/nobody").status_code == 404
    listed = get("/_sandbox/profiles?limit=1&offset=1")
    assert (listed["total"], [profile["custom_id"] for profile in listed["profiles"]]) == (3, ["2"])
    stats = get("/_sandbox/stats")
    assert (stats["requests"], stats["applied"], stats["statuses"], stats["profiles"]) == (
        2,
        3,
        {"202": 2},
        3,
    )
    assert "custom_ids" not in stats
    assert get("/_sandbox/stats?custom_ids=1")["custom_ids"]["2"] == 1
    seen = get("/_sandbox/requests?bodies=1")["requests"]
    assert [(entry["operations"], entry["errors"]) for entry in seen] == [(1, 1), (2, 0)]
    assert json.loads(seen[0]["body"])[0]["attributes"] == {"b": 1}
    assert json.loads(seen[0]["answer"])["code"] == "SUCCESS_WITH_PARTIAL_ERRORS"
    assert json.loads(seen[1]["answer"]) == {"code": "SUCCESS"}
    assert get(f"/_sandbox/requests/{seen[1]['number']}")["operations"] == 2
    assert http.get(server.url + "/_sandbox/requests/999").status_code == 404
    page = http.get(server.url + "/", params={"profile": "é/1?x"})
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "é/1?x" in page.text
    reset = http.post(server.url + "/_sandbox/reset", json={"profiles": False})
    assert reset.json() == {"reset": ["stats"]}
    assert (len(server.profiles), server.stats.requests) == (3, 0)
    http.post(server.url + "/_sandbox/reset", json={})
    assert not server.profiles


def test_the_key_is_never_kept(server: SandboxServer, http: requests.Session) -> None:
    http.headers["Authorization"] = "Bearer top-secret"
    http.post(server.url + UPDATE, json=[op("a")])
    for path in ("/_sandbox/requests?bodies=1", "/_sandbox/stats", "/"):
        assert "top-secret" not in http.get(server.url + path).text


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/_sandbox/reset", {"Content-Type": "text/plain"}, "{}", 400),
        ("/_sandbox/reset", {"Content-Type": "application/json"}, '{"all": true}', 400),
        ("/_sandbox/reset", {"Content-Type": "application/json"}, '{"stats": 1}', 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, "[", 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, "[]", 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, '{"latency": -1}', 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, '{"latency": true}', 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, '{"reject_ids": [1]}', 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, '{"rest_api_key": "x"}', 400),
        ("/_sandbox/settings", {"Content-Type": "application/json"}, "[" * 2_000_000, 400),
        ("/_sandbox/reset", {"Content-Type": "application/json", "Host": "evil.example"}, "{}", 403),
        ("/_sandbox/profiles", {"Host": "evil.example:80"}, None, 403),
        ("/", {"Host": "["}, None, 403),
        ("/_sandbox/profiles", {"Host": "localhost"}, None, 200),
        ("/_sandbox/profiles", {"Host": "[::1]:8700"}, None, 200),
        ("/_sandbox/profiles?limit=-1", {}, None, 400),
        ("/favicon.ico", {}, None, 204),
    ],
)
def test_guarded_controls(
    server: SandboxServer, path: str, headers: dict[str, str], body: str | None, status: int
) -> None:
    answer = requests.request("POST" if body else "GET", server.url + path, headers=headers, data=body)
    with answer:
        assert answer.status_code == status
    assert server.stats.requests == 0


def test_controls_can_be_opened(server: SandboxServer) -> None:
    server.change(controls="anywhere")
    with requests.get(server.url + "/_sandbox/stats", headers={"Host": "sandbox:8700"}) as answer:
        assert answer.status_code == 200
    server.change(controls="loopback")


def test_an_outage_keeps_the_state(http: requests.Session) -> None:
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        url = server.url
        http.post(url + UPDATE, json=[op("a")])
        server.stop()
        with pytest.raises(requests.ConnectionError):
            http.post(url + UPDATE, json=[op("b")])
        server.start()
        assert server.url == url
        assert http.post(url + UPDATE, json=[op("c")]).status_code == 202
        assert list(server.profiles) == ["a", "c"]
    server.stop()


def test_a_port_in_use_and_an_invalid_store_are_errors(server: SandboxServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"port {server.port}"), SandboxServer(port=server.port):
        pass
    with pytest.raises(ConfigurationError, match="can't be opened"):
        SandboxServer(SandboxSettings(store=tmp_path / "no" / "store.db"))


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_a_missing_package_error_says_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return original(name, *rest, **named)

    for module in ("app", "controls"):
        monkeypatch.delitem(sys.modules, f"dbt_batch_sync.sandbox.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pip install 'dbt-batch-sync\[sandbox\]'"), SandboxServer():
        pass


SERVE = """
import sys
from pathlib import Path
from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings, serve

def ready(server: SandboxServer) -> None:
    print(server.url, flush=True)

serve(port=0, settings=SandboxSettings(store=Path(sys.argv[1])), on_ready=ready)
print("stopped", flush=True)
"""


def served(store: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_serving_until_a_signal(
    tmp_path: Path, http: requests.Session, signal_number: signal.Signals
) -> None:
    process, url = served(tmp_path / "store.db")
    assert http.post(url + UPDATE, json=[op("a")]).status_code == 202
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "stopped\n", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]


def test_profiles_survive_a_killed_sandbox(tmp_path: Path, http: requests.Session) -> None:
    process, url = served(tmp_path / "store.db")
    assert http.post(url + UPDATE, json=[op("a", x=1), op("b")]).status_code == 202
    process.kill()
    process.communicate(timeout=20)
    with SandboxServer(SandboxSettings(store=tmp_path / "store.db")) as server:
        assert list(server.profiles) == ["a", "b"]
        assert server.profiles["a"].attributes == {"x": TypedValue("integer", 1)}
