"""Requests that are not about rows, with the same rate limit and retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import urlencode

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, Busy, Fatal, Rejected, describe
from dbt_batch_sync.batch_api.retry import RetryPolicy, persist
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.errors import DeliveryError


@dataclass(frozen=True)
class Talk:
    """A conversation with Batch that `stop` ends. `ask`: as `Client.ask`."""

    ask: Callable[..., Answer]
    pacer: Pacer
    policy: RetryPolicy
    stop: Event
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
