"""`demo`: builds the example project, pushes it to the sandbox, changes it, pushes again, and audits."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results.sync import EXIT_CODES, PushResult, SyncPushed
from dbt_batch_sync.sandbox.server import SandboxServer
from dbt_batch_sync.scaffold.installation import copy_package, package_root

PORT_VARIABLE = "BATCH_SANDBOX_URL"

EVENTS = "order_placed"
"""The sync that doesn't send past rows."""


@dataclass(frozen=True)
class Wire:
    """What one round sent: requests, operations, bytes, and a sample row for each endpoint."""

    requests: int
    operations: int
    bytes: int
    examples: dict[str, str]


@dataclass(frozen=True)
class Round:
    """One `dbt build` and one push. `held` counts what the sandbox has afterwards."""

    title: str
    result: PushResult
    wire: Wire
    held: dict[str, int]


def copy_example(directory: Path) -> None:
    """The example project with a copy of the macros, so that it stands alone. Raises ConfigurationError if
    the directory is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigurationError(f"{directory} is not empty: give --dir a new directory")
    ignored = shutil.ignore_patterns(
        "target", "dbt_packages", "logs", "*.duckdb", "*.wal", "package-lock.yml", ".user.yml"
    )
    shutil.copytree(package_root() / "models_example", directory, dirs_exist_ok=True, ignore=ignored)
    copy_package(directory)
    packages = directory / "packages.yml"
    packages.write_text("packages:\n  - local: packages/dbt_batch_sync\n", encoding="utf-8")


def run_demo(directory: Path, tell: Callable[[str], None], show: Callable[[Round], None]) -> str:
    """Runs both rounds and an audit, and returns its summary. `tell` gets a line for each step, `show` each
    round's result. Raises ConfigurationError if a step fails or the audit finds drift.
    """
    copy_example(directory)
    with SandboxServer() as sandbox:
        own = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
        environ = {**own, PORT_VARIABLE: sandbox.url, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        tell(f"The example project is in {directory}, the sandbox listens on {sandbox.url}.")
        _dbt(directory, environ, "deps")
        for day, title in (
            (1, "First push: every profile is new"),
            (2, "One day later: only changes are sent"),
        ):
            tell(f"dbt build --vars '{{demo_day: {day}}}'")
            _dbt(directory, environ, "build", "--vars", f"{{demo_day: {day}}}")
            if day == 1:
                tell(f"dbt-batch-sync adopt --select {EVENTS}")
                _push(directory, environ, "adopt", "--select", EVENTS, "--yes")
            tell("dbt-batch-sync push")
            before, known = sandbox.stats, {request.number for request in sandbox.requests}
            result = _push(directory, environ, "push")
            after = sandbox.stats
            wire = Wire(
                after.requests - before.requests,
                after.operations - before.operations,
                after.bytes - before.bytes,
                _examples(sandbox, known),
            )
            held = {
                "profiles": len(sandbox.profiles),
                **{f"members of {name}": len(each.members) for name, each in sandbox.audiences.items()},
                **{f"items of {name}": len(each.items) for name, each in sandbox.catalogs.items()},
                "events": sandbox.events.total,
            }
            show(Round(title, result, wire, held))
        tell("dbt-batch-sync audit")
        return _cli(directory, environ, "audit", accepted=("succeeded",))


def _examples(sandbox: SandboxServer, known: set[int]) -> dict[str, str]:
    """The first row of the first request to each endpoint; for events, of the first one after those already
    known.
    """
    found: dict[str, str] = {}
    for request in sandbox.requests:
        endpoint = request.path.split("/", 2)[-1]
        if request.number in known or not request.operations or not request.body:
            continue
        document = json.loads(request.body)
        rows = document if isinstance(document, list) else document.get("ids") or document.get("items")
        if rows:
            if "events" in rows[0]:
                endpoint += " (events)"
            found.setdefault(endpoint, json.dumps(rows[0], ensure_ascii=False))
    return found


def _push(directory: Path, environ: dict[str, str], verb: str, *arguments: str) -> PushResult:
    document = json.loads(_cli(directory, environ, verb, *arguments, "--json"))
    syncs = tuple(SyncPushed(**sync) for sync in document["syncs"])
    started, finished = (
        datetime.fromisoformat(document[key].rstrip("Z")) for key in ("started_at", "finished_at")
    )
    return PushResult(document["run_id"], started, finished, syncs)


def _cli(
    directory: Path,
    environ: dict[str, str],
    verb: str,
    *arguments: str,
    accepted: Sequence[str] = ("succeeded", "partial"),
) -> str:
    """Runs a verb and returns its output. Raises ConfigurationError with the output if it fails."""
    done = _run(directory, environ, "-m", "dbt_batch_sync", verb, *arguments, "--profiles-dir", ".")
    if done.returncode not in [EXIT_CODES[status] for status in accepted]:
        raise ConfigurationError(
            f"`dbt-batch-sync {verb}` failed:\n{done.stderr.strip()}\n{done.stdout.strip()}"
        )
    return done.stdout


def _dbt(directory: Path, environ: dict[str, str], *arguments: str) -> None:
    """Runs this environment's dbt. Raises ConfigurationError with its output if it fails."""
    flags = ("--no-use-colors", *arguments, "--profiles-dir", ".")
    done = _run(directory, environ, "-m", "dbt.cli.main", *flags)
    if done.returncode != 0:
        if re.search(r"No module named .?dbt", done.stderr):
            raise ConfigurationError(
                "the demo needs dbt and DuckDB: pip install 'dbt-batch-sync[duckdb,sandbox]'"
            )
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise ConfigurationError(f"`dbt {arguments[0]}` failed:\n" + "\n".join(lines[-20:]))


def _run(directory: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *arguments],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
