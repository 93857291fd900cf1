"""Tables that fit a terminal of 80 columns, a wide one, and a log file, which has no width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbt_batch_sync.results import compact, duration

COLORS = {
    "succeeded": "green",
    "partial": "yellow",
    "interrupted": "yellow",
    "skipped": "yellow",
    "failed": "red",
    "running": "blue",
}
"""Status colors. Green: done. Yellow: needs a look. Red: needs a fix."""

_BARS = "·▁▂▃▄▅▆▇█"
"""The bar of a zero, then eighths."""

Cell = str | int | float
"""A text, a count, or seconds."""


@dataclass(frozen=True)
class Grid:
    """Rows with heads. Counts and seconds are right-aligned; texts may have rich's markup."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def without(self, *names: str) -> Grid:
        kept = [place for place, name in enumerate(self.head) if name not in names]
        return Grid(
            [self.head[place] for place in kept], [[row[place] for place in kept] for row in self.rows]
        )


def draw(console: Console, grid: Grid, *, drop: Sequence[str] = (), indent: int = 2) -> None:
    """Prints the grid in the first form that fits: as it is, with less space, without the columns in `drop`,
    with short numbers, as one record per row.
    """
    least = grid.without(*drop)
    for narrow, gap, short in ((grid, 2, False), (grid, 1, False), (least, 2, False), (least, 1, True)):
        table = _table(narrow, gap=gap, short=short)
        if Measurement.get(console, console.options, table).maximum + indent <= console.width:
            break
    else:
        return _records(console, grid, indent)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(f"{' ' * indent}{line.rstrip()}", markup=False, soft_wrap=True)
    return None


def say(console: Console, text: str, *, indent: int = 2) -> None:
    """Prints a line, wrapped between words. Applies markup."""
    console.print(Padding(Text.from_markup(text), (0, 0, 0, indent), expand=False), soft_wrap=False)


def _table(grid: Grid, *, gap: int, short: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for place, name in enumerate(grid.head):
        numbers = any(not isinstance(row[place], str) for row in grid.rows)
        table.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in grid.rows:
        table.add_row(*(shown(cell, short=short) for cell in row))
    return table


def _records(console: Console, grid: Grid, indent: int) -> None:
    """The first cell of each row, with the others below it."""
    widest = max(map(len, grid.head[1:]), default=0)
    for first, *others in grid.rows:
        console.print(f"{' ' * indent}[bold]{shown(first)}[/]")
        for name, cell in zip(grid.head[1:], others, strict=True):
            console.print(f"{' ' * indent}  [dim]{name:<{widest}}[/]  {shown(cell)}")


def shown(cell: Cell, *, short: bool = False) -> str:
    """A cell as text: 12,345 or 12.3k, 1.5 s or 3 min."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return duration(cell)
    if short and cell >= 10_000:
        return compact(cell)
    return f"{cell:,}"


def colored(name: str) -> str:
    return f"[{COLORS.get(name, 'white')}]{name}[/]"


def listed(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)


def bars(sizes: Sequence[int], top: float) -> str:
    """Sizes as bars. An outlier gets a full one."""
    full = len(_BARS) - 1
    return "".join(_BARS[min(full, math.ceil(size / top * full))] for size in sizes)


def noun(kind: str) -> str:
    """What a row of a kind is about, as a head: Profile, Member, Item."""
    from dbt_batch_sync.results import noun

    return noun(kind).capitalize()


def at(moment: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
