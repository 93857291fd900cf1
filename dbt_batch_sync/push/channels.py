"""How pushes reach Batch: a client per output, and rate limits that all syncs share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event as Signal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, Busy, Fatal, Rejected, describe
from dbt_batch_sync.batch_api.retry import RetryPolicy, persist
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing, pacer_for
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.kind import Kind, Route

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client


@dataclass(frozen=True)
class Talk:
    """Requests that are not about rows, with the same rate limit and retries, until `stop` is set. `ask`: as
    `Client.ask`.
    """

    ask: Callable[..., Answer]
    pacer: Pacer
    policy: RetryPolicy
    stop: Signal
    timing: Timing = field(default_factory=lambda: SYSTEM_TIMING)

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, object] | None:
        """The answer's document; None if Batch has no such object. Raises DeliveryError or Interrupted."""
        answer = self._call("GET", f"{path}?{urlencode(query)}")
        if isinstance(answer, Accepted):
            return answer.document
        if answer.status != 404:
            raise DeliveryError(f"{describe(answer)}.")
        return None

    def post(self, path: str, document: Mapping[str, object]) -> Rejected | Fatal | None:
        """Sends a change. Returns Batch's objection, or None. Raises like `get`."""
        answer = self._call("POST", path, document)
        return None if isinstance(answer, Accepted) else answer

    def pause(self, seconds: float) -> None:
        """Waits. Raises Interrupted."""
        if self.timing.wait(self.stop, seconds):
            raise Interrupted("stopped on request")

    def _call(self, *request: Any) -> Accepted | Rejected | Fatal:
        def call() -> Answer:
            if not self.pacer.acquire(0, lambda seconds: self.timing.wait(self.stop, seconds)):
                raise Interrupted("stopped on request")
            return self.ask(*request)

        answer, why = persist(call, self.policy, self.timing.chance, lambda _, retry: self.pause(retry.after))
        if isinstance(answer, Busy | Broken):
            raise DeliveryError(f"{describe(answer)}{why}.")
        return answer


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

    def talk(self, output: Output, kind: Kind, stop: Signal | None = None) -> Talk:
        """Requests about a kind's container, with the rate limit of its route."""
        pacer, policy = self.pacer(output, kind.routes[0]), RetryPolicy(output.max_attempts)
        return Talk(self.client(output).ask, pacer, policy, stop or Signal())

    def apps(self, output: Output, kind: Kind, stop: Signal) -> dict[str, Talk]:
        """Requests to the older API, for each app of an output, by the app's hash."""
        talk, ask = self.talk(output, kind, stop), self.client(output).ask
        return {app_of(key): replace(talk, ask=partial(ask, app_key=key)) for key in output.app_keys}

    def check(self, output: Output) -> None:
        """Checks address and credentials, at the rate of requests about audiences. Raises DeliveryError."""
        self.pacer(output, AUDIENCE.routes[0]).acquire(0, Signal().wait)
        self.client(output).check()

    def pacer(self, output: Output, route: Route) -> Pacer:
        key = (output.name, route.name)
        if key not in self._pacers:
            self._pacers[key] = pacer_for(route, output.max_profiles_per_second)
        return self._pacers[key]


def app_of(app_key: str) -> str:
    """Identifies apps without revealing their keys: 16 hex digits."""
    return hashlib.sha256(app_key.encode()).hexdigest()[:16]
