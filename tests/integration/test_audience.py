"""Audiences: the rows of the model are the members, with the mapped attributes."""

from __future__ import annotations

import pytest
from harness.databases import Row
from harness.project import Project

from dbt_batch_sync import api

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


@pytest.fixture
def vips(project: Project) -> Project:
    project.map(MAPPING)
    project.set_rows(COLUMNS, [ANN, BOB, CY])
    return project


def members(project: Project) -> dict[str, dict[str, object]]:
    audience = project.sandbox.audiences["spring_vips"]
    return {
        key: {name: typed.value for name, typed in attributes.items()}
        for key, attributes in audience.members.items()
    }


def test_members_are_added_changed_and_removed(vips: Project) -> None:
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
    assert not vips.sandbox.stats.violations


def test_removed_members_are_absent_in_the_snapshot(vips: Project) -> None:
    vips.sync()
    vips.set_rows(COLUMNS, [ANN])
    vips.sync()
    vips.build()
    found = {key: row["batch__present"] for key, row in vips.snapshot().items()}
    assert found == {"ann": True, "bob": False, "cy": False}


def test_a_deleted_audience_stops_the_push_until_a_resend(vips: Project) -> None:
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


def test_another_audience_gets_all_members_after_a_resend(vips: Project) -> None:
    vips.sync()
    vips.map({**MAPPING, "audience": "summer_vips"})
    vips.set_rows(COLUMNS, [ANN])
    pushed = vips.sync()
    assert pushed.status == "failed"
    assert "another audience" in str(pushed.error)
    vips.resend("all")
    assert vips.push_one().status == "succeeded"
    assert set(vips.sandbox.audiences["summer_vips"].members) == {"ann"}


def test_wait_until_it_is_applied(vips: Project) -> None:
    vips.sandbox.change(indexing_delay=1.5)
    try:
        vips.build()
        pushed = vips.push_one(wait=True)
    finally:
        vips.sandbox.change(indexing_delay=0.0)
    assert pushed.status == "succeeded"
    assert set(members(vips)) == {"ann", "bob", "cy"}


def test_values_that_batch_would_reject_are_held_back(vips: Project) -> None:
    vips.set_rows({**COLUMNS, "first": "varchar"}, [{**ANN, "first": "x" * 301}])
    pushed = vips.sync()
    assert (pushed.status, pushed.rejected_attributes) == ("partial", 1)
    assert members(vips)["ann"] == {"coupon_date": "2026-05-01T00:00:00Z", "points": 3}
    assert vips.rejects() == {("ann", "first"): "too_long"}


def test_a_missing_audience_is_not_adopted(vips: Project) -> None:
    vips.build()
    (adopted,) = api.adopt(vips.options()).syncs
    assert adopted.status == "failed"
    assert "a push would create the audience `spring_vips` first" in str(adopted.error)
    assert vips.push_one().inserts == 3
    assert api.adopt(vips.options()).status == "succeeded"


def test_rejected_members_are_not_expected(vips: Project) -> None:
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
