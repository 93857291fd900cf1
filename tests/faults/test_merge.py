"""How `dbt run` merges after a push that was killed, overtaken or still appending: cases that random
sequences rarely reach.
"""

from __future__ import annotations

import pytest
from harness.bench import Bench, Killed, Knobs
from harness.faults import Fault, FaultKind
from harness.faulty import Trouble

COLUMNS = {"id": "varchar", "points": "bigint"}
KNOBS = Knobs(chunk_rows=1, in_flight=1, checkpoint_every=1)


def begin(bench: Bench) -> None:
    bench.reset()
    bench.map({"identifier": "id", "custom": ["points"], "guards": {"min_rows": 0}})


def build(bench: Bench, points: int | None, names: str = "abcd") -> None:
    bench.set_rows(COLUMNS, [{"id": name, "points": points} for name in names])
    assert bench.build()


def finish(bench: Bench, points: int | None) -> None:
    """Push cleanly, then assert that Batch has these points and nothing is left."""
    pushed = bench.push(force=True).pushed
    assert pushed is not None
    assert pushed.status == "succeeded", pushed.error
    held = {name: {each.value for each in have.values()} for name, have in bench.profiles().items()}
    assert held == dict.fromkeys("abcd", set() if points is None else {points})
    assert bench.build()
    assert bench.push().requests == 0


def test_a_later_answer_overrides_the_rejects_of_a_killed_push(bench: Bench) -> None:
    """Rejects are appended before the checkpoint. The rows are sent again, and the later answer counts."""
    begin(bench)
    build(bench, 1)
    bench.push()
    build(bench, 2)
    refuse = [Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",))]
    assert bench.push(faults=refuse, knobs=KNOBS, trouble=Trouble("append:rejects", when="after")).killed
    bench.let_leases_expire()
    again = bench.push().pushed
    assert again is not None
    assert again.status in ("succeeded", "partial")
    assert {held["points"].value for held in bench.profiles().values()} == {2}
    build(bench, 1)
    assert bench.rejects() == {}
    finish(bench, 1)


@pytest.mark.parametrize("days", [0, 3])
@pytest.mark.parametrize("ended", [True, False])
def test_doubt_is_merged_once_it_is_complete(bench: Bench, ended: bool, days: int) -> None:
    """An overtaken push appends thousands of doubt rows in parts. dbt may run in between, and prune the
    ledger.
    """
    begin(bench)
    build(bench, 1)
    bench.push()
    bench.time.seconds += days * 86_400
    bench.add("doubt", run_id="overtaken", key="a", names="points")
    bench.time.seconds += 5
    build(bench, 2)
    bench.push()
    bench.add("doubt", run_id="overtaken", key="b", names="points")
    if ended:
        bench.add("ended", run_id="overtaken", status="failed")
    else:
        bench.let_leases_expire()
    assert bench.build()
    assert bench.push().sent.keys() == {"a", "b"}
    assert bench.build()
    assert bench.push().requests == 0


def test_a_live_claim_on_an_empty_delta_loses_nothing(bench: Bench) -> None:
    begin(bench)
    build(bench, 1)
    bench.push()
    assert bench.build()
    bench.add("claimed", run_id="theirs", host="elsewhere[1]", process=1)
    assert bench.build()
    bench.let_leases_expire()
    build(bench, 2)
    finish(bench, 2)


def test_a_lost_checkpoint_does_not_count_as_settled(bench: Bench) -> None:
    """A checkpoint that could not be appended immediately is appended with the end of the push."""
    begin(bench)
    build(bench, 1)
    failed = bench.push(knobs=KNOBS, trouble=Trouble("append:checkpoint", act="fail")).pushed
    assert failed is not None
    assert failed.status == "failed"
    last = max((row.get("page", -1) for row in bench.journal() if row["event"] == "checkpoint"), default=-1)
    assert failed.settled == 2 * (last + 1) > 0
    finish(bench, 1)


@pytest.mark.parametrize("dropped", [True, False])
def test_a_resend_recovers_from_a_lost_delta(bench: Bench, dropped: bool) -> None:
    begin(bench)
    build(bench, 1)
    bench.push()
    build(bench, 2)
    bench.push()
    bench.execute(
        "drop table people_delta" if dropped else "update people_delta set _batch_delta_id = 'older'"
    )
    with pytest.raises(Exception, match=r"resend --all --select people"):
        build(bench, 1)
    bench.resend("all")
    build(bench, 1)
    finish(bench, 1)


def test_a_resend_clears_a_profile_that_returned_in_a_lost_delta_and_exited(bench: Bench) -> None:
    bench.reset()
    bench.map({"identifier": "id", "custom": ["points"], "on_exit": "clear", "guards": {"min_rows": 0}})
    for names in ("abcd", "abc", "abcd"):
        build(bench, 1, names)
        bench.push()
    bench.execute("drop table people_delta")
    with pytest.raises(Exception, match=r"resend --all --select people"):
        build(bench, 1, "abc")
    bench.resend("all")
    build(bench, 1, "abc")
    assert bench.push().sent.keys() == set("abcd")
    assert bench.profiles()["d"].keys() == set()
    for _ in range(2):
        assert bench.build()
        assert bench.push().requests == 0


def test_an_unrecorded_merge_is_repeated(bench: Bench) -> None:
    """Without transactions, the snapshot may contain the delta's rows before the ledger says so."""
    begin(bench)
    for points in (1, 2):
        build(bench, points)
        bench.push()
    bench.execute(
        "update people_sent_snapshot set points = 2, _batch_delta_id = (select max(_batch_delta_id) from people_delta)"
    )
    build(bench, 3)
    finish(bench, 3)


@pytest.mark.parametrize("idle", [0, 2])
def test_a_resend_recovers_from_an_older_snapshot(bench: Bench, idle: int) -> None:
    begin(bench)
    build(bench, 1)
    bench.push()
    build(bench, 2)
    bench.execute("create table copy as from people_sent_snapshot")
    bench.push()
    build(bench, 3)
    bench.push()
    for _ in range(1 + idle):
        assert bench.build()
    bench.execute("delete from people_sent_snapshot", "insert into people_sent_snapshot from copy")
    with pytest.raises(Exception, match=r"restored from an older copy"):
        build(bench, 1)
    bench.resend("all")
    build(bench, 1)
    finish(bench, 1)


@pytest.mark.thorough
@pytest.mark.parametrize("settled", [True, False])
def test_dbt_dies_at_each_statement(bench: Bench, settled: bool) -> None:
    """At every statement, including those of the merge, nothing is lost."""
    for statement in range(1, 80):
        begin(bench)
        build(bench, 1)
        bench.push()
        build(bench, 2)
        trouble = None if settled else Trouble("append:checkpoint")
        bench.push(knobs=KNOBS, trouble=trouble)
        bench.let_leases_expire()
        bench.set_rows(COLUMNS, [{"id": name, "points": 1} for name in "abcd"])
        survived = bench.build(dies_at=statement)
        build(bench, 1)
        finish(bench, 1)
        if survived:
            return
    pytest.fail(f"{Killed} at every statement")
