"""Rejected rows and attributes are found, recorded and held back, and never block other rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import pytest
from harness.faults import Fault, FaultKind, When
from harness.quick import QuickProject

from dbt_batch_sync import api

COLUMNS = {"id": "varchar", "points": "bigint", "nick": "varchar"}
CALL = 200
PAGE = 1000
ROW, VALUE = "refused on demand", "not a valid value"


def people(project: QuickProject, points: Iterable[int]) -> None:
    """Set the sync's rows to these points and run dbt."""
    rows = [{"id": f"p{n:04d}", "points": each, "nick": f"nick {n}"} for n, each in enumerate(points)]
    project.set_rows(COLUMNS, rows)
    project.build()


def begin(project: QuickProject, count: int, **output: object) -> None:
    project.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 2, **output})
    project.map({"identifier": "id", "custom": ["points", "nick"], "endpoint": "update"})
    people(project, [0] * count)


def keys(*numbers: int) -> tuple[str, ...]:
    return tuple(f"p{n:04d}" for n in numbers)


def reject_calls(project: QuickProject, *numbers: int) -> None:
    """Answer 400 to every call that contains one of these."""
    project.sandbox.faults.set([Fault(FaultKind.REJECT_CALL, custom_ids=keys(*numbers))])


def counts(project: QuickProject) -> dict[str, int]:
    """All operations applied so far, by profile."""
    return dict(project.sandbox.stats.custom_ids)


def recorded(project: QuickProject) -> list[dict[str, Any]]:
    """All rejections, including resolved ones."""
    return project.query("from batch_sync_rejects order by key, attribute, rejected_at")


@pytest.mark.parametrize("bad", [(0, 199), (3, 4, 5, 390)])
def test_a_400_is_halved_until_the_bad_rows_are_isolated(quick: QuickProject, bad: tuple[int, ...]) -> None:
    begin(quick, 2 * CALL)
    reject_calls(quick, *bad)
    pushed = quick.push_one()
    assert (pushed.status, pushed.error) == ("partial", None)
    told = (pushed.sent, pushed.accepted, pushed.rejected_rows, pushed.settled)
    assert told == (2 * CALL, 2 * CALL - len(bad), len(bad), 2 * CALL)
    assert quick.rejects().keys() == {(key, None) for key in keys(*bad)}
    good = {f"p{n:04d}" for n in range(2 * CALL)} - set(keys(*bad))
    assert counts(quick) == dict.fromkeys(good, 1), "a neighbor was sent again"
    assert pushed.requests == len(quick.sent.requests)
    clean = sum(len(call) == CALL for call in quick.sent.calls)
    assert pushed.requests - clean <= len(bad) * (2 * math.log2(CALL) + 1)

    # Neither another push of this delta nor the next delta sends them again.
    for pushed in (quick.push_one(), quick.sync()):
        assert (pushed.requests, pushed.settled, pushed.parked) == (0, 0, len(bad))
    assert counts(quick) == dict.fromkeys(good, 1)
    assert set(quick.snapshot()) == good


def test_a_rejected_row_is_parked_until_it_changes(quick: QuickProject) -> None:
    begin(quick, 4)
    reject_calls(quick, 1, 2)
    assert quick.push_one().rejected_rows == 2
    assert [(row["key"], row["attribute"], row["rejected_by"]) for row in recorded(quick)] == [
        (key, None, "batch") for key in keys(1, 2)
    ]

    # The neighbors change, and one row exits. Parked rows stay parked, though Batch would now accept them.
    quick.sandbox.faults.set(())
    people(quick, [1, 0, 0, 1])
    first = recorded(quick)
    assert all(row["sent_hash"] and row["resolved_at"] is None for row in first)
    parked = quick.push_one()
    assert (parked.status, parked.accepted, parked.rejected_rows, parked.parked) == ("partial", 2, 0, 2)
    assert set(quick.sent.attributes) == set(keys(0, 3))
    assert recorded(quick) == first

    # One row changes and is rejected again; another changes and is accepted.
    reject_calls(quick, 1)
    people(quick, [1, 5, 5, 1])
    again = quick.push_one()
    assert (again.status, again.accepted, again.rejected_rows, again.parked) == ("partial", 1, 1, 0)
    quick.sandbox.faults.set(())
    quick.build()
    old, new, two = recorded(quick)
    assert (old["key"], new["key"]) == keys(1, 1)
    assert old["resolved_at"] is not None is not two["resolved_at"]
    assert new["resolved_at"] is None
    assert new["sent_hash"] not in (None, first[0]["sent_hash"])
    assert set(quick.snapshot()) == set(keys(0, 2, 3))
    assert quick.push_one().requests == 0

    people(quick, [1, 6, 6, 1])
    assert quick.push_one().status == "succeeded"
    quick.build()
    assert all(row["resolved_at"] for row in recorded(quick))
    assert {name: held["points"].value for name, held in quick.profiles().items()} == dict(
        zip(keys(0, 1, 2, 3), [1, 6, 6, 1], strict=True)
    )
    people(quick, [1, 5, 5, 1])
    assert quick.push_one().accepted == 2, "a resolved rejection should not park its value again"


