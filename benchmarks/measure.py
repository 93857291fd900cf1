"""What a command costs: wall seconds, CPU seconds and peak memory of its process and the children it waited
for.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


class CommandFailed(Exception):
    """A measured command did not end well; its last output is in the message."""


@dataclass(frozen=True)
class Usage:
    """`wall` and `cpu` are seconds, `cpu` of user and system together; `peak` is resident memory in
    megabytes (10^6).
    """

    wall: float
    cpu: float
    peak: float


def median_usage(usages: Sequence[Usage]) -> Usage:
    """The median of each figure by itself."""
    return Usage(
        median(each.wall for each in usages),
        median(each.cpu for each in usages),
        median(each.peak for each in usages),
    )


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    environ: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> Usage:
    """Runs a command, its output in `log`. Raises CommandFailed when it ends with another code than the
    accepted ones.
    """
    words = [str(word) for word in command]
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=cwd, env={**os.environ, **(environ or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        lines = log.read_text(errors="replace").splitlines()[-30:]
        raise CommandFailed(f"{Path(words[0]).name} ended with {process.returncode}:\n" + "\n".join(lines))
    # Linux counts ru_maxrss in KiB.
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)
