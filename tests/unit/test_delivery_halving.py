"""Finding the operations for which a call was rejected."""

from __future__ import annotations

import math

import pytest

from dbt_batch_sync.batch_api.answers import Accepted, PartialError, Rejected
from dbt_batch_sync.delivery.halving import (
    FIRST_CHECK,
    PROBES,
    UNACCEPTED,
    MostlyRejected,
    find_rejected,
)

REFUSED = Rejected(400, "MALFORMED")


def bad_row(index: int) -> PartialError:
    return PartialError(index, None, "MALFORMED", "")


def bad_points(index: int) -> PartialError:
    return PartialError(index, "points", "", "")


class Batch:
    """Rejects calls that contain a bad operation, and one attribute of some operations."""

    def __init__(self, bad: set[int], partial: frozenset[int] = frozenset()) -> None:
        self.bad, self.partial, self.calls = bad, partial, list[tuple[int, int]]()

    def __call__(self, start: int, stop: int) -> Accepted | Rejected:
        self.calls.append((start, stop))
        if any(start <= index < stop for index in self.bad):
            return REFUSED
        errors = (bad_points(index - start) for index in sorted(self.partial) if start <= index < stop)
        return Accepted(tuple(errors))


def test_nothing_to_send_makes_no_call() -> None:
    batch = Batch(set())
    assert find_rejected(0, batch) == []
    assert batch.calls == []


def test_an_accepted_call_is_made_once() -> None:
    batch = Batch(set(), frozenset({0, 7}))
    assert find_rejected(8, batch) == [bad_points(0), bad_points(7)]
    assert batch.calls == [(0, 8)]


def test_halves_are_searched() -> None:
    batch = Batch({5}, frozenset({0, 4, 7}))
    assert find_rejected(8, batch) == [bad_points(0), bad_points(4), bad_row(5), bad_points(7)]
    assert batch.calls == [(0, 8), (0, 4), (4, 6), (4, 5), (5, 6), (6, 8)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 64, 100])
def test_one_bad_operation_costs_at_most_the_documented_calls(count: int) -> None:
    for index in range(count):
        batch = Batch({index})
        assert find_rejected(count, batch) == [bad_row(index)]
        assert len(batch.calls) <= 2 * math.log2(count) + 1
        assert (index, index + 1) in batch.calls  # it was sent alone


def test_a_call_rejected_for_its_size_has_no_bad_operation() -> None:
    def call(start: int, stop: int) -> Accepted | Rejected:
        return Rejected(413) if stop - start > 3 else Accepted()

    assert find_rejected(10, call) == []


def test_adjacent_bad_operations_are_all_found() -> None:
    batch = Batch(set(range(300)))
    assert find_rejected(10_000, batch) == [bad_row(index) for index in range(300)]
    assert len(batch.calls) < 800


def test_the_search_ends_early_when_all_are_bad() -> None:
    batch = Batch(set(range(10_000)))
    with pytest.raises(MostlyRejected) as stopped:
        find_rejected(10_000, batch)
    assert vars(stopped.value) == vars(MostlyRejected(FIRST_CHECK, PROBES, PROBES, REFUSED))
    assert len(batch.calls) < 100


def test_the_search_ends_early_when_all_the_rest_is_bad() -> None:
    batch = Batch(set(range(5_000, 10_000)))
    with pytest.raises(MostlyRejected):
        find_rejected(10_000, batch)
    assert len(batch.calls) < 100


def test_the_rest_is_sampled_each_time_the_rejections_have_doubled() -> None:
    batch = Batch(set(range(300)))
    find_rejected(1_625, batch)
    next_calls = {
        start: batch.calls[number : number + PROBES]
        for number, (start, stop) in enumerate(batch.calls, 1)
        if stop == start + 1
    }
    assert next_calls[24] == [(start, start + 1) for start in range(25, 1_625, 100)]
    # Only a sample ends far from where the search is.
    sampled = [start + 1 for start, calls in next_calls.items() if calls[-1:] > [(1_500, 0)]]
    assert sampled == [FIRST_CHECK, 50, 100, 200]


def test_no_operation_is_accepted_twice_if_it_must_not_be_repeated() -> None:
    batch = Batch(set(range(200)) - {90, 199})
    assert len(find_rejected(200, batch, repeatable=False)) == 198
    accepted = [call for call in batch.calls if not batch.bad & set(range(*call))]
    assert accepted == [(90, 91), (199, 200)]


@pytest.mark.parametrize(("count", "rejected"), [(90, 90), (10_000, UNACCEPTED)])
def test_a_search_without_samples_ends_if_nothing_is_accepted(count: int, rejected: int) -> None:
    batch = Batch(set(range(count)))
    with pytest.raises(MostlyRejected) as stopped:
        find_rejected(count, batch, repeatable=False)
    assert vars(stopped.value) == vars(MostlyRejected(rejected, 0, 0, REFUSED))


def test_a_small_chunk_is_searched_completely() -> None:
    batch = Batch(set(range(64)))
    assert len(find_rejected(64, batch)) == 64
    assert len(batch.calls) < 2 * 64
