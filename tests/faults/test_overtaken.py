"""A push sleeps in a request until its claim has expired, while dbt and another push run."""

from __future__ import annotations

import pytest
from harness.bench import Bench, Knobs

COLUMNS = {"id": "varchar", "points": "bigint"}


def set_points(bench: Bench, points: int) -> None:
    bench.set_rows(COLUMNS, [{"id": name, "points": points} for name in "abcd"])
    assert bench.build()


def held(bench: Bench) -> set[object]:
    return {value.value for attributes in bench.profiles().values() for value in attributes.values()}


@pytest.mark.parametrize("request_number", [1, 2])
@pytest.mark.parametrize("rebuilt", [True, False])
@pytest.mark.parametrize("in_flight", [1, 2])
def test_the_last_requests_of_an_overtaken_push_are_repeated(
    bench: Bench, request_number: int, rebuilt: bool, in_flight: int
) -> None:
    bench.reset()
    bench.map({"identifier": "id", "custom": ["points"], "guards": {"min_rows": 0}})
    set_points(bench, 1)
    bench.push()
    set_points(bench, 2)

    def others() -> None:
        bench.let_leases_expire()
        if rebuilt:
            set_points(bench, 3)
        pushed = bench.push().pushed
        assert pushed is not None
        assert pushed.status == "succeeded"

    knobs = Knobs(chunk_rows=2, window_rows=4, in_flight=in_flight, checkpoint_every=100)
    overtaken = bench.push(knobs=knobs, asleep=(request_number, others)).pushed
    assert overtaken is not None
    assert overtaken.status == "failed"
    assert bench.build()
    last = bench.push().pushed
    assert last is not None
    assert last.status == "succeeded", last.error
    assert held(bench) == {3 if rebuilt else 2}
    assert bench.push().requests == 0
    assert bench.build()
    assert bench.push().requests == 0
