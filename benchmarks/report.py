"""The results as Markdown and as a chart; both say on what machine, with which versions and when. No paths,
no host names.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.measure import Usage
from benchmarks.scenarios import Figures

BLOCK = r"(<!-- benchmark: {0} -->\n).*?(<!-- end of benchmark -->)"


def machine() -> str:
    """The processor, the cores that may be used, the memory, the system and Python."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def table(figures: Figures) -> str:
    """A scenario as Markdown: medians, then the facts."""
    lines = ["| | wall s | CPU s | peak MB | rounds |", "|---|---:|---:|---:|---:|"]
    for side, usage in figures.medians().items():
        cells = f"{usage.wall:.2f} | {usage.cpu:.2f} | {usage.peak:.0f} | {len(figures.rounds[side])}"
        lines.append(f"| {side} | {cells} |")
    facts = [f"- {name}: {value:,.1f}" for name, value in figures.facts.items()]
    return "\n".join([*lines, *(["", *facts] if facts else [])])


def chart(usages: Mapping[str, Usage], title: str) -> str:
    """Horizontal bars of wall and CPU seconds, as SVG."""
    longest = max(max(usage.wall, usage.cpu) for usage in usages.values()) or 1
    height = 46 * len(usages) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="24" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (side, usage) in enumerate(sorted(usages.items(), key=lambda item: item[1].wall)):
        top = 42 + 46 * number
        parts.append(f'<text x="200" y="{top + 20}" text-anchor="end">{escape(side)}</text>')
        for row, (value, colour, word) in enumerate(
            ((usage.wall, "#2563eb", "wall"), (usage.cpu, "#93c5fd", "CPU"))
        ):
            width = max(1.0, 380 * value / longest)
            y = top + 18 * row
            parts.append(f'<rect x="210" y="{y}" width="{width:.1f}" height="15" fill="{colour}"/>')
            parts.append(
                f'<text x="{216 + width:.1f}" y="{y + 12}" fill="#334155">{value:.2f} s {word}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def write(results: Mapping[str, Figures], versions: Mapping[str, str], rows: int, directory: Path) -> Path:
    """Writes results.json, results.md and a chart to a directory; returns the Markdown's path."""
    directory.mkdir(parents=True, exist_ok=True)
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    head = f"Measured {when} on {machine()}; {rows:,} people of 15 attributes; {listed}."
    sections = [f"## {name}\n\n{table(figures)}" for name, figures in results.items()]
    (directory / "results.md").write_text("\n\n".join([head, *sections]) + "\n")
    rounds = {
        name: {side: [asdict(usage) for usage in usages] for side, usages in figures.rounds.items()}
        for name, figures in results.items()
    }
    facts = {name: figures.facts for name, figures in results.items()}
    (directory / "results.json").write_text(
        json.dumps({"head": head, "rounds": rounds, "facts": facts}, indent=1)
    )
    if "first-push" in results:
        drawn = chart(results["first-push"].medians(), f"First push of {rows:,} profiles × 15 attributes")
        (directory / "first-push.svg").write_text(drawn)
    return directory / "results.md"


def fill(document: Path, results: Mapping[str, Figures], head: str) -> None:
    """Puts the tables between the marks that a document has for them."""
    text = document.read_text()
    for name, content in {"machine": head, **{name: table(each) for name, each in results.items()}}.items():
        pattern = re.compile(BLOCK.format(re.escape(name)), re.DOTALL)
        text = pattern.sub(lambda found, content=content: f"{found[1]}\n{content}\n\n{found[2]}", text)
    document.write_text(text)
