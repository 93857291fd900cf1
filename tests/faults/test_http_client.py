"""The client against a real socket with a misbehaving server."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest
import requests
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

import dbt_batch_sync.batch_api.client as client_module
from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, BrokenKind, Busy, Fatal, Rejected
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.batch_api.transport import IN_PATH, of_app, open_session
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.chunks import chunk_rows
from dbt_batch_sync.delivery.pacing import Pacer, Timing
from dbt_batch_sync.delivery.sender import Delivery
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.profiles import MASS_UPDATE, UPDATE

KEY = "sk-0123456789abcdef"
PROJECT = "project_fedcba"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'[{"identifiers":{"custom_id":"c1"}}]'


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes
    connection: int
    stream: BinaryIO


Reply = Callable[[socket.socket, Request], None]


class Server:
    """Reads requests from every connection and passes them to `reply`. An exception there closes the
    connection.
    """

    def __init__(self, reply: Reply, context: ssl.SSLContext | None = None, read_bodies: bool = True) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._reply = reply
        self._context = context
        self._read_bodies = read_bodies
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self.stopping.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._socket.close()
        assert not any(thread.is_alive() for thread in self._threads)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self.stopping.is_set():
                peer, _ = self._socket.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(peer, self.connections)))
                self._threads[-1].start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        peer.settimeout(5)
        with contextlib.suppress(OSError, ValueError), peer:
            wrapped = self._context.wrap_socket(peer, server_side=True) if self._context else peer
            with wrapped, wrapped.makefile("rb") as stream:
                while line := stream.readline().decode().strip():
                    headers = {}
                    while header := stream.readline().decode().strip():
                        name, _, value = header.partition(": ")
                        headers[name.lower()] = value
                    length = int(headers.get("content-length", 0)) if self._read_bodies else 0
                    request = Request(line, headers, stream.read(length), number, stream)
                    self.requests.append(request)
                    self._reply(wrapped, request)


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Server] = []

    def open_server(reply: Reply, **options: object) -> Server:
        servers.append(Server(reply, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield open_server
    for server in servers:
        server.close()


def connect(server: Server, timeout: float = 5.0, scheme: str = "http", host: str = "127.0.0.1") -> Client:
    return Client(
        Output(
            api_url=f"{scheme}://{host}:{server.port}", rest_api_key=KEY, project_key=PROJECT, timeout=timeout
        )
    )


def ask(server: Server, timeout: float = 5.0, body: bytes = BODY) -> Answer:
    with closing(connect(server, timeout)) as client:
        return client.send(UPDATE, body)


def answering(status: str, body: bytes = b'{"code": "SUCCESS"}', *headers: str) -> Reply:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return raw("\r\n".join(lines).encode() + body)


def raw(data: bytes, close: bool = False) -> Reply:
    def reply(peer: socket.socket, _: Request) -> None:
        peer.sendall(data)
        if close:
            raise ConnectionAbortedError

    return reply


def dripping(first: bytes, drop: bytes) -> Reply:
    def reply(peer: socket.socket, _: Request) -> None:
        peer.sendall(first)
        for _number in range(40):
            time.sleep(0.02)
            peer.sendall(drop)

    return reply


def test_a_request_is_exactly_as_documented(start: Start) -> None:
    server = start(answering("202 Accepted"))
    with closing(connect(server)) as client:
        assert client.send(UPDATE, BODY) == Accepted()
        assert client.send(MASS_UPDATE, memoryview(BODY)) == Accepted()
    first, second = server.requests
    assert first.line == "POST /2.11/profiles/update HTTP/1.1"
    assert second.line == "POST /2.11/profiles/mass-update HTTP/1.1"
    assert first.body == second.body == BODY
    assert {name: value for name, value in first.headers.items() if name != "user-agent"} == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {KEY}",
        "x-batch-project": PROJECT,
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "accept": "application/json",
        "accept-encoding": "identity",
    }
    assert first.headers["user-agent"].startswith("dbt-batch-sync/")
    assert first.connection == second.connection


def test_large_bodies_arrive_completely(start: Start) -> None:
    server = start(answering("202 Accepted"))
    body = b"[" + bytes(range(32, 127)) * 80_000 + b"]"
    assert ask(server, body=body) == Accepted()
    assert server.requests[0].body == body


def test_threads_share_the_connections(start: Start) -> None:
    server = start(answering("202 Accepted"))
    with closing(connect(server)) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.send(UPDATE, BODY), range(100)))
    assert answers == [Accepted()] * 100
    assert server.connections <= 4
    assert {request.body for request in server.requests} == {BODY}


def test_environment_settings_never_get_the_key(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\nmachine api.batch.com login u password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    proxy = start(answering("202 Accepted"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    server = start(answering("202 Accepted"))
    assert ask(server) == Accepted()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert proxy.requests == []

    with closing(
        Client(Output(api_url="https://api.batch.com", rest_api_key=KEY, project_key=PROJECT))
    ) as client:
        prepared = client._session.prepare_request(requests.Request("GET", "https://api.batch.com/2.11/x"))
    assert prepared.headers["Authorization"] == f"Bearer {KEY}"


def test_a_proxy_of_the_environment_sees_no_key(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = start(answering("502 Bad Gateway"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    with closing(
        Client(Output(api_url="https://api.batch.com", rest_api_key=KEY, project_key=PROJECT))
    ) as client:
        answer = client.send(UPDATE, BODY)
    assert answer == Broken(BrokenKind.CONNECT, "ProxyError at api.batch.com")
    assert proxy.requests[0].line == "CONNECT api.batch.com:443 HTTP/1.0"
    assert KEY not in repr(proxy.requests)


def test_a_socks_proxy_has_secret_paths_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections are of other classes; those of this one are direct."""

    class Pool(HTTPConnectionPool):
        ConnectionCls = type("OwnConnection", (HTTPConnection,), {})

    def manager(url: str, **options: object) -> PoolManager:
        opened = PoolManager()
        opened.pool_classes_by_scheme = {"http": Pool}
        return opened

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", manager)
    server = start(answering("202 Accepted"))
    with open_session(of_app(KEY, "secret"), 1, use_environment=False) as session:
        for _ in range(2):
            session.post(
                f"http://127.0.0.1:{server.port}/1.0/{IN_PATH}/gdpr/request",
                proxies={"http": "socks5h://127.0.0.1:9"},
                timeout=5,
            )
    assert [each.line for each in server.requests] == ["POST /1.0/secret/gdpr/request HTTP/1.1"] * 2
    assert all("secret" not in repr(each.headers) for each in server.requests)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed_and_not_read(start: Start, status: str) -> None:
    other = start(answering("202 Accepted"))
    bomb = gzip.compress(bytes(5_000_000))
    headers = (f"Location: http://127.0.0.1:{other.port}/", "Content-Encoding: gzip")
    server = start(answering(status, bomb, *headers))
    assert ask(server) == Fatal(int(status[:3]))
    assert len(server.requests) == 1
    assert other.requests == []


