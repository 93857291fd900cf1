"""Rate limits: a bucket of tokens, one per row, and a bucket of requests, for all senders of an endpoint.

`docs/decisions/requests.md` explains why this is not a library.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final

from dbt_batch_sync.kinds.kind import Route

SHARE_OF_RATE: Final = 0.99
"""At the documented rate, a strict server still answers 429 now and then; at 99 %, never (measured)."""

_INSTANT: Final = 1e-6  # seconds; a shorter wait is a rounding error, and the clock may not advance at all


class _Bucket:
    """Tokens that arrive at a rate. Full at the start; in debt if more was taken than it holds."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size, self.tokens = rate, size, size

    def fill(self, seconds: float) -> None:
        self.tokens = min(self.size, self.tokens + seconds * self.rate)

    def short(self, tokens: float) -> float:
        """Seconds until this many may be taken; 0 or less if they may be taken now."""
        return (min(tokens, self.size) - self.tokens) / self.rate if self.rate else 0.0


class Pacer:
    """Grants requests: at most `rate` rows per second, plus a burst at the start and after a pause, and at
    most `calls` requests per second; 0 means no limit. `serial`: each is sent once the previous one was
    answered.

    A request larger than the bucket is granted once the bucket is full, and leaves a debt that the next one
    waits for. So without a burst, a request of 10,000 is sent at once, and the next one after 10,000/rate
    seconds.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        now: Callable[[], float] = time.monotonic,
        calls: float = 0,
        *,
        serial: bool = False,
    ) -> None:
        self._rows, self._calls = _Bucket(rate, burst), _Bucket(calls, 0)
        self._serial, self._held, self._quickest = serial, False, math.inf
        self._now = now
        self._lock = Lock()
        self._counted_at = now()
        self._not_before = self._counted_at

    def acquire(self, rows: int, wait: Callable[[float], bool]) -> bool:
        """Waits until a request with this many rows may be sent. Not first come, first served. `wait` sleeps
        for at most some seconds. Returns False, and grants nothing, if it returns True: stop.
        """
        while (seconds := self._take(rows)) > 0:
            if wait(seconds):
                return False
        return True

    def hold(self, seconds: float) -> None:
        """Pauses all senders for some time, because one was told to wait. A longer pause stays."""
        with self._lock:
            self._held = True
            self._not_before = max(self._not_before, self._now() + seconds)

    def answered(self, seconds: float) -> None:
        """Tells that a request was answered so long after it was granted.

        A server counts a request when it arrives, so after a late one the next one is early. Once Batch has
        answered 429, serial requests are spaced from the latest moment at which the previous one can have
        arrived: it may have been as late as its answer was, compared with the fastest one.
        """
        with self._lock:
            self._fill()
            self._quickest = min(self._quickest, seconds)
            if self._serial and self._held and self._calls.rate:
                self._calls.tokens = min(self._calls.tokens, self._quickest * self._calls.rate - 1)

    def _fill(self) -> float:
        now = self._now()
        for bucket in (self._rows, self._calls):
            bucket.fill(now - self._counted_at)
        self._counted_at = now
        return now

    def _take(self, rows: int) -> float:
        """Takes the tokens and returns 0, or takes nothing and returns the seconds until the next try."""
        with self._lock:
            now = self._fill()
            seconds = max(self._not_before - now, self._rows.short(rows), self._calls.short(1))
            if seconds > _INSTANT:
                return seconds
            self._rows.tokens -= rows
            self._calls.tokens -= 1
            return 0


def call_size(route: Route, max_profiles_per_second: float | None = None) -> int:
    """Rows per request: the maximum, or half of it if there is a rate without a burst.

    A request that takes a whole second of the rate needs the server's bucket to be full. If it arrives 10 ms
    late, the next one is early, and a 429 costs a second.
    """
    whole = route.burst or route.max_rows < route.rate or not route.rate or max_profiles_per_second == 0
    return route.max_rows if whole else max(1, route.max_rows // 2)


def limits(route: Route, max_profiles_per_second: float | None = None) -> tuple[float, float, float]:
    """Rows per second, the burst, and calls per second; 0 means no limit.

    By default, `SHARE_OF_RATE` of the endpoint's rates, and its burst minus one request: otherwise a slow
    first request (it opens the connection) would make the next ones early. With `max_profiles_per_second`,
    the burst is one second of it.
    """
    calls = 0 if max_profiles_per_second == 0 else route.calls * SHARE_OF_RATE
    if max_profiles_per_second is not None:
        return max_profiles_per_second, max_profiles_per_second, calls
    return route.rate * SHARE_OF_RATE, max(0, route.burst - route.max_rows), calls


def pacer_for(
    route: Route, max_profiles_per_second: float | None = None, now: Callable[[], float] = time.monotonic
) -> Pacer:
    """The pacer of an output and an endpoint."""
    rate, burst, calls = limits(route, max_profiles_per_second)
    return Pacer(rate, burst, now, calls, serial=route.max_in_flight == 1)


@dataclass(frozen=True)
class Timing:
    """A monotonic clock, waiting (returns whether the event was set), and chance from 0 up to 1."""

    now: Callable[[], float]
    wait: Callable[[Event, float], bool]
    chance: Callable[[], float]


SYSTEM_TIMING: Final = Timing(time.monotonic, Event.wait, random.random)
