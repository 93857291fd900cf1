"""Renders results as Markdown and inserts them into a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from benchmarks import charts
from benchmarks.findings import Figures, Result
from benchmarks.goals import answers

BLOCK = re.compile(r"(<!-- benchmark: ([\w-]+) -->\n).*?(<!-- end of benchmark -->)", re.DOTALL)
HEADS = {
    "wall": ("wall s", ".2f"),
    "cpu": ("CPU s", ".2f"),
    "peak": ("peak MB", ",.0f"),
    "rate": ("rows/s", ",.0f"),
    "throttled": ("answers of 429", ",.0f"),
    "disk": ("temporary disk GB", ".2f"),
}


def table(figures: Figures) -> str:
    """The medians of each side, with a column for each figure that any side has."""
    medians = figures.medians()
    names = [name for name in HEADS if any(name in each for each in medians.values())]
    heads = " | ".join(HEADS[name][0] for name in names)
    lines = [f"| | {heads} |", "|---|" + "---:|" * len(names)]
    for side, measured in medians.items():
        cells = [format(measured[name], HEADS[name][1]) if name in measured else "" for name in names]
        lines.append(f"| {' | '.join([side, *cells])} |")
    return "\n".join(lines)


def goals(results: Mapping[str, Result]) -> str:
    """A table of every measured goal, with a row for each work."""
    lines = ["| work | goal | measured | met |", "|---|---|---|---|"]
    for work, group in groupby(answers(results), lambda answer: answer.work):
        each = list(group)
        goal = ", ".join(dict.fromkeys(answer.goal for answer in each))
        measured = ", ".join(answer.measured for answer in each)
        met = "yes" if all(answer.met for answer in each) else "**no**"
        lines.append(f"| {work} | {goal} | {measured} | {met} |")
    return "\n".join(lines)


def setup(results: Mapping[str, Result]) -> str:
    """When and where the results were measured, and with which versions."""
    versions: dict[str, set[str]] = {}
    for each in results.values():
        for name, version in each.versions.items():
            versions.setdefault(name, set()).add(version)
    dates = sorted({each.date for each in results.values()})
    parts = [
        " to ".join(dict.fromkeys([dates[0], dates[-1]])),
        *sorted({each.machine for each in results.values()}),
        ", ".join(f"{name} {' and '.join(sorted(each))}" for name, each in versions.items()),
    ]
    return "; ".join(parts) + "."


def fill(document: Path, images: Path, results: Mapping[str, Result]) -> None:
    """Insert tables and charts of the available results between a document's markers."""

    def content(found: re.Match[str]) -> str:
        name = found[2]
        if name in PARTS:
            return f"{found[1]}\n{PARTS[name](results)}\n\n{found[3]}"
        if name not in results:
            return found[0]
        parts = [table(results[name].figures)]
        if (drawn := charts.CHARTS.get(name)) is not None:
            images.mkdir(exist_ok=True)
            (images / f"{name}.svg").write_text(drawn(results[name]))
            parts.insert(0, f"![{drawn.__doc__}]({images.relative_to(document.parent)}/{name}.svg)")
        return "\n\n".join([found[1].rstrip(), *parts, found[3]])

    document.write_text(BLOCK.sub(content, document.read_text()))


PARTS = {"goals": goals, "setup": setup}
"""Blocks about all results."""
