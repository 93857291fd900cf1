"""The page: everything escaped, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from harness.parsed_html import Page

from dbt_batch_sync.sandbox.page import CONTENT_SECURITY_POLICY, PAGE_SIZE, Question, render
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings

HOSTILE = "<script>alert('\"1&')</script>"


def sandbox_with(*operations: object) -> Sandbox:
    sandbox = Sandbox(SandboxSettings(rate_limits=False))
    body = json.dumps(operations).encode()
    tally = sandbox.recorder.begin()
    tally.body = body
    tally.answer = sandbox.settle(sandbox.admit("mass-update", body, tally)).body
    sandbox.recorder.finish(tally, at="now", method="POST", path=f"/{HOSTILE}", status=202, seconds=0.1)
    return sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return sandbox_with(
        {
            "identifiers": {"custom_id": HOSTILE},
            "attributes": {"a": HOSTILE, "b": ["x", HOSTILE], "n": 1.5, HOSTILE: 1},
        }
    )


@pytest.mark.parametrize(
    "question",
    [
        Question(),
        Question(profile=HOSTILE),
        Question(profile="nobody" + HOSTILE),
        Question(request=1),
        Question(request=9),
        Question(search=HOSTILE),
        Question(offset=7),
    ],
)
def test_whatever_was_sent_is_only_text(sandbox: Sandbox, question: Question) -> None:
    html = render(sandbox, question)
    assert HOSTILE not in html
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert HOSTILE in page.text
    assert not [
        attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)
    ]


def test_nothing_comes_from_elsewhere(sandbox: Sandbox) -> None:
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


def test_profiles_are_found_and_turned_over() -> None:
    sandbox = sandbox_with(
        *({"identifiers": {"custom_id": f"c{n:03}"}, "attributes": {"a": n}} for n in range(120))
    )
    first, second = (Page(render(sandbox, Question(offset=offset))) for offset in (0, PAGE_SIZE))
    assert "1 to 50 of 120" in first.text
    assert "51 to 100 of 120" in second.text
    assert "c000" in first.text
    assert "c000" not in second.text
    assert "1 to 10 of 10" in Page(render(sandbox, Question(search="c01"))).text


def test_a_profile_with_its_types_and_a_request_with_its_body_and_answer(sandbox: Sandbox) -> None:
    assert "string_array" in Page(render(sandbox, Question(profile=HOSTILE))).text
    request = Page(render(sandbox, Question(request=1))).text
    assert '"custom_id": ' in request
    assert '"code": "SUCCESS_WITH_PARTIAL_ERRORS"' in request
    assert "202, after 0.100 s; partial errors: 1" in request
    assert "no longer kept" in Page(render(sandbox, Question(request=2))).text


def test_what_was_cut_off_had_no_answer(sandbox: Sandbox) -> None:
    tally = sandbox.recorder.begin()
    tally.answer, tally.size = b"", 3
    sandbox.recorder.finish(tally, at="now", method="POST", path="/", status=0, seconds=0.1)
    text = Page(render(sandbox, Question(request=2))).text
    assert "none: the connection was closed, after 0.100 s" in text


def test_broken_rules_and_settings_are_shown(sandbox: Sandbox) -> None:
    sandbox.settings = SandboxSettings(latency=0.5, reject_ids=frozenset({HOSTILE}))
    page = Page(render(sandbox, Question()))
    assert "refused_attribute" in page.text
    fields = {each["name"]: each for tag, each in page.tags if tag == "input" and "name" in each}
    assert "checked" in fields["rate_limits"]
    assert (fields["latency"]["value"], fields["reject_ids"]["value"]) == ("0.5", HOSTILE)
