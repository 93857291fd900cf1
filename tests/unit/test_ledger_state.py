"""The state of a sync, computed from journal events."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dbt_batch_sync.ledger.records import Event
from dbt_batch_sync.ledger.state import Checkpoint, SyncState, process_exists, state_of, this_host

START = datetime(2026, 4, 1, 6)


class Journal:
    """Collects events, one second apart unless `after` is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = START

    def add(self, event: Any, *, after: float = 1, **cells: Any) -> Journal:
        self.at += timedelta(seconds=after)
        self.events.append(Event(self.at, "people", event, **cells))
        return self

    def built(self, delta_id: str = "d1", **cells: Any) -> Journal:
        told = {"inserts": 5, "page": 4, **cells}
        return self.add("building", delta_id=delta_id).add("built", delta_id=delta_id, **told)

    def run(self, event: Any, run_id: str = "r1", delta_id: str = "d1", **cells: Any) -> Journal:
        return self.add(event, run_id=run_id, delta_id=delta_id, **cells)

    def state(self, after: float = 1) -> SyncState:
        return state_of("people", reversed(self.events), self.at + timedelta(seconds=after))


def test_the_state_before_the_first_build() -> None:
    assert Journal().state() == SyncState("people", START + timedelta(seconds=1))
    assert not Journal().state().is_settled


def test_an_unfinished_build_counts_until_one_completes() -> None:
    journal = Journal().built()
    assert not journal.state().is_building
    journal.add("building", delta_id="d2")
    assert journal.state().is_building
    journal.add("built", delta_id="d2")
    assert not journal.state().is_building
    # A build that died no longer matters once another has completed.
    journal.built("d3")
    assert not journal.state().is_building


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], Checkpoint()),
        ([("r1", 0, None), ("r1", 2, None)], Checkpoint(2)),
        ([("r1", -1, "k")], Checkpoint(-1, "k")),
        ([("r1", 1, "b"), ("r2", 1, "a")], Checkpoint(1, "a")),
        ([("r1", 1, "b"), ("r2", 2, None)], Checkpoint(2)),
        ([("r1", 3, None), ("r2", 2, None)], Checkpoint(3)),
    ],
)
def test_the_checkpoint_is_the_farthest_of_the_delta(
    steps: list[tuple[str, int, str | None]], expected: Checkpoint
) -> None:
    journal = Journal().built("d0").run("checkpoint", "r0", "d0", page=9).built()
    for run_id, page, key in steps:
        journal.run("checkpoint", run_id, page=page, key=key)
    state = journal.state()
    assert state.checkpoint == expected
    assert state.built is not None
    assert state.built.delta_id == "d1"


@pytest.mark.parametrize(
    ("built", "page", "settled"),
    [
        ({}, None, False),
        ({}, 3, False),
        ({}, 4, True),
        ({"inserts": 0, "page": None}, None, True),
        ({"inserts": 0, "invalid": 3}, None, True),
    ],
)
def test_a_delta_is_settled_when_nothing_is_left_to_send(
    built: dict[str, Any], page: int | None, settled: bool
) -> None:
    journal = Journal().built(**built)
    if page is not None:
        journal.run("checkpoint", page=page)
    assert journal.state().is_settled is settled


@pytest.mark.parametrize(
    ("events", "page"),
    [
        ([("intent", "r1", 1), ("intent", "r1", 3), ("intent", "r2", 2)], 3),
        ([("intent", "r1", 3), ("ended", "r1", 1)], 1),
        ([("intent", "r1", 3), ("ended", "r1", None)], None),
        # Events of the same moment come in any order.
        ([("ended", "r1", 1), ("intent", "r1", 3), ("intent", "r2", 0)], 1),
    ],
)
def test_the_sent_page_is_the_last_intent_unless_the_push_ended(
    events: list[tuple[str, str, int | None]], page: int | None
) -> None:
    journal = Journal().built()
    for event, run_id, reached in events:
        journal.run(event, run_id, page=reached)
    assert journal.state().sent_page == page


