"""Audiences: the rows of the model are the members, with the mapped attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from harness.databases import PostgresDatabase, Row
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import ON_DUCKDB, SOONER_ON_DUCKDB
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.batch_api.answers import Answer
from dbt_batch_sync.batch_api.client import Client

COLUMNS = {"id": "varchar", "first": "varchar", "coupon_at": "date", "points": "integer"}
MAPPING: dict[str, object] = {
    "kind": "audience",
    "identifier": "id",
    "audience": "spring_vips",
    "display_name": "Spring VIPs",
    "attributes": ["first", {"column": "coupon_at", "name": "coupon_date", "type": "date"}, "points"],
    "guards": {"max_exit_ratio": None},
}
ANN: Row = {"id": "ann", "first": "Ann", "coupon_at": "2026-05-01", "points": 3}
BOB: Row = {"id": "bob", "first": "Bob"}
CY: Row = {"id": "cy"}


@pytest.fixture(scope="module")
def shared(
    either: PostgresDatabase | None, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    return QuickProject(tmp_path_factory.mktemp("audience"), batch, either, mapping=MAPPING)


@pytest.fixture
def vips(shared: QuickProject, request: pytest.FixtureRequest) -> Iterator[QuickProject]:
    shared.clear()
    shared.map(MAPPING)
    shared.set_rows(COLUMNS, [ANN, BOB, CY])
    yield shared
    marker = request.node.get_closest_marker("forbidden")
    stats = shared.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples


def members(project: QuickProject) -> dict[str, dict[str, object]]:
    audience = project.sandbox.audiences["spring_vips"]
    return {
        key: {name: typed.value for name, typed in attributes.items()}
        for key, attributes in audience.members.items()
    }


def test_members_are_added_changed_and_removed(vips: QuickProject) -> None:
    pushed = vips.sync()
    assert (pushed.status, pushed.kind, pushed.endpoint, pushed.requests) == (
        "succeeded",
        "audience",
        "audiences/update",
        1,
    )
    ann = {"first": "Ann", "coupon_date": "2026-05-01T00:00:00Z", "points": 3}
    assert members(vips) == {"ann": ann, "bob": {"first": "Bob"}, "cy": {}}
    assert vips.sandbox.audiences["spring_vips"].display_name == "Spring VIPs"

    vips.set_rows(COLUMNS, [{**ANN, "points": 4, "first": None}, CY])
    pushed = vips.sync()
    assert (pushed.inserts, pushed.updates, pushed.exits) == (0, 1, 1)
    assert members(vips) == {"ann": {"coupon_date": "2026-05-01T00:00:00Z", "points": 4}, "cy": {}}

    vips.set_rows(COLUMNS, [ANN, BOB, CY])
    pushed = vips.sync()
    assert members(vips) == {"ann": ann, "bob": {"first": "Bob"}, "cy": {}}
    assert not vips.sync().requests


@SOONER_ON_DUCKDB
def test_removed_members_are_absent_in_the_snapshot(vips: QuickProject) -> None:
    vips.sync()
    vips.set_rows(COLUMNS, [ANN])
    vips.sync()
    vips.build()
    found = {key: row["batch__present"] for key, row in vips.snapshot().items()}
    assert found == {"ann": True, "bob": False, "cy": False}


@SOONER_ON_DUCKDB
def test_a_deleted_audience_stops_the_push_until_a_resend(vips: QuickProject) -> None:
    vips.sync()
    vips.sandbox.reset()
    vips.set_rows(COLUMNS, [ANN, BOB, {"id": "dee"}])
    pushed = vips.sync()
    assert pushed.status == "failed"
    assert "is not in Batch any more" in str(pushed.error)
    assert not vips.sandbox.audiences
    vips.resend("all")
    assert vips.push_one().status == "succeeded"
    assert set(members(vips)) == {"ann", "bob", "dee"}


@SOONER_ON_DUCKDB
def test_another_audience_gets_all_members_after_a_resend(vips: QuickProject) -> None:
    vips.sync()
    vips.map({**MAPPING, "audience": "summer_vips"})
    vips.set_rows(COLUMNS, [ANN])
    pushed = vips.sync()
    assert pushed.status == "failed"
    assert "another audience" in str(pushed.error)
    vips.resend("all")
    assert vips.push_one().status == "succeeded"
    assert set(vips.sandbox.audiences["summer_vips"].members) == {"ann"}


@ON_DUCKDB
def test_wait_until_it_is_applied(vips: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are sent once the new audience exists. `--wait` waits for them, too."""
    monkeypatch.setattr("dbt_batch_sync.push.containers._FIRST_PAUSE", 0.05)
    vips.build()
    with vips.sandbox.changed(indexing_delay=0.4):
        pushed = vips.push_one(wait=True)
    assert pushed.status == "succeeded", pushed.error
    assert set(members(vips)) == {"ann", "bob", "cy"}
    asked = [each.path.rpartition("/")[2] for each in vips.sandbox.requests]
    assert asked[:4] == ["view", "create", "view", "view"], "the creation takes time"
    assert asked[-3:] == ["view", "view", "view"], "so do the members"


