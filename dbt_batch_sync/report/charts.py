"""The positions of a chart's columns, axes and labels, in SVG units. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

WIDTH, HEIGHT = 640.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 20.0, 24.0
MAX_SLOT = 32.0
LABEL = 52.0
"""The space for a label of the time axis."""

OUTLIER = 10
"""A column of more than this many times the median is cut and labeled with its number, so that a first push
or a full refresh doesn't flatten the others.
"""


@dataclass(frozen=True)
class Part:
    """A rectangle of a column. `kind` is its class in the style sheet."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One run. `title` is its tooltip; `cut` is its number if the axis is too short for it."""

    x: float
    width: float
    title: str
    parts: tuple[Part, ...]
    cut: str | None


@dataclass(frozen=True)
class Tick:
    """A label of an axis, and its position."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Columns from left to right, oldest first."""

    columns: tuple[Column, ...]
    rows: tuple[Tick, ...]
    times: tuple[Tick, ...]


def stacked(
    moments: Sequence[datetime], stacks: Sequence[Mapping[str, float]], titles: Sequence[str]
) -> Chart:
    """A column for each moment, in the given order, with its values stacked from bottom to top."""
    totals = [sum(stack.values()) for stack in stacks]
    top = axis_top(totals)
    slot = min(MAX_SLOT, (WIDTH - LEFT - RIGHT) / max(1, len(stacks)))
    height = HEIGHT - TOP - BOTTOM
    columns = tuple(
        Column(
            x=round(LEFT + place * slot + slot * 0.1, 2),
            width=round(slot * 0.8, 2),
            title=titles[place],
            parts=_parts(stack, top, height),
            cut=compact(total) if total > top else None,
        )
        for place, (stack, total) in enumerate(zip(stacks, totals, strict=True))
    )
    rows = tuple(Tick(round(TOP + height * (1 - share), 2), compact(top * share)) for share in (0, 0.5, 1))
    return Chart(columns, rows, _times(moments, slot))


def _parts(stack: Mapping[str, float], top: float, height: float) -> tuple[Part, ...]:
    parts: list[Part] = []
    below = 0.0
    for kind, amount in stack.items():
        above = min(top, below + amount)
        if above > below:
            tall = max(0.75, (above - below) / top * height)
            parts.append(Part(kind, round(TOP + height * (1 - below / top) - tall, 2), round(tall, 2)))
        below = above
    return tuple(parts)


def _times(moments: Sequence[datetime], slot: float) -> tuple[Tick, ...]:
    if not moments:
        return ()
    form = "%H:%M" if max(moments) - min(moments) < timedelta(days=1) else "%m-%d"
    step = math.ceil(LABEL / slot)
    return tuple(
        Tick(round(LEFT + (place + 0.5) * slot, 2), moment.strftime(form))
        for place, moment in enumerate(moments)
        if place % step == 0
    )


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
