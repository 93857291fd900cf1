"""What scenarios found, and where it is kept: a JSON file for each, so that one can be renewed alone."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from benchmarks.measure import Usage


@dataclass
class Figures:
    """The rounds of each side by its name; a round is figures by theirs: `wall`, `cpu`, `peak`, and what a
    scenario adds.
    """

    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, side: str, usage: Usage, **more: float) -> None:
        """One more round of a side."""
        measured = {name: value for name, value in asdict(usage).items() if value is not None}
        self.rounds.setdefault(side, []).append({**measured, **more})

    def medians(self) -> dict[str, dict[str, float]]:
        """The median of each figure of each side by itself."""
        return {
            side: {name: median(each[name] for each in rounds) for name in rounds[0]}
            for side, rounds in self.rounds.items()
        }


@dataclass(frozen=True)
class Result:
    """The figures of a scenario with what one has to know to believe them. No paths, no host names."""

    scenario: str
    rows: int
    date: str
    machine: str
    versions: dict[str, str]
    figures: Figures


def result(scenario: str, rows: int, versions: Mapping[str, str], figures: Figures) -> Result:
    """What was measured today, here."""
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return Result(scenario, rows, today, _machine(), dict(versions), figures)


def save(found: Result, directory: Path) -> None:
    """Keeps it in place of an earlier one of the same scenario."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**asdict(found), "figures": found.figures.rounds}, indent=1)
    (directory / f"{found.scenario}.json").write_text(text + "\n")


def read(directory: Path) -> dict[str, Result]:
    """Those that are kept, by scenario."""
    found = {}
    for path in sorted(directory.glob("*.json")):
        document = json.loads(path.read_text())
        found[path.stem] = Result(**{**document, "figures": Figures(document["figures"])})
    return found


def _machine() -> str:
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        model = found[1].strip() if found else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {cores} cores, {memory:.0f} GB, {system}"
