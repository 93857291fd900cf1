"""What a push reads of the journal is enough for the state, in any history."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest
from harness.hand_built import Memory
from sqlglot import exp

from dbt_batch_sync.ledger.journal import Journal, awake
from dbt_batch_sync.ledger.records import COLUMNS, JOURNAL, Event, ledger_rows
from dbt_batch_sync.ledger.state import SyncState, state_of

SYNCS = tuple(f"sync_{n}" for n in range(150))


def history(sync: str, chance: random.Random) -> list[Event]:
    """Builds and pushes, in random order and often unfinished."""
    at = datetime(2026, 4, 1)
    events: list[Event] = []
    deltas, runs = ["d0"], ["r0"]

    def add(event: Any, **cells: Any) -> None:
        nonlocal at
        at += timedelta(seconds=chance.choice((0.5, 1, 5)))
        events.append(Event(at, sync, event, **cells))

    for number in range(chance.randrange(40)):
        run = {"run_id": chance.choice(runs[-3:]), "delta_id": chance.choice(deltas[-2:])}
        event = chance.choice(
            ("built", "claimed", "claimed", "beat", "intent", "checkpoint", "end", "released")
        )
        if event == "built":
            add("building", delta_id=f"d{number}")
            if chance.random() < 0.8:
                deltas.append(f"d{number}")
                request = chance.choice(("all", None))
                add("built", delta_id=deltas[-1], inserts=9, page=99, request=request, parked=number)
        elif event == "end":
            add("ended", **run, rejected_rows=number, page=number, status="succeeded")
            runs = [f"{each}+" if each == run["run_id"] else each for each in runs] + [f"r{number}"]
        else:
            told = {"page": number, "project_hash": chance.choice("pq"), "unsure": chance.randrange(3)}
            add(event, **run, **(told if event in ("intent", "checkpoint") else {"host": "elsewhere"}))
    ago = (
        datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=chance.choice((5, 30, 500))) - at
    )
    return [replace(event, recorded_at=event.recorded_at + ago) for event in events]


def in_order(state: SyncState) -> SyncState:
    return replace(state, claims=tuple(sorted(state.claims, key=lambda each: each.run_id)))


TABLE = exp.to_table("batch_sync_journal", dialect="duckdb")


def empty() -> Memory:
    """A warehouse with an empty journal."""
    connection = duckdb.connect()
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[JOURNAL].items())
    connection.execute(f"create table batch_sync_journal ({columns})")
    return Memory(connection)


def test_the_state_is_the_same_as_from_all_events() -> None:
    chance = random.Random(15)
    histories = {sync: history(sync, chance) for sync in SYNCS}
    warehouse = empty()
    everything = [event for events in histories.values() for event in events]
    warehouse.append(TABLE, ledger_rows(COLUMNS[JOURNAL], map(asdict, everything)))
    states = Journal(warehouse, TABLE).states(SYNCS)
    for sync, events in histories.items():
        assert in_order(states[sync]) == in_order(state_of(sync, events, states[sync].now))
    assert any(state.claims for state in states.values())
    assert any(state.project_hash for state in states.values())


def test_the_time_is_that_of_the_fastest_answer() -> None:
    """The clock starts at the question, so a slow answer puts it ahead of the warehouse."""
    warehouse, seconds = empty(), 0.0
    begin = datetime(2026, 4, 1)
    journal = Journal(warehouse, TABLE, lambda: seconds)
    with pytest.raises(RuntimeError):
        journal.stamp()
    for asked, answered, ahead in ((0, 5, 5), (10, 12, 2), (20, 29, 2), (40, 40, 0), (50, 54, 0)):
        warehouse.connection.execute(
            "create or replace macro get_current_timestamp() as "
            f"timestamptz '{begin}+00' + to_seconds({answered})"
        )
        seconds = asked
        journal.state("people")
        seconds = answered + 1
        assert journal.stamp() == begin + timedelta(seconds=seconds + ahead)


def test_no_time_is_given_twice() -> None:
    journal = Journal(empty(), TABLE, lambda: 0.0)
    journal.state("people")
    assert journal.stamp() < journal.stamp()


def test_the_clock_counts_while_the_machine_sleeps_if_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: -1.0)
    assert (awake() > 0) is hasattr(time, "CLOCK_BOOTTIME")
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert awake() == -1.0
