"""The report's charts and page, for histories that are hard to produce."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from harness.parsed_html import Page

from dbt_batch_sync.cli import show
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.audits import Audited
from dbt_batch_sync.ledger.records import RejectCount, Run
from dbt_batch_sync.report import page
from dbt_batch_sync.report.charts import COLUMNS, MARKS, WIDTH, axis_top, stacked, timeline
from dbt_batch_sync.results import compact
from dbt_batch_sync.results.look import ReportResult, SyncReport

NOW = datetime(2026, 4, 1, 6)
HOSTILE = "<script>alert('\"1&')</script>"


def report(
    *syncs: SyncReport,
) -> Page:
    return Page(page.render(ReportResult(NOW, "prod", syncs)))


def sync(name: str = "people", **changes: object) -> SyncReport:
    given = {
        "runs": (),
        **dict.fromkeys(("inserts", "updates", "exits", "invalid", "parked"), 0),
        "attributes": {},
        "rejects": (),
        "table": "t",
        **changes,
    }
    return SyncReport(sync=name, **given)  # type: ignore[arg-type]


def runs(count: int, **changes: object) -> tuple[Run, ...]:
    """Runs one day apart, newest first."""
    counts = {"updates": 10, "sent": 10, "accepted": 10, "seconds": 2.0}
    given = {"status": "succeeded", "delta_id": "d", **counts, **changes}
    days = reversed(range(count))
    return tuple(Run(f"r{day}", "people", started_at=NOW + timedelta(days=day), **given) for day in days)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("totals", "top"),
    [
        ([], 1),
        ([0, 0], 1),
        ([1], 1),
        ([40, 11], 40),
        ([7, 9, 13], 20),
        ([0.013], 0.02),
        ([1_000_000, 90, 120, 80, 0], 200),
        ([1_000, 100], 1_000),
        ([100_000], 100_000),
    ],
)
def test_the_axis_is_round_and_leaves_outliers_out(totals: list[float], top: float) -> None:
    assert axis_top(totals) == pytest.approx(top)


def test_numbers_are_short() -> None:
    shown = [compact(amount) for amount in (0, 0.25, 950, 1_200, 12_500, 999_999, 3_000_000, 2.5e9)]
    assert shown == ["0", "0.25", "950", "1.2k", "12.5k", "1M", "3M", "2.5G"]


def test_outliers_are_cut_and_labels_have_space() -> None:
    moments = [NOW + timedelta(days=day) for day in range(3)]
    stacks = [{"inserts": 5_000.0, "updates": 0.0}, {"inserts": 20.0, "updates": 60.0}, {"updates": 100.0}]
    chart = stacked(moments, stacks, ["a", "b", "c"])
    assert chart.top == 100
    assert [column.cut for column in chart.columns] == ["5k", None, None]
    assert [column.label for column in chart.columns] == ["5k", "", ""]
    assert [column.time for column in chart.columns] == ["04-01", "", "04-03"]


def test_many_runs_fit() -> None:
    moments = [NOW + timedelta(minutes=minute) for minute in range(200)]
    chart = stacked(moments, [{"seconds": 1.0}] * 200, [""] * 200)
    assert 200 * chart.slot <= WIDTH
    labels = [place for place, column in enumerate(chart.columns) if column.time]
    assert chart.columns[0].time == "06:00"
    steps = [after - before for before, after in pairwise(labels)]
    assert min(steps) * chart.slot >= 40, "labels should not overlap"


def test_columns_are_stacked_and_stay_in_the_chart() -> None:
    stacks: list[dict[str, float]] = [{"inserts": 5_000}, {"inserts": 20, "updates": 60}, {"exits": 100}]
    chart = stacked([NOW] * 3, stacks, [""] * 3)
    assert chart.paths == {
        "inserts": "M56 142v-122M88 142v-24.4",
        "updates": "M88 117.6v-73.2",
        "exits": "M120 142v-122",
    }


def test_the_axis_of_time_has_people_units() -> None:
    for seconds, unit in ((90, "seconds"), (5_400, "minutes"), (20_000, "hours")):
        shown = report(sync(runs=runs(2, seconds=float(seconds))))
        assert f"Time by phase, in {unit}" in shown.text


def test_nothing_was_ever_pushed() -> None:
    text = report(sync()).text
    for said in ("No runs yet", "Never pushed", "No open rejections", "No parked rows"):
        assert said in text


def test_names_are_escaped() -> None:
    reject = RejectCount(HOSTILE, HOSTILE, HOSTILE, "batch", 1, NOW, NOW)
    hostile = sync(
        HOSTILE,
        runs=runs(2, error=HOSTILE),
        attributes={HOSTILE: 1},
        rejects=(reject,),
        table=HOSTILE,
    )
    html = page.render(ReportResult(NOW, HOSTILE, (hostile,)))
    assert HOSTILE not in html
    assert HOSTILE in Page(html).text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    shown = report(sync(runs=runs(3)))
    names = {tag for tag, _ in shown.tags}
    assert not names & {"script", "link", "img", "iframe", "form", "object", "embed"}
    assert all(link.startswith("#") for link in shown.values("href", "src", "action", "srcset"))
    assert not re.search(r"url\(|@import|https?:", shown.raw["style"])
    assert not [name for _, attributes in shown.tags for name in attributes if name.startswith("on")]
    (policy,) = (
        attributes["content"]
        for tag, attributes in shown.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(shown.raw["style"].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "prefers-color-scheme: dark" in shown.raw["style"]


def test_every_color_has_a_dark_variant() -> None:
    style = report(sync()).raw["style"]
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    dark = dark.partition("\n}\n")[0]
    assert set(re.findall(r"(--[a-z-]+):", light)) == set(re.findall(r"(--[a-z-]+):", dark))
    assert set(re.findall(r"var\((--[a-z-]+)\)", style)) == set(re.findall(r"(--[a-z-]+):", dark))


def at(start: timedelta, name: str, status: str = "succeeded", **changes: object) -> Run:
    return Run(f"{name}{start}", name, status, NOW + start, settled=1, seconds=60.0, **changes)  # type: ignore[arg-type]


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "heads", "cells"),
    [
        # One push of three syncs, a task for each, and a later one.
        (
            [at(0 * MINUTE, "a"), at(9 * MINUTE, "b"), at(18 * MINUTE, "c", "failed"), at(HOUR, "a")],
            ["04-01 06:00", "04-01 07:00"],
            {"a": "✓✓", "b": "✓ ", "c": "F "},
        ),
        # Two syncs that are pushed at different times of the day.
        (
            [at(0 * HOUR, "a"), at(12 * HOUR, "b")],
            ["04-01 06:00", "04-01 18:00"],
            {"a": "✓ ", "b": " ✓", "c": "  "},
        ),
        # The second sync starts when the first ends, after an hour.
        (
            [at(0 * HOUR, "a", finished_at=NOW + HOUR), at(HOUR, "b", "running")],
            ["04-01 06:00"],
            {"a": "✓", "b": "R", "c": " "},
        ),
        # Too many for a column each: days show the worst.
        (
            [at(hour * HOUR, "a", "partial" if hour == 5 else "succeeded") for hour in range(240)]
            + [at(4 * DAY, "b")],
            [f"04-{day:02}" for day in range(1, 12)],
            {"a": "P" + "✓" * 10, "b": "    ✓      ", "c": " " * 11},
        ),
    ],
)
def test_pushes_are_grouped_over_time(found: list[Run], heads: list[str], cells: dict[str, str]) -> None:
    shown = timeline(found, "abc")
    assert shown.heads == heads
    assert {
        name: "".join(" " if cell is None else MARKS[cell.mark] for cell in row)
        for name, row in shown.cells.items()
    } == cells


def test_a_push_of_a_settled_delta_had_nothing_to_send() -> None:
    idle = runs(1, updates=0, sent=0, accepted=0)
    shown = report(sync(runs=idle))
    assert "1 run: 1 with nothing to send." in shown.text
    assert shown.table("sync")[0][1:] == ["·"]


def hourly(number: int) -> tuple[Run, ...]:
    """200 runs of a sync, a task for each, newest first."""
    starts = (hour * HOUR + number * timedelta(seconds=20) for hour in reversed(range(200)))
    return tuple(at(start, f"sync_{number:02}", updates=1_234_567, sent=1) for start in starts)


def test_sixty_syncs_with_two_hundred_runs_fit_a_page() -> None:
    found = {f"sync_{number:02}": hourly(number) for number in range(60)}
    shown = timeline((run for each in found.values() for run in each), found)
    assert len(shown.heads) <= COLUMNS
    assert all(all(row) for row in shown.cells.values()), "every sync has a run in every period"
    few = tuple(sync(name, runs=found[name]) for name in list(found)[:3])
    html = page.render(ReportResult(NOW + 200 * HOUR, "prod", few))
    assert len(html) < 3 * 130_000, "sixty are below 8 MB"
    assert html.count("The charts show the last 60.") == 3 * 2
    assert html.count("<code title=") == 3 * 200


def test_the_filter_covers_figures_charts_and_counts() -> None:
    """What differs between two periods is on the page for each, shown by its classes."""
    found = (*runs(1, accepted=7), *runs(1, status="failed", accepted=2_000_000))
    old = replace(found[1], started_at=NOW - timedelta(days=3))
    html = page.render(ReportResult(NOW, "prod", (sync(runs=(found[0], old)),)))
    periods = re.findall(r'<(li|p|div) class="(?:charts )?period ([^"]*)">(.*?)</\1>', html, re.DOTALL)
    said = {(classes, Page(inside).text.strip()) for tag, classes, inside in periods if tag != "div"}
    wide, day = "for-all for-month for-week", "for-day"
    assert said >= {
        (wide, "2 runs"),
        (wide, "2M profiles accepted"),
        (wide, "2 runs: 1 succeeded, 1 failed."),
    }
    assert said >= {(day, "1 run"), (day, "7 profiles accepted"), (day, "1 run: 1 succeeded.")}
    assert {classes for tag, classes, inside in periods if tag == "div" and "<figure>" in inside} == {
        wide,
        day,
    }


def test_rows_have_the_noun_of_their_kind() -> None:
    events = sync("orders", kind="events", runs=runs(1), attributes={"bought": 3}, table="t")
    shown = report(events)
    assert "Events accepted per second" in shown.text
    assert "10 events accepted" in shown.text
    assert "profile" not in shown.text
    assert shown.table("event")[0][:2] == ["bought", "3"]
    assert "20 rows accepted" in report(events, sync(runs=runs(1))).text
    for kind, said in (("audience", "member"), ("catalog", "item"), ("deletions", "deletion")):
        shown = report(sync("other", kind=kind, runs=runs(1), audit=DRIFTED))
        assert f"10 {said}s accepted" in shown.text
        assert f"400 of 1,000 {said}s differed" in shown.text
        assert "profile" not in shown.text


def test_long_lists_are_truncated_with_a_note() -> None:
    attributes = {f"a{n}": n + 1 for n in range(page.SHOWN_ATTRIBUTES + 2)}
    rejects = tuple(
        RejectCount("people", f"a{n}", "too_long", "validation", 90 - n, NOW, NOW)
        for n in range(page.SHOWN_REASONS + 1)
    )
    shown = report(sync(attributes=attributes, rejects=rejects))
    rows = shown.table("attribute", "profiles")
    assert [row[:2] for row in rows[:2]] == [["a31", "32"], ["a30", "31"]]
    assert len(rows) == page.SHOWN_ATTRIBUTES
    assert len(shown.table("attribute", "reason")) == page.SHOWN_REASONS
    assert "and 2 more attributes: see dbt-batch-sync plan" in shown.text
    assert "and 1 more reason: see dbt-batch-sync rejects" in shown.text


@pytest.mark.parametrize(("parked", "said"), [(1, "1 row rejected as a whole"), (2, "2 rows rejected")])
def test_parked_rows(parked: int, said: str) -> None:
    shown = report(sync(parked=parked), sync("other", parked=1))
    assert said in shown.text
    assert f"{parked + 1} rows parked" in shown.text
    assert "after dbt-batch-sync resend --rejected" in shown.text


def test_uncertain_events() -> None:
    assert "6 events unsure" in report(sync(runs=runs(3, unsure=2))).text
    assert "unsure" not in report(sync(runs=runs(3))).text


def test_a_page_is_written_atomically(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    show.write(path, "old")
    os.link(path, tmp_path / "opened")
    show.write(path, "new")
    assert (path.read_text(), (tmp_path / "opened").read_text()) == ("new", "old"), (
        "a new file should replace it"
    )
    (tmp_path / "folder").mkdir()
    for wrong in (tmp_path / "folder", tmp_path / "none" / "report.html"):
        with pytest.raises(ConfigurationError, match=r"^--out: .* can't be written: "):
            show.write(wrong, "new")
    assert {each.name for each in tmp_path.iterdir()} == {"folder", "opened", "report.html"}


LAST = {"runs": runs(1)}
DRIFTED = Audited("people", "a", NOW, NOW, 1_000, 400)


@pytest.mark.parametrize(
    ("changes", "kind", "says", "why"),
    [
        (LAST, "succeeded", "Everything is up to date: 1 sync, nothing queued, nothing rejected.", ""),
        ({**LAST, "parked": 2}, "partial", "1 of 1 sync needs attention: people.", "2 rows parked"),
        ({}, "partial", "1 of 1 sync needs attention: people.", "never pushed"),
        (
            {"runs": runs(1, status="failed")},
            "failed",
            "The last push failed for 1 of 1 sync: people.",
            "the last push failed",
        ),
        ({"runs": runs(1, status="running"), "inserts": 3}, "running", "A push is running: people.", "a push is running"),
        (
            {**LAST, "inserts": 8_000, "updates": 900, "exits": 100},
            "partial",
            "1 of 1 sync needs attention: people.",
            "9,000 rows queued",
        ),
        (
            {"runs": tuple(replace(run, started_at=NOW - timedelta(days=60)) for run in runs(1)), "inserts": 1},
            "partial",
            "1 of 1 sync needs attention: people.",
            "1 row queued since the last push 60 days ago",
        ),
        (
            {**LAST, "audit": DRIFTED},
            "partial",
            "1 of 1 sync needs attention: people.",
            "400 of 1,000 profiles differed in the last audit",
        ),
        (
            {**LAST, "audit": replace(DRIFTED, drifted=0)},
            "succeeded",
            "Everything is up to date: 1 sync, nothing queued, nothing rejected.",
            "",
        ),
    ],
)  # fmt: skip
def test_the_verdict_comes_first(changes: dict[str, object], kind: str, says: str, why: str) -> None:
    html = page.render(ReportResult(NOW, "prod", (sync(**changes),), "shop"))  # type: ignore[arg-type]
    assert "shop: pushes to Batch" in html
    assert re.search(rf'<p class="verdict {kind}"[^>]*><b>.</b> {re.escape(says)}</p>', html)
    assert Page(html).table("Sync", "Last run")[0][2] == why


def test_a_verdict_of_no_and_of_many_syncs() -> None:
    assert "No syncs: no model has a batch_sync mapping." in report().text
    names = [f"s{number}" for number in range(7)]
    fine = sync("fine", runs=runs(1))
    shown = report(fine, *(sync(name) for name in names))
    assert "7 of 8 syncs need attention: s0, s1, s2, s3, s4, 2 more." in shown.text
    assert [row[0] for row in shown.table("Sync", "Last run")] == [*names, "fine"], "those come first"


def test_code_in_errors_is_formatted_as_code() -> None:
    html = page.render(
        ReportResult(NOW, "prod", (sync(runs=runs(1, status="failed", error="the delta of `a<b` is gone")),))
    )
    assert "the delta of <code>a&lt;b</code> is gone" in html
