"""The results of scenarios, saved as one JSON file each, so that each can be updated separately."""

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
    """The rounds of each side. A round maps figures to values: `wall`, `cpu`, `peak`, and those a scenario
    adds.
    """

    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, side: str, usage: Usage, **more: float) -> None:
        """Add a round to a side."""
        measured = {name: value for name, value in asdict(usage).items() if value is not None}
        self.rounds.setdefault(side, []).append({**measured, **more})

    def medians(self) -> dict[str, dict[str, float]]:
        """The median of each figure of each side."""
        return {
            side: {name: median(each[name] for each in rounds) for name in rounds[0]}
            for side, rounds in self.rounds.items()
        }


@dataclass(frozen=True)
class Result:
    """The figures of a scenario with their context. Contains no paths or host names."""

    scenario: str
    rows: int
    date: str
    machine: str
    versions: dict[str, str]
    figures: Figures


def result(scenario: str, rows: int, versions: Mapping[str, str], figures: Figures) -> Result:
    """The result of a measurement, with today's date and this machine."""
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return Result(scenario, rows, today, _machine(), dict(versions), figures)


def save(found: Result, directory: Path) -> None:
    """Save the result, replacing an earlier one of the scenario."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**asdict(found), "figures": found.figures.rounds}, indent=1)
    (directory / f"{found.scenario}.json").write_text(text + "\n")


def read(directory: Path) -> dict[str, Result]:
    """The saved results, by scenario."""
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
