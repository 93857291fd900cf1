"""The sandbox's page, in a browser: profiles, requests with their bodies and answers, live."""

from __future__ import annotations

import pytest
import requests
from harness.browser import Browser
from harness.looks import CONTRAST, LEGIBLE, TOO_WIDE

from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings

pytestmark = pytest.mark.browser

HEADERS = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}

UNTIL = """
new Promise(resolve => {
  const look = () => { if (%s) { watcher.disconnect(); resolve(true); } };
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, {subtree: true, childList: true, characterData: true});
  look();
})
"""


def post(server: SandboxServer, *custom_ids: str, **attributes: object) -> None:
    body = [{"identifiers": {"custom_id": each}, "attributes": attributes} for each in custom_ids]
    requests.post(f"{server.url}/2.11/profiles/update", json=body, headers=HEADERS, timeout=30)


def test_profiles_requests_and_answers_live(browser: Browser) -> None:
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        post(server, *(f"C-{number:04}" for number in range(60)), city="Paris", points=1, bad="x" * 400)
        browser.show(f"{server.url}/?request=1")
        assert '"city": "Paris"' in browser.run("document.querySelector('pre[aria-label=body]').textContent")
        answer = browser.run("document.querySelector('pre[aria-label=answer]').textContent")
        assert '"SUCCESS_WITH_PARTIAL_ERRORS"' in answer
        scroll = "document.querySelector('pre').scrollTop"
        browser.run(f"{scroll} = 50")

        post(server, "new one", city="Oslo")
        assert browser.run(UNTIL % "document.querySelector('#figures').textContent.includes('61 profiles')")
        assert browser.run("document.querySelectorAll('#requests tbody tr').length") == 2
        assert browser.run(scroll) == 50, "what has not changed is left alone"

        browser.run("document.querySelector('[name=reject_attributes]').value = 'city'")
        browser.run("document.querySelector('#settings button').click()")
        assert browser.run(UNTIL % "document.querySelector('#applied').textContent == 'applied'")
        post(server, "new one", city="Rome")
        assert browser.run(UNTIL % "document.querySelectorAll('#requests tbody tr').length == 3")
        browser.follow("#requests a")
        assert "REJECTED" in browser.run("document.querySelector('pre[aria-label=answer]').textContent")
        assert browser.complaints == []
        assert all(each.startswith(server.url) for each in browser.asked)
    assert browser.run(UNTIL % "document.querySelector('#state').textContent.includes('does not answer')")


def test_the_page_can_be_read(browser: Browser) -> None:
    colours = set()
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        post(server, "someone", "somebody", city="Paris " * 20, bad="x" * 400)
        for dark in (False, True):
            for width in (1280, 390):
                for query in ("", "?request=1", "?profile=someone", "?q=nobody"):
                    browser.show(f"{server.url}/{query}", dark=dark, width=width)
                    where = f"{query}, dark: {dark}, {width} wide"
                    assert browser.complaints == [], where
                    assert browser.run(TOO_WIDE) == 0, where
                    contrasts = browser.run(CONTRAST)
                    assert {what: of for what, of in contrasts.items() if of < LEGIBLE} == {}, where
            colours.add(browser.run("getComputedStyle(document.body).color"))
    assert len(colours) == 2
