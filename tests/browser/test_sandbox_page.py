"""The sandbox's page in a browser: profiles and live requests with bodies and answers."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import requests
from harness.browser import Browser
from harness.looks import CONTRAST, LEGIBLE, TOO_WIDE
from harness.project import ROOT

from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings, TypedValue

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


def test_requests_are_live_and_stay_expanded(browser: Browser) -> None:
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        post(server, *(f"C-{number:04}" for number in range(60)), city="Paris", points=1, bad="x" * 400)
        browser.show(server.url)
        browser.run("document.querySelector('#request-1 summary').click()")
        assert browser.run(UNTIL % "document.querySelector('#request-1 pre[aria-label=answer]')")
        body = "document.querySelector('#request-1 pre[aria-label=body]')"
        assert '"city": "Paris"' in browser.run(f"{body}.textContent")
        answer = browser.run("document.querySelector('pre[aria-label=answer]').textContent")
        assert '"SUCCESS_WITH_PARTIAL_ERRORS"' in answer
        browser.run(f"{body}.scrollTop = 50")

        post(server, "new one", city="Oslo")
        assert browser.run(UNTIL % "document.querySelector('#request-2')")
        assert browser.run(UNTIL % "document.querySelector('#tabs').textContent.includes('Profiles 61')")
        assert browser.run(f"{body}.scrollTop") == 50, "unchanged elements should not be replaced"
        assert browser.complaints == []
        assert all(each.startswith(server.url) for each in browser.asked)
    assert browser.run(UNTIL % "document.querySelector('#state').textContent.includes('does not answer')")


def test_settings_take_effect(browser: Browser) -> None:
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        browser.show(f"{server.url}/?view=settings")
        browser.run("document.querySelector('[name=reject_attributes]').value = 'city town'")
        browser.run("document.querySelector('[name=indexing_delay]').value = '2.5'")
        browser.run("document.querySelector('[name=on_existing]').value = 'accept'")
        browser.run("document.querySelector('#settings button').click()")
        assert browser.run(UNTIL % "document.querySelector('#applied').textContent == 'Applied'")
        changed = server.settings
        assert changed.reject_attributes == {"city", "town"}
        assert (changed.indexing_delay, changed.on_existing, changed.exports_per_hour) == (
            2.5,
            "accept",
            None,
        )
        browser.run("document.querySelector('[name=export_file_profiles]').value = '1'")
        post(server, "someone", x=1)
        browser.run("document.querySelector('[data-reset]').click()")
        assert browser.run(UNTIL % "document.querySelector('#applied').textContent == 'Forgotten'")
        assert not server.profiles
        assert browser.complaints == []


def test_a_profile_can_be_edited(browser: Browser) -> None:
    def save(name: str, kind: str, value: str) -> None:
        for field, text in (("name", name), ("type", kind), ("value", value)):
            browser.run(f"document.querySelector('#edit [name={field}]').value = {json.dumps(text)}")
        browser.run("document.querySelector('#edit .said').textContent = ''")
        browser.run("document.querySelector('#edit button').click()")
        assert browser.run(UNTIL % "document.querySelector('#edit .said').textContent")

    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        post(server, "é/1?x", city="Paris", points=1)
        browser.show(f"{server.url}/?profile=%C3%A9%2F1%3Fx")
        save("city", "string", 'Ber"lin')
        save("points", "integer", str(2**63 - 1))
        save("ratio", "float", "2")
        save("vip", "boolean", "true")
        save("seen", "date", "2024-01-01T00:00:00Z")
        save("page", "url", "https://e.com")
        save("tags", "string_array", "a, b c")
        assert server.profiles["é/1?x"].attributes == {
            "city": TypedValue("string", 'Ber"lin'),
            "points": TypedValue("integer", 2**63 - 1),
            "ratio": TypedValue("float", 2.0),
            "vip": TypedValue("boolean", True),
            "seen": TypedValue("date", "2024-01-01T00:00:00Z"),
            "page": TypedValue("url", "https://e.com"),
            "tags": TypedValue("string_array", ("a", "b c")),
        }
        assert browser.run("document.querySelector('#history').textContent.includes('By hand')")
        save("points", "integer", "many")
        assert "not valid JSON" in browser.run("document.querySelector('#edit .said').textContent")
        browser.run("document.querySelector('[data-edit=city]').click()")
        assert browser.run("document.querySelector('#edit [name=value]').value") == 'Ber"lin'
        browser.run("document.querySelector('[data-remove=city]').click()")
        assert browser.run(UNTIL % "!document.querySelector('[data-remove=city]')")
        assert "city" not in server.profiles["é/1?x"].attributes
        browser.run("document.querySelector('[data-erase]').click()")
        assert browser.run(
            UNTIL % "document.querySelector('#profile').textContent.includes('no such profile')"
        )
        assert not server.profiles


def fill(server: SandboxServer) -> None:
    """Create content for every view."""
    post(server, "someone", "somebody", city="Paris " * 20, bad="x" * 400)
    post(server, "someone", city=1)
    now = server.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"name": "order", "time": now, "attributes": {"amount": 1}}
    calls: list[tuple[str, Any]] = [
        ("profiles/update", [{"identifiers": {"custom_id": "someone"}, "events": [event, event]}]),
        ("audiences/create", {"name": "vips", "type": "custom_ids"}),
        ("audiences/update", {"name": "vips", "ids": [{"action": "add", "id": "someone"}]}),
        ("catalogs/create", {"name": "products", "fields": [{"name": "title", "type": "string"}]}),
        (
            "catalogs/items/edit",
            {"name": "products", "items": [{"id": "a", "action": "add", "attributes": {"title": "x " * 99}}]},
        ),
        (
            "profiles/export",
            {"export_type": "ATTRIBUTES", "attributes": ["city"], "identifiers": ["custom_id"]},
        ),
    ]
    for path, body in calls:
        requests.post(f"{server.url}/2.11/{path}", json=body, headers=HEADERS, timeout=30).raise_for_status()
    body = {"request_type": "remove", "id": {"type": "custom_id", "value": "nobody"}}
    url = f"{server.url}/1.0/sandbox_app/gdpr/request"
    requests.post(url, json=body, headers={"X-Authorization": "sandbox"}, timeout=30).raise_for_status()


def test_the_picture_in_the_docs(browser: Browser) -> None:
    """`RENEW_PICTURES=1` updates the picture."""
    picture = ROOT / "docs/img/sandbox.png"
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        values = {
            "$email_address": "ada@example.com",
            "$email_marketing": "subscribed",
            "city": "Paris",
            "loyalty_points": 120,
            "date(last_order)": "2026-11-02T00:00:00Z",
            "favourites": ["baguette", "croissant"],
        }
        post(server, "C-000001", **values)
        for start in range(2, 802, 200):
            post(server, *(f"C-{number:06}" for number in range(start, start + 200)), city="Lyon")
        post(server, "C-000001", loyalty_points=145, city=None)
        url = f"{server.url}/_sandbox/profiles/C-000001"
        requests.post(url, json={"loyalty_points": 1}, timeout=30).raise_for_status()
        browser.show(f"{server.url}/?profile=C-000001", width=1280, height=1040)
        assert "By hand" in browser.run("document.querySelector('#history').textContent")
        taken = browser.picture()
    if os.environ.get("RENEW_PICTURES"):
        picture.write_bytes(taken)
    assert picture.stat().st_size < 400_000


QUERIES = (
    "",
    "?q=city:paris",
    "?profile=someone",
    "?profile=nobody",
    "?view=audiences&name=vips",
    "?view=catalogs&name=products",
    "?view=events",
    "?view=deletions",
    "?view=exports",
    "?view=requests&request=1",
    "?view=settings",
)


@pytest.mark.parametrize("query", QUERIES)
def test_the_page_is_readable(browser: Browser, query: str) -> None:
    colours = set()
    with SandboxServer(SandboxSettings(rate_limits=False)) as server:
        fill(server)
        for dark in (False, True):
            for width in (1280, 420):
                browser.show(f"{server.url}/{query}", dark=dark, width=width)
                where = f"{query}, dark: {dark}, {width} wide"
                assert browser.complaints == [], where
                assert browser.run(TOO_WIDE) == 0, where
                contrasts = browser.run(CONTRAST)
                assert {what: of for what, of in contrasts.items() if of < LEGIBLE} == {}, where
            colours.add(browser.run("getComputedStyle(document.body).color"))
    assert len(colours) == 2
