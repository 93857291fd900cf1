"""Limits on the size and the rate of requests."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_OPERATIONS = {"update": 200, "mass-update": 10_000}


@dataclass(frozen=True)
class Rate:
    """`burst` is the maximum at once after a pause; one second's worth if none is documented."""

    of: str
    per_second: float
    burst: float


RATES: dict[str, Rate] = {
    "update": Rate("profiles", 300.0, 1_000.0),
    "mass-update": Rate("profiles, in bulk", 10_000.0, 10_000.0),
    "audiences": Rate("calls of audiences", 1.0, 1.0),
    "catalogs": Rate("calls of catalogs", 5.0, 5.0),
    "items": Rate("items", 1_000.0, 1_000.0),
    "exports": Rate("filtered exports", 5 / 3_600, 10.0),
}


class TokenBucket:
    """Strict: not a token above the rate and the burst, by the injected clock (seconds)."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._tokens, self._filled_at = rate.burst, -math.inf

    def wait(self, tokens: float, at: float | None = None) -> float:
        """The seconds until they are available; 0 if they are. `at` is the time of the request; None: now."""
        now = max(self._filled_at, self._clock() if at is None else at)
        self._tokens = min(self._rate.burst, self._tokens + (now - self._filled_at) * self._rate.per_second)
        self._filled_at = now
        return max(0.0, (tokens - self._tokens) / self._rate.per_second)

    def take(self, tokens: float, at: float | None = None) -> float:
        """Takes them and returns 0, or takes nothing and returns the seconds until they are available."""
        wait = self.wait(tokens, at)
        if not wait:
            self._tokens -= tokens
        return wait


class Meter:
    """All rate limits of a project. For several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._buckets: dict[Rate, TokenBucket] = {}

    def take(self, costs: Mapping[Rate, float], at: float | None = None) -> float:
        """Takes all of a request's costs and returns 0, or takes none and returns the seconds to wait. `at`
        is when it arrived; None: now.
        """
        with self._lock:
            for rate in costs.keys() - self._buckets.keys():
                self._buckets[rate] = TokenBucket(rate, self._clock)
            wait = max((self._buckets[rate].wait(cost, at) for rate, cost in costs.items()), default=0.0)
            if not wait:
                for rate, cost in costs.items():
                    self._buckets[rate].take(cost, at)
            return wait
