"""The command line: verbs, how results are shown, exit codes. It knows `api` and nothing below."""

from __future__ import annotations

import gc
import sys

from dbt_batch_sync import __version__


def program() -> None:
    """Runs the command line. `--version` is answered before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        print(f"dbt-batch-sync {__version__}")  # noqa: T201 - silent where standard output is closed
        return
    # What is imported stays: looking through it again and again is a tenth of a short command's time.
    gc.set_threshold(50_000)
    from dbt_batch_sync.cli.app import run

    run()
