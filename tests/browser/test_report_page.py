"""The page of `report`, in a browser: light and dark, wide and narrow."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.browser import Browser
from harness.history import make_history
from harness.looks import CANVAS, CONTRAST, LEGIBLE, OVERLAPS, TOO_WIDE
from harness.project import Project

pytestmark = pytest.mark.browser


def test_the_page_can_be_read(project: Project, browser: Browser, tmp_path: Path) -> None:
    make_history(project)
    path = tmp_path / "report.html"
    assert project.call("report", "--out", str(path)).returncode == 0
    canvases = set()
    for dark in (False, True):
        for width in (1280, 390):
            browser.show(path.as_uri(), dark=dark, width=width)
            where = f"dark: {dark}, {width} wide"
            assert browser.complaints == [], "a style or a script that its own policy refuses, for one"
            assert browser.asked == [path.as_uri()]
            assert browser.run(TOO_WIDE) == 0, where
            contrasts = browser.run(CONTRAST)
            assert "td.number" in contrasts
            assert {what: of for what, of in contrasts.items() if of < LEGIBLE} == {}, where
            assert browser.run(OVERLAPS) == [[0, 0]] * 6, where
        canvases.add(browser.run(CANVAS))
    assert len(canvases) == 2

    columns = "document.querySelectorAll('figure')[0].querySelectorAll('g').length"
    assert browser.run(columns) == 5
    heights = (
        "[...document.querySelectorAll('figure .inserts')].map(bar => bar.getBoundingClientRect().height)"
    )
    swatch, first, *others = browser.run(heights)
    assert swatch > 0
    assert first > 10 * max(others[:4]) > 0, "40 inserts, then one a run"
