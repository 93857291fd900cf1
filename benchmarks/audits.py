"""An audit of a sync whose profiles are all in Batch. One in 100,000 was edited there.

Batch is a small server with the files of an export.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb

from benchmarks.arrivals import WrongArrivals
from benchmarks.measure import Usage
from benchmarks.project import Project

FILE_ROWS = 200_000

EXPORTED = """
copy (
    select
        {'custom_id': customer_id} as identifiers,
        {
            '$email_address': email,
            '$email_marketing': case when email_optin then 'subscribed' else 'unsubscribed' end,
            '$phone_number': phone, '$language': language, '$region': country, '$timezone': timezone,
            'full_name': full_name, 'city': city,
            'birthdate': strftime(birthdate, '%Y-%m-%dT00:00:00Z'),
            'last_order_at': strftime(last_order_at, '%Y-%m-%dT%H:%M:%SZ'),
            'order_count': order_count + (substr(customer_id, 2)::bigint % 100000 = 7)::integer,
            'lifetime_value': lifetime_value::double, 'is_vip': is_vip, 'interests': interests,
            'website': website
        } as attributes
    from raw.people
    limit $limit offset $offset
) to '$path' (format json)
"""


class Batch(BaseHTTPRequestHandler):
    """Answers the three calls of an export, with files from `directory`."""

    directory = Path()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, {"id": "export_1"})

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        name = query.removeprefix("id=")
        if path.endswith("/exports/view"):
            files = [
                {"url": f"http://{self.headers['Host']}/2.11/exports/download?id={each.name}"}
                for each in sorted(self.directory.iterdir())
            ]
            self._answer(200, {"status": "SUCCESS", "files": files})
        elif path.endswith("/exports/download"):
            self._answer(307, {}, location=f"http://{self.headers['Host']}/files?id={name}")
        else:
            content = self.directory / name
            self.send_response(200)
            self.send_header("Content-Length", str(content.stat().st_size))
            self.end_headers()
            with content.open("rb") as file:
                while piece := file.read(1 << 20):
                    self.wfile.write(piece)

    def _answer(self, status: int, document: dict[str, object], location: str | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Batch,), {"directory": directory}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def watched(directory: Path) -> Iterator[list[int]]:
    """Records the largest size of a directory, in bytes."""
    most, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.5):
            sizes = 0
            for each in directory.rglob("*"):
                try:
                    sizes += each.stat().st_blocks * 512
                except OSError:
                    continue
            most[0] = max(most[0], sizes)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield most
    ended.set()
    thread.join()


def audited(project: Project, rows: int) -> tuple[Usage, float]:
    """The cost of an audit of `rows` people, all of them in the snapshot, and its temporary disk space in
    gigabytes. Checks what it finds, and that it leaves no files.
    """
    project.create(rows)
    exported, temporary = project.directory / "exported", project.directory / "temporary"
    exported.mkdir()
    temporary.mkdir()
    _export(project, rows, exported)
    program = project.environment.program("dbt-batch-sync")
    with serving(exported) as url:
        project.outputs(url)
        project.dbt_run()
        project.adopt()
        project.dbt_run()
        time.sleep(1)
        with watched(temporary) as most:
            usage = project.run(
                ["env", f"TMPDIR={temporary}", program, "audit", "--tolerance", "1", "--json"]
            )
    (sync,) = json.loads(project.log.read_text())["syncs"]
    if (sync["compared"], sync["drifted"]) != (rows, len(range(7, rows, 100_000))):
        raise WrongArrivals(
            f"the audit compared {sync['compared']} people, of which {sync['drifted']} differ"
        )
    if left := list(temporary.iterdir()):
        raise WrongArrivals(f"the audit left {len(left)} files")
    return usage, most[0] / 1e9


def _export(project: Project, rows: int, directory: Path) -> None:
    with duckdb.connect(str(project.people)) as connection:
        for number, offset in enumerate(range(0, rows, FILE_ROWS)):
            path = directory / f"file_{number:05}"
            values = {"$limit": FILE_ROWS, "$offset": offset, "$path": path}
            statement = EXPORTED
            for name, value in values.items():
                statement = statement.replace(name, str(value))
            connection.execute(statement)
