"""The columns of a chart of runs and its axis. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from dbt_batch_sync.results import compact

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
