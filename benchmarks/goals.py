"""Performance goals and whether they are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.contestants import BARE, DLT, DRT, OURS, PANDAS, SCRIPT
from benchmarks.findings import Result
from benchmarks.scenarios import (
    DELTA,
    EMPTY_RUN,
    ENDPOINTS,
    EVENTS,
    FIRST,
    HELP,
    IDLE,
    PEOPLE,
    PUSH,
    SCAN,
    VERSION,
    audit_of,
    grown,
    idle_syncs,
    minute_of,
    paced_at,
    sent_by,
)

MILLION = 1_000_000
UNITS = {"wall": "s", "cpu": "CPU s", "peak": "MB", "rate": "rows/s", "throttled": ""}


@dataclass(frozen=True)
class Goal:
    """An upper or lower limit for a median of `side`, or for its ratio to that of `against`.

    For `at least` with `against`, the ratio is how many times less the side takes.
    """

    work: str
    scenario: str
    side: str
    figure: Literal["wall", "cpu", "peak", "rate", "throttled"]
    limit: float
    bound: Literal["at most", "at least"] = "at most"
    against: str | None = None


@dataclass(frozen=True)
class Answer:
    """A goal as text, the measured figure or ratio, and whether it is met."""

    work: str
    goal: str
    measured: str
    met: bool


def _peer(name: str, wall: float, cpu: float) -> list[Goal]:
    work = f"the same, against {name}"
    return [
        Goal(work, "first-push", OURS.name, "wall", wall, "at least", name),
        Goal(work, "first-push", OURS.name, "cpu", cpu, "at least", name),
    ]


def _rate(endpoint: str, rate: float) -> list[Goal]:
    work = f"{endpoint} at Batch's rate without a 429, latency 50 and 500 ms"
    goals = []
    for side in (paced_at(endpoint, 0.05), paced_at(endpoint, 0.5)):
        goals += [
            Goal(work, "paced", side, "rate", rate, "at least"),
            Goal(work, "paced", side, "throttled", 0),
        ]
    return goals


_FIRST = "first push, 1M × 15, DuckDB"
_TEN = "10M × 15"
GOALS = (
    Goal(f"{_FIRST}, against the bare pipeline", "first-push", OURS.name, "cpu", 1.6, against=BARE.name),
    Goal(_FIRST, "first-push", OURS.name, "peak", 400),
    Goal("the same, against an empty `dbt run`", "first-push", OURS.name, "wall", 1, against=EMPTY_RUN),
    *_peer(DLT.name, 8, 6),
    *_peer(DRT.name, 9, 7),
    *_peer(PANDAS.name, 6, 5),
    *_peer(SCRIPT.name, 2, 2),
    Goal(
        f"{_TEN}, against 1M",
        "growth",
        grown(OURS.name, 10 * MILLION),
        "wall",
        11,
        against=grown(OURS.name, MILLION),
    ),
    Goal(_TEN, "growth", grown(OURS.name, 10 * MILLION), "peak", 400),
    Goal("100M × 15", "growth", grown(OURS.name, 100 * MILLION), "peak", 450),
    Goal("1 % of 1M changed, DuckDB: delta against bare scan", "one-percent", DELTA, "wall", 2, against=SCAN),
    Goal("the push after it", "one-percent", PUSH, "wall", 1.3),
    Goal(
        "1 % of 1M changed, PostgreSQL: delta against bare scan", "postgres", DELTA, "wall", 3, against=SCAN
    ),
    Goal("first push, 1M × 15, PostgreSQL", "postgres", FIRST, "rate", 120_000, "at least"),
    Goal("first push, 1M × 15, PostgreSQL", "postgres", FIRST, "peak", 350),
    Goal("push, nothing to do", "nothing-to-do", IDLE, "wall", 0.9),
    Goal("`--help`", "nothing-to-do", HELP, "wall", 0.25),
    Goal("`--version`", "nothing-to-do", VERSION, "wall", 0.25),
    Goal("200 syncs, none changed", "many-syncs", idle_syncs(200), "wall", 5),
    Goal("audit of 10M × 15", "audits", audit_of(10 * MILLION), "peak", 500),
    *(
        Goal(
            f"1M events × 15 by {endpoint}, against 1M people × 15",
            "events",
            sent_by(EVENTS, endpoint),
            "cpu",
            1,
            against=sent_by(PEOPLE, endpoint),
        )
        for endpoint in ENDPOINTS
    ),
    *(
        Goal(
            f"{what}, each minute: 100M events against 10M",
            "minutes",
            minute_of(what, 100 * MILLION),
            "wall",
            1.3,
            against=minute_of(what, 10 * MILLION),
        )
        for what in ("dbt run", "push")
    ),
    *_rate("mass-update", 9_700),
    *_rate("update", 291),
    *_rate("audience", 9_700),
    *_rate("catalog", 970),
)
"""Rates are Batch's limits minus 3 %. An audience takes one call of 10,000 per second."""

_ANY_SIZE = {"audits", "growth", "many-syncs", "minutes", "paced"}
"""These state their size themselves; the other goals apply to a million people."""


def answers(results: Mapping[str, Result]) -> list[Answer]:
    """The goals with measured figures."""
    found = []
    for goal in GOALS:
        result = results.get(goal.scenario)
        if result is not None and (goal.scenario in _ANY_SIZE or result.rows == MILLION):
            found.append(_answer(goal, result.figures.medians()))
    return [each for each in found if each is not None]


def _answer(goal: Goal, medians: Mapping[str, Mapping[str, float]]) -> Answer | None:
    ours = medians.get(goal.side, {}).get(goal.figure)
    theirs = medians.get(goal.against or goal.side, {}).get(goal.figure)
    if ours is None or theirs is None:
        return None
    sign = "≤" if goal.bound == "at most" else "≥"
    if goal.figure == "throttled":
        sign = "="
    if goal.against is None:
        measured, figure = ours, shown(goal.figure, ours)
        aim = f"{sign} {shown(goal.figure, goal.limit)}"
    else:
        measured = ours / theirs if goal.bound == "at most" else theirs / ours
        time = "CPU" if goal.figure == "cpu" else "wall"
        figure, aim = f"{measured:.2f}×", f"{sign} {goal.limit:g}× {time}"
    met = measured <= goal.limit if goal.bound == "at most" else measured >= goal.limit
    return Answer(goal.work, aim, figure, met)


def shown(figure: str, value: float) -> str:
    """A figure with its unit."""
    text = f"{value:.2f}" if figure in {"wall", "cpu"} else f"{value:,.0f}"
    return f"{text} {UNITS[figure]}".strip()
