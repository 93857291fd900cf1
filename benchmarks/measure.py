"""The cost of a command: wall seconds, CPU seconds and peak memory of its process and awaited children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Command: TypeAlias = "list[str | Path]"
LAUNCHER = Path(__file__).with_name("launcher.py")


class CommandFailed(Exception):
    """A measured command failed. The message contains its last output."""


@dataclass(frozen=True)
class Usage:
    """`wall` and `cpu` (user and system) in seconds. `peak`: resident memory of the largest process, in
    megabytes (10^6). None: not measured.
    """

    wall: float
    cpu: float | None = None
    peak: float | None = None


def run(
    command: Command,
    *,
    cwd: Path,
    log: Path,
    environ: Mapping[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
) -> Usage:
    """Run a command with its output in `log`. Raises CommandFailed on any other exit code."""
    words = [str(word) for word in command]
    result = log.with_suffix(".json")
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(result), *words]
    with log.open("wb") as output:
        subprocess.run(
            launch,
            cwd=cwd,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
    found = json.loads(result.read_text())
    if (code := found.pop("code")) not in codes:
        lines = log.read_text(errors="replace").splitlines()[-30:]
        raise CommandFailed(f"{Path(words[0]).name} exited with {code}:\n" + "\n".join(lines))
    return Usage(**found)
