"""Requests to send rows again: `resend` appends them, the next `dbt run` answers them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event

Scope = Literal["all", "rejected", "drift", "adopted"]


@dataclass(frozen=True)
class Request:
    """A request of a sync: for `all` rows, for those with an open rejection, or for the differences that an
    audit (`drift`) or an adoption found; then the id is the audit's.
    """

    sync: str
    id: str
    request: Scope
    recorded_at: datetime


def append_requests(journal: Journal, scope: Scope, syncs: Sequence[str]) -> list[Request]:
    """Appends a request for each sync. A state must have been read first."""
    requests = [Request(sync, str(uuid.uuid4()), scope, journal.stamp()) for sync in syncs]
    journal.append(
        [Event(each.recorded_at, each.sync, "resend", run_id=each.id, request=scope) for each in requests]
    )
    return requests


def open_requests(journal: Journal, syncs: Sequence[str]) -> list[Request]:
    """The requests that no built delta has answered, oldest first."""
    events = journal.events(
        "sync in :syncs and (event = 'resend' or (event = 'built' and answered is not null))", syncs
    )
    answered = {each for event in events for each in (event.answered or "").split(",")}
    found = {
        each.run_id: Request(each.sync, each.run_id, cast("Scope", each.request), each.recorded_at)
        for each in events
        if each.request in get_args(Scope) and each.run_id and each.run_id not in answered
    }
    return list(found.values())
