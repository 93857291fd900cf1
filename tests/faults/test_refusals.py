"""What Batch refuses is found, written down and held back, and holds up nobody else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from harness.faults import Fault, FaultKind, When
from harness.quick import QuickProject

from dbt_batch_sync import api

COLUMNS = {"id": "varchar", "points": "bigint", "nick": "varchar"}
CALL = 200
ROW, VALUE = "refused on …", "not a valid value"


def people(project: QuickProject, points: Iterable[int]) -> None:
    """A sync of so many people, who have these points; `dbt run`."""
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
    """A 400 for each call that one of these is in."""
    project.sandbox.faults.set([Fault(FaultKind.REJECT_CALL, custom_ids=keys(*numbers))])


def counts(project: QuickProject) -> dict[str, int]:
    """Operations of each profile that were applied, ever."""
    return dict(project.sandbox.stats.custom_ids)


def standing(project: QuickProject) -> list[dict[str, Any]]:
    return project.query("from batch_sync_rejects order by custom_id, attribute")


@pytest.mark.parametrize("bad", [(0, 199), (3, 4, 5, 390)])
def test_a_400_is_halved_until_the_bad_rows_stand_alone(quick: QuickProject, bad: tuple[int, ...]) -> None:
    begin(quick, 2 * CALL)
    reject_calls(quick, *bad)
    pushed = quick.push_one()
    assert (pushed.status, pushed.error) == ("partial", None)
    refused = (pushed.sent, pushed.accepted, pushed.rejected_rows, pushed.committed)
    assert refused == (2 * CALL, 2 * CALL - len(bad), len(bad), 2 * CALL - len(bad))
    assert quick.rejects().keys() == {(key, None) for key in keys(*bad)}
    good = {f"p{n:04d}" for n in range(2 * CALL)} - set(keys(*bad))
    assert set(quick.snapshot()) == good
    assert counts(quick) == dict.fromkeys(good, 1), "a neighbour was repeated"
    assert pushed.requests == len(quick.sent.requests)
    clean = 2 - len({number // CALL for number in bad})
    assert pushed.requests - clean <= len(bad) * (2 * math.log2(CALL) + 1)

    # Neither this delta nor the next one sends any of it again.
    for pushed in (quick.push_one(), quick.sync()):
        assert (pushed.requests, pushed.committed) == (0, 0)
    assert counts(quick) == dict.fromkeys(good, 1)


def test_a_refused_row_waits_until_it_changes(quick: QuickProject) -> None:
    begin(quick, 4)
    reject_calls(quick, 1, 2)
    assert quick.push_one().rejected_rows == 2
    first = standing(quick)
    assert [(row["attribute"], row["attempts"], row["rejected_by"]) for row in first] == [
        (None, 1, "batch")
    ] * 2
    assert all(row["sent_hash"] and row["first_seen_at"] == row["last_seen_at"] for row in first)

    # Neighbours change, and a row leaves what is parked as it is; Batch would take it by now.
    quick.sandbox.faults.set(())
    people(quick, [1, 0, 0, 1])
    parked = quick.push_one()
    assert (parked.status, parked.accepted, parked.rejected_rows) == ("partial", 2, 0)
    assert set(quick.sent.attributes) == set(keys(0, 3))
    assert [row["attempts"] for row in standing(quick)] == [1, 1]
    assert [row["sent_hash"] for row in standing(quick)] == [row["sent_hash"] for row in first]
    assert [row["reason"] for row in standing(quick)] == [row["reason"] for row in first]

    # One changes and is refused again, another changes and is taken.
    reject_calls(quick, 1)
    people(quick, [1, 5, 5, 1])
    again = quick.push_one()
    assert (again.status, again.accepted, again.rejected_rows) == ("partial", 1, 1)
    one, two = standing(quick)
    assert (one["attempts"], one["resolved_at"], two["attempts"]) == (2, None, 1)
    assert one["first_seen_at"] == first[0]["first_seen_at"] < one["last_seen_at"]
    assert one["sent_hash"] != first[0]["sent_hash"]
    assert two["resolved_at"] > two["last_seen_at"]
    assert set(quick.snapshot()) == set(keys(0, 2, 3))
    assert quick.sync().requests == 0

    # What is refused anew after it was accepted stands again.
    quick.sandbox.faults.set(())
    people(quick, [1, 6, 6, 1])
    assert quick.push_one().status == "succeeded"
    assert all(row["resolved_at"] for row in standing(quick))
    assert {name: held["points"].value for name, held in quick.profiles().items()} == dict(
        zip(keys(0, 1, 2, 3), [1, 6, 6, 1], strict=True)
    )


@pytest.mark.parametrize("then", ["goes back", "leaves"])
def test_a_refused_row_that_is_no_change_any_more_stands_no_longer(quick: QuickProject, then: str) -> None:
    begin(quick, 4)
    quick.push_one()
    reject_calls(quick, 1)
    people(quick, [0, 7, 0, 0])
    assert quick.push_one().rejected_rows == 1
    assert quick.push_one().status == "partial"
    assert [row["resolved_at"] for row in standing(quick)] == [None]
    quick.sandbox.faults.set(())
    people(quick, [0, 0, 0, 0] if then == "goes back" else [0])
    pushed = quick.push_one(force=True)
    assert (pushed.status, pushed.rejected_rows) == ("succeeded", 0)
    (row,) = standing(quick)
    assert row["resolved_at"] >= row["last_seen_at"]


@pytest.mark.parametrize("then", ["goes back", "leaves"])
def test_of_a_refused_row_in_two_operations_the_first_may_be_in_batch(quick: QuickProject, then: str) -> None:
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
    assert quick.push_one().accepted == 0, "it is parked"
    quick.build()
    assert quick.push_one().accepted == 0, "it is parked, whichever delta it is in"

    wide(a=1, b=1) if known else wide(a=1)
    assert quick.push_one(force=True).accepted == 1
    assert {held.value for held in quick.profiles()["b"].values()} == ({1} if known else set())
    assert quick.sync().requests == 0
    assert all(row["resolved_at"] for row in standing(quick))


def test_partial_errors_belong_to_the_row_of_their_bulk_index(quick: QuickProject) -> None:
    """In each of several calls, at the first and the last place of one."""
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
    refused = {(key, None) for key in keys(*rows)} | {(key, "nick") for key in keys(*cells)}
    assert quick.rejects().keys() == refused
    assert {row["sent_hash"] is None for row in standing(quick) if row["attribute"]} == {True}
    held = quick.profiles()
    assert not held.keys() & set(keys(*rows))
    assert {name for name, attributes in held.items() if "nick" not in attributes} == set(keys(*cells))
    assert quick.snapshot().keys() == held.keys()


def test_a_refused_attribute_waits_for_its_own_value(quick: QuickProject) -> None:
    begin(quick, 2)
    fault = Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(0), attributes=("points",), reason=VALUE)
    quick.sandbox.faults.set([fault])
    assert quick.push_one().rejected_attributes == 1
    quick.sandbox.faults.set(())
    assert quick.sync().requests == 0
    quick.execute("update raw.people set nick = 'other'")
    assert quick.sync().accepted == 2
    assert quick.sent.names == {"nick"}
    assert quick.rejects() == {("p0000", "points"): "not a valid value"}
    people(quick, [4, 0])
    quick.push_one()
    assert quick.sent.attributes["p0000"] == {"points": 4, "nick": "nick 0"}
    assert not quick.rejects()
    (row,) = standing(quick)
    assert row["resolved_at"] > row["last_seen_at"] == row["first_seen_at"]


@pytest.mark.parametrize("rebuilt", [True, False])
def test_retry_rejected_releases_rows_and_attributes(quick: QuickProject, rebuilt: bool) -> None:
    begin(quick, 5)
    quick.sandbox.faults.set(
        [
            Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(1, 2)),
            Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=keys(3), attributes=("nick",), reason=VALUE),
        ]
    )
    quick.push_one()
    before = standing(quick)
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(2))])
    if rebuilt:
        quick.build()
    retried = quick.push_one(retry_rejected=True)
    assert (retried.status, retried.accepted, retried.rejected_rows) == ("partial", 2, 1)
    assert quick.sent.attributes == {
        "p0001": {"points": 0, "nick": "nick 1"},
        "p0002": {"points": 0, "nick": "nick 2"},
        "p0003": {"nick": "nick 3"},
    }
    assert quick.rejects() == {("p0002", None): ROW}
    one, two, three = standing(quick)
    assert one["resolved_at"] is not None is not three["resolved_at"]
    assert (two["attempts"], two["first_seen_at"]) == (2, before[1]["first_seen_at"])
    assert two["sent_hash"], "it is parked again"
    assert quick.sync().requests == 0
    assert set(quick.snapshot()) == set(keys(0, 1, 3, 4))

    quick.sandbox.faults.set(())
    assert quick.push_one(retry_rejected=True).status == "succeeded"
    assert set(quick.sent.attributes) == {"p0002"}
    assert not quick.rejects()
    last = quick.push_one(retry_rejected=True)
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
    assert any(line.startswith("2 nick not a valid value batch ") for line in lines), shown.stdout
    assert any(line.startswith(f"1 whole row {ROW} batch ") for line in lines), shown.stdout
    done = quick.call("rejects", "--json")
    assert done.returncode == 0
    (sync,) = json.loads(done.stdout)["syncs"]
    assert sync["sync"] == "people"
    found = {(each["attribute"], each["reason"], each["rejected_by"]): each for each in sync["rejects"]}
    assert {what: each["count"] for what, each in found.items()} == {
        ("nick", VALUE, "batch"): 2,
        (None, ROW, "batch"): 1,
        ("nick", "too_long", "dbt-batch-sync"): 1,
    }
    assert sync["rejects"][0]["count"] == 2, "the most frequent first"
    assert found[None, ROW, "batch"]["attempts"] == 1
    assert quick.query(f"select custom_id from {sync['table']} where attribute is null") == [
        {"custom_id": "p0001"}
    ]
    assert api.rejects(quick.options()).to_json() == json.loads(done.stdout)

    quick.sandbox.faults.set(())
    people(quick, [9] * 5)
    quick.push_one()
    (left,) = json.loads(quick.call("rejects", "--json").stdout)["syncs"]
    assert [each["count"] for each in left["rejects"]] == [2], "the refused nicks have not changed"


def test_retention_is_of_what_is_resolved(quick: QuickProject) -> None:
    begin(quick, 4, retention_days=7)
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=keys(0, 1, 2))])
    quick.push_one()
    quick.sandbox.faults.set(())
    people(quick, [1, 1, 0, 0])
    quick.push_one()
    assert len(standing(quick)) == 3
    now = datetime.fromisoformat(
        quick.query("select max(last_seen_at)::varchar as t from batch_sync_rejects")[0]["t"]
    )
    for key, days in (("p0000", 8), ("p0001", 6)):
        quick.execute(
            "update batch_sync_rejects set resolved_at = $moment where custom_id = $key",
            moment=now - timedelta(days=days),
            key=key,
        )
    quick.execute("update batch_sync_rejects set first_seen_at = '2000-01-01', last_seen_at = '2000-01-01'")
    quick.push_one()
    assert [row["custom_id"] for row in standing(quick)] == ["p0001", "p0002"], (
        "what stands is never forgotten"
    )


def test_when_most_rows_are_refused_the_push_stops(quick: QuickProject) -> None:
    begin(quick, 3 * CALL)
    bad = range(CALL, 2 * CALL)
    reject_calls(quick, *bad)
    done = quick.call("push", "--json")
    assert done.returncode == 1
    (sync,) = json.loads(done.stdout)["syncs"]
    assert sync["status"] == "failed"
    told = sync["error"]
    assert "the cause is the mapping or the project, not single rows" in told
    assert "rows were refused alone" in told
    assert sync["committed"] == len(quick.snapshot()) == CALL, "the chunk before is kept"
    assert not quick.rejects(), "nothing of the chunk counts as sent"
    # 25 refused ones, what finding them cost, 16 probes, and the two other chunks.
    assert len(quick.sent.requests) <= 2 * 25 + 16 + 16 + 2

    quick.sandbox.faults.set(())
    assert quick.push_one().committed == 2 * CALL
    assert all(counts(quick)[f"p{n:04d}"] == 1 for n in (*range(CALL), *bad))
