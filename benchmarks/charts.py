"""SVG charts with their own background, dark if the reader's system is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.contestants import BARE, OURS
from benchmarks.findings import Result

STYLE = """\
<style>
  .back { fill: #ffffff } .text { fill: #1f2937 } .faint { fill: #64748b } .grid { stroke: #cbd5e1 }
  .a { fill: #2563eb; stroke: #2563eb } .b { fill: #93c5fd; stroke: #93c5fd }
  .c { fill: #ea580c; stroke: #ea580c }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .text { fill: #e5e7eb } .faint { fill: #94a3b8 } .grid { stroke: #334155 }
    .a { fill: #60a5fa; stroke: #60a5fa } .b { fill: #1e40af; stroke: #1e40af }
    .c { fill: #fb923c; stroke: #fb923c }
  }
</style>"""

Point = tuple[float, float]


def bars(result: Result) -> str:
    """Wall and CPU seconds of each contestant's first push."""
    medians = sorted(result.figures.medians().items(), key=lambda item: item[1]["wall"])
    longest = max(max(usage["wall"], usage["cpu"]) for _, usage in medians) or 1
    parts = [_text(10, 24, f"First push of {result.rows:,} profiles × 15 attributes, seconds", bold=True)]
    for number, (side, usage) in enumerate(medians):
        top = 42 + 46 * number
        parts.append(_text(200, top + 22, side, anchor="end"))
        for row, (figure, colour, word) in enumerate((("wall", "a", "wall"), ("cpu", "b", "CPU"))):
            width, y = max(1.0, 380 * usage[figure] / longest), top + 18 * row
            parts.append(f'<rect class="{colour}" x="210" y="{y}" width="{width:.1f}" height="14"/>')
            parts.append(_text(216 + width, y + 12, f"{usage[figure]:.2f} {word}", kind="faint"))
    return _svg(720, 46 * len(medians) + 54, parts)


def growth(result: Result) -> str:
    """Seconds and peak memory of a first push, by the number of profiles."""
    medians = result.figures.medians()
    parts = []
    for number, (title, figure) in enumerate((("seconds", "wall"), ("peak memory, MB", "peak"))):
        lines = {
            colour: _line(medians, contestant.name, figure)
            for colour, contestant in (("a", OURS), ("c", BARE))
        }
        parts += _panel(60 + 360 * number, title, lines, logarithmic=figure == "wall")
    for number, (colour, contestant) in enumerate((("a", OURS), ("c", BARE))):
        parts.append(f'<rect class="{colour}" x="{60 + 160 * number}" y="286" width="12" height="12"/>')
        parts.append(_text(78 + 160 * number, 297, contestant.name))
    return _svg(740, 310, parts)


CHARTS: dict[str, Callable[[Result], str]] = {"first-push": bars, "growth": growth}


def _line(medians: Mapping[str, Mapping[str, float]], name: str, figure: str) -> list[Point]:
    """The points of a contestant. Its sides are named `name, 1,000`."""
    return [
        (float(side.removeprefix(f"{name}, ").replace(",", "")), usage[figure])
        for side, usage in medians.items()
        if side.startswith(f"{name}, ")
    ]


def _panel(left: int, title: str, lines: Mapping[str, Sequence[Point]], *, logarithmic: bool) -> list[str]:
    """A panel of 300 × 200 pixels. The axis of profiles is always logarithmic, the other one on request."""
    points = [point for line in lines.values() for point in line]
    first, last = (math.log10(edge([x for x, _ in points])) for edge in (min, max))
    heights = [y for _, y in points]
    ticks = _decades(heights) if logarithmic else _steps(max(heights))

    def place(x: float, y: float) -> Point:
        across = (math.log10(x) - first) / (last - first or 1)
        height = math.log10(y / ticks[0]) / math.log10(ticks[-1] / ticks[0]) if logarithmic else y / ticks[-1]
        return left + 290 * across, 250 - 200 * height

    parts = [_text(left, 24, f"First push: {title}", bold=True)]
    for tick in ticks:
        _, y = place(10**first, tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{left + 290}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, f"{tick:g}", anchor="end", kind="faint"))
    for x in sorted({x for x, _ in points}):
        parts.append(_text(place(x, ticks[-1])[0], 268, _short(x), anchor="middle", kind="faint"))
    for colour, line in lines.items():
        placed = [place(x, y) for x, y in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<g class="{colour}"><polyline style="fill: none; stroke-width: 2" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in placed]
        parts.append("</g>")
    return parts


def _decades(values: Sequence[float]) -> list[float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _steps(highest: float) -> list[float]:
    step = 10 ** math.floor(math.log10(highest or 1))
    step = step / 2 if highest / step < 3 else step
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def _short(number: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", kind: str = "text", bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
    )


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">'
    back = '<rect class="back" width="100%" height="100%" rx="8"/>'
    return "\n".join([head, STYLE, back, *parts, "</svg>", ""])
