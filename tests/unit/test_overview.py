"""The ledger's overview of several syncs, and resend requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.hand_built import HandBuilt

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.requests import append_requests, open_requests
from dbt_batch_sync.push.known import by_ledger
from dbt_batch_sync.push.overview import rejections, reports, statuses
from dbt_batch_sync.results.look import RejectsResult, StatusResult


@pytest.fixture
def shop(tmp_path: Path) -> HandBuilt:
    return HandBuilt(tmp_path, syncs=("people", "vips"))


def test_status(shop: HandBuilt) -> None:
    shop.add("resend", run_id="q0", request="all")
    shop.add("resend", "vips", run_id="q3", request="rejected")
    shop.build(("a", "invalid", "", {"_batch_reason": "parked"}), answered="q0,q3")
    for number in range(3):
        shop.ended(f"r{number}", "d1", rejected_rows=1, updates=number)
    shop.ended("r3", "d1", sync="vips", status="failed", error="gone")
    shop.add("resend", run_id="q1", request="all")
    shop.add("resend", run_id="q2", request="rejected")
    shop.add("resend", run_id="q2", request="rejected")
    people, vips = statuses(shop.known(), 2)
    assert [(run.run_id, run.updates) for run in people.runs] == [("r2", 2), ("r1", 1)]
    assert people.parked == 1 + 3
    assert [(each.id, each.request) for each in people.requests] == [("q1", "all"), ("q2", "rejected")]
    assert [(run.status, run.error) for run in vips.runs] == [("failed", "gone")]
    assert (vips.parked, vips.requests) == (0, ())
    shown = StatusResult((people,)).to_json()["syncs"][0]
    assert list(shown) == [
        "sync",
        "runs",
        "parked",
        "requests",
        "kind",
        "expected",
        "in_batch",
        "note",
        "audit",
        "erasures",
    ]
    assert shown["requests"][1] == {
        **{"sync": shown["sync"], "id": "q2", "request": "rejected"},
        "recorded_at": "2026-04-01T05:00:18Z",
    }


def test_rejects(shop: HandBuilt) -> None:
    for key in ("a", "a", "b"):
        shop.reject(key, "name", "too_long")
    shop.reject("c", None, "UNKNOWN")
    shop.reject("d", "name", "too_long", resolved_at=shop.at)
    shop.reject("e", "name", "too_long", sync="vips")
    people, vips = rejections(shop.warehouse, shop.known())
    assert [(each.attribute, each.reason, each.rejected_by, each.count) for each in people.rejects] == [
        ("name", "too_long", "validation", 2),
        (None, "UNKNOWN", "batch", 1),
    ]
    assert [each.count for each in vips.rejects] == [1]
    (shown,) = RejectsResult((vips,)).to_json()["syncs"]
    assert shown == {
        "sync": "vips",
        "kind": "profiles",
        "table": '"main".batch_sync_rejects',
        "rejects": [
            {
                **{"sync": "vips", "attribute": "name", "reason": "too_long"},
                **{"rejected_by": "validation", "count": 1},
                "first_rejected_at": "2026-04-01T05:00:06Z",
                "last_rejected_at": "2026-04-01T05:00:06Z",
            }
        ],
        "invalid": {},
        "profiles": [],
    }


def test_report(shop: HandBuilt) -> None:
    shop.build(("a", "update", "name", {}), ("b", "invalid", "", {"_batch_reason": "null_identifier"}))
    shop.ended(updates=1)
    shop.reject("a", "name", "too_long")
    people, vips = reports(shop.warehouse, shop.known(), 5)
    assert (people.inserts, people.updates, people.exits, people.invalid) == (0, 1, 0, 1)
    assert (people.pending, people.attributes, people.parked) == (1, {"name": 1}, 0)
    assert ([run.run_id for run in people.runs], len(people.rejects)) == (["r1"], 1)
    assert (vips.pending, vips.runs, vips.rejects) == (0, (), ())


def test_requests_are_appended_once_for_all_syncs(shop: HandBuilt) -> None:
    ((journal, names),) = by_ledger(shop.known())
    requests = append_requests(journal, "rejected", names)
    assert [each.sync for each in requests] == ["people", "vips"]
    assert len({each.id for each in requests}) == 2
    assert open_requests(journal, names) == requests
    assert open_requests(journal, ["vips"]) == requests[1:]
    rows = shop.query("select event, request, run_id from batch_sync_journal order by recorded_at")
    assert [tuple(row.values()) for row in rows] == [("resend", "rejected", each.id) for each in requests]


def test_no_ledger_yet(shop: HandBuilt) -> None:
    shop.execute("drop view batch_sync_runs")
    shop.execute("drop table batch_sync_journal")
    with pytest.raises(ConfigurationError, match=r"batch_sync_journal in the warehouse yet\. Run: dbt run"):
        shop.known()


def test_rejected_profiles_and_invalid_rows(shop: HandBuilt) -> None:
    for key, attribute in (("b", "name"), ("a", None), ("a", None), ("c", "name")):
        shop.reject(key, attribute, "too_long")
    shop.build(
        ("aa", "invalid", "", {"_batch_reason": "erased"}),
        ("ab", "invalid", "", {"_batch_reason": "parked"}),
        ("d", "invalid", "", {"_batch_reason": "erased"}),
        ("e", "update", "name", {}),
    )
    found = [("a", None, "too_long"), ("aa", None, "erased"), ("b", "name", "too_long")]
    for profiles in (3, 9):
        people, vips = rejections(shop.warehouse, shop.known(), profiles=profiles)
        assert [(each.key, each.attribute, each.reason) for each in people.profiles] == found
        assert vips.profiles == ()
        found += [("c", "name", "too_long"), ("d", None, "erased")]
