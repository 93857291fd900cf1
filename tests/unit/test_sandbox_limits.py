"""Rate limits, counted exactly in profiles."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.sandbox.limits import RATES, Meter, TokenBucket


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def bucket(endpoint: str, clock: Clock) -> TokenBucket:
    return TokenBucket(RATES[endpoint], clock)


def test_update_has_a_burst_of_a_thousand_then_300_a_second(clock: Clock) -> None:
    tokens = bucket("update", clock)
    assert [tokens.take(200) for _ in range(5)] == [0.0] * 5
    assert tokens.take(200) == pytest.approx(2 / 3)
    clock.now += 0.5
    assert tokens.take(150) == 0.0
    assert tokens.take(1) > 0
    clock.now += 1_000
    assert [tokens.take(200) for _ in range(5)] == [0.0] * 5
    assert tokens.take(1) > 0


def test_mass_update_takes_one_full_call_per_second_without_a_burst(clock: Clock) -> None:
    tokens = bucket("mass-update", clock)
    for _ in range(20):
        assert tokens.take(10_000) == 0.0
        assert tokens.take(1) > 0
        clock.now += 1.0
    clock.now += 60
    assert tokens.take(10_000) == 0.0
    assert tokens.take(10_000) == pytest.approx(1.0)


def test_a_rejected_call_takes_no_tokens(clock: Clock) -> None:
    tokens = bucket("update", clock)
    assert tokens.take(1_001) > 0
    assert tokens.take(1_000) == 0.0


@given(calls=st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 200)), max_size=60))
def test_never_more_than_rate_and_burst(calls: list[tuple[int, int]]) -> None:
    clock = Clock()
    tokens, start, taken = bucket("update", clock), clock.now, 0
    for milliseconds, profiles in calls:
        clock.now += milliseconds / 1_000
        taken += profiles if tokens.take(profiles) == 0.0 else 0
        assert taken <= 1_000 + 300 * (clock.now - start) + 1e-6


@given(profiles=st.integers(1, 1_000))
def test_the_suggested_wait_is_exact(profiles: int) -> None:
    clock = Clock()
    tokens = bucket("update", clock)
    tokens.take(1_000)
    wait = tokens.take(profiles)
    clock.now += wait - 0.001
    assert tokens.take(profiles) > 0
    clock.now += 0.002
    assert tokens.take(profiles) == 0.0


def test_a_call_takes_all_of_its_costs_or_none(clock: Clock) -> None:
    meter = Meter(clock)
    assert [meter.take({RATES["catalogs"]: 1, RATES["items"]: 300}) for _ in range(3)] == [0.0] * 3
    assert meter.take({RATES["catalogs"]: 1, RATES["items"]: 200}) == pytest.approx(0.1)
    assert [meter.take({RATES["catalogs"]: 1, RATES["items"]: 50}) for _ in range(2)] == [0.0] * 2
    assert meter.take({RATES["catalogs"]: 1}) == pytest.approx(0.2)
    assert meter.take({}) == 0.0


def test_one_audience_call_per_second(clock: Clock) -> None:
    meter = Meter(clock)
    assert [meter.take({RATES["audiences"]: 1}) for _ in range(2)] == [0.0, pytest.approx(1.0)]
    clock.now += 60
    assert [meter.take({RATES["audiences"]: 1}) for _ in range(2)] == [0.0, pytest.approx(1.0)]
