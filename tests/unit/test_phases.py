"""The time that a push spends in each phase, with a simulated clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbt_batch_sync.push.phases import Phases


class Hands:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def items(self, *costs: float) -> Iterator[float]:
        """One item for each cost in seconds, then one more second to find the end."""
        for cost in costs:
            self.time += cost
            yield cost
        self.time += 1


def seconds(phases: Phases) -> tuple[float, ...]:
    """Seconds spent reading, rendering, sending and recording."""
    return tuple(phases.seconds.values())


def test_a_phase_counts_iteration_but_not_its_consumer() -> None:
    hands = Hands()
    phases = Phases(hands.now)
    for cost in phases.pulled("reading", hands.items(2, 3)):
        hands.time += 10 * cost
    assert seconds(phases) == (6, 0, 0, 0)
    hands.time += 7
    assert seconds(phases) == (6, 0, 0, 0)


def test_a_nested_phase_pauses_the_outer_one() -> None:
    hands = Hands()
    phases = Phases(hands.now)

    def rendered() -> Iterator[float]:
        for cost in phases.pulled("reading", hands.items(2, 4)):
            hands.time += 0.25
            yield cost

    with phases.spent_on("sending"):
        for _ in phases.pulled("rendering", rendered()):
            hands.time += 20
            with phases.spent_on("recording"):
                hands.time += 300
    assert seconds(phases) == (7, 0.5, 40, 600)


def test_an_error_ends_its_phase() -> None:
    hands = Hands()
    phases = Phases(hands.now)

    def broken() -> Iterator[float]:
        yield from hands.items(1)
        raise LookupError

    with phases.spent_on("sending"):
        with pytest.raises(LookupError):
            list(phases.pulled("reading", broken()))
        hands.time += 5
    hands.time += 50
    assert seconds(phases) == (2, 0, 5, 0)
