"""How fast calls may go: a bucket of tokens, one a row, and one of calls, for all senders of an endpoint.

Why this is not a library: `docs/decisions/pacing.md`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from dbt_batch_sync.kinds.kind import Route

SHARE_OF_RATE: Final = 0.99
"""At exactly the documented rate a strict server still answers 429 now and then, at 99 % none (measured)."""

_INSTANT: Final = 1e-6  # seconds; below it a wait is a rounding error, and a clock may not move at all


class _Bucket:
    """Tokens that come at a rate; full at the start, and in debt after more was taken than it holds."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size, self.tokens = rate, size, size

    def fill(self, seconds: float) -> None:
        self.tokens = min(self.size, self.tokens + seconds * self.rate)

    def short(self, tokens: float) -> float:
        """Seconds until so many may be taken; not above 0 when they may."""
        return (min(tokens, self.size) - self.tokens) / self.rate if self.rate else 0.0


class Pacer:
    """Grants calls: no more than `rate` rows a second, plus a burst at the start and after a pause, and no
    more than `calls` a second.

    A call larger than the bucket is granted as soon as the bucket is full and leaves a debt, which the next
    call waits for: so a call of 10,000 goes at once where there is no burst at all, and the one after it
    10,000/rate seconds later.

    Args:
        rate: Rows per second; 0: no pacing by rows.
        burst: Rows that the bucket holds; it is full at the start.
        now: Seconds on a monotonic clock.
        calls: Calls per second; 0: no pacing by calls.
        serial: A call is made when the one before it was answered.
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
        """Waits until a call of so many rows may go. Not first come, first served.

        Args:
            wait: Sleeps at most so many seconds and returns True when the sender should stop; then nothing is
                granted.

        Returns:
            Whether the call may go.
        """
        while (seconds := self._take(rows)) > 0:
            if wait(seconds):
                return False
        return True

    def hold(self, seconds: float) -> None:
        """Grants nothing to anybody for so long: one sender was told to wait.

        An earlier, longer hold stays.
        """
        with self._lock:
            self._held = True
            self._not_before = max(self._not_before, self._now() + seconds)

    def answered(self, seconds: float) -> None:
        """A call was answered so long after it was granted.

        A server counts a call when it arrives: after a late one the next is early. Once one was too early,
        calls that go one by one keep their distance from the latest moment at which the last one can have
        arrived: what it took longer than the quickest of them.
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
        """Takes the tokens and returns 0, or takes nothing and returns the seconds until it is worth asking
        again.
        """
        with self._lock:
            now = self._fill()
            seconds = max(self._not_before - now, self._rows.short(rows), self._calls.short(1))
            if seconds > _INSTANT:
                return seconds
            self._rows.tokens -= rows
            self._calls.tokens -= 1
            return 0


def call_size(route: Route, max_profiles_per_second: float | None = None) -> int:
    """Rows of one call: all that a call may have, or half of it where a rate without a burst is kept.

    A call that is a whole second of the rate must find the server's bucket full: one that arrives 10 ms late
    makes the next one early, and a 429 costs a second.
    """
    whole = route.burst or route.max_rows < route.rate or not route.rate or max_profiles_per_second == 0
    return route.max_rows if whole else max(1, route.max_rows // 2)


def pacer_for(
    route: Route, max_profiles_per_second: float | None = None, now: Callable[[], float] = time.monotonic
) -> Pacer:
    """The pacer of one output and endpoint.

    By default `SHARE_OF_RATE` of the endpoint's own rates, and its burst less one call: a first call that is
    slow to arrive (it opens the connection) otherwise makes the next ones early. If `max_profiles_per_second`
    is set, the burst is one second of it; 0 is no pacing.
    """
    calls = 0 if max_profiles_per_second == 0 else route.calls * SHARE_OF_RATE
    rate, burst = max_profiles_per_second, max_profiles_per_second
    if rate is None or burst is None:
        rate, burst = route.rate * SHARE_OF_RATE, max(0, route.burst - route.max_rows)
    return Pacer(rate, burst, now, calls, serial=route.max_in_flight == 1)
