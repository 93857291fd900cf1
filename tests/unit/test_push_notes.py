"""Notes of rows: taken when their row is committed, while a thread that reads ahead adds others."""

from __future__ import annotations

from typing import Any

from dbt_batch_sync.payload.render import Parked, Withheld
from dbt_batch_sync.push.segment_push import taken


def note(position: int) -> Withheld:
    return Withheld(position, f"p{position}", "points", "too_long")


class Growing(list[Withheld | Parked]):
    """A list to which another thread adds a note just before it is written to."""

    def __setitem__(self, place: Any, notes: Any) -> None:
        self.append(note(9))
        super().__setitem__(place, notes)


def test_notes_are_taken_up_to_a_position() -> None:
    notes: list[Withheld | Parked] = [note(1), note(3), note(2)]
    assert taken(notes, 2) == [note(1), note(2)]
    assert notes == [note(3)]
    assert taken(notes, 2) == []


def test_what_is_added_meanwhile_is_not_lost() -> None:
    notes = Growing([note(1), note(4)])
    assert taken(notes, 2) == [note(1)]
    assert notes == [note(4), note(9)]