@pytest.mark.parametrize("then", ["goes back", "leaves"])
def test_a_rejection_is_resolved_when_its_row_no_longer_differs(quick: QuickProject, then: str) -> None:
    begin(quick, 4)
    quick.push_one()
    reject_calls(quick, 1)
    people(quick, [0, 7, 0, 0])
    assert quick.push_one().rejected_rows == 1
    assert quick.push_one().status == "partial"
    quick.build()
    assert [row["resolved_at"] for row in recorded(quick)] == [None]
    quick.sandbox.faults.set(())
    people(quick, [0, 0, 0, 0] if then == "goes back" else [0])
    pushed = quick.push_one(force=True)
    assert (pushed.status, pushed.rejected_rows) == ("succeeded", 0)
    quick.build()
    (row,) = recorded(quick)
    assert row["resolved_at"] >= row["rejected_at"]


@pytest.mark.parametrize("then", ["goes back", "leaves"])
def test_the_first_operation_of_a_rejected_row_may_be_in_batch(quick: QuickProject, then: str) -> None:
    names = [f"a{place:02}" for place in range(60)]
    columns = {"id": "varchar", **dict.fromkeys(names, "bigint")}

    def wide(**values: int) -> None:
        quick.set_rows(columns, [{"id": name, **dict.fromkeys(names, n)} for name, n in values.items()])
        quick.build()

    quick.outputs(sandbox={"max_in_flight": 1})
    quick.map({"identifier": "id", "custom": names, "endpoint": "update", "on_exit": "clear"})
    known = then == "goes back"
    wide(a=1, b=1) if known else wide(a=1)
    quick.push_one()
    wide(a=1, b=2)
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, When(nth=(2,)), custom_ids=("b",))])
    assert quick.push_one().rejected_rows == 1
    assert sorted({held.value for held in quick.profiles()["b"].values()}) == ([1, 2] if known else [2])
    quick.sandbox.faults.set(())
    assert quick.push_one().accepted == 0, "it should be parked"
    quick.build()
    assert quick.push_one().accepted == 0, "it should be parked in every delta"

    wide(a=1, b=1) if known else wide(a=1)
    assert quick.push_one(force=True).accepted == 1
    assert {held.value for held in quick.profiles()["b"].values()} == ({1} if known else set())
    assert quick.sync().requests == 0
    assert all(row["resolved_at"] for row in recorded(quick))


def test_partial_errors_belong_to_the_row_of_their_bulk_index(quick: QuickProject) -> None:
    """In several calls, at the first and the last position."""
    begin(quick, 3 * CALL)
    rows, cells = (0, CALL - 1, 2 * CALL + 7), (1, 2 * CALL - 1, 3 * CALL - 1)
    quick.sandbox.faults.set(
        [
            Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(*rows)),
            Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(*cells), attributes=("nick",), reason=VALUE),
        ]
    )
    pushed = quick.push_one()
    assert (pushed.status, pushed.requests) == ("partial", 3)
    assert (pushed.accepted, pushed.rejected_rows, pushed.rejected_attributes) == (3 * CALL - 3, 3, 3)
    rejected = {(key, None) for key in keys(*rows)} | {(key, "nick") for key in keys(*cells)}
    assert quick.rejects().keys() == rejected
    held = quick.profiles()
    assert not held.keys() & set(keys(*rows))
    assert {name for name, attributes in held.items() if "nick" not in attributes} == set(keys(*cells))
    quick.build()
    assert quick.snapshot().keys() == held.keys()
    assert {row["sent_hash"] is None for row in recorded(quick) if row["attribute"]} == {True}


def test_a_rejected_attribute_waits_for_a_new_value(quick: QuickProject) -> None:
    begin(quick, 2)
    fault = Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(0), attributes=("points",), reason=VALUE)
    quick.sandbox.faults.set([fault])
    assert quick.push_one().rejected_attributes == 1
    quick.sandbox.faults.set(())
    assert quick.sync().requests == 0
    quick.execute("update raw.people set nick = 'other'")
    assert quick.sync().accepted == 2
    assert quick.sent.names == {"nick"}
    quick.build()
    assert quick.rejects() == {("p0000", "points"): VALUE}
    people(quick, [4, 0])
    quick.push_one()
    assert quick.sent.attributes["p0000"] == {"points": 4, "nick": "nick 0"}
    quick.build()
    assert not quick.rejects()
    (row,) = recorded(quick)
    assert row["resolved_at"] > row["rejected_at"]


