"""The journal's rows about erasures: requests to Batch and their state.

`asked` is appended before a request, `pending` with the token of Batch's answer, `done` once Batch says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event


@dataclass(frozen=True)
class Erasure:
    """A request for one person and one app. `app` identifies the app without being its key.

    `token` is for polling. `status` is `pending`, `done`, or `unknown` if Batch no longer knows the token.
    `error` is Batch's text about a request that is done.
    """

    sync: str
    key: str = field(repr=False)
    app: str
    token: str | None
    asked_at: datetime
    run_id: str
    status: str = "pending"
    done_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class ErasureCounts:
    """Counts of a sync: requested people, and requests that are done or pending."""

    people: int = 0
    pending: int = 0
    done: int = 0


@dataclass(frozen=True)
class _Counted(ErasureCounts):
    sync: str = ""


_REQUESTS = """
    select distinct p.sync, p.key, p.endpoint, p.request, p.recorded_at, p.run_id,
        d.status, d.recorded_at as done_at, d.error
    from journal as p left join journal as d on d.event = 'done' and d.sync = p.sync and d.request = p.request
    where p.event = 'pending' and"""


def open_erasures(journal: Journal, syncs: Sequence[str]) -> list[Erasure]:
    """The requests that are not known to be done, oldest first. Those without a token can't be polled."""
    which = "p.request is not null and d.request is null and p.sync in :syncs"
    return journal.read(Erasure, f"{_REQUESTS} {which} order by p.recorded_at", syncs)


def erasures_of(journal: Journal, sync: str, key: str) -> list[Erasure]:
    """All requests for one person, oldest first."""
    which = "p.sync = :sync and p.key = :key"
    return journal.read(Erasure, f"{_REQUESTS} {which} order by p.recorded_at", sync=sync, key=key)


def erasure_counts(journal: Journal, syncs: Sequence[str]) -> dict[str, ErasureCounts]:
    """The counts of each sync that has requests."""
    query = """
        select count(distinct case when event = 'asked' then key end) as people,
            count(distinct case when event = 'pending' then request end)
                - count(distinct case when event = 'done' then request end) as pending,
            count(distinct case when event = 'done' then request end) as done,
            sync
        from journal where sync in :syncs and event in ('asked', 'pending', 'done') group by sync
        """
    found = journal.read(_Counted, query, syncs)
    return {each.sync: ErasureCounts(each.people, each.pending, each.done) for each in found}


def append_done(journal: Journal, erasure: Erasure) -> None:
    """Appends how a request ended. A state must have been read first."""
    event = Event(
        journal.stamp(),
        erasure.sync,
        "done",
        run_id=erasure.run_id,
        key=erasure.key,
        request=erasure.token,
        endpoint=erasure.app,
        status=erasure.status,
        error=erasure.error,
    )
    journal.append([event])
