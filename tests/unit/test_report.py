"""The report's charts and page, for histories that are hard to produce."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from harness.parsed_html import Page

from dbt_batch_sync.cli import show
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.records import RejectCount, Run
from dbt_batch_sync.report import page
from dbt_batch_sync.report.charts import WIDTH, axis_top, compact, stacked
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
    shown = [compact(amount) for amount in (0, 0.25, 950, 1_200, 12_500, 3_000_000, 2.5e9)]
    assert shown == ["0", "0.25", "950", "1.2k", "12.5k", "3M", "2.5G"]


def test_outliers_are_cut_and_labels_have_space() -> None:
    moments = [NOW + timedelta(days=day) for day in range(3)]
    stacks = [{"inserts": 5_000.0, "updates": 0.0}, {"inserts": 20.0, "updates": 60.0}, {"updates": 100.0}]
    chart = stacked(moments, stacks, ["a", "b", "c"])
    assert chart.top == 100
    assert [column.cut for column in chart.columns] == ["5k", None, None]
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
    changes = [{"inserts": 5_000}, {"inserts": 20, "updates": 60}, {"updates": 100}, {"exits": 100}]
    shown = report(sync(runs=tuple(runs(1, **{"updates": 0, **each})[0] for each in changes[::-1])))
    bars = [attributes for tag, attributes in shown.tags if tag == "rect" and "y" in attributes]
    assert [(bar["class"], float(bar["y"] or 0), float(bar["height"] or 0)) for bar in bars[:5]] == [
        ("inserts", 0, 100),
        ("inserts", 80, 20),
        ("updates", 20, 60),
        ("updates", 0, 100),
        ("exits", 0, 100),
    ]


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


def test_pushes_of_several_syncs_are_grouped() -> None:
    shared = runs(page.SHOWN_PUSHES + 5)
    alone = Run("alone", "other", "failed", NOW + timedelta(days=2.5, weeks=10))
    shown = report(sync(runs=shared), sync("other", runs=(alone, *shared[3:])))
    head, people, other = next(rows for rows in shown.tables if rows[0][0] == "sync")
    assert len(head) == 1 + page.SHOWN_PUSHES
    assert people[-5:] == ["✓", "✓", "✓", "✓", ""]
    assert other[-5:] == ["✓", "", "", "", "F"]
    assert shown.table("sync", "succeeded")[1][:6] == [
        "other",
        str(page.SHOWN_PUSHES + 2),
        "0",
        "0",
        "0",
        "1",
    ]


def test_a_push_of_a_settled_delta_had_nothing_to_send() -> None:
    idle = runs(1, updates=0, sent=0, accepted=0)
    assert report(sync(runs=idle)).table("sync", "succeeded")[0][1:3] == ["0", "1"]


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


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"runs": runs(2)}, "succeeded", "Everything is up to date: 1 sync, nothing rejected."),
        ({"runs": runs(2), "parked": 2}, "partial", "1 of 1 sync needs attention: people."),
        ({}, "partial", "1 of 1 sync needs attention: people."),
        ({"runs": runs(1, status="failed")}, "failed", "The last push failed for 1 of 1 sync: people."),
    ],
)
def test_the_verdict_comes_first(changes: dict[str, object], kind: str, says: str) -> None:
    html = page.render(ReportResult(NOW, "prod", (sync(**changes),), "shop"))  # type: ignore[arg-type]
    assert "shop: pushes to Batch" in html
    assert re.search(rf'<p class="verdict {kind}"[^>]*><b>.</b> {re.escape(says)}</p>', html)


def test_code_in_errors_is_formatted_as_code() -> None:
    html = page.render(
        ReportResult(NOW, "prod", (sync(runs=runs(1, status="failed", error="the delta of `a<b` is gone")),))
    )
    assert "the delta of <code>a&lt;b</code> is gone" in html
