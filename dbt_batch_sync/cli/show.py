"""How results are shown: on standard output, for people or as JSON. All else is on standard error.

Tables fit a terminal of 80 columns, a wide one, and a log file, which has no width.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results import compact, duration

if TYPE_CHECKING:
    from dbt_batch_sync.results import Result

COLORS = {
    "succeeded": "green",
    "partial": "yellow",
    "interrupted": "yellow",
    "skipped": "yellow",
    "failed": "red",
    "running": "blue",
}
"""Status colors. Green: done. Yellow: needs a look. Red: needs a fix."""

Cell = str | Text | int | float
"""A text (with styles, if it is rich's), a count, or seconds."""

Rows = Sequence[Sequence[Cell]]

_Result = TypeVar("_Result", bound="Result")


def out() -> Console:
    """Standard output. rich omits colors if it is not a terminal or NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:  # a pipe has no width, so a table is as wide as its cells
        console.width = 10_000
    return console


def answer(result: _Result, show: Callable[[_Result], str | None], as_json: bool) -> None:
    """Prints a result as JSON, or with `show`, which may return a text to print."""
    sys.stdout.write((json_text(result) if as_json else show(result)) or "")
    sys.stdout.flush()


def json_text(result: Result) -> str:
    return json.dumps(result.to_json(), ensure_ascii=False, indent=2) + "\n"


def write(path: Path, text: str) -> None:
    """Writes the file of `--out` atomically: readers see the old text or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a device, such as /dev/stdout
            path.write_text(text, encoding="utf-8")
            return
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--out: {path} can't be written: {error.strerror}") from None


def error(message: str) -> None:
    """Prints a message on standard error, without markup."""
    err().print(f"[red bold]Error:[/] {escape(message)}")


@contextmanager
def handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """In here, SIGINT and SIGTERM are handled like this."""
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """Prints an indented line, wrapped between words. Applies markup."""
    out().print(Padding(Text.from_markup(text), (0, 0, 0, 2), expand=False), soft_wrap=False)


def draw(head: Sequence[str], rows: Rows, *, drop: Sequence[str] = (), indent: int = 2) -> None:
    """Prints a table in the first form that fits: as it is, with less space, without the columns in `drop`,
    with short numbers, as one record per row. Counts and seconds are right-aligned.
    """
    console, whole, least = out(), (head, rows), without(head, rows, drop)
    any_width = console.options.update(max_width=10_000)
    for columns, gap, short in ((whole, 2, False), (whole, 1, False), (least, 2, False), (least, 1, True)):
        table = _table(*columns, gap=gap, short=short)
        if Measurement.get(console, any_width, table).maximum + indent <= console.width:
            break
    else:
        return _records(console, head, rows, indent)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(f"{' ' * indent}{line.rstrip()}", markup=False, soft_wrap=True)
    return None


def without(head: Sequence[str], rows: Rows, names: Sequence[str]) -> tuple[Sequence[str], Rows]:
    """A table without the columns of these names."""
    kept = [place for place, name in enumerate(head) if name not in names]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _table(head: Sequence[str], rows: Rows, *, gap: int, short: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for place, name in enumerate(head):
        numbers = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_shown(cell, short=short) for cell in row))
    return table


def _records(console: Console, head: Sequence[str], rows: Rows, indent: int) -> None:
    """The first cell of each row, with the others below it."""
    widest = max(map(len, head[1:]), default=0)
    for first, *others in rows:
        console.print(" " * indent, Text.assemble(_shown(first), style="bold"), sep="")
        for name, cell in zip(head[1:], others, strict=True):
            console.print(f"{' ' * indent}  [dim]{name:<{widest}}[/]  ", _shown(cell), sep="")


def _shown(cell: Cell, *, short: bool = False) -> Text:
    """A cell as text: 12,345 or 12.3k, 1.5 s or 3 min."""
    if isinstance(cell, Text):
        return cell
    if isinstance(cell, float):
        cell = duration(cell)
    elif isinstance(cell, int):
        cell = compact(cell) if short and cell >= 10_000 else f"{cell:,}"
    return Text(cell)


def colored(text: str, color: str | None = None) -> Text:
    """A text in a color; without one, a status in its own."""
    return Text(text, color or COLORS.get(text, "white"))


def listed(parts: Iterable[str]) -> str:
    return " · ".join(filter(None, parts))
