"""Requests for erasure, one for each person and app. Each is recorded before it is sent and once Batch
accepted it, and polled until Batch has completed it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event as Signal
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from dbt_batch_sync.batch_api.answers import Accepted, Answer
from dbt_batch_sync.delivery.pacing import Pacer
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.kinds.deletions import LOOK_AGAIN_SECONDS, NOT_FOUND, REQUEST, TOKEN_DAYS
from dbt_batch_sync.ledger.claims import Hold
from dbt_batch_sync.ledger.erasures import append_done, open_erasures
from dbt_batch_sync.ledger.records import Event
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.channels import Talk, app_of
from dbt_batch_sync.push.known import Known, by_ledger
from dbt_batch_sync.push.source import Work

if TYPE_CHECKING:
    from dbt_batch_sync.batch_api.client import Client


@dataclass
class Erasing:
    """The requests of one push. Senders' threads call `ask`, the push's thread everything else."""

    work: Work
    client: Client
    pacer: Pacer
    hold: Hold
    requests: int = 0  # beyond the first one of each row
    _accepted: set[tuple[str, str]] = field(default_factory=set, repr=False)
    _taken: list[tuple[str, str, str]] = field(default_factory=list, repr=False)  # not recorded yet
    _lock: Lock = field(default_factory=Lock)

    def announce(self, keys: Sequence[str]) -> None:
        """Records the people of the next requests: from now on, dbt keeps them out of the other syncs."""
        self.hold.append(asked(self.hold, self.work, keys))

    def ask(self, body: bytes) -> Answer:
        """Requests a person's erasure from each app that has not accepted it yet, up to the first refusal."""
        key, requests = str(json.loads(body)["id"]["value"]), 0
        for app_key in self.work.output.app_keys:
            app = app_of(app_key)
            if (key, app) in self._accepted:
                continue
            if requests:
                self.pacer.acquire(1, Signal().wait)
                self.requests += 1
            requests += 1
            self.hold.check()
            answer = self.client.send(self.work.route, body, self.hold.seconds_left, app_key)
            if not isinstance(answer, Accepted):
                return answer
            with self._lock:
                self._accepted.add((key, app))
                self._taken.append((key, app, answer.token))
        return Accepted()

    def record(self) -> None:
        """Appends the tokens of accepted requests. Must come before the checkpoint of their rows."""
        with self._lock:
            taken, self._taken = self._taken, []
        events = asked(self.hold, self.work, [key for key, *_ in taken])
        self.hold.append(
            [
                replace(event, event="pending", endpoint=app, request=token or None)
                for event, (_, app, token) in zip(events, taken, strict=True)
            ]
        )


def asked(hold: Hold, work: Work, keys: Sequence[str]) -> list[Event]:
    """The events of people whose erasure is requested, here or elsewhere."""
    output = work.output
    cells = {"delta_id": work.built.delta_id, "output": output.name, "project_hash": output.project_hash}
    return [hold.event("asked", key=key, **cells) for key in keys]


def follow(known: Sequence[Known], talks: Callable[[Sync], Mapping[str, Talk]]) -> dict[str, str]:
    """Polls the open requests of the syncs until all have ended or the talks are stopped, and records how
    they ended. Returns which requests can't be polled, by sync. Raises DeliveryError.
    """
    own = [each for each in known if each.sync.kind.erases]
    apps = {each.sync.name: talks(each.sync) for each in own}
    with suppress(Interrupted):
        while waiting := _look_at_open(own, apps):
            waiting[0].pause(LOOK_AGAIN_SECONDS)
    left = Counter(
        each.sync
        for journal, names in by_ledger(own)
        for each in open_erasures(journal, names)
        if each.app not in apps[each.sync]
    )
    said = (
        "pending for an app whose key is no longer in the output's `app_keys`, so Batch was not polled. "
        "Add the key again, then run: dbt-batch-sync status --wait"
    )
    return {name: f"{count:,} {said}" for name, count in left.items()}


def _look_at_open(known: Sequence[Known], apps: Mapping[str, Mapping[str, Talk]]) -> list[Talk]:
    """Polls each open request once and records how it ended. Returns the talks of those still pending."""
    waiting: list[Talk] = []
    for journal, names in by_ledger(known):
        forgotten = journal.stamp() - timedelta(days=TOKEN_DAYS)
        for erasure in open_erasures(journal, names):
            talk = apps[erasure.sync].get(erasure.app)
            if talk is None:
                continue
            found = talk.get(f"{REQUEST.path}/{quote(erasure.token or '', safe='')}", {})
            if found is None and erasure.asked_at < forgotten:
                append_done(journal, replace(erasure, status="unknown"))
            elif found is None or found.get("status") != "done":
                waiting.append(talk)
            else:
                said = found.get("error")
                # Only words that Batch documents, because another text may quote the person.
                error = NOT_FOUND if said == NOT_FOUND else "other" if said else None
                append_done(journal, replace(erasure, status="done", error=error))
    return waiting
