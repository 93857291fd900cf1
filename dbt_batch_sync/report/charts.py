"""The columns of a chart of runs and its axis. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

WIDTH = 580.0
"""The space for columns, in SVG units."""

MAX_SLOT = 32.0
LABEL = 52.0
"""The space for a label of the time axis."""

OUTLIER = 10
"""A column of more than this many times the median is cut and labeled with its number, so that a first push
or a full refresh doesn't flatten the others.
"""


@dataclass(frozen=True)
class Column:
    """One run. `title` is its tooltip, `parts` are stacked from bottom to top, by class in the style sheet.
    `time` is empty if the label has no space; `cut` is the total if the axis is too short for it.
    """

    title: str
    parts: Mapping[str, float]
    time: str
    cut: str | None


@dataclass(frozen=True)
class Chart:
    """Columns from left to right, oldest first, each `slot` wide, on an axis up to `top`."""

    columns: tuple[Column, ...]
    slot: float
    top: float


def stacked(
    moments: Sequence[datetime], stacks: Sequence[Mapping[str, float]], titles: Sequence[str]
) -> Chart:
    """A column for each moment, in the given order."""
    totals = [sum(stack.values()) for stack in stacks]
    top = axis_top(totals)
    slot = min(MAX_SLOT, WIDTH / max(1, len(stacks)))
    days = bool(moments) and max(moments) - min(moments) >= timedelta(days=1)
    step = math.ceil(LABEL / slot)
    columns = tuple(
        Column(
            titles[place],
            stacks[place],
            moment.strftime("%m-%d" if days else "%H:%M") if place % step == 0 else "",
            compact(totals[place]) if totals[place] > top else None,
        )
        for place, moment in enumerate(moments)
    )
    return Chart(columns, slot, top)


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


def compact(amount: float) -> str:
    """A short number: 950, 1.2k, 3M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if amount >= unit:
            return f"{amount / unit:.3g}{name}"
    return f"{amount:.3g}"