@ON_DUCKDB
def test_wait_notices_a_replacement_during_the_push(
    vips: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbt_batch_sync.push.containers._FIRST_PAUSE", 0.05)
    monkeypatch.setattr("dbt_batch_sync.push.source.call_size", lambda *_: 1)
    send, sent = Client.send, []

    def replaced_before_the_third(*arguments: Any) -> Answer:
        sent.append(arguments)
        if len(sent) == 3:
            headers = {"Authorization": "Bearer sandbox", "X-Batch-Project": "project_sandbox"}
            document = {"name": "spring_vips", "ids": [{"id": "stranger"}]}
            url = f"{vips.sandbox.url}/2.11/audiences/replace"
            assert requests.post(url, json=document, headers=headers, timeout=10).status_code == 202
        return send(*arguments)

    monkeypatch.setattr(Client, "send", replaced_before_the_third)
    vips.build()
    with vips.sandbox.changed(indexing_delay=0.8):
        pushed = vips.push_one(wait=True)
    assert set(members(vips)) == {"stranger", "cy"}
    assert (pushed.status, pushed.accepted, pushed.settled) == ("failed", 3, 3)
    assert "was replaced by someone else after its members were sent" in str(pushed.error)
    (status,) = api.status(vips.options()).syncs
    assert (status.runs[0].status, status.runs[0].error) == ("failed", pushed.error)
    vips.resend("all")
    assert vips.push_one(wait=True).status == "succeeded"
    assert set(members(vips)) == {"ann", "bob", "cy", "stranger"}


@SOONER_ON_DUCKDB
def test_values_that_batch_would_reject_are_held_back(vips: QuickProject) -> None:
    vips.set_rows(COLUMNS, [{**ANN, "first": "x" * 301}])
    pushed = vips.sync()
    assert (pushed.status, pushed.rejected_attributes) == ("partial", 1)
    assert members(vips)["ann"] == {"coupon_date": "2026-05-01T00:00:00Z", "points": 3}
    assert vips.rejects() == {("ann", "first"): "too_long"}


@ON_DUCKDB
def test_a_missing_audience_is_not_adopted(vips: QuickProject) -> None:
    vips.build()
    (adopted,) = api.adopt(vips.options()).syncs
    assert adopted.status == "failed"
    assert "a push would create the audience `spring_vips` first" in str(adopted.error)
    assert vips.push_one().inserts == 3
    assert api.adopt(vips.options()).status == "succeeded"


@SOONER_ON_DUCKDB
def test_rejected_members_are_not_expected(vips: QuickProject) -> None:
    vips.sync()
    vips.execute(
        "insert into batch_sync_rejects (rejected_at, sync, run_id, delta_id, key, reason, rejected_by) "
        "select recorded_at, sync, run_id, delta_id, 'cy', 'no', 'batch' "
        "from batch_sync_journal where event = 'ended'"
    )
    (status,) = api.status(vips.options()).syncs
    assert (status.expected, status.in_batch) == (2, 3)
    vips.set_rows(COLUMNS, [ANN, BOB])
    vips.build()
    (status,) = api.status(vips.options()).syncs
    assert status.expected == 2
