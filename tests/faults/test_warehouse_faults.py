"""Warehouse failures and manual changes during a push: a clear error, and nothing lost."""

from __future__ import annotations

import re

import pytest
from harness.bench import Bench, Knobs
from harness.faults import Fault, FaultKind
from harness.faulty import Trouble

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.results.sync import SyncPushed

COLUMNS = {"id": "varchar", "points": "bigint"}
NAMES = "abcdef"
KNOBS = Knobs(chunk_rows=2, in_flight=1, checkpoint_every=1)


def begin(bench: Bench) -> None:
    """Push 1 for all profiles, then build a delta with 2."""
    bench.reset()
    bench.map({"identifier": "id", "custom": ["points"], "guards": {"min_rows": 0}})
    build(bench, 1)
    bench.push()
    build(bench, 2)


def build(bench: Bench, points: int) -> None:
    bench.set_rows(COLUMNS, [{"id": name, "points": points} for name in NAMES])
    assert bench.build()


def held(bench: Bench) -> set[object]:
    return {each.value for have in bench.profiles().values() for each in have.values()}


def finish(bench: Bench, points: int) -> None:
    """Push cleanly, then assert that all profiles have these points and nothing is left."""
    pushed = bench.push(force=True).pushed
    assert pushed is not None
    assert pushed.status in ("succeeded", "partial"), pushed.error
    assert held(bench) == {points}
    assert bench.build()
    assert bench.push().requests == 0


def disturbed(bench: Bench, *statements: str, faults: tuple[Fault, ...] = ()) -> SyncPushed:
    """Run these statements during a push, once the first of three calls is settled."""
    meanwhile = (1, lambda: bench.execute(*statements))
    pushed = bench.push(knobs=KNOBS, meanwhile=meanwhile, faults=faults).pushed
    assert pushed is not None
    return pushed


def settled_pages(bench: Bench, delta_id: str | None) -> int:
    """The number of settled pages of a delta, according to the ledger."""
    checkpoints = [each for each in bench.journal() if each["event"] == "checkpoint"]
    return max((each["page"] + 1 for each in checkpoints if each["delta_id"] == delta_id), default=0)


# During a push


@pytest.mark.parametrize("table", ["batch_sync_journal", "batch_sync_rejects"])
def test_a_dropped_ledger_table(bench: Bench, table: str) -> None:
    begin(bench)
    rejecting = Fault(FaultKind.REFUSE_ROWS, custom_ids=tuple(NAMES))
    faults = (rejecting,) if table == "batch_sync_rejects" else ()
    failed = disturbed(bench, f"drop view if exists batch_sync_runs; drop table {table}", faults=faults)
    assert failed.status == "failed"
    assert table in str(failed.error)
    bench.let_leases_expire()
    build(bench, 3)
    finish(bench, 3)


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize(
    ("statement", "harmless"),
    [
        ("alter table people_delta add column more varchar", True),
        ("alter table people_delta alter points type varchar", True),
        ("alter table people_delta drop column points", False),
        ("delete from people_delta where _batch_page > 0", False),
        ("update people_delta set _batch_delta_id = 'another'", False),
        ("create or replace table people_delta as select 1 as id", False),
        ("drop table people_delta", False),
    ],
)
def test_an_altered_replaced_or_dropped_delta(
    bench: Bench, statement: str, harmless: bool, settled: bool
) -> None:
    """By hand, without dbt: when the first of three page ranges is read, or when all are read and one is
    settled.
    """
    begin(bench)
    if settled:
        pushed = disturbed(bench, statement)
    else:
        outcome = bench.push(knobs=KNOBS, reading=(5, lambda: bench.execute(statement)))
        assert outcome.pushed is not None
        pushed = outcome.pushed
    assert pushed.status == ("succeeded" if harmless or settled else "failed"), pushed.error
    if pushed.sent and not harmless:
        with pytest.raises(Exception, match="resend --all"):
            build(bench, 1)
        bench.resend("all")
    bench.let_leases_expire()
    build(bench, 1)
    finish(bench, 1)


# Before a push


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("drop table people_delta", r"there is no .*people_delta.* in the warehouse yet"),
        ("drop view batch_sync_runs; drop table batch_sync_journal", r"dbt run"),
        ("alter table people_delta drop column points", r"lacks the columns points: it was altered"),
        ("alter table people_delta drop column custom_id", r"lacks the columns custom_id"),
        ("delete from people_delta", r"is not the delta that .* was built last"),
    ],
)
def test_a_missing_relation_is_named_and_nothing_is_sent(bench: Bench, statement: str, words: str) -> None:
    begin(bench)
    bench.execute(statement)
    outcome = bench.push()
    assert outcome.pushed is not None
    assert outcome.pushed.status == "failed"
    assert outcome.requests == 0
    error = str(outcome.pushed.error)
    assert re.search(words, error), error
    assert "dbt run" in error
    build(bench, 3)
    finish(bench, 3)


# The connection


@pytest.mark.parametrize("act", ["fail", "lose"])
@pytest.mark.parametrize("point", ["columns", "fetch", "append"])
def test_the_connection_is_lost_at_a_call(bench: Bench, point: str, act: str) -> None:
    """At every third call permanently, at others once: state, claim, pages, intents, checkpoints."""
    lose(bench, point, act, range(1 if act == "lose" or point == "columns" else 2, 40, 3))


@pytest.mark.thorough
@pytest.mark.parametrize("act", ["fail", "lose"])
@pytest.mark.parametrize("point", ["columns", "fetch", "append"])
def test_the_connection_is_lost_at_any_call(bench: Bench, point: str, act: str) -> None:
    """At every call, both ways."""
    lose(bench, point, act, range(1, 40))


def lose(bench: Bench, point: str, act: str, calls: range) -> None:
    """Fail each of these calls in turn, once or permanently, until a push completes."""
    begin(bench)
    kept = set[int]()
    for nth in calls:
        try:
            pushed = bench.push(knobs=KNOBS, trouble=Trouble(point, nth, act=act)).pushed  # type: ignore[arg-type]
        except WarehouseError:
            pushed = None
            assert held(bench) == {1}, "it raised after sending requests"
        if pushed is not None:
            said = settled_pages(bench, pushed.delta_id)
            assert pushed.settled <= 2 * said, "the result reports more settled rows than the ledger"
            kept.add(said)
        if pushed is not None and pushed.status == "succeeded":
            break
        bench.let_leases_expire()
        build(bench, 1)
        finish(bench, 1)
        build(bench, 2)
    else:
        pytest.fail("no push completed")
    assert len(kept) > (2 if point == "append" else 0), "earlier settled rows were lost"


def test_the_connection_is_lost_when_there_is_nothing_to_send(bench: Bench) -> None:
    """Only the sync fails, not the whole push."""
    begin(bench)
    bench.push()
    build(bench, 2)
    pushed = bench.push(trouble=Trouble("append", act="fail")).pushed
    assert pushed is not None
    assert (pushed.status, pushed.error) == ("failed", "the connection was lost")
    finish(bench, 2)
