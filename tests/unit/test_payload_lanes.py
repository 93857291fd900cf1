"""Rows worked on in several lanes come back in order, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from dbt_batch_sync.payload.lanes import in_lanes

Batches = Iterator[pa.RecordBatch]


def rows(*numbers: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64())], ["n"])


def counted(sizes: list[int], after: int = 0) -> Batches:
    for size in sizes:
        yield rows(*range(after + 1, after + 1 + size))
        after += size


def numbers(result: Batches) -> list[int]:
    return [number for batch in result for number in batch.column("n").to_pylist()]


def same(batches: Batches) -> Batches:
    yield from batches


def gathered(batches: Batches) -> Batches:
    """As an engine does: batches of its own size, over the borders of those it was given."""
    held: list[int] = []
    for batch in batches:
        held += batch.column("n").to_pylist()
        while len(held) >= 4:
            yield rows(*held[:4])
            del held[:4]
    yield rows(*held)


@pytest.mark.parametrize("work", [same, gathered])
@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("sizes", [[], [0], [5], [3, 3], [1] * 9, [0, 7, 0, 0, 2, 5], [3, 10, 2, 6] * 20])
@pytest.mark.parametrize("after", [0, 70])
def test_every_row_comes_back_in_order(work: object, lanes: int, sizes: list[int], after: int) -> None:
    found = numbers(in_lanes(counted(sizes, after), work, lanes, "n", after))  # type: ignore[arg-type]
    assert found == list(range(after + 1, after + 1 + sum(sizes)))
    assert threads() == []


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("wrong", [[2, 1], [1, 3], [1, 1], [5, 6]])
def test_what_is_out_of_order_is_never_given_back(lanes: int, wrong: list[int]) -> None:
    def work(batches: Batches) -> Batches:
        for batch in batches:
            first = batch.column("n")[0].as_py()
            yield rows(*(first - 1 + number for number in wrong)) if first == 9 else batch

    found = numbers(in_lanes(counted([2] * 20), work, lanes, "n", 0))
    assert found == list(range(1, 1 + len(found)))
    assert 8 <= len(found) < 11


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_an_error_comes_behind_the_rows_before_it(lanes: int) -> None:
    def work(batches: Batches) -> Batches:
        for batch in batches:
            if batch.column("n")[0].as_py() == 9:
                raise ValueError("nine")
            yield batch

    found: list[int] = []
    with pytest.raises(ValueError, match="nine"):
        found += (
            number
            for batch in in_lanes(counted([2] * 20), work, lanes, "n", 0)
            for number in batch.column("n").to_pylist()
        )
    assert found == [1, 2, 3, 4, 5, 6, 7, 8]
    assert threads() == []


def test_an_error_of_the_rows_themselves() -> None:
    def broken() -> Batches:
        yield from counted([2] * 5)
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        numbers(in_lanes(broken(), same, 2, "n", 0))
    assert threads() == []


def test_who_leaves_early_leaves_no_thread_and_reads_no_more() -> None:
    read = 0

    def endless() -> Batches:
        nonlocal read
        for batch in counted([2] * 100_000):
            read += 1
            yield batch

    result = in_lanes(endless(), same, 2, "n", 0)
    assert numbers(iter([next(result)])) == [1, 2]
    result.close()
    assert threads() == []
    assert read < 20


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "render"]
