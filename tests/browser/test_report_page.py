"""The page of `report` in a browser: light and dark, wide and narrow."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from harness.browser import Browser
from harness.history import make_history
from harness.looks import CANVAS, CONTRAST, LEGIBLE, OVERLAPS, TOO_WIDE
from harness.project import Project

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.report.page import render
from dbt_batch_sync.results.look import ReportResult, SyncReport

pytestmark = pytest.mark.browser


def test_the_page_is_readable(project: Project, browser: Browser, tmp_path: Path) -> None:
    make_history(project)
    path = tmp_path / "report.html"
    assert project.call("report", "--out", str(path)).returncode == 0
    canvases = set()
    for dark in (False, True):
        for width in (1280, 390):
            browser.show(path.as_uri(), dark=dark, width=width)
            where = f"dark: {dark}, {width} wide"
            assert browser.complaints == [], (
                "the page logged errors, such as a style or script blocked by its own policy"
            )
            assert browser.asked == [path.as_uri()]
            assert browser.run(TOO_WIDE) == 0, where
            contrasts = browser.run(CONTRAST)
            assert {"td.number", "td."} <= contrasts.keys()
            assert {what: of for what, of in contrasts.items() if of < LEGIBLE} == {}, where
            assert browser.run(OVERLAPS) == [[0, 0]] * 6, where
        canvases.add(browser.run(CANVAS))
    assert len(canvases) == 2

    columns = "document.querySelectorAll('figure')[0].querySelectorAll('svg > rect title').length"
    assert browser.run(columns) == 5
    height = "document.querySelector('figure path.inserts').getBoundingClientRect().height"
    assert browser.run(height) > 100, "40 inserts should fill the chart"

    shown = "[...document.querySelectorAll('main > section')].filter(one => one.offsetHeight > 0).length"
    assert browser.run(shown) == 4, "expected an overview, the runs and two syncs"
    browser.run("location.hash = '#sync-vips'")
    assert browser.run(shown) == 1, "only the chosen sync should be shown"
    browser.run("location.hash = '#top'")
    assert browser.run(shown) == 4


def test_runs_can_be_filtered_by_age(browser: Browser, tmp_path: Path) -> None:
    now = datetime(2026, 4, 1)
    runs = tuple(
        Run(f"r{days}", "people", "succeeded", now - timedelta(days=days), updates=1, sent=1)
        for days in (0, 3, 20, 90)
    )
    of_sync = SyncReport("people", runs, 0, 0, 0, 0, 0, {}, (), "t")
    path = tmp_path / "report.html"
    path.write_text(render(ReportResult(now, "prod", (of_sync,), "shop")), encoding="utf-8")
    browser.show(path.as_uri())
    rows = "[...document.querySelector('.log tbody').rows].filter(row => row.offsetHeight > 0).length"
    figure = "[...document.querySelectorAll('.figures li')].filter(one => one.offsetHeight > 0)[1].innerText"
    columns = "[...document.querySelectorAll('figure')].find(one => one.offsetHeight > 0).querySelectorAll('title').length"
    found = {}
    for age in ("all", "month", "week", "day"):
        browser.run(f"document.querySelector('#show-{age}').click()")
        found[age] = (browser.run(rows), browser.run(columns), int(browser.run(figure).split()[0]))
    assert found == {"all": (4, 4, 4), "month": (3, 3, 3), "week": (2, 2, 2), "day": (1, 1, 1)}
