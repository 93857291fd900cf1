"""Soak test: a thousand or more pushes in one process, with faults. Memory, files, connections and threads
must not grow.

    python tests/faults/soak.py --cycles 1000 [--postgres]

Every cycle changes some rows, builds the delta, sets faults drawn from the seed, and pushes over HTTP to the
sandbox, opening and closing the warehouse. Every 50th cycle runs without faults, and Batch must then match
the sync. The sandbox runs in its own process, so that only the push and dbt are measured. Exits with 1 on any
error, or if memory grew by more than `--grow` MiB after the first tenth of the cycles.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.databases import Database, PostgresDatabase, running_postgres
from harness.quick import QuickProject

from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery.pacing import Timing, pacer_for
from dbt_batch_sync.push import channels as channels_module

PEOPLE = 3000
COLUMNS = {"id": "varchar", "email": "varchar", "points": "bigint", "tags": "varchar[]"}
MAPPING = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["points", "tags"],
    "on_exit": "clear",
    "endpoint": "update",
    "guards": {"min_rows": 0},
}
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": 2},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500},
    {"kind": "cut_before", "reset": True},
    {"kind": "cut_after"},
    {"kind": "cut_after", "reset": True},
    {"kind": "truncate"},
    {"kind": "garbage"},
    {"kind": "huge", "size": 4 * 1024 * 1024},
    {"kind": "slow", "seconds": 0.02},
    {"kind": "storm", "requests": 3},
    {"kind": "refuse_rows", "custom_ids": ["p00007", "p01234"]},
    {"kind": "refuse_attribute", "attributes": ["tags"], "custom_ids": ["p00001", "p02000"]},
    {"kind": "reject_call_if_contains", "custom_ids": ["p00100", "p00101", "p02500"]},
    {"kind": "status", "status": 401},
)


class Sandbox:
    """The sandbox in its own process, with the interface that `QuickProject` and this script need."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.requests: tuple[()] = ()
        self.settings = SimpleNamespace(rest_api_key="sandbox", project_key="project_sandbox")
        script = Path(__file__).parents[1] / "harness" / "faulty_sandbox.py"
        command = [sys.executable, str(script), str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.ask("GET", "stats")
                return  # noqa: TRY300
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the sandbox didn't start")

    def ask(self, method: str, what: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def reset(self) -> None:
        self.ask("POST", "reset", {})

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def main() -> int:
    arguments = _arguments()
    chance = random.Random(arguments.seed)
    sandbox = Sandbox()
    began, ended, marks = time.monotonic(), Counter[str](), []
    try:
        with (
            tempfile.TemporaryDirectory() as directory,
            _database(on_postgres=arguments.postgres) as database,
            _nobody_sleeps(),
        ):
            project = QuickProject(Path(directory), sandbox, database)  # type: ignore[arg-type]
            project.clear()
            project.outputs(sandbox={"checkpoint_seconds": 0, "max_attempts": 3, "timeout": 5})
            project.map(MAPPING)
            rows = _first_rows(project)
            print(
                f"{'cycle':>6} {'s':>6} {'RSS MiB':>8} {'files':>6} {'sockets':>8} {'threads':>8}  ended",
                flush=True,
            )
            for cycle in range(1, arguments.cycles + 1):
                clean = cycle % 50 == 0
                ended[_cycle(project, sandbox, rows, chance, clean=clean)] += 1
                if clean:
                    _check(sandbox, project, rows)
                if cycle % max(1, arguments.cycles // 20) == 0:
                    marks.append(_measure())
                    told = " ".join(
                        f"{number:>{width}}" for number, width in zip(marks[-1], (8, 6, 8, 8), strict=True)
                    )
                    seconds = time.monotonic() - began
                    print(f"{cycle:>6} {seconds:>6.0f} {told}  {dict(ended)}", flush=True)
    finally:
        sandbox.close()
    settled = marks[max(1, len(marks) // 10)]
    growth = [last - first for first, last in zip(settled, marks[-1], strict=True)]
    print(
        f"after the first tenth: RSS {growth[0]:+} MiB, files {growth[1]:+}, sockets {growth[2]:+}, threads {growth[3]:+}"
    )
    return int(growth[0] > arguments.grow or any(more > 2 for more in growth[1:]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of DuckDB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grow", type=int, default=30, help="how much memory may grow, in MiB")
    return parser.parse_args()


@contextmanager
def _database(*, on_postgres: bool) -> Iterator[Database | None]:
    """A database of a server of its own; None for the project's DuckDB file."""
    if not on_postgres:
        yield None
        return
    with running_postgres() as server:
        yield PostgresDatabase(server)


def _first_rows(project: QuickProject) -> dict[str, dict[str, object]]:
    rows: dict[str, dict[str, object]] = {}
    for number in range(PEOPLE):
        name = f"p{number:05d}"
        rows[name] = {"id": name, "email": f"{name}@example.com", "points": 0, "tags": ["a"]}
    project.set_rows(COLUMNS, rows.values())
    project.build()
    return rows


def _cycle(
    project: QuickProject,
    sandbox: Sandbox,
    rows: dict[str, dict[str, object]],
    chance: random.Random,
    *,
    clean: bool,
) -> str:
    """Change some rows, build a delta and push it. Clean cycles also resend what was rejected."""
    for name in chance.sample(sorted(rows), 300):
        rows[name] = {**rows[name], "points": chance.randrange(1000)}
    project.set_rows(COLUMNS, rows.values())
    if clean:
        project.resend("rejected")
    else:
        project.build()
    faults: list[dict[str, Any]] = []
    if not clean:
        for _ in range(chance.randint(1, 3)):
            when = {"probability": chance.choice([0.2, 0.5]), "seed": chance.randrange(1000)}
            fault = chance.choice(FAULTS)
            refusing = fault["kind"] in ("refuse_rows", "refuse_attribute", "reject_call_if_contains")
            faults.append(fault if refusing else {**fault, "when": when})
    sandbox.ask("POST", "faults", faults)
    return project.push_one(force=True).status


def _check(sandbox: Sandbox, project: QuickProject, rows: Mapping[str, Mapping[str, object]]) -> None:
    """Assert that Batch matches the sync and that no operation broke a rule."""
    stats = sandbox.ask("GET", "stats")
    assert not stats.get("violations"), stats["violations"]
    held = {name: each["points"] for name, each in _profiles(sandbox)}
    wrong = [name for name, row in rows.items() if held.get(name) != row["points"]]
    assert not wrong, f"{len(wrong)} of {len(rows)} differ: {wrong[:5]}"
    assert project.push_one().requests == 0, "the next push sent requests"


def _profiles(sandbox: Sandbox) -> Iterator[tuple[str, dict[str, Any]]]:
    for start in range(0, PEOPLE, 500):
        for each in sandbox.ask("GET", f"profiles?limit=500&offset={start}")["profiles"]:
            yield each["custom_id"], {name: value["value"] for name, value in each["attributes"].items()}


def _measure() -> tuple[int, int, int, int]:
    """Memory in MiB, open files (sockets included) and threads."""
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    links = []
    for each in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{each}"))
        except OSError:
            continue
    sockets = sum(link.startswith("socket:") for link in links)
    return int(resident.split()[1]) // 1024, len(links), sockets, threading.active_count()


@contextmanager
def _nobody_sleeps() -> Iterator[None]:
    """Skip waits between retries: a soak test looks for leaks, not at waiting."""
    clock = SimpleNamespace(seconds=0.0)

    def wait(event: Event, seconds: float) -> bool:
        clock.seconds += seconds
        return event.is_set()

    timing = Timing(lambda: clock.seconds, wait, lambda: 0.0)
    with (
        mock.patch.object(sender_module, "SYSTEM_TIMING", timing),
        mock.patch.object(channels_module, "pacer_for", partial(pacer_for, now=lambda: clock.seconds)),
    ):
        yield


if __name__ == "__main__":
    sys.exit(main())