def test_cookies_are_not_kept(start: Start) -> None:
    server = start(answering("202 Accepted", b'{"code": "SUCCESS"}', "Set-Cookie: a=b; Path=/"))
    with closing(connect(server)) as client:
        client.send(UPDATE, BODY)
        client.send(UPDATE, BODY)
    assert all("cookie" not in request.headers for request in server.requests)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answering("400 Bad Request", b'{"error_code": "MALFORMED"}'), Rejected(400, "MALFORMED")),
        (answering("401 Unauthorized", b""), Fatal(401)),
        (answering("404 Not Found", b"<html>"), Fatal(404)),
        (answering("429 Slow", b"", "Retry-After: 7"), Busy(429, 7.0)),
        (answering("503 Down", b"", "Retry-After: Thu, 09 Oct 2025 08:01:00 GMT"), Busy(503, 0.0)),
        (answering("202 Accepted", b"<html>"), Broken(BrokenKind.ANSWER, "no JSON object")),
        (
            answering("202 Accepted", gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip"),
            Broken(BrokenKind.ANSWER, "no JSON object"),
        ),
        (
            raw(CHUNKED + b'13\r\n{"code": "SUCCESS"}\r\n0\r\n\r\n'),
            Accepted(),
        ),
        (raw(b'HTTP/1.0 202 Accepted\r\n\r\n{"code": "SUCCESS"}', close=True), Accepted()),
        (
            raw(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 202 Accepted\r\n\r\n{"code": "SUCCESS"}', close=True),
            Accepted(),
        ),
    ],
)
def test_answers(start: Start, reply: Reply, expected: Answer) -> None:
    assert ask(start(reply)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 202",
        b"HTTP/1.1 202 Accepted\r\nContent-Len",
        b'HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{"code": "SUCCESS"}',
        CHUNKED + b'13\r\n{"code"',
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 1, 2\r\n\r\n{}",
        b"HTTP/1.1 9999 Accepted\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 1_000,
        b"HTTP/1.1 202 Accepted\r\nX: " + b"y" * 100_000,
        bytes(range(256)) * 100,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_truncated_and_non_http_answers_are_broken(start: Start, data: bytes) -> None:
    answer = ask(start(raw(data, close=True)))
    assert isinstance(answer, Broken)
    assert answer.kind in (BrokenKind.CUT, BrokenKind.ANSWER)


def test_a_reset_is_broken_and_the_next_call_opens_a_new_connection(start: Start) -> None:
    def reply(peer: socket.socket, request: Request) -> None:
        if request.connection == 1:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionAbortedError
        answering("202 Accepted")(peer, request)

    server = start(reply)
    with closing(connect(server)) as client:
        answer = client.send(UPDATE, BODY)
        assert isinstance(answer, Broken)
        assert answer.kind is BrokenKind.CUT
        assert client.send(UPDATE, BODY) == Accepted()


def out_of_reach(what: str, place: str) -> Broken:
    return Broken(BrokenKind.CONNECT, f"{what} at {place}; is `dbt-batch-sync sandbox` running?")


def test_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with closing(
        Client(Output(api_url=f"http://127.0.0.1:{port}", rest_api_key=KEY, project_key=PROJECT))
    ) as client:
        assert client.send(UPDATE, BODY) == out_of_reach("ConnectionError", f"127.0.0.1:{port}")


def test_a_failed_call_releases_its_body(start: Start) -> None:
    """Its exceptions form reference cycles that live until collected, and a body takes megabytes."""
    body = bytes(1_000_000)
    server = start(raw(b"HTTP/1.1 202 Acc", close=True))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    held = sys.getrefcount(body)
    gc.disable()
    try:
        for port in (server.port, nobody):
            with closing(
                Client(Output(api_url=f"http://127.0.0.1:{port}", rest_api_key=KEY, project_key=PROJECT))
            ) as client:
                assert isinstance(client.send(UPDATE, body), Broken)
        assert sys.getrefcount(body) == held
    finally:
        gc.enable()


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with closing(
        Client(Output(api_url="http://localhost:1", rest_api_key=KEY, project_key=PROJECT))
    ) as client:
        assert client.send(UPDATE, BODY) == out_of_reach("ConnectionError", "localhost:1")


@pytest.mark.parametrize(
    "reply",
    [
        dripping(b"", b""),
        dripping(b"", b"H"),
        dripping(b"HTTP/1.1 202 Accepted\r\nX: ", b"y"),
        dripping(b"HTTP/1.1 202 Accepted\r\n", b"X: y\r\n"),
        dripping(b"HTTP/1.1 202 Accepted\r\nContent-Length: 19\r\n\r\n", b" "),
        dripping(CHUNKED, b"1\r\n \r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "header", "headers", "body", "chunks", "continue"],
)
def test_a_dripping_server_times_out(start: Start, reply: Reply) -> None:
    server = start(reply)
    began = time.monotonic()
    answer = ask(server, timeout=0.2)
    assert time.monotonic() - began < 1.5
    assert isinstance(answer, Broken)
    assert answer.kind is BrokenKind.TIMEOUT


def test_the_remaining_time_limits_a_silence(start: Start) -> None:
    def reply(peer: socket.socket, _: Request) -> None:
        time.sleep(0.4)
        peer.sendall(b"H")
        server.stopping.wait(5)

    server = start(reply)
    began = time.monotonic()
    answer = ask(server, timeout=0.5)
    assert time.monotonic() - began < 0.8
    assert answer == Broken(BrokenKind.TIMEOUT, "ReadTimeout")


def test_a_nearly_timed_out_answer_does_not_shorten_the_next_call(start: Start) -> None:
    def reply(peer: socket.socket, request: Request) -> None:
        if len(server.requests) == 1:
            request.stream.read(len(BODY))
            peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 19\r\n\r\n")
            time.sleep(0.7)
            peer.sendall(b'{"code": ')
            time.sleep(0.05)
            peer.sendall(b'"SUCCESS"}')
        else:
            time.sleep(0.5)
            request.stream.read(int(request.headers["content-length"]))
            answering("202 Accepted")(peer, request)

    server = start(reply, read_bodies=False)
    with closing(connect(server, timeout=1.0)) as client:
        assert client.send(UPDATE, BODY) == Accepted()
        assert client.send(UPDATE, bytes(16 * 1024 * 1024)) == Accepted()
    assert server.connections == 1


def test_a_server_that_does_not_read_times_out(start: Start) -> None:
    def reply(_: socket.socket, __: Request) -> None:
        server.stopping.wait(5)

    server = start(reply, read_bodies=False)
    began = time.monotonic()
    answer = ask(server, timeout=0.2, body=bytes(64 * 1024 * 1024))
    assert time.monotonic() - began < 1.5
    server.stopping.set()
    assert isinstance(answer, Broken)
    assert answer.kind is BrokenKind.TIMEOUT


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"202 Accepted\r\nContent-Length: 1000000000", Broken(BrokenKind.TOO_LARGE)),
        (b"202 Accepted\r\nX: until the end", Broken(BrokenKind.TOO_LARGE)),
        (b"302 Found\r\nLocation: http://127.0.0.1:1/", Fatal(302)),
        (b"503 Down\r\nRetry-After: 3", Busy(503, 3.0)),
    ],
)
def test_an_endless_answer_is_not_read_to_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch, head: bytes, expected: Answer
) -> None:
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 1_000_000)
    sent = 0

    def reply(peer: socket.socket, _: Request) -> None:
        nonlocal sent
        peer.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
        while not server.stopping.is_set():
            sent += peer.send(b" " * 65_536)

    server = start(reply)
    assert ask(server) == expected
    assert sent < 50_000_000


