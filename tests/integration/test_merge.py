"""`dbt run` merges the pushed delta into the snapshot before it builds the next one."""

from __future__ import annotations

import pytest
from dbt_common.exceptions import DbtBaseException
from harness.faults import Fault, FaultKind
from harness.project import unchanged
from harness.quick import QuickProject

COLUMNS = {"id": "varchar", "points": "bigint", "name": "varchar"}
MAPPING: dict[str, object] = {"identifier": "id", "custom": ["points", "name"]}


def people(quick: QuickProject, **points: int) -> None:
    """Set a row for each name."""
    quick.set_rows(
        COLUMNS, [{"id": key, "points": each, "name": key.upper()} for key, each in points.items()]
    )


@pytest.fixture
def shop(quick: QuickProject) -> QuickProject:
    """Three people in Batch and in the snapshot."""
    quick.map(MAPPING)
    people(quick, a=1, b=1, c=1)
    assert quick.sync().accepted == 3
    quick.build()
    return quick


def killed_push(quick: QuickProject, *, sent: int, settled: int | None = None) -> None:
    """Record a push of the last delta that was killed five minutes ago, with the last pages it may have sent
    and knows to be settled.
    """
    (built,) = quick.query("from batch_sync_journal where event = 'built' order by recorded_at desc limit 1")
    for event, page in (("claimed", None), ("intent", sent), ("checkpoint", settled)):
        if event == "claimed" or page is not None:
            quick.execute(
                "insert into batch_sync_journal (recorded_at, sync, event, run_id, delta_id, page) select "
                "now() at time zone 'UTC' - interval 5 minutes, 'people', $event, 'killed', $delta, $page",
                event=event, delta=built["delta_id"], page=page,
            )  # fmt: skip


def doubts(quick: QuickProject) -> dict[str, str]:
    return {key: row["_batch_doubt"] for key, row in quick.snapshot().items() if row["_batch_doubt"]}


def test_settled_rows_are_merged_once(shop: QuickProject) -> None:
    (run,) = shop.query("from batch_sync_runs")
    held = shop.snapshot()
    assert {row["_batch_run_id"] for row in held.values()} == {run["run_id"]}
    assert {row["_batch_delta_id"] for row in held.values()} == {run["delta_id"]}
    assert all(row["_batch_sent_at"] and row["_batch_exited_at"] is None for row in held.values())
    assert shop.changes() == {}
    shop.build()
    assert shop.snapshot() == held
    assert unchanged(shop.push_one())


def test_a_value_in_doubt_is_sent_again_even_if_it_reverted(shop: QuickProject) -> None:
    people(shop, a=2, b=1, c=1)
    shop.build()
    killed_push(shop, sent=0)
    people(shop, a=1, b=1, c=1)
    shop.build()
    assert doubts(shop) == {"a": ",points,"}
    assert shop.snapshot()["a"]["points"] == 1
    assert shop.changes() == {"a": ("update", "points")}
    shop.build()
    assert shop.changes() == {"a": ("update", "points")}, "it should stay until it is settled"
    assert shop.push_one().accepted == 1
    assert shop.sent.attributes == {"a": {"points": 1}}
    shop.build()
    assert (doubts(shop), shop.changes()) == ({}, {})


def test_pages_are_settled_in_doubt_or_never_sent(shop: QuickProject) -> None:
    people(shop, a=2, b=2, c=2)
    shop.build()
    first, second, third = (
        row["custom_id"] for row in sorted(shop.delta(), key=lambda row: row["_batch_page"])
    )
    killed_push(shop, settled=0, sent=1)
    shop.build()
    assert {key: row["points"] for key, row in shop.snapshot().items()} == {first: 2, second: 1, third: 1}
    assert doubts(shop) == {second: ",points,"}
    assert set(shop.changes()) == {second, third}


def test_an_insert_in_doubt_is_sent_again_or_exits(shop: QuickProject) -> None:
    people(shop, a=1, b=1, c=1, d=1)
    shop.build()
    killed_push(shop, sent=0)
    shop.map({**MAPPING, "on_exit": "clear"})
    people(shop, a=1, b=1, c=1)
    shop.build()
    assert shop.changes() == {"d": ("exit", "points,name")}, "Batch may have the insert"
    shop.push()
    assert shop.sent.attributes == {"d": {"points": None, "name": None}}


def test_a_return_in_doubt_exits_again(shop: QuickProject) -> None:
    """The snapshot says that Batch was told of the exit, but it may have heard of the return since."""
    shop.map({**MAPPING, "on_exit": "flag", "membership": "in_crm"})
    people(shop, b=1, c=1)
    shop.sync()
    people(shop, a=1, b=1, c=1)
    shop.build()
    assert shop.changes() == {"a": ("update", "in_crm")}
    killed_push(shop, sent=0)
    people(shop, b=1, c=1)
    shop.build()
    assert shop.changes() == {"a": ("exit", "in_crm")}


