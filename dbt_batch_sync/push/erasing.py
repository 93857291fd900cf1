"""Requests for erasure, one for each person and app. Each is recorded before it is sent and once Batch
accepted it, and polled until Batch has completed it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event as Signal
from threading import Lock
from urllib.parse import quote

from dbt_batch_sync.batch_api.answers import Accepted, Answer
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.kinds.deletions import LOOK_AGAIN_SECONDS, NOT_FOUND, REQUEST, TOKEN_DAYS
from dbt_batch_sync.ledger.claims import Hold
from dbt_batch_sync.ledger.erasures import Erasure, append_done, open_erasures
from dbt_batch_sync.ledger.records import Event, EventName
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.channels import Channel, app_of
from dbt_batch_sync.push.known import Known, by_ledger


@dataclass
class Erasing:
    """The requests of one push. Senders' threads call `ask`, the push's thread everything else."""

    channel: Channel
    hold: Hold
    delta_id: str
    requests: int = 0  # beyond the first one of each row
    _taken: list[tuple[str, str, str]] = field(default_factory=list, repr=False)
    _lock: Lock = field(default_factory=Lock)

    def announce(self, keys: Sequence[str]) -> None:
        """Records the people of the next requests: from now on, dbt keeps them out of the other syncs."""
        self.hold.append([self._event("asked", key) for key in keys])

    def ask(self, body: bytes) -> Answer:
        """Sends the request for a person to each app. The first answer that doesn't accept it counts."""
        key, taken = str(json.loads(body)["id"]["value"]), []
        channel, route = self.channel, self.channel.route
        for place, app_key in enumerate(channel.output.app_keys):
            if place:
                channel.pacer.acquire(1, Signal().wait)
                self.requests += 1
            self.hold.check()
            answer = channel.client.send(route, body, self.hold.seconds_left, app_key)
            if not isinstance(answer, Accepted):
                return answer
            taken.append((key, app_of(app_key), answer.token))
        with self._lock:
            self._taken += taken
        return Accepted()

    def record(self) -> None:
        """Appends the tokens of accepted requests. Must come before the checkpoint of their rows."""
        with self._lock:
            taken, self._taken = self._taken, []
        self.hold.append(
            [self._event("pending", key, endpoint=app, request=token or None) for key, app, token in taken]
        )

    def _event(self, name: EventName, key: str, **cells: str | None) -> Event:
        output = self.channel.output
        return self.hold.event(
            name,
            delta_id=self.delta_id,
            key=key,
            output=output.name,
            project_hash=output.project_hash,
            **cells,
        )


def look_at(talk: Talk, erasure: Erasure, *, may_be_forgotten: bool) -> Erasure | None:
    """Polls a request: how it ended, or None while it is pending."""
    found = talk.get(f"{REQUEST.path}/{quote(erasure.token or '', safe='')}", {})
    if found is None:
        return replace(erasure, status="unknown") if may_be_forgotten else None
    if found.get("status") != "done":
        return None
    said = found.get("error")
    # Only words that Batch documents, because another text may quote the person.
    error = NOT_FOUND if said == NOT_FOUND else "other" if said else None
    return replace(erasure, status="done", error=error)


def follow(known: Sequence[Known], talks: Callable[[Sync], Mapping[str, Talk]]) -> None:
    """Polls the open requests of the syncs until all have ended or the talks are stopped, and records how
    they ended. Raises DeliveryError if Batch can't be reached or rejects a request.
    """
    own = [each for each in known if each.sync.kind.erases]
    apps = {each.sync.name: talks(each.sync) for each in own}
    with suppress(Interrupted):
        while waiting := _look_at_open(own, apps):
            waiting[0].pause(LOOK_AGAIN_SECONDS)


def _look_at_open(known: Sequence[Known], apps: Mapping[str, Mapping[str, Talk]]) -> list[Talk]:
    """Polls each open request once. Returns the talks of those that are still pending."""
    waiting: list[Talk] = []
    for journal, names in by_ledger(known):
        forgotten = journal.stamp() - timedelta(days=TOKEN_DAYS)
        for erasure in open_erasures(journal, names):
            talk = apps[erasure.sync].get(erasure.app)
            if talk is None:  # the output no longer has this app
                continue
            over = look_at(talk, erasure, may_be_forgotten=erasure.asked_at < forgotten)
            if over is None:
                waiting.append(talk)
            else:
                append_done(journal, over)
    return waiting
