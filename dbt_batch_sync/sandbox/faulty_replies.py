"""The answers of the faults that end a call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime

from dbt_batch_sync.sandbox.faults import Fault, FaultKind
from dbt_batch_sync.sandbox.replies import Delivery, Reply, failure, retry_after_header, success

_DELIVERIES = {
    FaultKind.TRUNCATE: Delivery.TRUNCATED,
    FaultKind.HUGE: Delivery.HUGE,
    FaultKind.DRIP: Delivery.DRIPPED,
}


def faulty(fault: Fault, reply: Reply | None, now: datetime) -> Reply:
    """What the client gets instead of `reply`, the answer it would have got (None: nothing was applied)."""
    answer = _ANSWERS.get(fault.kind)
    if answer is not None:
        return answer(fault, now)
    return dataclasses.replace(
        reply or success([]),
        delivery=_DELIVERIES[fault.kind],
        padding=fault.size,
        pause=fault.seconds,
    )


def _status(fault: Fault, now: datetime) -> Reply:
    status = fault.status or (429 if fault.kind is FaultKind.STORM else 503)
    if status < 300:
        return dataclasses.replace(success([]), status=status)
    after = fault.retry_after
    header = None if after is None else retry_after_header(after, now, as_date=fault.retry_after_date)
    return failure(status, fault.category, fault.reason, header)


def _cut(fault: Fault, _now: datetime) -> Reply:
    return Reply(202, b"", delivery=Delivery.RESET if fault.reset else Delivery.CLOSED)


def _garbage(fault: Fault, _now: datetime) -> Reply:
    return Reply(fault.status or 202, b"<html>not \xff what was asked for", (("content-type", "text/html"),))


def _redirect(fault: Fault, _now: datetime) -> Reply:
    return Reply(fault.status or 307, b"", (("location", fault.location),))


_ANSWERS: dict[FaultKind, Callable[[Fault, datetime], Reply]] = {
    FaultKind.STATUS: _status,
    FaultKind.STORM: _status,
    FaultKind.CUT_BEFORE: _cut,
    FaultKind.CUT_AFTER: _cut,
    FaultKind.GARBAGE: _garbage,
    FaultKind.REDIRECT: _redirect,
}