def test_parked_rows_include_those_rejected_by_pushes_of_the_delta() -> None:
    journal = Journal().built("d0").run("ended", "r0", "d0", rejected_rows=7).built(parked=2)
    assert journal.state().parked == 2
    journal.run("ended", "r1", rejected_rows=3).run("ended", "r2", rejected_rows=1)
    assert journal.state().parked == 6


def test_uncertain_events_of_killed_pushes_are_reported_by_the_next() -> None:
    journal = Journal().built().run("claimed").run("checkpoint", page=0, unsure=2)
    assert journal.state().unreported == 2
    journal.run("checkpoint", "r2", page=1, unsure=1).run("checkpoint", "r2", page=2, unsure=3)
    assert journal.state().unreported == 5
    journal.run("ended", "r3", page=3)
    assert journal.state().unreported == 0
    assert journal.run("checkpoint", "r4", page=4).state().unreported == 0


def test_the_project_is_that_of_the_last_intent_until_a_resend() -> None:
    journal = Journal().built()
    assert journal.state().project_hash is None
    journal.run("intent", project_hash="a").built("d2").run("claimed", project_hash="b")
    assert journal.state().project_hash == "a"
    journal.built("d3", request="all")
    assert journal.state().project_hash is None
    journal.run("intent", project_hash="b")
    assert journal.state().project_hash == "b"


@pytest.mark.parametrize(
    ("events", "silence", "live"),
    [
        (["claimed"], 1, True),
        (["claimed"], 59, True),
        (["claimed"], 60, False),
        (["claimed", "beat"], 59, True),
        (["claimed", "intent", "checkpoint"], 59, True),
        (["claimed", "released"], 1, False),
        (["claimed", "ended", "released"], 1, False),
        (["claimed", "released", "claimed"], 1, True),
        # Late appends of a push that lost its claim are not heartbeats, and neither is doubt.
        (["claimed", "released", "beat"], 1, False),
        (["doubt"], 1, False),
        (["resend"], 1, False),
    ],
)
def test_a_claim_is_live_until_it_is_released_or_silent(
    events: list[str], silence: float, live: bool
) -> None:
    journal = Journal().built()
    for event in events:
        journal.run(event, host="elsewhere", process=1)
    state = journal.state(silence)
    assert [claim.run_id for claim in state.claims] == ["r1"] * live
    assert state.others("r1") == ()


def test_an_ended_process_on_this_host_is_dead_immediately() -> None:
    journal = Journal().built()
    journal.run("claimed", "gone", host=this_host(), process=2**22 + 1)
    journal.run("claimed", "here", host=this_host(), process=os.getpid())
    assert [claim.run_id for claim in journal.state().claims] == ["here"]


def test_a_process_is_found_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert process_exists(os.getpid())
    assert not process_exists(2**22 + 1)


def test_counts_of_the_build() -> None:
    counts = {
        "inserts": 1,
        "updates": 2,
        "exits": 4,
        "invalid": 8,
        "parked": 16,
        "model_rows": 32,
        "known_rows": 64,
    }
    built = Journal().built(**counts).state().built
    assert built is not None
    assert {name: getattr(built, name) for name in counts} == counts
    assert (built.changes, built.rows) == (7, 31)


@pytest.mark.parametrize("other", ["d0", "d2"])
def test_events_of_another_delta_are_ignored(other: str) -> None:
    journal = Journal().built(other).run("intent", "r0", other, page=3)
    journal.run("checkpoint", "r0", other, page=3).run("ended", "r0", other, page=3, rejected_rows=1).built()
    state = journal.state()
    assert (state.checkpoint, state.rejected_rows, state.has_ended, state.sent_page) == (
        Checkpoint(),
        0,
        False,
        None,
    )


@pytest.mark.parametrize("run_id", ["r0", "r2"])
def test_a_claim_starts_at_its_first_event_and_belongs_to_one_run(run_id: str) -> None:
    journal = Journal().built().run("claimed", host="elsewhere")
    claimed_at = journal.at
    journal.run("beat")
    (claim,) = journal.state().others(run_id)
    assert (claim.claimed_at, claim.heard_at) == (claimed_at, journal.at)
    assert journal.state().others("r1") == ()
