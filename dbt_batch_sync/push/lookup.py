"""What is known of one profile: what Batch holds, what is queued, what was rejected. Values are masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from dbt_batch_sync.ledger.records import Rejection
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.results import Change, Pending, SyncProfile

Row = Mapping[str, object]


@dataclass(frozen=True)
class Found:
    """What the warehouse has of one key. `events` are of the pushes of the delta that was built at `built_at`
    and concern the key; `queued` is its row of that delta.
    """

    held: Row | None
    queued: Row | None
    events: tuple[Row, ...]
    rejections: tuple[Rejection, ...]
    built_at: datetime | None


def describe(sync: str, found: Found) -> SyncProfile:
    """What it means: the snapshot is as of the last `dbt run`, so what was pushed since then is laid over it."""
    held, queued = found.held or {}, found.queued or {}
    latest = _latest(found.rejections)
    settled = min(_times(found.events, "checkpoint"), default=None)
    rejected = {each.attribute for each in latest if found.built_at and each.rejected_at >= found.built_at}
    accepted = settled is not None and None not in rejected
    cells = {name: cell for name, cell in held.items() if _is_attribute(name)}
    if accepted:
        cells |= {name: queued.get(name) for name in _names(queued) if name not in rejected}
    unknown = {each.attribute for each in latest if each.resolved_at is None}
    sent_at, run_id = _moment(held.get("_batch_sent_at")), held.get("_batch_run_id")
    exited_at = _moment(held.get("_batch_exited_at"))
    if settled is not None and accepted:
        sent_at, run_id = settled
        exited_at = sent_at if queued["_batch_change"] == "exit" else None
    known = {name: mask(cell) for name, cell in cells.items() if cell is not None and name not in unknown}
    return SyncProfile(
        sync=sync,
        sent_at=sent_at,
        run_id=None if run_id is None else str(run_id),
        exited_at=exited_at,
        attributes=known if sent_at is not None else {},
        in_doubt=() if settled is not None else tuple(_doubt(held, queued, found.events)),
        pending=_pending(held, queued) if queued and settled is None else None,
        rejects=latest,
    )


def _latest(rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    """The last of each attribute, the open ones first."""
    by_name = {each.attribute: each for each in sorted(rejections, key=lambda each: each.rejected_at)}
    return tuple(
        sorted(by_name.values(), key=lambda each: (each.resolved_at is not None, each.attribute or ""))
    )


def _times(events: Iterable[Row], event: str) -> list[tuple[datetime, str]]:
    return [
        (cast("datetime", each["first_at"]), str(each["run_id"])) for each in events if each["event"] == event
    ]


def _doubt(held: Row, queued: Row, events: Iterable[Row]) -> Iterable[str]:
    """The attributes that a push may have sent without recording it."""
    listed = [str(held.get("_batch_doubt") or "")]
    listed += [str(each["names"] or "") for each in events if each["event"] == "doubt"]
    if _times(events, "intent"):
        listed.append(str(queued.get("_batch_changed") or ""))
    return dict.fromkeys(name for names in listed for name in names.split(",") if name)


def _pending(held: Row, queued: Row) -> Pending | None:
    names = _names(queued)
    change, reason = str(queued["_batch_change"]), queued.get("_batch_reason")
    if not names and not reason:
        return None
    changes = tuple(Change(name, mask(held.get(name)), mask(queued.get(name))) for name in names)
    return Pending(change, None if reason is None else str(reason), changes)


def _names(queued: Row) -> list[str]:
    return [name for name in str(queued.get("_batch_changed") or "").split(",") if name]


def _is_attribute(name: str) -> bool:
    return name != "custom_id" and not name.startswith("_batch_")


def _moment(cell: object) -> datetime | None:
    return cell if isinstance(cell, datetime) else None
