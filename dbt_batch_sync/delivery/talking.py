"""Requests that are not about rows, with the same rate limit and retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from urllib.parse import urlencode

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Fatal, Rejected, describe
from dbt_batch_sync.batch_api.retry import RetryPolicy, persist
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.errors import DeliveryError

Ask = Callable[..., tuple[Answer, Mapping[str, object]]]
"""One call with a method, a path and perhaps a document; its answer, and its document: `Client.ask`."""


@dataclass(frozen=True)
class Talk:
    """A conversation with Batch that `stop` ends."""

    ask: Ask
    pacer: Pacer
    policy: RetryPolicy
    stop: Event
    timing: Timing = field(default_factory=lambda: SYSTEM_TIMING)

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, object] | None:
        """The answer's document; None if Batch has no such object. Raises DeliveryError or Interrupted."""
        answer, document = self._call("GET", f"{path}?{urlencode(query)}")
        if isinstance(answer, Fatal) and answer.status == 404:
            return None
        if not isinstance(answer, Accepted):
            raise DeliveryError(f"{describe(answer)}.")
        return document

    def post(self, path: str, document: Mapping[str, object]) -> Rejected | Fatal | None:
        """Sends a change. Returns Batch's objection, or None. Raises like `get`."""
        answer, _ = self._call("POST", path, document)
        if isinstance(answer, Rejected | Fatal):
            return answer
        if not isinstance(answer, Accepted):
            raise DeliveryError(f"{describe(answer)}.")
        return None

    def pause(self, seconds: float) -> None:
        """Waits. Raises Interrupted."""
        if self.timing.wait(self.stop, seconds):
            raise Interrupted("stopped on request")

    def _call(
        self, method: str, path: str, document: Mapping[str, object] | None = None
    ) -> tuple[Answer, Mapping[str, object]]:
        def call() -> tuple[Answer, Mapping[str, object]]:
            if not self.pacer.acquire(0, lambda seconds: self.timing.wait(self.stop, seconds)):
                raise Interrupted("stopped on request")
            return self.ask(method, path, document)

        answer, found, why = persist(
            call, self.policy, self.timing.chance, lambda _, retry: self.pause(retry.after)
        )
        if why:
            raise DeliveryError(f"{describe(answer)}{why}.")
        return answer, found