def test_a_rejected_row_is_parked_until_it_is_released(shop: QuickProject) -> None:
    shop.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("a", "d"))])
    people(shop, a=2, b=2, c=1, d=1)
    assert shop.sync().rejected_rows == 2
    shop.build()
    assert {key: row["points"] for key, row in shop.snapshot().items()} == {"a": 1, "b": 2, "c": 1}
    parked = {"a": ("invalid", "parked"), "d": ("invalid", "parked")}
    assert shop.changes() == parked
    assert {row["_batch_changed"] for row in shop.delta()} == {""}
    pushed = shop.push_one()
    assert (pushed.status, pushed.parked, pushed.invalid, pushed.requests) == ("partial", 2, 0, 0)

    people(shop, a=3, b=2, c=1, d=1)
    shop.build()
    assert shop.changes() == {**parked, "a": ("update", "points")}, "a change should release the row"
    shop.sandbox.faults.set(())
    shop.push()
    shop.resend("rejected")
    assert shop.changes() == {"d": ("insert", "points,name")}
    assert shop.push_one().status == "succeeded"
    shop.build()
    assert (shop.changes(), shop.rejects()) == ({}, {})
    assert set(shop.snapshot()) == set("abcd")


def test_a_resend_sends_everything_once(shop: QuickProject) -> None:
    shop.resend("all")
    assert shop.changes() == dict.fromkeys("abc", ("update", "points,name"))
    assert shop.push_one().accepted == 3
    assert unchanged(shop.sync())


def test_a_resend_puts_no_kept_null_in_doubt(quick: QuickProject) -> None:
    """There is nothing to send, so it could never be settled."""
    quick.map({"identifier": "id", "standard": {"email_marketing": "optin"}, "custom": ["n"]})
    columns = {"id": "varchar", "optin": "boolean", "n": "integer"}
    quick.set_rows(columns, [{"id": "a", "n": None}, {"id": "b", "optin": True, "n": 1}])
    quick.sync()
    quick.resend("all")
    quick.push()
    assert quick.sent.attributes == {"a": {"n": None}, "b": {"n": 1, "$email_marketing": "subscribed"}}
    quick.build()
    assert {row["_batch_doubt"] for row in quick.snapshot().values()} == {None}


def test_an_opt_out_survives_a_null_an_exit_and_a_return(quick: QuickProject) -> None:
    columns = {"id": "varchar", "optin": "boolean", "n": "integer"}
    mapping = {
        "identifier": "id",
        "standard": {"email_marketing": "optin"},
        "custom": ["n"],
        "on_exit": "clear",
    }
    quick.map(mapping)
    other = {"id": "b", "n": 1}

    def sync(*rows: dict[str, object]) -> dict[str, dict[str, object]]:
        quick.set_rows(columns, [*rows, other])
        quick.sync()
        return quick.sent.attributes

    assert sync({"id": "a", "optin": False, "n": 1})["a"] == {"$email_marketing": "unsubscribed", "n": 1}
    assert sync({"id": "a", "optin": None, "n": 1}) == {}
    assert sync() == {"a": {"n": None}}, "an exit must not delete the opt-out"
    assert sync({"id": "a", "optin": True, "n": 2}) == {"a": {"n": 2}}
    assert quick.rejects() == {("a", "batch__email_marketing"): "never_resubscribe"}
    assert quick.profiles()["a"]["$email_marketing"].value == "unsubscribed"
    quick.map({**mapping, "guards": {"never_resubscribe": False}})
    assert sync({"id": "a", "optin": True, "n": 2}) == {"a": {"$email_marketing": "subscribed"}}


REMEDY = r"dbt-batch-sync resend --all --select people, then dbt run and dbt-batch-sync push"


def test_a_delta_dropped_before_it_was_merged(shop: QuickProject) -> None:
    people(shop, a=2, b=1, c=1)
    shop.sync()
    shop.execute("drop table people_delta")
    with pytest.raises(DbtBaseException, match=rf"people_delta.* is gone[\s\S]*{REMEDY}"):
        shop.build()
    shop.resend("all")
    assert shop.push_one().accepted == 3
    assert unchanged(shop.sync())


@pytest.mark.parametrize("restored", [False, True], ids=["emptied", "an older copy"])
def test_an_emptied_or_older_snapshot(shop: QuickProject, restored: bool) -> None:
    shop.execute("create table copied as from people_sent_snapshot")
    people(shop, a=2, b=1, c=1)
    shop.sync()
    shop.build()
    shop.execute("delete from people_sent_snapshot")
    if restored:
        shop.execute("insert into people_sent_snapshot from copied")
    with pytest.raises(
        DbtBaseException, match=rf"lacks the rows that were merged into it last[\s\S]*{REMEDY}"
    ):
        shop.build()
    shop.resend("all")
    assert shop.push_one().accepted == 3
    assert unchanged(shop.sync())


def test_only_from_is_checked_against_the_built_target(shop: QuickProject) -> None:
    people(shop, a=2, b=1, c=1)
    shop.build()
    shop.outputs(sandbox={"only_from": ["prod"]})
    pushed = shop.push_one(target="prod")
    assert pushed.status == "failed"
    assert "prod (`only_from`), and dbt built this" in str(pushed.error)
    assert not shop.sent.requests
