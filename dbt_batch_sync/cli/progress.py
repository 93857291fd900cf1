"""A progress bar on a terminal. In a pipe or log, one line when a sync starts and for each wait."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dbt_batch_sync.cli.show import err
from dbt_batch_sync.results import counted

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.push.source import Work


class Bar:
    """One line per sync on standard error, while it runs."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[endpoint]}", style="dim"),
        )
        console = err()
        self._is_log = not quiet and not console.is_terminal
        self._progress = Progress(
            *columns, console=console, transient=True, disable=quiet or not console.is_terminal
        )
        self._tasks: dict[str, TaskID] = {}
        self._said: set[str] = set()

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, work: Work) -> None:
        if self._is_log:
            self._progress.console.print(
                f"{escape(work.name)}: sending {counted(work.rows, 'row')} to {work.route.name}"
            )
        self._tasks[work.name] = self._progress.add_task(work.name, total=work.rows, endpoint=work.route.name)

    def progressed(self, run: Run) -> None:
        self._said.clear()
        self._progress.update(self._tasks[run.sync], completed=run.sent)

    def troubled(self, sync: str, message: str) -> None:
        """Shows the reason for waiting, once until the push continues."""
        line = f"{sync}: {message}. Trying again."
        if line not in self._said:
            self._said.add(line)
            self._progress.console.print(f"[yellow]{escape(line)}[/]")
