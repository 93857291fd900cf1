"""Writes that are accepted now and applied later. A token tells their state."""

from __future__ import annotations

import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.replies import Reply, reply_json
from dbt_batch_sync.sandbox.routes import World

State = Literal["IN_PROGRESS", "APPLIED", "REPLACED"]

_KEPT_TOKENS = 10_000


@dataclass
class _Write:
    subject: str
    due: datetime
    apply: Callable[[], object]
    state: State = "IN_PROGRESS"


class Indexing:
    """In the order of acceptance. The caller serializes calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: deque[_Write] = deque()
        self._tokens: OrderedDict[str, _Write] = OrderedDict()

    def accept(self, subject: str, apply: Callable[[], object]) -> Reply:
        """202 with a token. Applied after the delay in the settings."""
        due = self._world.now() + timedelta(seconds=self._world.settings.indexing_delay)
        write = _Write(subject, due, apply)
        self._waiting.append(write)
        token = uuid.uuid4().hex
        self._tokens[token] = write
        if len(self._tokens) > _KEPT_TOKENS:
            self._tokens.popitem(last=False)
        self.advance()
        return reply_json(202, {"indexing_token": token})

    def advance(self) -> None:
        """Applies what is due."""
        now = self._world.now()
        while self._waiting and self._waiting[0].due <= now:
            write = self._waiting.popleft()
            write.apply()
            write.state = "APPLIED"

    def replace(self, subject: str) -> None:
        """Drops pending writes, which the next one replaces."""
        for write in self._waiting:
            if write.subject == subject:
                write.state = "REPLACED"
        self._waiting = deque(write for write in self._waiting if write.subject != subject)

    def state(self, subject: str, token: str | None) -> State:
        """The state of a token; without one, of all writes to the subject. Raises RefusedCallError: 400."""
        self.advance()
        if token is None:
            waiting = any(write.subject == subject for write in self._waiting)
            return "IN_PROGRESS" if waiting else "APPLIED"
        write = self._tokens.get(token)
        if write is None or write.subject != subject:
            raise refuse(400, "INVALID_INDEXING_TOKEN", "no such indexing token")
        return write.state
