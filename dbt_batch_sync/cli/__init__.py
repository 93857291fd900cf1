"""The command line: verbs, output, exit codes. It uses `api` and nothing below it."""

from __future__ import annotations

import gc
import os
import sys

from dbt_batch_sync import __version__


def program() -> None:
    """Runs the command line. Answers `--version` before importing anything."""
    if sys.argv[1:] == ["--version"]:
        print(f"dbt-batch-sync {__version__}")  # noqa: T201 - silent where standard output is closed
        return
    # Imported objects stay alive. Scanning them again and again takes a tenth of a short command's time.
    gc.set_threshold(200_000)
    # Arrow's own allocator keeps twenty megabytes more.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from dbt_batch_sync.cli.app import run

    run()
