"""Batch's handling of a request, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from dbt_batch_sync.sandbox.audiences import Audiences
from dbt_batch_sync.sandbox.catalogs import Catalogs
from dbt_batch_sync.sandbox.deletions import Deletions
from dbt_batch_sync.sandbox.events import EventLog
from dbt_batch_sync.sandbox.exports import Exports
from dbt_batch_sync.sandbox.gate import RefusedCallError, refuse
from dbt_batch_sync.sandbox.limits import Meter
from dbt_batch_sync.sandbox.profiles import Operations, Profiles, Refusals, reject_on_demand
from dbt_batch_sync.sandbox.record import Recorder, Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply, failure, retry_after_header
from dbt_batch_sync.sandbox.routes import Call, Route, World
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import BrokenRuleError
from dbt_batch_sync.sandbox.wire import MalformedBodyError, parse_body

# Named so that tests can ask for it; any other error in a body rejects the request.
_VIOLATIONS = {
    "MALFORMED_BODY": Violation.MALFORMED,
    "EMPTY_BODY": Violation.EMPTY_CALL,
    "TOO_MANY_OPERATIONS": Violation.TOO_MANY_OPERATIONS,
}


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Sandbox:
    """The state behind the routes. Methods may be called from several threads.

    `clock` (seconds; only differences count) is for rates and durations; `now` is the time of day with a
    zone. `settings` may be replaced at any time, except for the store and what is kept of requests.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.world = World(settings, clock, now)
        self.clock, self.now = clock, self.world.now
        self.store = ProfileStore(
            settings.store, keep=settings.keep_profiles, keep_history=settings.keep_history
        )
        self.events = EventLog(settings.keep_events, settings.count_events)
        self.exports = Exports(self.world, self.store)
        self.recorder = Recorder(settings.keep_requests, settings.keep_bodies)
        self._lock = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self._meter = Meter(self.clock)
        self._profiles = Profiles(self.world, self.store, self.reject, self.discards, self.events)
        self.audiences = Audiences(self.world, self.discards)
        self.catalogs = Catalogs(self.world)
        self.deletions = Deletions(self.world, self._erase)
        families = (self._profiles, self.audiences, self.catalogs, self.deletions, self.exports)
        routes = [route for family in families for route in family.routes()]
        self.routes: Mapping[str, Route] = {route.name: route for route in routes}

    @property
    def settings(self) -> SandboxSettings:
        return self.world.settings

    @settings.setter
    def settings(self, settings: SandboxSettings) -> None:
        self.world.settings = settings

    def discards(self, custom_id: str) -> bool:
        """Whether Batch discards this person's data."""
        return self.deletions.discards(custom_id)

    def _erase(self, custom_id: str) -> bool:
        if self.settings.erase_members:
            self.audiences.forget(custom_id)
        return self.store.remove(custom_id)

    def advance(self) -> None:
        """Applies what is due."""
        with self._lock:
            for family in (self.audiences, self.catalogs, self.deletions):
                family.advance()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Applies what is due, and then keeps other requests from changing audiences, catalogs, deletions and
        exports.
        """
        with self._lock:
            self.advance()
            yield

    def close(self) -> None:
        """Closes the store's file and deletes those of exports."""
        self.exports.clear()
        self.store.close()

    def reset(self, *, profiles: bool = True, stats: bool = True) -> None:
        """Deletes all data, and optionally counts and requests. Always resets the rates.

        Requests that arrived before are still answered, but neither applied nor counted.
        """
        with self._lock:
            if profiles:
                self.store.clear()
                self.events.clear()
                self.exports.clear()
                self._begin()
            self._meter = Meter(self.clock)
            if stats:
                self.recorder.clear()

    def admit(self, name: str, source: bytes | Mapping[str, str], tally: Tally) -> Call:
        """Checks everything that can reject a request before it is settled. Raises RefusedCallError."""
        era = self.store.era
        route = self.routes[name]
        read = self.read(route, source, tally)
        self.pace(route, read, tally)
        return Call(route, read, tally, era)

    def read(self, route: Route, source: bytes | Mapping[str, str], tally: Tally) -> Any:
        """Validates a body, or the parameters of a GET. Raises RefusedCallError."""
        try:
            return route.read(parse_body(source) if isinstance(source, bytes) else source)
        except MalformedBodyError as error:
            tally.violate(Violation.MALFORMED, str(error))
            raise refuse(400, "MALFORMED_BODY", str(error)) from None
        except BrokenRuleError as broken:
            tally.violate(_VIOLATIONS.get(broken.category, Violation.REFUSED_CALL), broken.reason)
            raise refuse(400, broken.category, broken.reason) from None

    def pace(self, route: Route, read: Any, tally: Tally) -> None:
        """Takes a request's costs from the rates, as of its arrival. Raises RefusedCallError: 429."""
        settings = self.settings
        wait = self._meter.take(route.cost(read), tally.arrived) if settings.rate_limits else 0.0
        if not wait:
            return
        tally.throttled = True
        header = None
        if settings.retry_after != "none":
            header = retry_after_header(wait, self.now(), as_date=settings.retry_after == "date")
        raise RefusedCallError(failure(429, "TOO_MANY_REQUESTS", "too much in too little time", header))

    def settle(self, call: Call) -> Reply:
        """Applies what is due, then a request. Raises RefusedCallError."""
        self.advance()
        if call.route.name in ("update", "mass-update"):  # the store has its own lock
            return call.route.settle(call)
        with self._lock:
            return call.route.settle(call)

    def reject(self, read: Operations, refusals: Refusals, _call: Call) -> Operations:
        """Removes what the settings reject, adds it to the rejections, and returns the rest."""
        return reject_on_demand(self.world, read, refusals)
