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
from dbt_batch_sync.report.charts import MARKS, Chart, axis_top, mark, stacked, tally, timeline
from dbt_batch_sync.results import counted, duration, noun, shown_time
from dbt_batch_sync.results.look import ReportResult, SyncReport

SHOWN_COLUMNS = 60
"""The most columns of a chart: the last runs. The table below has all."""
SHOWN_ATTRIBUTES = 30
SHOWN_REASONS = 10
NAMED = 5
"""The most syncs named in the verdict."""

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
        "attention": partial(_attention, now=now),
        "breakable": _breakable,
        "charts": _charts,
        "mark": mark,
        "periods": partial(_periods, now=now),
        "prose": _prose,
        "speed": speed,
        "tally": tally,
    }
    syncs = sorted(result.syncs, key=lambda sync: not _attention(sync, now))
    kinds = {sync.kind for sync in syncs}
    kind, sentence = _verdict(result.syncs, now)
    return load_template(_FOLDER, "report.html.jinja", filters).render(
        verdict=(kind, "✓" if kind == "succeeded" else "!", _prose(sentence)),
        ages=[(name, words) for name, words, _ in AGES],
        style=Markup(_STYLE),  # noqa: S704  # a file of this package, whose hash is in the policy
        policy=CONTENT_SECURITY_POLICY,
        version=__version__,
        result=result,
        syncs=syncs,
        row=noun(kinds.pop()) if len(kinds) == 1 else "row",
        timeline=timeline,
        marks=MARKS,
        phases=PHASES,
        shown_attributes=SHOWN_ATTRIBUTES,
        shown_columns=SHOWN_COLUMNS,
        shown_reasons=SHOWN_REASONS,
    )


def _attention(sync: SyncReport, now: datetime) -> str:
    """What needs attention; empty if Batch equals the model, as far as known."""
    last = {
        "never": "never pushed",
        "failed": "the last push failed",
        "interrupted": "the last push was interrupted",
        "running": "a push is running",
    }
    rejected, audit = sum(each.count for each in sync.rejects), sync.audit
    found = (
        last.get(_last_status(sync), ""),
        _queued(sync, now),
        counted(rejected, "open rejection") if rejected else "",
        f"{counted(sync.parked, 'row')} parked" if sync.parked else "",
        f"{counted(sync.invalid, 'row')} invalid" if sync.invalid else "",
        f"{audit.drifted:,} of {counted(audit.compared, noun(sync.kind))} differed in the last audit"
        if audit and audit.drifted
        else "",
    )
    return ", ".join(filter(None, found))


def _last_status(sync: SyncReport) -> str:
    return sync.runs[0].status if sync.runs else "never"


def _queued(sync: SyncReport, now: datetime) -> str:
    if not sync.pending or _last_status(sync) == "running":
        return ""
    days = (now - sync.runs[0].started_at).days if sync.runs else 0
    return f"{counted(sync.pending, 'row')} queued" + (
        f" since the last push {counted(days, 'day')} ago" if days else ""
    )


def _verdict(syncs: Sequence[SyncReport], now: datetime) -> tuple[str, str]:
    """A status of a run that is as good or as bad, and a sentence."""
    found = {sync.sync: _attention(sync, now) for sync in syncs}
    wrong = [name for name, what in found.items() if what]
    failed = [sync.sync for sync in syncs if _last_status(sync) == "failed"]
    of = counted(len(syncs), "sync")
    if not syncs:
        return "idle", "No syncs: no model has a `batch_sync` mapping."
    if failed:
        return "failed", f"The last push failed for {len(failed)} of {of}: {_named(failed)}."
    if wrong and all(found[name] == "a push is running" for name in wrong):
        return "running", f"A push is running: {_named(wrong)}."
    if wrong:
        needs = "needs" if len(wrong) == 1 else "need"
        return "partial", f"{len(wrong)} of {of} {needs} attention: {_named(wrong)}."
    return "succeeded", f"Everything is up to date: {of}, nothing queued, nothing rejected."


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join([*names[:NAMED], *([f"{more} more"] if more > 0 else [])])


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
