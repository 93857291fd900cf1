"""Pacing with a simulated clock, against the strictest servers."""

from __future__ import annotations

import threading

import pytest

from dbt_batch_sync.delivery.pacing import Pacer, call_size, pacer_for
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.catalog import CATALOG
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.kinds.profiles import MASS_UPDATE, UPDATE

MASS = MASS_UPDATE


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.began = self.time

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.time += seconds
        return False

    @property
    def elapsed(self) -> float:
        return self.time - self.began


class Bucket:
    """A server that rejects calls exceeding its token bucket."""

    def __init__(self, rate: float, capacity: float) -> None:
        self.rate, self.capacity, self.tokens, self.at = rate, capacity, capacity, 0.0

    def takes(self, profiles: int, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if profiles > self.tokens:
            return False
        self.tokens -= profiles
        return True


@pytest.mark.parametrize(
    ("endpoint", "capacity"), [(UPDATE, 1_000), (MASS_UPDATE, 10_000)], ids=["update", "mass-update"]
)
@pytest.mark.parametrize("sizes", ["largest", "mixed", "single"])
def test_a_strict_server_never_rejects_a_paced_client(endpoint: Route, capacity: int, sizes: str) -> None:
    limits, clock = endpoint, Clock()
    most = limits.max_rows
    calls = {"largest": [most] * 300, "mixed": [most, 1, most // 2, 3, most - 1] * 60, "single": [1] * 3_000}[
        sizes
    ]
    pacer, server = pacer_for(limits, now=clock.now), Bucket(limits.rate, capacity)
    for profiles in calls:
        assert pacer.acquire(profiles, clock.wait)
        assert server.takes(profiles, clock.elapsed)
    # The pace is at least 99 % of the rate, apart from the burst.
    needed = (sum(calls) - calls[-1]) / (0.99 * limits.rate)
    assert clock.elapsed <= needed + 1e-3


@pytest.mark.parametrize("endpoint", [UPDATE, MASS_UPDATE], ids=lambda each: each.name)
@pytest.mark.parametrize("late", [0.05, 0.3])
def test_calls_may_arrive_late(endpoint: Route, late: float) -> None:
    """Every other call arrives that much later than the next one."""
    limits, clock = endpoint, Clock()
    pacer, server = (
        pacer_for(limits, now=clock.now),
        Bucket(limits.rate, limits.burst or 10_000),
    )
    arrivals = []
    for number in range(100):
        assert pacer.acquire(call_size(limits), clock.wait)
        arrivals.append(clock.elapsed + late * (number % 2))
    assert all(server.takes(call_size(limits), at) for at in sorted(arrivals))


def test_sequential_calls_keep_their_distance_after_an_early_one() -> None:
    """Every third call and its answer take 40 ms longer."""
    clock, taken, refused = Clock(), 0, 0
    pacer, server = pacer_for(AUDIENCE.routes[0], now=clock.now), Bucket(1, 1)
    for number in range(90):
        assert pacer.acquire(10_000, clock.wait)
        granted = clock.time
        clock.time += 0.1 + 0.04 * (number % 3 == 0)
        if server.takes(1, clock.elapsed):
            taken += 1
        else:
            refused += 1
            pacer.hold(1)
        clock.time += 0.2
        pacer.answered(clock.time - granted)
    assert refused == 1
    assert taken / clock.elapsed > 0.95


@pytest.mark.parametrize(
    ("endpoint", "rate", "size"),
    [
        (UPDATE, None, 200),
        (UPDATE, 0, 200),
        (MASS_UPDATE, None, 5_000),
        (MASS_UPDATE, 100, 5_000),
        (MASS_UPDATE, 0, 10_000),
    ],
)
def test_call_sizes(endpoint: Route, rate: float | None, size: int) -> None:
    assert call_size(endpoint, rate) == size


def test_without_a_burst_calls_are_spread_evenly() -> None:
    clock = Clock()
    pacer = pacer_for(MASS, now=clock.now)
    at = []
    for _ in range(4):
        pacer.acquire(9_900, clock.wait)
        at.append(round(clock.elapsed, 3))
    assert at == [0.0, 1.0, 2.0, 3.0]


def test_the_burst_of_update_keeps_one_call_in_reserve() -> None:
    clock = Clock()
    pacer = pacer_for(UPDATE, now=clock.now)
    for _ in range(4):
        pacer.acquire(200, clock.wait)
    assert clock.elapsed == 0
    pacer.acquire(200, clock.wait)
    assert clock.elapsed == pytest.approx(200 / 297)


def test_a_custom_rate_has_a_burst_of_one_second() -> None:
    clock = Clock()
    pacer = pacer_for(UPDATE, 50, now=clock.now)
    pacer.acquire(50, clock.wait)
    assert clock.elapsed == 0
    pacer.acquire(50, clock.wait)
    assert clock.elapsed == pytest.approx(1.0)
    pacer.acquire(200, clock.wait)  # larger than the bucket: sent once it is full, leaving a debt
    assert clock.elapsed == pytest.approx(2.0)
    pacer.acquire(1, clock.wait)
    assert clock.elapsed == pytest.approx(2.0 + 151 / 50)


def test_a_pause_accumulates_at_most_the_burst() -> None:
    clock = Clock()
    pacer = Pacer(10, 20, clock.now)
    clock.time += 3_600
    pacer.acquire(20, clock.wait)
    assert clock.elapsed == 3_600
    pacer.acquire(10, clock.wait)
    assert clock.elapsed == pytest.approx(3_601)


def test_zero_disables_pacing() -> None:
    clock = Clock()
    pacer = pacer_for(UPDATE, 0, now=clock.now)
    for _ in range(100):
        pacer.acquire(10_000, clock.wait)
    assert clock.elapsed == 0


@pytest.mark.parametrize("rate", [0, 1_000])
def test_a_hold_applies_to_all_and_the_longest_wins(rate: int) -> None:
    clock = Clock()
    pacer = Pacer(rate, rate, clock.now)
    pacer.hold(5)
    pacer.hold(2)
    pacer.acquire(1, clock.wait)
    assert clock.elapsed == pytest.approx(5)
    pacer.acquire(1, clock.wait)
    assert clock.elapsed == pytest.approx(5)


def test_a_hold_applies_to_waiting_threads() -> None:
    clock = Clock()
    pacer = Pacer(10, 10, clock.now)
    pacer.acquire(10, clock.wait)

    def wait(seconds: float) -> bool:
        if clock.elapsed == 0:
            pacer.hold(7)
        return clock.wait(seconds)

    pacer.acquire(10, wait)
    assert clock.elapsed == pytest.approx(7)


def test_a_stopped_thread_takes_no_tokens() -> None:
    clock = Clock()
    pacer = Pacer(10, 10, clock.now)
    assert pacer.acquire(10, clock.wait)
    assert not pacer.acquire(10, lambda _: True)
    clock.time += 1
    assert pacer.acquire(10, lambda _: True)


def test_threads_never_exceed_the_bucket() -> None:
    time = [0.0]
    lock = threading.Lock()

    def wait(seconds: float) -> bool:
        with lock:
            time[0] += seconds
        return False

    pacer = Pacer(1_000, 10, lambda: time[0])

    def work() -> None:
        for _ in range(100):
            pacer.acquire(10, wait)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time[0] >= (4 * 100 * 10 - 10) / 1_000 - 1e-3


@pytest.mark.parametrize(
    ("route", "rows", "seconds"),
    [(AUDIENCE.routes[0], 10_000, 100), (CATALOG.routes[0], 200, 20), (CATALOG.routes[0], 1, 20)],
)
def test_calls_are_limited_as_well_as_rows(route: Route, rows: int, seconds: float) -> None:
    assert call_size(route) == route.max_rows
    clock = Clock()
    pacer = pacer_for(route, now=clock.now)
    for _ in range(100):
        assert pacer.acquire(rows, clock.wait)
    assert clock.elapsed == pytest.approx(seconds, rel=0.001)


def test_without_pacing_calls_are_not_limited() -> None:
    clock = Clock()
    pacer = pacer_for(AUDIENCE.routes[0], 0, clock.now)
    assert all(pacer.acquire(10_000, clock.wait) for _ in range(5))
    assert clock.elapsed == 0
