"""The sandbox, called without HTTP and with a stopped clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from dbt_batch_sync.sandbox.gate import RefusedCallError
from dbt_batch_sync.sandbox.record import Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings

NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)


@dataclass
class Moment:
    """Both clocks of a sandbox, advanced by hand."""

    seconds: float = 0.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


class Caller:
    """A sandbox, and what its last call added to the counts."""

    def __init__(self, **settings: Any) -> None:
        self.moment = Moment()
        self.sandbox = Sandbox(SandboxSettings(**settings), clock=self.moment.clock, now=self.moment.now)
        self.tally = Tally()

    def reply(self, route: str, source: object) -> Reply:
        """Call a route. A GET takes a mapping of strings; other bodies are anything that serializes to JSON."""
        self.tally = Tally()
        get = self.sandbox.routes[route].method == "GET"
        sent: Any = source if get else json.dumps(source).encode()
        try:
            return self.sandbox.settle(self.sandbox.admit(route, sent, self.tally))
        except RefusedCallError as refused:
            return refused.reply

    def post(self, route: str, body: object) -> tuple[int, Any]:
        reply = self.reply(route, body)
        return reply.status, json.loads(reply.body)

    def get(self, route: str, **parameters: str) -> tuple[int, Any]:
        return self.post(route, parameters)

    @property
    def violations(self) -> list[Violation]:
        """The violations of the last call."""
        return [violation for violation, _ in self.tally.violations]


def held(attributes: Mapping[str, Any]) -> dict[str, object]:
    """The values without their types."""
    return {name: typed.value for name, typed in attributes.items()}
