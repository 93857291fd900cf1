"""The sandbox's exports over HTTP, and manual edits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings

HEADERS = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}
ASKED = {
    "export_type": "ATTRIBUTES",
    "attributes": ["$email_address", "points"],
    "identifiers": ["custom_id"],
}


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def server(now: list[float]) -> Iterator[SandboxServer]:
    settings = SandboxSettings(export_file_profiles=2)
    with SandboxServer(settings, clock=lambda: now[0]) as server:
        for name in ("a", "b", "c"):
            edit(server, name, {"points": 1, "$email_address": f"{name}@x.io", "other": True})
        yield server


def edit(server: SandboxServer, name: str, attributes: dict[str, object]) -> requests.Response:
    return requests.post(f"{server.url}/_sandbox/profiles/{name}", json=attributes, timeout=5)


def export(server: SandboxServer, **changes: object) -> requests.Response:
    url = f"{server.url}/2.11/profiles/export"
    return requests.post(url, json={**ASKED, **changes}, headers=HEADERS, timeout=5)


def view(server: SandboxServer, export_id: str) -> dict[str, Any]:
    url = f"{server.url}/2.11/exports/view?id={export_id}"
    found: dict[str, Any] = requests.get(url, headers=HEADERS, timeout=5).json()
    return found


def link(url: str) -> str:
    answer = requests.get(url, headers=HEADERS, timeout=5, allow_redirects=False)
    assert answer.status_code == 307
    return answer.headers["location"]


def test_files_contain_the_requested_attributes_of_every_profile(server: SandboxServer) -> None:
    files = view(server, export(server).json()["id"])["files"]
    bodies = [requests.get(link(file["url"]), timeout=5).text for file in files]
    assert [body.count("\n") for body in bodies] == [2, 1]
    lines = [json.loads(line) for body in bodies for line in body.splitlines()]
    attributes = {"$email_address": "a@x.io", "points": 1}
    assert lines[0] == {"identifiers": {"custom_id": "a"}, "attributes": attributes}
    assert not server.stats.violations


def test_later_changes_are_not_in_the_export(server: SandboxServer) -> None:
    export_id = export(server).json()["id"]
    requests.delete(f"{server.url}/_sandbox/profiles/a", timeout=5).raise_for_status()
    edit(server, "b", {"points": 9})
    first = view(server, export_id)["files"][0]
    lines = [json.loads(line) for line in requests.get(link(first["url"]), timeout=5).text.splitlines()]
    assert [line["attributes"]["points"] for line in lines] == [1, 1]
    assert set(server.profiles) == {"b", "c"}


def test_an_export_takes_time_and_can_fail(server: SandboxServer, now: list[float]) -> None:
    server.change(export_seconds=30.0, export_result="ERROR")
    export_id = export(server).json()["id"]
    states = []
    for now[0] in (0.0, 11.0, 29.0, 30.0):
        states.append(view(server, export_id)["status"])
    assert states == ["CREATED", "PENDING", "RUNNING", "ERROR"]


def test_a_link_expires_and_needs_no_key(server: SandboxServer, now: list[float]) -> None:
    file = view(server, export(server).json()["id"])["files"][0]
    location = link(file["url"])
    assert requests.get(location, headers=HEADERS, timeout=5).status_code == 400
    assert server.stats.violations == {"key_on_a_link": 1}
    now[0] += 1200
    assert requests.get(location, timeout=5).status_code == 403
    assert requests.get(link(file["url"]), timeout=5).ok


def test_exports_have_their_own_rate_limit(server: SandboxServer) -> None:
    server.change(exports_per_hour=5.0)
    assert export(server).status_code == 202
    refused = export(server)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "720")


@pytest.mark.parametrize(
    "changes",
    [
        {"export_type": "EVENTS"},
        {"attributes": []},
        {"attributes": ["date(joined)"]},
        {"attributes": "points"},
        {"identifiers": ["email"]},
        {"more": 1},
    ],
)
def test_malformed_requests_are_rejected(server: SandboxServer, changes: dict[str, object]) -> None:
    assert export(server, **changes).status_code == 400


def test_unknown_exports_are_not_found(server: SandboxServer) -> None:
    for path in ("exports/view?id=x", "exports/download?id=x"):
        assert requests.get(f"{server.url}/2.11/{path}", headers=HEADERS, timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("setting", "form", "shown"),
    [
        ("export_dates", "milliseconds", {"joined": 86_400_000}),
        ("export_dates", "seconds", {"joined": 86_400}),
        ("export_dates", "day", {"joined": "1970-01-02"}),
        ("export_dates", "offset", {"joined": "1970-01-02T00:00:00+00:00"}),
        ("export_names", "wrapped", {"date(joined)": "1970-01-02T00:00:00Z"}),
        ("export_arrays", "text", {"tags": '["x", "y"]'}),
        ("export_arrays", "unordered", {"tags": ["y", "x"]}),
        ("export_scalars", "text", {"points": "1"}),
        ("export_nulls", "null", {"absent": None}),
    ],
)
def test_each_undocumented_format_has_a_setting(
    server: SandboxServer, setting: str, form: str, shown: dict[str, object]
) -> None:
    edit(server, "a", {"date(joined)": "1970-01-02T00:00:00Z", "tags": ["x", "y"]})
    server.change(**{setting: form})
    asked = export(server, attributes=["joined", "tags", "points", "absent"])
    file = view(server, asked.json()["id"])["files"][0]
    line = json.loads(requests.get(link(file["url"]), timeout=5).text.splitlines()[0])
    assert shown.items() <= line["attributes"].items()


def test_edits_are_validated(server: SandboxServer) -> None:
    assert edit(server, "a", {"points": "x" * 301}).status_code == 400
    assert edit(server, "a", {"points": None}).json()["attributes"].keys() == {"$email_address", "other"}
    assert requests.delete(f"{server.url}/_sandbox/profiles/zz", timeout=5).status_code == 404
