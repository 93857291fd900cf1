"""The page of `report`: no network, no script, no customer data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from markupsafe import Markup

from dbt_batch_sync import __version__
from dbt_batch_sync.ledger.records import PHASES, Run
from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.report.charts import Chart, compact, stacked
from dbt_batch_sync.results import counted
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


def render(result: ReportResult) -> str:
    filters: dict[str, Callable[..., object]] = {
        "age": lambda moment: _age(result.made_at - moment),
        "attention": attention,
        "charts": _charts,
        "compact": compact,
        "mark": mark,
        "moment": _moment,
        "number": "{:,}".format,
        "prose": _prose,
        "seconds": _seconds,
        "speed": speed,
        "time_by_phase": time_by_phase,
    }
    return load_template(_FOLDER, "report.html.jinja", filters).render(
        verdict=_verdict(result.syncs),
        ages=[(name, words) for name, words, _ in AGES],
        style=Markup(_STYLE),  # noqa: S704  # a file of this package, whose hash is in the policy
        policy=CONTENT_SECURITY_POLICY,
        version=__version__,
        result=result,
        pushes=_pushes(result.syncs),
        marks=MARKS,
        phases=[(phase, phase) for phase in (*PHASES, "other")],
        shown_attributes=SHOWN_ATTRIBUTES,
        shown_reasons=SHOWN_REASONS,
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
        counted(rejected, "open rejection") if rejected else "",
        f"{counted(sync.parked, 'row')} parked" if sync.parked else "",
        f"{counted(sync.invalid, 'row')} invalid" if sync.invalid else "",
    )
    return ", ".join(filter(None, found))


def _verdict(syncs: Sequence[SyncReport]) -> tuple[str, str]:
    """Whether everything is all right, as one of `MARKS`, and what is not."""
    wrong = [sync.sync for sync in syncs if attention(sync)]
    failed = [sync.sync for sync in syncs if sync.runs and sync.runs[0].status == "failed"]
    of = counted(len(syncs), "sync")
    if failed:
        return "failed", f"The last push failed for {len(failed)} of {of}: {', '.join(failed)}."
    if wrong:
        needs = "needs" if len(wrong) == 1 else "need"
        return "partial", f"{len(wrong)} of {of} {needs} attention: {', '.join(wrong)}."
    return "succeeded", f"Everything is up to date: {of}, nothing rejected."


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


def _pushes(syncs: Sequence[SyncReport]) -> list[tuple[datetime, dict[str, Run]]]:
    """The start of each push and its runs by sync, for the columns of the table of runs."""
    by_id: dict[str, dict[str, Run]] = {}
    for sync in syncs:
        for run in sync.runs:
            by_id.setdefault(run.run_id, {})[sync.sync] = run
    pushes = [(min(run.started_at for run in runs.values()), runs) for runs in by_id.values()]
    return sorted(pushes, key=lambda push: push[0])[-SHOWN_PUSHES:]


def _charts(runs: Sequence[Run]) -> tuple[Chart, Chart, Chart]:
    """The charts of a sync: its deltas, seconds and speed."""
    oldest_first = runs[::-1]

    def chart(stack: Callable[[Run], Mapping[str, float]], said: Callable[[Run], str]) -> Chart:
        return stacked(
            [run.started_at for run in oldest_first],
            [stack(run) for run in oldest_first],
            [f"{_moment(run.started_at)}: {said(run)}" for run in oldest_first],
        )

    return (
        chart(
            lambda run: {"inserts": run.inserts, "updates": run.updates, "exits": run.exits},
            lambda run: f"{run.inserts:,} inserts, {run.updates:,} updates, {run.exits:,} exits",
        ),
        chart(time_by_phase, _timed),
        chart(lambda run: {"speed": speed(run)}, lambda run: f"{speed(run):,.0f} profiles a second"),
    )


def _timed(run: Run) -> str:
    parts = (f"{phase} {_seconds(spent)} s" for phase, spent in time_by_phase(run).items())
    return f"{_seconds(run.seconds)} s: {', '.join(parts)}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _seconds(amount: float) -> str:
    return f"{amount:,.2f}"


def _prose(text: str) -> Markup:
    """A message with the text between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
