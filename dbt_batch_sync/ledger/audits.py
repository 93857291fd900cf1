"""Audits in the ledger: their exports, their results, and the requests to send differences again."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import Event

Asked = Literal["drift", "adopted"]
"""What to send again after an audit: what differs, or for an adoption, what Batch lacks."""


@dataclass(frozen=True)
class Begun:
    """The export for a sync: its id in Batch, its start by the warehouse's clock, and its attributes."""

    sync: str
    audit_id: str
    export_id: str
    began: datetime
    names: tuple[str, ...]


@dataclass(frozen=True)
class Audited:
    """The result of an audit: compared rows, those that differ, and profiles that are not in the sync."""

    sync: str
    audit_id: str
    began: datetime
    ended: datetime
    compared: int = 0
    drifted: int = 0
    unknown_profiles: int = 0


def append_begun(journal: Journal, begun: Begun) -> None:
    event = Event(
        journal.stamp(),
        begun.sync,
        "export",
        begun.audit_id,
        request=begun.export_id,
        names=",".join(begun.names),
        started_at=begun.began,
    )
    journal.append([event])


def begun_by(journal: Journal, export_id: str, sync: str) -> Begun | None:
    """What began an export for a sync, with a new id: the request of an earlier audit may be answered."""
    query = """
        select sync, run_id, request, started_at, names from journal
        where event = 'export' and request = :export and sync = :sync
        """
    for each in journal.read(Begun, query, export=export_id, sync=sync):
        return replace(each, audit_id=str(uuid.uuid4()), names=tuple(str(each.names).split(",")))
    return None


def append_audited(journal: Journal, audited: Audited, request: Asked | None) -> None:
    """Records an audit, after its differences. `request` asks the next `dbt run` to send them again."""
    sync, audit_id = audited.sync, audited.audit_id
    events = [
        Event(
            audited.ended,
            sync,
            "audited",
            audit_id,
            started_at=audited.began,
            compared=audited.compared,
            drifted=audited.drifted,
            unknown_profiles=audited.unknown_profiles,
        )
    ]
    if request is not None:
        events.append(Event(journal.stamp(), sync, "resend", audit_id, request=request))
    journal.append(events)


def last_audits(journal: Journal, syncs: Sequence[str]) -> Iterable[Audited]:
    query = """
        select sync, run_id, started_at, recorded_at, compared, drifted, unknown_profiles from journal
        where event = 'audited' and sync in :syncs
        """
    found = sorted(journal.read(Audited, query, syncs), key=lambda each: each.ended)
    return {each.sync: each for each in found}.values()
