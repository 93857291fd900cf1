"""How much a call may carry, and how fast profiles may come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Endpoint = Literal["update", "mass-update"]


@dataclass(frozen=True)
class EndpointLimits:
    """`burst` is the most profiles at once after a pause; where none is documented, one second's worth."""

    max_operations: int
    profiles_per_second: float
    burst: float


ENDPOINTS: dict[Endpoint, EndpointLimits] = {
    "update": EndpointLimits(200, 300.0, 1_000.0),
    "mass-update": EndpointLimits(10_000, 10_000.0, 10_000.0),
}


class TokenBucket:
    """Strict: not a profile above the rate and the burst, by the clock that was passed in (seconds)."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._filled_at = burst, clock()
        self._lock = threading.Lock()

    def take(self, profiles: int) -> float:
        """Takes them and returns 0, or takes nothing and returns the seconds until they would be there."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens >= profiles:
                self._tokens -= profiles
                return 0.0
            return (profiles - self._tokens) / self._rate
