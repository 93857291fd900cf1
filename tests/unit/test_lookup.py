"""What `profile` shows for a key, given its rows, the journal and the rejects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from harness.hand_built import NOW, HandBuilt

from dbt_batch_sync.push.lookup import look_up
from dbt_batch_sync.results.look import Change, Pending, SyncProfile

DOT = "•"
LONG_AGO = NOW - timedelta(days=9)
HELD: Mapping[str, object] = {
    "custom_id": "a",
    "name": "Anna",
    "points": 12,
    "_batch_run_id": "r0",
    "_batch_delta_id": "d0",
    "_batch_sent_at": LONG_AGO,
}
BEFORE = {"name": f"A{DOT * 3}", "points": "12"}


@pytest.fixture
def shop(tmp_path: Path) -> HandBuilt:
    return HandBuilt(tmp_path)


def told(shop: HandBuilt, key: str = "a") -> SyncProfile:
    (known,) = shop.known()
    return look_up(shop.warehouse, known, key)


def changed(shop: HandBuilt, change: str = "update", names: str = "name", **cells: object) -> None:
    """Set the delta d1: two other rows in page 0, `a` in page 1."""
    shop.build(
        ("x", "update", "name", {}),
        ("y", "update", "name", {}),
        ("a", change, names, {"name": "Bo", **cells}),
    )


def recorded(shop: HandBuilt, event: str) -> datetime:
    (row,) = shop.query(f"select max(recorded_at) as at from batch_sync_journal where event = '{event}'")
    at: datetime = row["at"]
    return at


def test_an_unknown_profile(shop: HandBuilt) -> None:
    assert told(shop) == SyncProfile("people", None, None, None, {}, (), None, ())
    changed(shop)
    assert told(shop, "nobody") == SyncProfile("people", None, None, None, {}, (), None, ())


def test_held_and_queued_values(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", HELD)
    changed(shop)
    queued = Pending("update", None, (Change("name", f"A{DOT * 3}", DOT * 2),))
    assert told(shop) == SyncProfile("people", LONG_AGO, "r0", None, BEFORE, (), queued, ())
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=0)
    assert told(shop).pending == queued


def test_values_pushed_since_the_last_dbt_run_override_the_snapshot(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", HELD)
    changed(shop)
    shop.add("intent", run_id="r1", delta_id="d1", page=1)
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=1)
    at = recorded(shop, "checkpoint")
    shop.add("checkpoint", run_id="r2", delta_id="d1", page=1)
    now = {**BEFORE, "name": DOT * 2}
    assert told(shop) == SyncProfile("people", at, "r1", None, now, (), None, ())


@pytest.mark.parametrize(("key", "settled"), [("a", True), ("b", True), ("A", False)])
def test_a_page_cut_by_a_limit(shop: HandBuilt, key: str, settled: bool) -> None:
    changed(shop)
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=0, key=key)
    assert (told(shop).pending is None) == settled


def test_exited_profiles(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", HELD)
    changed(shop, "exit", "name,points", name=None, points=None)
    assert told(shop).exited_at is None
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=1)
    found = told(shop)
    assert (found.exited_at, found.attributes) == (recorded(shop, "checkpoint"), {})


def test_a_rejected_attribute_does_not_count_as_held(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", HELD)
    changed(shop, names="name,points", points=5)
    shop.reject("a", "name", "too_long")
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=1)
    found = told(shop)
    assert found.attributes == {"points": "5"}
    ((attribute, by),) = ((each.attribute, each.rejected_by) for each in found.rejects)
    assert (attribute, by) == ("name", "validation")
    shop.build(delta_id="d2")
    assert told(shop).attributes == {"points": "12"}, "only dbt decides what is merged into the snapshot"


def test_the_last_rejection_of_each_attribute_is_shown_and_open_ones_first(shop: HandBuilt) -> None:
    shop.reject("a", "name", "not_a_string", resolved_at=NOW)
    shop.reject("a", "points", "out_of_range")
    shop.reject("b", "points", "not_an_integer")
    shop.reject("a", "name", "too_long", resolved_at=NOW)
    shop.reject("a", None, "MALFORMED", resolved_at=NOW)
    found = [(each.attribute, each.reason) for each in told(shop).rejects]
    assert found == [("points", "out_of_range"), (None, "MALFORMED"), ("name", "too_long")]


def test_a_rejected_row_changes_nothing_in_batch(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", HELD)
    changed(shop)
    shop.reject("a", None, "TOO_LARGE")
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=1)
    found = told(shop)
    assert (found.sent_at, found.run_id, found.attributes) == (LONG_AGO, "r0", BEFORE)
    changed(shop, "invalid", "", _batch_reason="parked")
    assert told(shop).pending == Pending("invalid", "parked", ())


def test_possibly_sent_values_are_in_doubt(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", {**HELD, "_batch_doubt": ",points,,batch__email_marketing,"})
    changed(shop)
    assert told(shop).in_doubt == ("points", "batch__email_marketing")
    shop.add("intent", run_id="r1", delta_id="d1", page=0)
    assert "name" not in told(shop).in_doubt, "a different page"
    shop.add("intent", run_id="r1", delta_id="d1", page=1)
    assert told(shop).in_doubt == ("points", "batch__email_marketing", "name")
    shop.add("checkpoint", run_id="r2", delta_id="d1", page=1)
    assert told(shop).in_doubt == ()
    shop.add("doubt", run_id="r1", delta_id="d1", key="a", names="name,points")
    shop.add("doubt", run_id="r1", delta_id="d1", key="x", names="batch__email_marketing")
    assert told(shop).in_doubt == ("name", "points"), "it was in flight when another push settled it"


def test_a_held_back_consent(shop: HandBuilt) -> None:
    reason = "never_resubscribe:batch__email_marketing"
    changed(shop, _batch_reason=reason)
    pending = told(shop).pending
    assert pending is not None
    assert (pending.change, pending.reason) == ("update", reason)


def test_a_row_of_an_older_build_is_not_queued(shop: HandBuilt) -> None:
    changed(shop)
    shop.add("built", delta_id="d2", page=5, updates=1)
    assert told(shop).pending is None
