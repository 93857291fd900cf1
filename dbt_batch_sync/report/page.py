"""The page of `report`: no network, no script, no customer data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from dbt_batch_sync import __version__
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.records import PHASES, RejectCount, Run
from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.report.charts import Chart, stacked
from dbt_batch_sync.results.look import ReportResult, SyncReport

SHOWN_PUSHES = 30
"""The most columns of the table of all syncs' runs."""
SHOWN_ATTRIBUTES = 30
SHOWN_REASONS = 10

MARKS = {"succeeded": "✓", "idle": "·", "partial": "P", "interrupted": "I", "failed": "F", "running": "R"}
"""The states of a run in that table. `idle`: it succeeded with nothing to send."""

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "report.css").read_text(encoding="utf-8")
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {source_hash(_STYLE)}; base-uri 'none'; form-action 'none'"
)


AGES = (
    ("all", "all time", None),
    ("month", "30 days", timedelta(days=30)),
    ("week", "7 days", timedelta(days=7)),
    ("day", "24 hours", timedelta(days=1)),
)
"""A filter for runs: a name, its label, and the maximum age of a run."""


@dataclass(frozen=True)
class _Verdict:
    """Whether everything is all right, and what is not. `kind` is one of `MARKS`."""

    kind: str
    says: str


@dataclass(frozen=True)
class _Push:
    """A column of the table of runs: the push's start, and its run of each sync."""

    moment: datetime
    runs: tuple[Run | None, ...]


@dataclass(frozen=True)
class _Sync:
    """What is shown of a sync. Charts start with the oldest run, tables with the newest."""

    report: SyncReport
    runs: tuple[Run, ...]
    delta: Chart
    seconds: Chart
    speed: Chart
    statuses: Counter[str]
    attributes: tuple[tuple[str, int], ...]
    reasons: tuple[RejectCount, ...]

    @property
    def more_attributes(self) -> int:
        """Runs that don't fit."""
        return len(self.report.attributes) - len(self.attributes)

    @property
    def unsure(self) -> int:
        """Events of these runs that may or may not be in Batch."""
        return sum(run.unsure for run in self.report.runs)

    @property
    def more_reasons(self) -> int:
        """The same for open rejections."""
        return len(self.report.rejects) - len(self.reasons)


def render(result: ReportResult) -> str:
    """The whole page as HTML."""
    pushes = _pushes(result.syncs)
    return _template().render(
        verdict=_verdict(result.syncs),
        age=lambda moment: _age(result.made_at - moment),
        ages=[(name, words) for name, words, _ in AGES],
        style=Markup(_STYLE),  # noqa: S704  # a file of this package, whose hash is in the policy
        policy=CONTENT_SECURITY_POLICY,
        version=__version__,
        result=result,
        pushes=pushes,
        syncs=[_sync(each) for each in result.syncs],
        totals=_totals(result.syncs),
        marks=MARKS,
        phases=[(phase, phase) for phase in (*PHASES, "other")],
    )


def _age(passed: timedelta) -> str:
    """The class of a run of this age: the shortest period that contains it, or `older`."""
    return next((name for name, _, most in reversed(AGES) if most and passed <= most), "older")


def attention(sync: SyncReport) -> str:
    """What needs attention; empty if everything is fine."""
    last = sync.runs[0] if sync.runs else None
    rejected = sum(each.count for each in sync.rejects)
    found = (
        "never pushed" if last is None else "",
        f"the last run {last.status}" if last and last.status == "failed" else "",
        "the last run was interrupted" if last and last.status == "interrupted" else "",
        _counted(rejected, "open rejection") if rejected else "",
        f"{_counted(sync.parked, 'row')} parked" if sync.parked else "",
        f"{_counted(sync.invalid, 'row')} invalid" if sync.invalid else "",
    )
    return ", ".join(filter(None, found))


def _verdict(syncs: Sequence[SyncReport]) -> _Verdict:
    wrong = {sync.sync: attention(sync) for sync in syncs if attention(sync)}
    failed = [sync.sync for sync in syncs if sync.runs and sync.runs[0].status == "failed"]
    of = _counted(len(syncs), "sync")
    if failed:
        return _Verdict("failed", f"The last push failed for {len(failed)} of {of}: {', '.join(failed)}.")
    if wrong:
        return _Verdict(
            "partial", f"{len(wrong)} of {of} need{'s' * (len(wrong) == 1)} attention: {', '.join(wrong)}."
        )
    return _Verdict("succeeded", f"Everything is up to date: {of}, nothing rejected.")


