"""The app: its verbs, and error handling."""

from __future__ import annotations

import os
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Annotated

import typer

from dbt_batch_sync import __version__
from dbt_batch_sync.cli import audit, check, look, setup, show, sync
from dbt_batch_sync.cli.options import arrange, with_dbt_flags
from dbt_batch_sync.errors import BatchSyncError

app = typer.Typer(
    name="dbt-batch-sync",
    help="Sync dbt models to Batch, straight from your warehouse.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    setup.init,
    setup.generate,
    check.validate,
    check.plan,
    check.lineage,
    sync.push,
    sync.adopt,
    sync.resend,
    audit.audit,
    look.status,
    look.rejects,
    look.profile,
    look.report,
    setup.sandbox,
    setup.demo,
)
for verb in VERBS:
    # Options of the verb come first in its help, the example last.
    about, _, example = str(verb.__doc__).partition("Example: ")
    app.command(help=cleandoc(about), epilog=f"Example: {example.strip()}")(with_dbt_flags(verb))


def run() -> None:
    """Runs the app. An error of ours becomes one message and its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, so nobody reads it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends
    try:
        verbs = {verb.__name__: "dbt" in verb.__annotations__ for verb in VERBS}
        app(arrange(sys.argv[1:], verbs))
    except BatchSyncError as failure:
        show.error(str(failure))
        sys.exit(failure.exit_code)
    except OSError as failure:
        if not isinstance(failure, BrokenPipeError):
            # An error about a file has a file name; without one, it is standard output on a full disk.
            what = failure.filename or "the result can't be written to standard output"
            show.error(f"{what}: {failure.strerror or failure}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dbt-batch-sync {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
