"""Renders results as Markdown and inserts them into a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    lines = [f"| | {heads} | rounds |", "|---|" + "---:|" * (len(names) + 1)]
    for side, measured in medians.items():
        cells = [format(measured[name], HEADS[name][1]) if name in measured else "" for name in names]
        lines.append(f"| {' | '.join([side, *cells, str(len(figures.rounds[side]))])} |")
    return "\n".join(lines)


def goals(results: Mapping[str, Result]) -> str:
    """A table of every measured goal."""
    lines = ["| work | goal | measured | ratio | met |", "|---|---:|---:|---:|---|"]
    for each in answers(results):
        cells = [each.work, each.goal, each.figure, each.ratio, "yes" if each.met else "**no**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(document: Path, images: Path, results: Mapping[str, Result]) -> None:
    """Insert tables and charts of the available results between a document's markers."""

    def content(found: re.Match[str]) -> str:
        name = found[2]
        if name == "goals":
            return f"{found[1]}\n{goals(results)}\n\n{found[3]}"
        if name not in results:
            return found[0]
        parts = [table(results[name].figures), _head(results[name])]
        if (drawn := charts.CHARTS.get(name)) is not None:
            images.mkdir(exist_ok=True)
            (images / f"{name}.svg").write_text(drawn(results[name]))
            parts.insert(0, f"![{drawn.__doc__}]({images.relative_to(document.parent)}/{name}.svg)")
        return "\n\n".join([found[1].rstrip(), *parts, found[3]])

    document.write_text(BLOCK.sub(content, document.read_text()))


def _head(result: Result) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    rows = f"{result.rows:,} people of 15 attributes; " if result.scenario in SIZED else ""
    return f"*{result.date}; {rows}medians; {result.machine}; {versions}.*"


SIZED = {"first-push", "one-percent", "postgres", "nothing-to-do"}
"""Scenarios whose sides don't state the number of people."""