def _totals(syncs: Sequence[SyncReport]) -> list[tuple[int, str]]:
    accepted = sum(run.accepted for each in syncs for run in each.runs)
    rejected = sum(count.count for each in syncs for count in each.rejects)
    counted = (
        (len(syncs), "sync", "syncs"),
        (sum(len(each.runs) for each in syncs), "run shown", "runs shown"),
        (accepted, "profile accepted", "profiles accepted"),
        (sum(each.pending for each in syncs), "profile queued", "profiles queued"),
        (rejected, "open rejection", "open rejections"),
        (sum(each.parked for each in syncs), "row parked", "rows parked"),
    )
    return [(count, one if count == 1 else several) for count, one, several in counted]


def write(path: Path, html: str) -> None:
    """Writes the page atomically: readers see the old page or the new one.

    Raises ConfigurationError if the file can't be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            part.write_text(html, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--out: {path} can't be written: {error.strerror}") from None


def speed(run: Run) -> float:
    """Profiles per second that Batch accepted in a run."""
    return run.accepted / run.seconds if run.seconds > 0 else 0.0


def time_by_phase(run: Run) -> dict[str, float]:
    """The seconds of a run by phase, in the order of the charts. They add up to the total."""
    spent = {phase: float(getattr(run, f"{phase}_seconds")) for phase in PHASES}
    return spent | {"other": max(0.0, run.seconds - sum(spent.values()))}


def mark(run: Run) -> str:
    """The mark of a run, one of `MARKS`."""
    idle = run.status == "succeeded" and not run.sent and not run.settled
    return "idle" if idle else run.status


def _pushes(syncs: Sequence[SyncReport]) -> list[_Push]:
    by_id: dict[str, dict[str, Run]] = {}
    for sync in syncs:
        for run in sync.runs:
            by_id.setdefault(run.run_id, {})[sync.sync] = run
    pushes = [
        _Push(min(run.started_at for run in runs.values()), tuple(runs.get(each.sync) for each in syncs))
        for runs in by_id.values()
    ]
    return sorted(pushes, key=lambda push: push.moment)[-SHOWN_PUSHES:]


def _sync(report: SyncReport) -> _Sync:
    oldest_first = report.runs[::-1]

    def chart(stack: Callable[[Run], dict[str, float]], said: Callable[[Run], str]) -> Chart:
        return stacked(
            [run.started_at for run in oldest_first],
            [stack(run) for run in oldest_first],
            [f"{_moment(run.started_at)}: {said(run)}" for run in oldest_first],
        )

    return _Sync(
        report=report,
        runs=report.runs,
        delta=chart(
            lambda run: {"inserts": run.inserts, "updates": run.updates, "exits": run.exits},
            lambda run: f"{run.inserts:,} inserts, {run.updates:,} updates, {run.exits:,} exits",
        ),
        seconds=chart(time_by_phase, _timed),
        speed=chart(lambda run: {"speed": speed(run)}, lambda run: f"{speed(run):,.0f} profiles a second"),
        statuses=Counter(mark(run) for run in report.runs),
        attributes=tuple(sorted(report.attributes.items(), key=lambda item: -item[1])[:SHOWN_ATTRIBUTES]),
        reasons=report.rejects[:SHOWN_REASONS],
    )


def _timed(run: Run) -> str:
    parts = (f"{phase} {_seconds(spent)} s" for phase, spent in time_by_phase(run).items())
    return f"{_seconds(run.seconds)} s: {', '.join(parts)}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _number(amount: float) -> str:
    return f"{amount:,}"


def _seconds(amount: float) -> str:
    return f"{amount:,.2f}"


def _prose(text: str) -> Markup:
    """A message with the text between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _counted(amount: int, word: str) -> str:
    return f"{amount:,} {word}" if amount == 1 else f"{amount:,} {word}s"


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., object]] = {
        "moment": _moment,
        "number": _number,
        "counted": _counted,
        "seconds": _seconds,
        "mark": mark,
        "attention": attention,
        "prose": _prose,
        "speed": speed,
        "time_by_phase": time_by_phase,
    }
    return load_template(_FOLDER, "report.html.jinja", filters)
