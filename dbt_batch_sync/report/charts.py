"""The charts of runs: columns on an axis, and the runs of all syncs over time. The template draws them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.results import compact, counted

LEFT, WIDTH = 40.0, 352.0
"""The space for the axis and for columns, in SVG units."""

BOTTOM, HEIGHT = 142.0, 122.0
"""The axis of time, and the height of a full column above it."""

MAX_SLOT = 32.0
LABEL = 44.0
"""The space for a label."""

OUTLIER = 10
"""A column of more than this many times the median is cut and labeled with its number, so that a first push
or a full refresh doesn't flatten the others.
"""

COLUMNS = 30
"""The most columns of the timeline."""

APART = timedelta(minutes=10)
"""A run that begins this long after the end of the others belongs to another push. A push may be one run of
the command line for each sync, such as tasks of an orchestrator.
"""

STEPS = tuple(map(timedelta, (1 / 24, 1 / 4, 1, 7, 28)))
"""Hours to months."""

MARKS = {"failed": "F", "interrupted": "I", "partial": "P", "running": "R", "succeeded": "✓", "idle": "·"}
"""The states of a run, the worst first. `idle`: it succeeded with nothing to send."""


@dataclass(frozen=True)
class Column:
    """One run, from `x` to `x` + slot. `title` is its tooltip. `time` is empty if the label has no space;
    `cut` is the total if the axis is too short for it, `label` the same if there is space.
    """

    x: float
    title: str
    time: str
    cut: str | None
    label: str


@dataclass(frozen=True)
class Chart:
    """Columns from left to right, oldest first, each `slot` wide, on an axis up to `top`. `paths` are their
    parts by class in the style sheet, as vertical strokes that are stacked from bottom to top.
    """

    columns: tuple[Column, ...]
    slot: float
    top: float
    paths: Mapping[str, str]


def stacked(
    moments: Sequence[datetime], stacks: Sequence[Mapping[str, float]], titles: Sequence[str]
) -> Chart:
    """A column for each moment, in the given order."""
    totals = [sum(stack.values()) for stack in stacks]
    top = axis_top(totals)
    slot = min(MAX_SLOT, WIDTH / max(1, len(stacks)))
    days = bool(moments) and max(moments) - min(moments) >= timedelta(days=1)
    step = math.ceil(LABEL / slot)
    columns: list[Column] = []
    free = 0.0
    for place, moment in enumerate(moments):
        x = LEFT + place * slot
        has_space = place % step == 0 and x + slot / 2 <= LEFT + WIDTH - LABEL / 4
        time = moment.strftime("%m-%d" if days else "%H:%M") if has_space else ""
        cut = compact(totals[place]) if totals[place] > top else None
        label = cut if cut and x >= free else ""
        free = x + LABEL if label else free
        columns.append(Column(round(x, 1), titles[place], time, cut, label))
    return Chart(tuple(columns), round(slot, 2), top, _paths(stacks, top, slot))


def _paths(stacks: Sequence[Mapping[str, float]], top: float, slot: float) -> dict[str, str]:
    strokes: dict[str, list[str]] = {}
    for place, stack in enumerate(stacks):
        below = 0.0
        for kind, amount in stack.items():
            above = min(top, below + max(amount, top / 200)) if amount else below
            if above > below:
                x = LEFT + (place + 0.5) * slot
                y, height = BOTTOM - HEIGHT * below / top, HEIGHT * (above - below) / top
                strokes.setdefault(kind, []).append(f"M{x:.4g} {y:.4g}v-{height:.3g}")
            below = above
    return {kind: "".join(each) for kind, each in strokes.items()}


def axis_top(totals: Sequence[float]) -> float:
    """A round number that is at least the totals, without outliers; 1 if there is nothing to show."""
    amounts = [total for total in totals if total > 0]
    if not amounts:
        return 1.0
    limit = OUTLIER * median(amounts)
    highest = max(amount for amount in amounts if amount <= limit)
    power = 10.0 ** math.floor(math.log10(highest))
    return float(
        next(power * step for step in (1, 2, 3, 4, 5, 6, 8, 10) if power * step >= highest * 0.9999999)
    )


@dataclass(frozen=True)
class Cell:
    """The runs of a sync in a column: the worst of their marks, and how many there are of each."""

    mark: str
    title: str


@dataclass(frozen=True)
class Timeline:
    """Heads, oldest first, and by sync a cell for each; None without a run."""

    heads: Sequence[str]
    cells: Mapping[str, Sequence[Cell | None]]


def timeline(runs: Iterable[Run], syncs: Iterable[str]) -> Timeline:
    """Pushes as columns, or the shortest periods that need at most `COLUMNS`."""
    ordered = sorted(runs, key=lambda run: run.started_at)
    groups, pattern = _pushes(ordered), "%m-%d %H:%M"
    for step in STEPS:
        if len(groups) <= COLUMNS:
            break
        groups, pattern = _periods(ordered, step), "%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    groups = groups[-COLUMNS:]
    heads = [start.strftime(pattern) for start, _ in groups]
    return Timeline(heads, {name: [_cell(found.get(name)) for _, found in groups] for name in syncs})


def mark(run: Run) -> str:
    """The mark of a run, one of `MARKS`."""
    idle = run.status == "succeeded" and not run.sent and not run.settled
    return "idle" if idle else run.status


def tally(runs: Iterable[Run]) -> str:
    """How many runs ended how, such as `3 succeeded, 1 failed`."""
    counts = Counter(map(mark, runs))
    found = ((counts[name], "with nothing to send" if name == "idle" else name) for name in reversed(MARKS))
    return ", ".join(f"{count:,} {word}" for count, word in found if count)


_Group = tuple[datetime, dict[str, list[Run]]]


def _pushes(runs: Iterable[Run]) -> list[_Group]:
    """A new group begins where a sync would come twice, and after a pause."""
    groups: list[_Group] = []
    end = datetime.min
    for run in runs:
        if not groups or run.sync in groups[-1][1] or run.started_at > end + APART:
            groups.append((run.started_at, {}))
            end = run.started_at
        groups[-1][1][run.sync] = [run]
        end = max(end, run.finished_at or run.started_at + timedelta(seconds=run.seconds))
    return groups


def _periods(runs: Iterable[Run], step: timedelta) -> list[_Group]:
    groups: dict[datetime, dict[str, list[Run]]] = {}
    for run in runs:
        start = run.started_at - (run.started_at - datetime.min) % step
        groups.setdefault(start, {}).setdefault(run.sync, []).append(run)
    return list(groups.items())


def _cell(runs: Sequence[Run] | None) -> Cell | None:
    if not runs:
        return None
    worst = min(map(mark, runs), key=list(MARKS).index)
    return Cell(worst, f"{counted(len(runs), 'run')}: {tally(runs)}")
