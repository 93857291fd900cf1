"""The page escapes everything and loads nothing from other hosts."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from harness.parsed_html import Page

from dbt_batch_sync.sandbox.audiences import Audience
from dbt_batch_sync.sandbox.catalogs import Catalog
from dbt_batch_sync.sandbox.deletions import Deletion
from dbt_batch_sync.sandbox.knobs import KNOBS
from dbt_batch_sync.sandbox.operations import read_operation
from dbt_batch_sync.sandbox.page import CONTENT_SECURITY_POLICY, PAGE_SIZE, Question, render
from dbt_batch_sync.sandbox.record import Tally
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.values import TypedValue

HOSTILE = "<script>alert('\"1&')</script>"


def sandbox_with(*operations: object) -> Sandbox:
    sandbox = Sandbox(SandboxSettings(rate_limits=False))
    body = json.dumps(operations).encode()
    tally = sandbox.recorder.begin()
    tally.body, tally.size = body, len(body)
    tally.answer = sandbox.settle(sandbox.admit("mass-update", body, tally)).body
    sandbox.recorder.finish(tally, at="now", method="POST", path=f"/{HOSTILE}", status=202, seconds=0.1)
    return sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    sandbox = sandbox_with(
        {
            "identifiers": {"custom_id": HOSTILE},
            "attributes": {"a": HOSTILE, "b": ["x", HOSTILE], "n": 1.5, HOSTILE: 1},
            "events": [{"name": "login", "attributes": {"a": HOSTILE}}],
        }
    )
    moment = "2024-01-01T00:00:00Z"
    member = {HOSTILE: {"a": TypedValue("string", HOSTILE)}}
    sandbox.audiences.audiences["vips"] = Audience("vips", HOSTILE, moment, moment, member)
    catalog = Catalog("products", {"title": "string"}, moment, moment, {HOSTILE: {"title": HOSTILE}})
    sandbox.catalogs.catalogs["products"] = catalog
    sandbox.deletions.requests["t"] = Deletion("t", HOSTILE, sandbox.now(), sandbox.now())
    return sandbox


QUESTIONS = [
    Question(),
    Question(search=HOSTILE),
    Question(offset=7),
    Question(view=HOSTILE),
    Question(profile=HOSTILE),
    Question(profile="nobody" + HOSTILE),
    Question(view="audiences"),
    Question(view="audiences", name="vips", search=HOSTILE),
    Question(view="audiences", name=HOSTILE),
    Question(view="catalogs", name="products"),
    Question(view="catalogs", name=HOSTILE),
    Question(view="events"),
    Question(view="deletions"),
    Question(view="exports"),
    Question(view="requests", request=1),
    Question(view="requests", request=9),
    Question(view="settings"),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_received_text_is_escaped(sandbox: Sandbox, question: Question) -> None:
    sandbox.settings = SandboxSettings(reject_ids=frozenset({HOSTILE}))
    html = render(sandbox, question)
    assert HOSTILE not in html
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [
        attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)
    ]
    if question.view in ("profiles", "requests", "events", "deletions"):
        assert HOSTILE in page.text


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_key_is_on_the_page(sandbox: Sandbox, question: Question) -> None:
    sandbox.settings = SandboxSettings("rest-key", "project_key", app_keys=frozenset({"APP-KEY"}))
    html = render(sandbox, question)
    assert not [key for key in ("rest-key", "project_key", "APP-KEY") if key in html]


def test_nothing_is_loaded_from_other_hosts(sandbox: Sandbox) -> None:
    page = Page(render(sandbox, Question()))
    links = [
        attributes[name] or ""
        for _, attributes in page.tags
        for name in ("src", "href", "action")
        if name in attributes
    ]
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "color-scheme: light dark" in page.raw["style"]


def text(sandbox: Sandbox, **question: Any) -> str:
    return " ".join(Page(render(sandbox, Question(**question))).text.split())


def test_profiles_are_searched_and_paged() -> None:
    cities = ("Paris", "Oslo")
    sandbox = sandbox_with(
        *(
            {"identifiers": {"custom_id": f"c{n:03}"}, "attributes": {"city": cities[n % 2], "n": n}}
            for n in range(120)
        )
    )
    first, second = (text(sandbox, offset=offset) for offset in (0, PAGE_SIZE))
    assert "1 to 50 of 120" in first
    assert "51 to 100 of 120" in second
    assert "c000" in first.partition("Requests all")[0]
    assert "c000" not in second
    assert "1 to 10 of 10 for" in text(sandbox, search="c01")
    assert "1 to 50 of 60 for" in text(sandbox, search="city:paris")
    assert "1 to 1 of 1 for" in text(sandbox, search="OSLO n:117")
    assert "0 for" in text(sandbox, search="n:paris")


def test_a_profile_with_types_history_and_memberships(sandbox: Sandbox) -> None:
    edited = read_operation({"identifiers": {"custom_id": HOSTILE}, "attributes": {"n": 2, "a": None}})
    sandbox.store.apply([(0, edited)], "2024-01-02T00:00:00Z")
    page = text(sandbox, profile=HOSTILE)
    assert "bstring_arrayx, " in page, "expected three cells"
    assert "By hand · 2024-01-02 00:00:00 n 1.5 → 2 float → integer" in page
    assert "→ removed" in page
    assert "Request 1 · " in page
    assert "n none → 1.5" in page
    assert "in vips" in page
    assert "login" in page


def test_an_erased_profile_is_marked(sandbox: Sandbox) -> None:
    body = {"request_type": "remove", "id": {"type": "custom_id", "value": "b"}}
    sandbox.settle(sandbox.admit("gdpr/request", json.dumps(body).encode(), Tally()))
    assert "Erased. Batch accepts data" in text(sandbox, profile="b")
    assert "b done user not found" in text(sandbox, view="deletions")


def test_audiences_catalogs_events_and_exports(sandbox: Sandbox) -> None:
    assert "APPLIED 1 id · created 2024-01-01 00:00:00" in text(sandbox, view="audiences")
    assert "products APPLIED 1 item · " in text(sandbox, view="catalogs")
    assert "title string" in text(sandbox, view="catalogs")
    assert "1 to 1 of 1" in text(sandbox, view="events", search="login")
    assert "more than once" not in text(sandbox, view="events")
    sandbox.events.add(sandbox.events.last[0])
    assert "1 event came more than once" in text(sandbox, view="events")
    body = {"export_type": "ATTRIBUTES", "attributes": ["a"], "identifiers": ["custom_id"]}
    sandbox.settle(sandbox.admit("export", json.dumps(body).encode(), Tally()))
    assert "SUCCESS 1 file · 1 attribute" in text(sandbox, view="exports")
    sandbox.close()


def test_a_request_with_its_body_and_answer(sandbox: Sandbox) -> None:
    request = text(sandbox, view="requests", request=1)
    assert '"custom_id": ' in request
    assert '"code": "SUCCESS_WITH_PARTIAL_ERRORS"' in request
    assert "#1 · 1 operation · 1 partial error · " in request
    assert "100 ms" in request
    assert "no longer kept" in text(sandbox, view="requests", request=2)


def test_cut_requests_show_no_answer(sandbox: Sandbox) -> None:
    tally = sandbox.recorder.begin()
    tally.answer, tally.size = b"", 3
    sandbox.recorder.finish(tally, at="now", method="POST", path="/", status=0, seconds=0.1)
    assert "None: the connection was closed." in text(sandbox, view="requests", request=2)


def test_broken_rules_and_settings_are_shown(sandbox: Sandbox) -> None:
    sandbox.settings = SandboxSettings(latency=0.5, reject_ids=frozenset({HOSTILE}), on_missing="accept")
    page = Page(render(sandbox, Question(view="settings")))
    assert "refused_attribute" in page.text
    fields = {each["name"]: each for tag, each in page.tags if tag in ("input", "select") and "name" in each}
    assert fields.keys() >= KNOBS.keys()
    assert "checked" in fields["rate_limits"]
    assert (fields["latency"]["value"], fields["reject_ids"]["value"]) == ("0.5", HOSTILE)
    assert (fields["exports_per_hour"]["value"], fields["max_items"]["value"]) == ("", "2000000")
