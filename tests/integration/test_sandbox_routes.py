"""The sandbox's other routes (besides profiles) over real HTTP, from a client's view."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultyServer

from dbt_batch_sync.sandbox.server import SandboxServer, SandboxSettings

KEYS = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}
APP_KEYS = {"X-Authorization": "sandbox"}
PERSON = {"request_type": "remove", "id": {"type": "custom_id", "value": "a"}}


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(rate_limits=False, app_keys=frozenset({"APP-1"}))) as server:
        yield server


def test_an_audience(server: SandboxServer) -> None:
    url = f"{server.url}/2.11/audiences"
    with requests.Session() as http:
        http.headers.update(KEYS)
        assert http.get(f"{url}/view", params={"name": "vips"}).status_code == 404
        body = {"name": "vips", "display_name": "VIPs", "type": "custom_ids"}
        assert http.post(f"{url}/create", json=body).status_code == 202
        update = {"name": "vips", "ids": [{"action": "add", "id": "a", "attributes": {"n": 1}}]}
        token = http.post(f"{url}/update", json=update).json()["indexing_token"]
        seen = http.get(f"{url}/view", params={"name": "vips", "indexing_token": token})
        assert (seen.json()["nb_ids"], seen.json()["indexing_state"]) == (1, "APPLIED")
        assert http.get(f"{url}/list", params={"limit": 1}).json()["count"] == 1
        assert http.post(f"{url}/replace", json={"name": "vips", "ids": [{"id": "b"}]}).status_code == 202
        assert list(server.audiences["vips"].members) == ["b"]
        assert http.post(f"{url}/remove", json={"name": "vips"}).status_code == 202
    assert not server.audiences


def test_a_catalog(server: SandboxServer) -> None:
    url = f"{server.url}/2.11/catalogs"
    with requests.Session() as http:
        http.headers.update(KEYS)
        body = {"name": "products", "fields": [{"name": "title", "type": "string"}]}
        assert http.post(f"{url}/create", json=body).status_code == 201
        change = {"name": "products", "fields": [{"action": "add", "name": "image", "type": "url"}]}
        assert http.post(f"{url}/update", json=change).status_code == 202
        item = {"id": "sku", "action": "add", "attributes": {"title": "é", "url(image)": "https://e.com"}}
        assert http.post(f"{url}/items/edit", json={"name": "products", "items": [item]}).status_code == 202
        assert http.get(f"{url}/view", params={"name": "products"}).json()["items"] == 1
        older = f"{server.url}/2.5/catalogs/view"
        assert http.get(older, params={"name": "products"}).status_code == 404
    assert server.catalogs["products"].items == {"sku": {"title": "é", "image": "https://e.com"}}


def test_a_deletion_never_shows_its_app_key(server: SandboxServer) -> None:
    url = f"{server.url}/1.0/APP-1/gdpr/request"
    with requests.Session() as http:
        http.post(
            f"{server.url}/2.11/profiles/update",
            json=[{"identifiers": {"custom_id": "a"}, "attributes": {"x": 1}}],
            headers=KEYS,
        )
        token = http.post(url, json=PERSON, headers=APP_KEYS).json()["token"]
        assert http.get(f"{url}/{token}", headers=APP_KEYS).json() == {"status": "done"}
        assert http.post(f"{server.url}/1.0/APP-1/other", json=PERSON, headers=APP_KEYS).status_code == 404
        assert server.requests[1].path == "/1.0/<app key>/gdpr/request"
        assert http.post(f"{server.url}/2.11/APP-1/gdpr", json=PERSON, headers=APP_KEYS).status_code == 404
        shown = [
            http.get(server.url + path).text
            for path in ("/", "/_sandbox/requests?bodies=1", "/_sandbox/stats")
        ]
    assert not server.profiles
    assert [each.custom_id for each in server.deletions] == ["a"]
    assert not [page for page in shown if "APP-1" in page]


def test_an_export_and_its_link_without_a_key(server: SandboxServer) -> None:
    operation = {"identifiers": {"custom_id": "a"}, "attributes": {"date(d)": "2024-01-01T00:00:00Z"}}
    body = {"export_type": "ATTRIBUTES", "attributes": ["d"], "identifiers": ["custom_id"]}
    with requests.Session() as http:
        http.headers.update(KEYS)
        http.post(f"{server.url}/2.11/profiles/update", json=[operation])
        name = http.post(f"{server.url}/2.11/profiles/export", json=body).json()["id"]
        assert server.exports[name].written.wait(10)
        seen = http.get(f"{server.url}/2.11/exports/view", params={"id": name}).json()
        url = seen["files"][0]["url"]
        assert (seen["status"], url.partition("?")[0]) == ("SUCCESS", f"{server.url}/2.11/exports/download")
        moved = http.get(url, allow_redirects=False)
        assert (moved.status_code, moved.content) == (307, b"")
        link = moved.headers["Location"]
        assert http.get(link).status_code == 400
    assert server.stats.violations == {"key_on_a_link": 1}
    assert requests.get(link, timeout=30).json()["attributes"] == {"d": "2024-01-01T00:00:00Z"}
    folder = server.exports[name].folder
    server.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/1.0/APP-2/gdpr/request", APP_KEYS, 401),
        ("/1.0/APP-1/gdpr/request", {}, 401),
        ("/1.0/APP-1/gdpr/request", KEYS, 401),
        ("/1.0/APP-1/gdpr/request", {"X-Authorization": "Bearer sandbox"}, 401),
        ("/2.11/APP-1/gdpr/request", APP_KEYS, 404),
        ("/1.0/APP-1/gdpr/requests", APP_KEYS, 404),
    ],
)
def test_rejected_deletions(server: SandboxServer, path: str, headers: dict[str, str], status: int) -> None:
    answer = requests.post(server.url + path, json=PERSON, headers=headers, timeout=30)
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "error_message"}
    assert not server.deletions
    assert server.stats.violations.total() == 1


def test_its_state_as_json(server: SandboxServer) -> None:
    calls = [
        ("audiences/create", {"name": "vips", "type": "custom_ids"}),
        ("audiences/update", {"name": "vips", "ids": [{"action": "add", "id": "a", "attributes": {"n": 1}}]}),
        ("catalogs/create", {"name": "c", "fields": [{"name": "t", "type": "string"}]}),
        (
            "catalogs/items/edit",
            {"name": "c", "items": [{"id": "s", "action": "add", "attributes": {"t": "x"}}]},
        ),
        (
            "profiles/update",
            [
                {
                    "identifiers": {"custom_id": "a"},
                    "events": [{"name": "order", "attributes": {"order_id": 7}}] * 2,
                }
            ],
        ),
    ]
    with requests.Session() as http:
        http.headers.update(KEYS)
        for path, body in calls:
            http.post(f"{server.url}/2.11/{path}", json=body).raise_for_status()
        http.post(f"{server.url}/1.0/APP-1/gdpr/request", json=PERSON, headers=APP_KEYS).raise_for_status()
        url = f"{server.url}/_sandbox"
        audience = http.get(f"{url}/audiences/vips").json()
        assert (audience["nb_ids"], audience["members"]) == (0, {}), "its member should be erased"
        assert http.get(f"{url}/catalogs/c").json()["items"] == {"s": {"t": "x"}}
        assert [http.get(f"{url}/{path}/x").status_code for path in ("audiences", "catalogs")] == [404, 404]
        events = http.get(f"{url}/events").json()
        assert (events["total"], events["repeated"], events["events"][0]["event"]["name"]) == (2, 1, "order")
        assert http.get(f"{url}/events?by=order_id").json() == {"total": 2, "seen": {"7": 2}}
        (deletion,) = http.get(f"{url}/deletions").json()["deletions"]
        assert (deletion["custom_id"], deletion["status"]) == ("a", "done")
        assert "erased" in http.post(f"{url}/profiles/a", json={"x": 1}).json()["error_message"]
    assert not server.profiles


def test_faults_apply_to_every_route() -> None:
    settings = SandboxSettings(rate_limits=False)
    with FaultyServer(settings) as server, requests.Session() as http:
        http.headers.update(KEYS)
        server.faults.set(
            [
                Fault(FaultKind.CUT_AFTER, When(endpoint="audiences/update", nth=(1,))),
                Fault(FaultKind.STATUS, When(endpoint="audiences/view", nth=(1,)), status=503),
                Fault(FaultKind.REJECT_CALL, When(endpoint="catalogs/items/edit"), custom_ids=("sku",)),
                Fault(FaultKind.TRUNCATE, When(endpoint="_files/{token}")),
            ]
        )
        url = f"{server.url}/2.11"
        assert http.post(f"{url}/audiences/create", json={"name": "vips", "type": "custom_ids"}).ok
        update = {"name": "vips", "ids": [{"action": "add", "id": "a"}]}
        with pytest.raises(requests.ConnectionError):
            http.post(f"{url}/audiences/update", json=update)
        assert list(server.audiences["vips"].members) == ["a"]
        views = [http.get(f"{url}/audiences/view", params={"name": "vips"}).status_code for _ in range(2)]
        assert views == [503, 200]

        http.post(f"{url}/catalogs/create", json={"name": "c", "fields": [{"name": "a", "type": "bool"}]})
        items = [{"id": name, "action": "add", "attributes": {"a": True}} for name in ("other", "sku")]
        edits = [{"name": "c", "items": part} for part in (items, items[:1])]
        assert [http.post(f"{url}/catalogs/items/edit", json=edit).status_code for edit in edits] == [
            400,
            202,
        ]

        operation = {"identifiers": {"custom_id": "a"}, "attributes": {"x": 1}}
        http.post(f"{url}/profiles/update", json=[operation])
        body = {"export_type": "ATTRIBUTES", "attributes": ["x"], "identifiers": ["custom_id"]}
        name = http.post(f"{url}/profiles/export", json=body).json()["id"]
        file = http.get(f"{url}/exports/view", params={"id": name}).json()["files"][0]["url"]
        link = http.get(file, allow_redirects=False).headers["Location"]
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(link, timeout=30)
        assert server.struck == {"cut_after": 1, "status": 1, "reject_call_if_contains": 1, "truncate": 1}
        assert not server.stats.violations
