"""The sandbox's routes beside those of profiles, over real HTTP: what a client can see of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

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


def test_a_deletion_and_its_app_key_is_nowhere(server: SandboxServer) -> None:
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
        shown = [
            http.get(server.url + path).text
            for path in ("/", "/_sandbox/requests?bodies=1", "/_sandbox/stats")
        ]
    assert not server.profiles
    assert [each.custom_id for each in server.deletions] == ["a"]
    assert not [page for page in shown if "APP-1" in page]


def test_an_export_and_its_link_that_takes_no_key(server: SandboxServer) -> None:
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
def test_deletions_that_are_refused(
    server: SandboxServer, path: str, headers: dict[str, str], status: int
) -> None:
    answer = requests.post(server.url + path, json=PERSON, headers=headers, timeout=30)
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "error_message"}
    assert not server.deletions
    assert server.stats.violations.total() == 1