def test_no_log_has_a_key_or_a_value(
    start: Start, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for reply in (
        answering("202 Accepted"),
        answering("401 No"),
        raw(b"nonsense", close=True),
        dripping(b"", b""),
    ):
        answer = ask(start(reply), timeout=0.2)
        assert KEY not in repr(answer)
    out, err = capfd.readouterr()
    logged = caplog.text + out + err
    assert "urllib3" in logged  # logging works, only without secrets
    assert [secret for secret in (KEY, PROJECT, "c1") if secret in logged] == []


def test_a_delivery_over_a_flaky_connection_arrives_complete_and_in_order(start: Start) -> None:
    def reply(peer: socket.socket, request: Request) -> None:
        if len(server.requests) % 3 == 0:
            raise ConnectionAbortedError
        if len(server.requests) % 7 == 0:
            raw(b'HTTP/1.1 202 Accepted\r\nContent-Length: 19\r\n\r\n{"code"', close=True)(peer, request)
        answering("202 Accepted")(peer, request)

    server = start(reply)
    columns = {
        "key": [f"{number:04d}" for number in range(1_000)],
        "operation": [f"{number}," for number in range(1_000)],
        "extra": pa.nulls(1_000, pa.list_(pa.string())),
    }
    chunks = chunk_rows([pa.RecordBatch.from_pydict(columns)], 20)
    timing = Timing(time.monotonic, lambda event, _: event.is_set(), lambda: 0.0)
    with closing(connect(server)) as client:
        delivery = Delivery(
            partial(client.send, UPDATE),
            Pacer(0, 0),
            RetryPolicy(max_attempts=50),
            threading.Event(),
            timing=timing,
        )
        settled = list(delivery.run(chunks))
    assert [part.chunk.rows_of(len(part.chunk) - 1) for part in settled] == [
        [f"{number:04d}"] for number in range(19, 1_000, 20)
    ]
    assert not any(part.rejects for part in settled)
    assert sum(part.requests for part in settled) == len(server.requests) > 50
    arrived = {number for request in server.requests for number in json.loads(request.body)}
    assert arrived == set(range(1_000))


def test_check_lists_the_exports_and_writes_nothing(start: Start) -> None:
    server = start(answering("200 OK", b'{"exports": []}'))
    with closing(connect(server)) as client:
        client.check()
    assert [request.line for request in server.requests] == ["GET /2.11/audiences/list?limit=1 HTTP/1.1"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "content-type" in server.requests[0].headers


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answering("401 Unauthorized", b'{"error_code": "UNAUTHORIZED"}'), ["HTTP 401", "`rest_api_key`"]),
        (answering("404 Not Found"), ["HTTP 404", "`api_version`"]),
        (answering("302 Found", b"", "Location: https://example.com/"), ["HTTP 302", "`api_url`"]),
        (answering("503 Down"), ["HTTP 503"]),
        (raw(b"", close=True), ["broke"]),
    ],
)
def test_check_says_what_to_change(start: Start, reply: Reply, words: list[str]) -> None:
    with closing(connect(start(reply))) as client, pytest.raises(DeliveryError) as caught:
        client.check()
    assert [word for word in words if word not in str(caught.value)] == []
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip(
            "needs the openssl command to create a certificate; install it with: apt-get install openssl"
        )
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(
    ("host", "trusted", "expected"),
    [("localhost", False, Fatal(None)), ("127.0.0.1", True, Fatal(None)), ("localhost", True, Accepted())],
    ids=["unknown issuer", "other host", "trusted"],
)
def test_certificates_are_verified(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    certificate: tuple[Path, Path],
    host: str,
    trusted: bool,
    expected: Answer,
) -> None:
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = start(answering("202 Accepted"), context=context)
    with closing(connect(server, scheme="https", host=host)) as client:
        assert client.send(UPDATE, BODY) == expected
    assert len(server.requests) == (expected == Accepted())


def test_a_dripping_server_times_out_over_tls(
    start: Start, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = start(dripping(b"HTTP/1.1 202 Accepted\r\nContent-Length: 19\r\n\r\n", b" "), context=context)
    with closing(connect(server, timeout=0.2, scheme="https", host="localhost")) as client:
        answer = client.send(UPDATE, BODY)
    assert isinstance(answer, Broken)
    assert answer.kind is BrokenKind.TIMEOUT


def test_a_server_without_tls_is_unreachable(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = start(raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", close=True))
    with closing(connect(server, scheme="https")) as client:
        place = f"127.0.0.1:{server.port}"
        assert client.send(UPDATE, BODY) == out_of_reach("SSLError", place)
