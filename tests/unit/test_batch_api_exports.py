"""Export downloads: truncated, oversized, hostile, expired. The client is real; a local server has the files."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dbt_batch_sync.batch_api import exports
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.batch_api.exports import LINK_ATTEMPTS, Exports
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import DeliveryError

BODY = b'{"identifiers": {"custom_id": "C-1"}}\n'
DOWNLOAD = "/2.11/exports/download?id=file_1"


class Files(ThreadingHTTPServer):
    """Serves `answers` in turn, and the last one repeatedly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.location: str | None = None
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization")))
        if self.path == DOWNLOAD:
            link = self.server.location or f"{self.server.url}/file"
            status, headers, body = 307, {"location": link}, b""
        else:
            answers = self.server.answers
            status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def files() -> Iterator[Files]:
    server = Files()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def download(
    files: Files, path: Path, address: str = DOWNLOAD, wait: Callable[[float], None] = lambda _: None
) -> list[str]:
    told: list[str] = []
    with closing(Client(Output(api_url=files.url, rest_api_key="k", project_key="p"))) as client:
        exported = Exports(client, wait, told.append, chance=lambda: 0.5)
        exported.download(files.url + address, path)
    return told


GOOD: tuple[int, dict[str, str], bytes] = (200, {}, BODY)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((403, {}, b"expired"), "403"),
        ((200, {"content-length": "999"}, BODY), "broke"),
        ((302, {"location": "https://elsewhere.example/"}, b""), "302"),
    ],
    ids=["expired", "cut", "redirect"],
)
def test_a_bad_file_is_downloaded_again(
    files: Files, tmp_path: Path, bad: tuple[int, dict[str, str], bytes], words: str
) -> None:
    path = tmp_path / "file"
    files.answers = [bad, GOOD]
    assert [words in each for each in download(files, path)] == [True]
    assert path.read_bytes() == BODY
    files.answers, files.asked = [bad], []
    waits: list[float] = []
    with pytest.raises(DeliveryError, match=words):
        download(files, path, wait=waits.append)
    assert waits == [2, 4, 8]
    # A new link each time; only the API gets the key.
    assert [(path, key is not None) for path, key in files.asked] == [
        (DOWNLOAD, True),
        ("/file", False),
    ] * LINK_ATTEMPTS


@pytest.mark.parametrize("address", ["/file?id=file_1", "/2.11/exports/download", f"{DOWNLOAD}&id=file_2"])
def test_an_address_that_is_not_the_apis_is_the_link(files: Files, tmp_path: Path, address: str) -> None:
    files.answers = [GOOD]
    download(files, tmp_path / "file", address)
    assert (tmp_path / "file").read_bytes() == BODY
    assert files.asked == [(address, None)]


def test_a_rejected_request_waits_as_long_as_batch_asks(files: Files) -> None:
    files.answers = [(429, {"retry-after": "7"}, b""), (200, {}, b'{"status": "RUNNING"}')]
    waits: list[float] = []
    with closing(Client(Output(api_url=files.url, rest_api_key="k", project_key="p"))) as client:
        exported = Exports(client, waits.append, lambda _: None, chance=lambda: 0.5)
        assert exported.view("export_1").state == "RUNNING"
    assert waits == [7.5]


def test_a_slow_file_times_out(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "FILE_SECONDS", -1.0)
    files.answers = [GOOD]
    with pytest.raises(DeliveryError, match="did not respond"):
        download(files, tmp_path / "file")


def test_an_endless_file_is_aborted(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_FILE_BYTES", 1_000)
    monkeypatch.setattr(exports, "_PIECE", 100)
    files.answers = [(200, {}, bytes(100_000))]
    with pytest.raises(DeliveryError, match="too large"):
        download(files, tmp_path / "file")
    assert (tmp_path / "file").stat().st_size <= 1_000


@pytest.mark.parametrize(
    "location", ["http://192.0.2.1/file", "file:///etc/passwd", "ftp://127.0.0.1/file", "https:///file"]
)
def test_only_https_links_are_followed(files: Files, tmp_path: Path, location: str) -> None:
    files.location = location
    with pytest.raises(DeliveryError, match="not an https address"):
        download(files, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "SUCCESS"}, "no files"),
        ({"status": "SUCCESS", "files": None}, "no files"),
        ({"status": "SUCCESS", "files": []}, "no files"),
        ({"status": "SUCCESS", "files": [{"id": "file_1"}]}, "no files"),
        ({"status": "SUCCESS", "files": [{"url": None}]}, "no files"),
        ({"status": "DONE", "files": []}, "no state"),
        ({}, "no state"),
    ],
    ids=str,
)
def test_a_state_without_files_is_an_error(files: Files, answer: dict[str, object], words: str) -> None:
    with closing(Client(Output(api_url=files.url, rest_api_key="k", project_key="p"))) as client:
        exported = Exports(client, lambda _: None, lambda _: None, chance=lambda: 0.5)
        files.answers = [(200, {}, b'{"status": "RUNNING", "files": null}')]
        assert exported.view("export_1").state == "RUNNING"
        files.answers = [(200, {}, json.dumps(answer).encode())]
        with pytest.raises(DeliveryError, match=words):
            exported.view("export_1")


def test_a_full_disk_is_said(files: Files, tmp_path: Path) -> None:
    files.answers = [GOOD]
    with pytest.raises(DeliveryError, match="TMPDIR"):
        download(files, tmp_path / "absent" / "file")
