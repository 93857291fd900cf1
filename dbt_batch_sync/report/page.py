"""The page of `report`: no network, no script, no customer data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from markupsafe import Markup, escape

from dbt_batch_sync import __version__
from dbt_batch_sync.ledger.records import PHASES, Run
from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.report.charts import Chart, axis_top, stacked
from dbt_batch_sync.report.timeline import MARKS, mark, tally, timeline
from dbt_batch_sync.report.verdict import attention, verdict
from dbt_batch_sync.results import compact, duration, noun, shown_name, shown_time
from dbt_batch_sync.results.look import ReportResult, SyncReport

SHOWN_COLUMNS = 60
"""The most columns of a chart: the last runs. The table below has all."""
SHOWN_ATTRIBUTES = 30
SHOWN_REASONS = 10

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

_UNITS = ((3600, "hours"), (60, "minutes"), (1, "seconds"))
"""Of the axis of time, the longest first."""


def render(result: ReportResult) -> str:
    now = result.made_at
    filters: dict[str, Callable[..., object]] = {
        "age": lambda moment: _age(now - moment),
        "attention": partial(attention, now=now),
        "breakable": _breakable,
        "charts": _charts,
        "compact": compact,
        "duration": duration,
        "mark": mark,
        "moment": shown_time,
        "noun": noun,
        "number": "{:,}".format,
        "periods": partial(_periods, now=now),
        "prose": _prose,
        "shown_name": shown_name,
        "speed": speed,
        "tally": tally,
    }
    syncs = sorted(result.syncs, key=lambda sync: not attention(sync, now))
    kind, sentence = verdict(result.syncs, now)
    return load_template(_FOLDER, "report.html.jinja", filters).render(
        verdict=(kind, "✓" if kind == "succeeded" else "!", _prose(sentence)),
        ages=[(name, words) for name, words, _ in AGES],
        style=Markup(_STYLE),  # noqa: S704  # a file of this package, whose hash is in the policy
        policy=CONTENT_SECURITY_POLICY,
        version=__version__,
        result=result,
        syncs=syncs,
        row=_row_of(syncs),
        timeline=timeline,
        marks=MARKS,
        phases=PHASES,
        shown_attributes=SHOWN_ATTRIBUTES,
        shown_columns=SHOWN_COLUMNS,
        shown_reasons=SHOWN_REASONS,
    )


def _age(passed: timedelta) -> str:
    """The class of a run of this age: the shortest period that contains it, or `older`."""
    return next((name for name, _, most in reversed(AGES) if most and passed <= most), "older")


def _periods(
    runs: Iterable[Run], now: datetime, last: int | None = None
) -> list[tuple[str, tuple[Run, ...]]]:
    """The runs of each period of the filter, the `last` of them. Periods with the same runs share the classes
    that show them.
    """
    everything = tuple(runs)
    found: dict[tuple[Run, ...], list[str]] = {}
    for name, _, most in AGES:
        chosen = tuple(run for run in everything if most is None or now - run.started_at <= most)[:last]
        found.setdefault(chosen, []).append(f"for-{name}")
    return [(" ".join(classes), chosen) for chosen, classes in found.items()]


def _row_of(syncs: Sequence[SyncReport]) -> str:
    """What a row of all syncs is: their kind's noun if they are of one kind."""
    kinds = {sync.kind for sync in syncs}
    return noun(kinds.pop()) if len(kinds) == 1 else "row"


def speed(run: Run) -> float:
    """Rows per second that Batch accepted in a run."""
    return run.accepted / run.seconds if run.seconds > 0 else 0.0


def time_by_phase(run: Run) -> dict[str, float]:
    """The seconds of a run by phase, in the order of the charts. They add up to the total."""
    spent = {phase: float(getattr(run, f"{phase}_seconds")) for phase in PHASES}
    return spent | {"other": max(0.0, run.seconds - sum(spent.values()))}


def _charts(runs: Sequence[Run], kind: str) -> tuple[tuple[str, Sequence[str], Chart], ...]:
    """The charts of a sync, each with its title and the classes of its legend."""
    oldest_first = runs[::-1]
    scale, unit = next(
        (scale, unit)
        for scale, unit in _UNITS
        if scale == 1 or axis_top([run.seconds for run in runs]) >= 2 * scale
    )

    def chart(stack: Callable[[Run], Mapping[str, float]], said: Callable[[Run], str]) -> Chart:
        return stacked(
            [run.started_at for run in oldest_first],
            [stack(run) for run in oldest_first],
            [f"{shown_time(run.started_at)}: {said(run)}" for run in oldest_first],
        )

    changes = chart(
        lambda run: {"inserts": run.inserts, "updates": run.updates, "exits": run.exits},
        lambda run: f"{run.inserts:,} inserts, {run.updates:,} updates, {run.exits:,} exits",
    )
    times = chart(
        lambda run: {phase: spent / scale for phase, spent in time_by_phase(run).items()},
        lambda run: duration(run.seconds),
    )
    speeds = chart(lambda run: {"speed": speed(run)}, lambda run: f"{speed(run):,.0f} per second")
    return (
        ("Delta, in rows", ("inserts", "updates", "exits"), changes),
        (f"Time by phase, in {unit}", (*PHASES, "other"), times),
        (f"{noun(kind).capitalize()}s accepted per second", (), speeds),
    )


def _breakable(name: str) -> Markup:
    """A name that may break after an underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _prose(text: str) -> Markup:
    """A message with the text between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