@pytest.mark.parametrize("rebuilt", [True, False])
def test_a_resend_releases_rejected_rows_and_attributes(quick: QuickProject, rebuilt: bool) -> None:
    begin(quick, 5)
    quick.sandbox.faults.set(
        [
            Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(1, 2)),
            Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(3), attributes=("nick",), reason=VALUE),
        ]
    )
    quick.push_one()
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(2))])
    if rebuilt:
        quick.build()
    quick.resend("rejected")
    retried = quick.push_one()
    assert (retried.status, retried.accepted, retried.rejected_rows) == ("partial", 2, 1)
    assert quick.sent.attributes == {
        "p0001": {"points": 0, "nick": "nick 1"},
        "p0002": {"points": 0, "nick": "nick 2"},
        "p0003": {"nick": "nick 3"},
    }
    quick.build()
    assert quick.rejects() == {("p0002", None): ROW}
    assert quick.push_one().requests == 0, "it should be parked again"
    assert set(quick.snapshot()) == set(keys(0, 1, 3, 4))

    quick.sandbox.faults.set(())
    quick.resend("rejected")
    assert quick.push_one().status == "succeeded"
    assert set(quick.sent.attributes) == {"p0002"}
    quick.resend("rejected")
    assert not quick.rejects()
    last = quick.push_one()
    assert (last.status, last.requests) == ("succeeded", 0)


def test_rejects_are_listed_by_reason(quick: QuickProject) -> None:
    begin(quick, 5)
    listed = quick.call("rejects")
    assert listed.returncode == 0
    assert "no open rejections" in listed.stdout
    quick.sandbox.faults.set(
        [
            Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(1)),
            Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(2, 3), attributes=("nick",), reason=VALUE),
        ]
    )
    quick.execute("update raw.people set nick = repeat('x', 301) where id = 'p0004'")
    quick.build()
    assert quick.call("push").returncode == 3
    shown = quick.call("rejects")
    assert shown.returncode == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert any(line.startswith(f"2 nick {VALUE} batch ") for line in lines), shown.stdout
    assert any(line.startswith(f"1 whole row {ROW} batch ") for line in lines), shown.stdout
    done = quick.call("rejects", "--json")
    assert done.returncode == 0
    (sync,) = json.loads(done.stdout)["syncs"]
    assert sync["sync"] == "people"
    found = {(each["attribute"], each["reason"], each["rejected_by"]): each for each in sync["rejects"]}
    assert {what: each["count"] for what, each in found.items()} == {
        ("nick", VALUE, "batch"): 2,
        (None, ROW, "batch"): 1,
        ("nick", "too_long", "validation"): 1,
    }
    assert sync["rejects"][0]["count"] == 2, "the most frequent reason should come first"
    assert quick.query(f"select key from {sync['table']} where attribute is null") == [{"key": "p0001"}]
    assert api.rejects(quick.options()).to_json() == json.loads(done.stdout)

    quick.sandbox.faults.set(())
    people(quick, [9] * 5)
    quick.push_one()
    quick.build()
    (left,) = json.loads(quick.call("rejects", "--json").stdout)["syncs"]
    assert [each["count"] for each in left["rejects"]] == [2], "the rejected nicks have not changed"


def test_retention_applies_to_resolved_rejects(quick: QuickProject) -> None:
    begin(quick, 4, retention_days=7)
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(0, 1, 2))])
    quick.push_one()
    quick.sandbox.faults.set(())
    people(quick, [1, 1, 0, 0])
    quick.push_one()
    quick.build()
    assert [row["resolved_at"] is None for row in recorded(quick)] == [False, False, True]
    for key, days in (("p0000", 8), ("p0001", 6)):
        quick.execute(
            "update batch_sync_rejects set resolved_at = resolved_at - to_days($days) where key = $key",
            days=days,
            key=key,
        )
    quick.execute("update batch_sync_rejects set rejected_at = '2000-01-01'")
    quick.build()
    assert [row["key"] for row in recorded(quick)] == ["p0001", "p0002"], "open rejections must not be pruned"


def test_the_push_stops_when_most_rows_are_rejected(quick: QuickProject) -> None:
    """Batch accepts the chunks of the first page and nothing after it."""
    begin(quick, PAGE + 2 * CALL, max_in_flight=1)
    everybody = keys(*range(PAGE + 2 * CALL))
    chunks = PAGE // CALL
    later = When(nth=tuple(range(chunks + 1, chunks + 200)))
    quick.sandbox.faults.set([Fault(FaultKind.REJECT_CALL, later, custom_ids=everybody)])
    done = quick.call("push", "--json")
    assert done.returncode == 1
    (sync,) = json.loads(done.stdout)["syncs"]
    assert (sync["status"], sync["settled"], sync["rejected_rows"]) == ("failed", PAGE, 0)
    assert "The cause is the mapping or the Batch project" in sync["error"]
    assert "are rejected one by one" in sync["error"]
    assert not quick.rejects(), "nothing of the failed chunk may count as sent"
    # 25 rejected rows, the requests to find them, 16 probes, and the chunks before.
    assert len(quick.sent.requests) <= 2 * 25 + 16 + 16 + chunks

    quick.sandbox.faults.set(())
    quick.build()
    certain = [row for row in quick.snapshot().values() if row["_batch_doubt"] is None]
    assert len(certain) == PAGE, "the page before it should be kept"
    assert quick.push_one().settled == 2 * CALL
    assert counts(quick) == dict.fromkeys(everybody, 1)
