"""How pushes reach Batch: a client per output, and rate limits that all syncs share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event as Signal
from typing import TYPE_CHECKING

from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import Pacer, call_size, pacer_for
from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.kind import Kind, Route

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client


@dataclass(frozen=True)
class Channel:
    """How one sync's push reaches Batch. All syncs of an output and endpoint share the pacer."""

    output: Output
    client: Client
    route: Route
    pacer: Pacer

    @property
    def call_size(self) -> int:
        """The most rows of a request."""
        return call_size(self.route, self.output.max_profiles_per_second)

    @property
    def max_in_flight(self) -> int:
        """The most requests at a time."""
        return min(self.output.max_in_flight, self.route.max_in_flight or self.output.max_in_flight)

    @property
    def rate(self) -> int:
        """The most rows per second that an intent covers; 0 if there is no rate limit."""
        rate = self.output.max_profiles_per_second
        return int((self.route.rate or self.route.calls * self.route.max_rows) if rate is None else rate)


@dataclass
class Channels:
    """One client per output, and one pacer per output and route, shared by all syncs."""

    _clients: dict[str, Client] = field(default_factory=dict)
    _pacers: dict[tuple[str, str], Pacer] = field(default_factory=dict)

    def __enter__(self) -> Channels:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, output: Output) -> Client:
        from dbt_batch_sync.batch_api.client import Client  # a push without syncs never gets here without it

        if output.name not in self._clients:
            self._clients[output.name] = Client(output)
        return self._clients[output.name]

    def channel(self, output: Output, route: Route) -> Channel:
        return Channel(output, self.client(output), route, self._pacer(output, route))

    def talk(self, output: Output, kind: Kind, stop: Signal | None = None) -> Talk:
        """Requests about a kind's container, with the rate limit of its route."""
        pacer, policy = self._pacer(output, kind.routes[0]), RetryPolicy(output.max_attempts)
        return Talk(self.client(output).ask, pacer, policy, stop or Signal())

    def apps(self, output: Output, kind: Kind, stop: Signal) -> dict[str, Talk]:
        """Requests to the older API, for each app of an output, by the app's hash."""
        talk, ask = self.talk(output, kind, stop), self.client(output).ask
        return {app_of(key): replace(talk, ask=partial(ask, app_key=key)) for key in output.app_keys}

    def check(self, output: Output) -> None:
        """Checks address and credentials, at the rate of requests about audiences. Raises DeliveryError."""
        self._pacer(output, AUDIENCE.routes[0]).acquire(0, Signal().wait)
        self.client(output).check()

    def _pacer(self, output: Output, route: Route) -> Pacer:
        key = (output.name, route.name)
        if key not in self._pacers:
            self._pacers[key] = pacer_for(route, output.max_profiles_per_second)
        return self._pacers[key]


def app_of(app_key: str) -> str:
    """Identifies apps without revealing their keys: 16 hex digits."""
    return hashlib.sha256(app_key.encode()).hexdigest()[:16]
