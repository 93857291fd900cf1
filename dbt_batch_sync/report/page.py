"""The page of `report`. It needs no network, runs no script, and has no value and no custom_id on it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from dbt_batch_sync import __version__
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.records import RejectCount, Run
from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.report.charts import Chart, stacked
from dbt_batch_sync.results import ReportResult, SegmentReport

SHOWN_PUSHES = 30
"""Columns of the table of all segments' runs."""
SHOWN_ATTRIBUTES = 30
SHOWN_REASONS = 10

MARKS = {
    "succeeded": "✓",
    "idle": "·",
    "partial": "P",
    "interrupted": "I",
    "failed": "F",
    "running": "R",
}
"""What a run is in that table; `idle`: it succeeded with nothing to send."""

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "report.css").read_text(encoding="utf-8")
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {source_hash(_STYLE)}; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class _Push:
    """A column of the table of runs: when the push began, and its run of each segment."""

    moment: datetime
    runs: tuple[Run | None, ...]


@dataclass(frozen=True)
class _Segment:
    """What is shown of a segment. Charts begin with the oldest run, tables with the newest."""

    report: SegmentReport
    runs: tuple[Run, ...]
    delta: Chart
    seconds: Chart
    speed: Chart
    statuses: Counter[str]
    attributes: tuple[tuple[str, int], ...]
    reasons: tuple[RejectCount, ...]
    parked: tuple[RejectCount, ...]

    @property
    def more_attributes(self) -> int:
        """Those that there is no room for."""
        return len(self.report.attributes) - len(self.attributes)

    @property
    def more_reasons(self) -> int:
        """As above, of what stands refused."""
        return len(self.report.rejects) - len(self.reasons)

    @property
    def more_parked(self) -> int:
        """As above, of what is parked."""
        return len(self.report.parked) - len(self.parked)


def render(result: ReportResult) -> str:
    """The whole page as HTML."""
    pushes = _pushes(result.segments)
    return _template().render(
        style=Markup(_STYLE),  # noqa: S704  # a file of this package, whose hash is in the policy
        policy=CONTENT_SECURITY_POLICY,
        version=__version__,
        result=result,
        pushes=pushes,
        segments=[_segment(each) for each in result.segments],
        totals=_totals(result.segments),
        marks=MARKS,
    )


def _totals(segments: Sequence[SegmentReport]) -> dict[str, int]:
    """Figures of all segments, by what they count."""
    return {
        "segments": len(segments),
        "runs shown": sum(len(each.runs) for each in segments),
        "profiles accepted in them": sum(run.accepted for each in segments for run in each.runs),
        "profiles wait for the next push": sum(each.pending for each in segments),
        "refusals stand": sum(count.count for each in segments for count in each.rejects),
        "profiles parked": sum(count.count for each in segments for count in each.parked),
    }


def write(path: Path, html: str) -> None:
    """Writes the page whole or not at all: who opens it meanwhile sees the old one.

    Raises ConfigurationError when the file can't be written.
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
    """Profiles that Batch accepted in a second of a run."""
    return run.accepted / run.seconds if run.seconds > 0 else 0.0


def mark(run: Run) -> str:
    """Which of `MARKS` a run has."""
    idle = run.status == "succeeded" and not run.sent and not run.committed
    return "idle" if idle else run.status


def _pushes(segments: Sequence[SegmentReport]) -> list[_Push]:
    """The last pushes of all, the oldest first."""
    by_id: dict[str, dict[str, Run]] = {}
    for segment in segments:
        for run in segment.runs:
            by_id.setdefault(run.run_id, {})[segment.segment] = run
    pushes = [
        _Push(
            min(run.started_at for run in runs.values()), tuple(runs.get(each.segment) for each in segments)
        )
        for runs in by_id.values()
    ]
    return sorted(pushes, key=lambda push: push.moment)[-SHOWN_PUSHES:]


def _segment(report: SegmentReport) -> _Segment:
    oldest_first = report.runs[::-1]

    def chart(stack: Callable[[Run], dict[str, float]], said: Callable[[Run], str]) -> Chart:
        return stacked(
            [run.started_at for run in oldest_first],
            [stack(run) for run in oldest_first],
            [f"{_moment(run.started_at)}: {said(run)}" for run in oldest_first],
        )

    return _Segment(
        report=report,
        runs=report.runs,
        delta=chart(
            lambda run: {"inserts": run.inserts, "updates": run.updates, "exits": run.exits},
            lambda run: f"{run.inserts:,} inserts, {run.updates:,} updates, {run.exits:,} exits",
        ),
        seconds=chart(lambda run: {"seconds": run.seconds}, lambda run: f"{run.seconds:,.1f} s"),
        speed=chart(lambda run: {"speed": speed(run)}, lambda run: f"{speed(run):,.0f} profiles a second"),
        statuses=Counter(mark(run) for run in report.runs),
        attributes=tuple(sorted(report.attributes.items(), key=lambda item: -item[1])[:SHOWN_ATTRIBUTES]),
        reasons=report.rejects[:SHOWN_REASONS],
        parked=report.parked[:SHOWN_REASONS],
    )


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _number(amount: float) -> str:
    return f"{amount:,}"


def _counted(amount: int, word: str) -> str:
    return f"{amount:,} {word}" if amount == 1 else f"{amount:,} {word}s"


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., object]] = {
        "moment": _moment,
        "number": _number,
        "counted": _counted,
        "mark": mark,
        "speed": speed,
    }
    return load_template(_FOLDER, "report.html.jinja", filters)
