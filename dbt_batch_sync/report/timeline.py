"""The runs of all syncs over time: a column for each push, or for each hour or day if there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.results import counted

COLUMNS = 30
"""The most columns."""

APART = timedelta(minutes=10)
"""A run that begins this long after the end of the others belongs to another push. A push may be one run of
the command line for each sync, such as tasks of an orchestrator.
"""

STEPS = tuple(map(timedelta, (1 / 24, 1 / 4, 1, 7, 28)))
"""Hours to months."""

MARKS = {"failed": "F", "interrupted": "I", "partial": "P", "running": "R", "succeeded": "✓", "idle": "·"}
"""The states of a run, the worst first. `idle`: it succeeded with nothing to send."""


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
