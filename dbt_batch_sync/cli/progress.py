"""Progress on standard error: on a terminal, a line that changes; in a pipe or log, a line for each step."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dbt_batch_sync.api import AuditObserver, Observer
from dbt_batch_sync.cli.show import err, handling
from dbt_batch_sync.results import counted

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.push.source import Work


class Bar(Progress, Observer):
    """One line per sync on standard error, while it runs."""

    def __init__(self, *, quiet: bool) -> None:
        console = err()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[endpoint]}", style="dim"),
        )
        super().__init__(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._is_log = not quiet and not console.is_terminal
        self._said: set[str] = set()

    def started(self, work: Work) -> None:
        if self._is_log:
            sending = f"sending {counted(work.rows, 'row')} to {work.route.name}"
            self.console.print(f"{escape(work.name)}: {sending}")
        self.add_task(work.name, total=work.rows, endpoint=work.route.name)

    def progressed(self, run: Run) -> None:
        """Syncs are sent one after the other, so this is about the last one that started."""
        self._said.clear()
        self.update(self.task_ids[-1], completed=run.sent)

    def troubled(self, sync: str, message: str) -> None:
        """Shows the reason for waiting, once until the push continues."""
        line = f"{sync}: {message}. Trying again."
        if line not in self._said:
            self._said.add(line)
            self.console.print(f"[yellow]{escape(line)}[/]")


class Watch(AuditObserver):
    """On a terminal, one status line; elsewhere, one line for the export and for each wait."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = err()
        self._quiet = quiet
        is_shown = self._console.is_terminal and not quiet
        self.status = self._console.status("starting") if is_shown else None
        self.export_id: str | None = None

    def exporting(self, export_id: str) -> None:
        self.export_id = export_id
        if not self._quiet:
            self._console.print(f"export {escape(export_id)}", style="dim")

    def state(self, line: str) -> None:
        if self.status is not None:
            self.status.update(escape(line))

    def told(self, message: str) -> None:
        self._console.print(f"[yellow]{escape(message)}[/]")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Shows the progress of an audit. SIGINT and SIGTERM end it; the export continues in Batch. A second
    signal does not disturb the cleanup.
    """
    watch, signals = Watch(quiet=quiet), list[int]()

    def handle(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) == 1:
            raise KeyboardInterrupt

    try:
        with watch.status or nullcontext(), handling(handle):
            yield watch
    except BaseException:
        # DuckDB replaces an exception of a handler with one of its own.
        if not signals:
            raise
    if signals:
        if watch.export_id is not None:
            resumes = any(each.startswith("--export") for each in sys.argv)
            export = [] if resumes else ["--export", watch.export_id]
            command = shlex.join(["dbt-batch-sync", *sys.argv[1:], *export])
            err().print(
                f"[yellow]Interrupted. The export continues in Batch. To resume: {escape(command)}[/]"
            )
        raise typer.Exit(128 + signals[0])
