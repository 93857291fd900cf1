"""`demo`: builds the example project, pushes it to the sandbox, changes it, pushes again, and audits."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results.sync import EXIT_CODES
from dbt_batch_sync.sandbox.server import SandboxServer, Stats
from dbt_batch_sync.scaffold.installation import copy_package, package_root

PORT_VARIABLE = "BATCH_SANDBOX_URL"

ROUNDS = ("First push: every profile is new", "One day later: only changes are sent")

_DBT = "DBT_"
"""Prefix of dbt's environment variables, which belong to another project."""

_STATISTICS = "DBT_SEND_ANONYMOUS_USAGE_STATS"

EVENTS = "order_placed"
"""The sync that doesn't send past rows."""


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


def run_demo(directory: Path, tell: Callable[[str], None], show: Callable[[str], None]) -> None:
    """Runs both rounds and an audit. `tell` gets a line for each step, `show` a text about each result.
    Raises ConfigurationError if a step fails or the audit finds drift.
    """
    copy_example(directory)
    with SandboxServer() as sandbox:
        own = {name: value for name, value in os.environ.items() if not name.startswith(_DBT)}
        environ = {**own, PORT_VARIABLE: sandbox.url, _STATISTICS: "false"}
        tell(f"The example project is in {directory}, the sandbox listens on {sandbox.url}.")
        _dbt(directory, environ, "deps")
        for day, title in enumerate(ROUNDS, 1):
            tell(f"dbt build --vars '{{demo_day: {day}}}'")
            _dbt(directory, environ, "build", "--vars", f"{{demo_day: {day}}}")
            if day == 1:
                tell(f"dbt-batch-sync adopt --select {EVENTS}")
                show(_cli(directory, environ, "adopt", "--select", EVENTS, "--yes"))
            tell("dbt-batch-sync push")
            before, known = sandbox.stats, {request.number for request in sandbox.requests}
            show(f"{title}\n{_cli(directory, environ, 'push')}{_wire(sandbox, before, known)}")
        tell("dbt-batch-sync audit")
        show(f"The audit: does the sandbox hold what was sent?\n{_cli(directory, environ, 'audit')}")


def next_command(directory: Path, program: str, environ: Mapping[str, str]) -> str:
    """The command line that shows the demo's pushes, for a shell with this environment. `program` is this
    process's, by name or path.
    """
    module = Path(program).name == "__main__.py"
    command = [sys.executable, "-m", "dbt_batch_sync"] if module else [program]
    others = sorted(name for name in environ if name.startswith(_DBT) and name != _STATISTICS)
    unset = [word for name in others for word in ("-u", name)]
    words = [*(("env", *unset) if unset else ()), *command, "status", "--profiles-dir", "."]
    return f"cd {shlex.quote(str(directory))} && {shlex.join(words)}"


def _wire(sandbox: SandboxServer, before: Stats, known: set[int]) -> str:
    """What a push sent, what the sandbox has since, and a row of the first request to each endpoint."""
    after = sandbox.stats
    held = {
        "profiles": len(sandbox.profiles),
        **{f"members of {name}": len(each.members) for name, each in sandbox.audiences.items()},
        **{f"items of {name}": len(each.items) for name, each in sandbox.catalogs.items()},
        "events": sandbox.events.total,
    }
    lines = [
        f"  over the wire: {after.operations - before.operations:,} operations in "
        f"{after.requests - before.requests} requests, {after.bytes - before.bytes:,} bytes; "
        f"the sandbox now has {', '.join(f'{count:,} {what}' for what, count in held.items())}"
    ]
    lines += [f"  to {endpoint}: {row}" for endpoint, row in _examples(sandbox, known).items()]
    return "\n".join(lines) + "\n"


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


def _cli(directory: Path, environ: dict[str, str], verb: str, *arguments: str) -> str:
    """Runs a verb and returns its output. Raises ConfigurationError with the output if it fails."""
    done = _run(directory, environ, "-m", "dbt_batch_sync", verb, *arguments, "--profiles-dir", ".")
    if done.returncode not in (EXIT_CODES["succeeded"], EXIT_CODES["partial"]):
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
