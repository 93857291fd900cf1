"""The command line: verbs, how results are shown, exit codes. It knows `api` and nothing below."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from dbt_batch_sync import __version__


def program() -> None:
    """`main` as a process of its own, which ends without freeing what ends with it.

    Python would look through every object once more: a quarter of a push without changes. After `gc.freeze()`
    it would not, but DuckDB's binding would call that a leak, on standard error.
    """
    status: list[int] = []

    def end() -> None:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # closed by who started this
                    stream.flush()
        except (OSError, ValueError):  # full, or closed: Python says so
            return
        if status and "opentelemetry" not in sys.modules:  # which flushes at the end of the process
            os._exit(status[0])

    atexit.register(end)  # the first to be registered is the last to be called
    try:
        main()
        status.append(0)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            status.append(ended.code or 0)
        raise


def main() -> None:
    """Runs the command line. `--version` is answered before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        print(f"dbt-batch-sync {__version__}")  # noqa: T201 - silent where standard output is closed
        return
    # What is imported stays: looking through it again and again is a tenth of a short command's time.
    gc.set_threshold(50_000)
    from dbt_batch_sync.cli.app import run

    run()
