"""The older app-level routes that erase a person, and the month in which Batch discards their data."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Literal

from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.limits import Rate
from dbt_batch_sync.sandbox.operations import check_custom_id
from dbt_batch_sync.sandbox.replies import Reply, reply_json
from dbt_batch_sync.sandbox.routes import Call, Route, World, members
from dbt_batch_sync.sandbox.values import BrokenRuleError

ERASED = ("ERASED", "the person was erased")
"""The category and the reason if an erased person's data is rejected."""

_KEPT = 100_000


@dataclass
class Deletion:
    """One request. `token` identifies it; the app's key is not stored."""

    token: str
    custom_id: str
    asked_at: datetime
    due_at: datetime
    status: Literal["pending", "done"] = "pending"
    found: bool = True


class Deletions:
    """The caller serializes calls.

    `erase` removes a person and returns whether there was one.
    """

    def __init__(self, world: World, erase: Callable[[str], bool]) -> None:
        self._world = world
        self._erase = erase
        self.requests: dict[str, Deletion] = {}
        self._pending: deque[Deletion] = deque()
        self._blacklisted: dict[str, datetime] = {}

    def routes(self) -> list[Route]:
        """Under `/1.0/<app key>`."""
        return [
            Route("POST", "gdpr/request", self._read_request, self._request, self._cost, base="app"),
            Route("GET", "gdpr/request/{token}", itemgetter("token"), self._view, base="app"),
        ]

    def _cost(self, _read: object) -> Mapping[Rate, float]:
        rate = self._world.settings.deletions_per_second
        return {Rate("deletions", rate, max(1.0, rate)): 1} if rate else {}

    def discards(self, custom_id: str) -> bool:
        """Whether Batch discards this person's data: for a month from the request."""
        until = self._blacklisted.get(custom_id)
        return until is not None and self._world.now() < until

    def advance(self) -> None:
        """Erases people who are due."""
        now = self._world.now()
        while self._pending and self._pending[0].due_at <= now:
            request = self._pending.popleft()
            request.status, request.found = "done", self._erase(request.custom_id)

    @staticmethod
    def _read_request(document: object) -> str:
        body = members(document, {"request_type", "id"})
        if body["request_type"] != "remove":
            raise BrokenRuleError("INVALID_REQUEST_TYPE", "the sandbox knows the request_type remove only")
        person = members(body["id"], {"type", "value"})
        if person["type"] != "custom_id":
            raise BrokenRuleError("INVALID_ID_TYPE", "the sandbox knows ids of the type custom_id only")
        check_custom_id(person["value"])
        return str(person["value"])

    def _request(self, call: Call) -> Reply:
        settings, now = self._world.settings, self._world.now()
        call.tally.operations = 1
        if call.read in settings.reject_ids:
            raise refuse(400, "REJECTED", "the id is rejected on demand")
        call.tally.applied = 1
        due = now + timedelta(seconds=settings.deletion_delay)
        request = Deletion(uuid.uuid4().hex, call.read, now, due)
        self.requests[request.token] = request
        self._pending.append(request)
        if len(self.requests) > _KEPT:
            self.requests.pop(next(iter(self.requests)))
        self._blacklisted[call.read] = now + timedelta(days=settings.blacklist_days)
        self.advance()
        return reply_json(202, {settings.deletion_token: request.token})

    def _view(self, call: Call) -> Reply:
        self.advance()
        request = self.requests.get(call.read)
        kept = timedelta(days=self._world.settings.deletion_days)
        if request is None or self._world.now() - request.asked_at > kept:
            raise refuse(404, "REQUEST_NOT_FOUND", "no such request, or no longer kept")
        error = {} if request.found else {"error": "user not found"}
        return reply_json(200, {"status": request.status, **error})
