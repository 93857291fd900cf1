"""A progress bar on a terminal. In a pipe or log, one line when a sync starts and for each wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dbt_batch_sync.cli.show import err
from dbt_batch_sync.results import counted

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.push.source import Work


class Bar(Progress):
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
