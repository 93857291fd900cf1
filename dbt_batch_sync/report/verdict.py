"""Whether everything is all right, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dbt_batch_sync.results import counted, noun
from dbt_batch_sync.results.look import SyncReport

NAMED = 5
"""The most syncs named in a verdict."""


def attention(sync: SyncReport, now: datetime) -> str:
    """What needs attention; empty if Batch equals the model, as far as known."""
    last, audit = (sync.runs[0] if sync.runs else None), sync.audit
    rejected = sum(each.count for each in sync.rejects)
    found = (
        "never pushed" if last is None else "",
        "the last push failed" if last and last.status == "failed" else "",
        "the last push was interrupted" if last and last.status == "interrupted" else "",
        "a push is running" if is_running(sync) else "",
        _queued(sync, now),
        counted(rejected, "open rejection") if rejected else "",
        f"{counted(sync.parked, 'row')} parked" if sync.parked else "",
        f"{counted(sync.invalid, 'row')} invalid" if sync.invalid else "",
        f"{audit.drifted:,} of {counted(audit.compared, noun(sync.kind))} differed in the last audit"
        if audit and audit.drifted
        else "",
    )
    return ", ".join(filter(None, found))


def is_running(sync: SyncReport) -> bool:
    return bool(sync.runs) and sync.runs[0].status == "running"


def _queued(sync: SyncReport, now: datetime) -> str:
    if not sync.pending or is_running(sync):
        return ""
    days = (now - sync.runs[0].started_at).days if sync.runs else 0
    return f"{counted(sync.pending, 'row')} queued" + (
        f" since the last push {counted(days, 'day')} ago" if days else ""
    )


def verdict(syncs: Sequence[SyncReport], now: datetime) -> tuple[str, str]:
    """A status of a run that is as good or as bad, and a sentence."""
    found = {sync.sync: attention(sync, now) for sync in syncs}
    wrong = [name for name, what in found.items() if what]
    failed = [sync.sync for sync in syncs if sync.runs and sync.runs[0].status == "failed"]
    of = counted(len(syncs), "sync")
    if not syncs:
        return "idle", "No syncs: no model has a `batch_sync` mapping."
    if failed:
        return "failed", f"The last push failed for {len(failed)} of {of}: {_named(failed)}."
    if wrong and all(found[name] == "a push is running" for name in wrong):
        return "running", f"A push is running: {_named(wrong)}."
    if wrong:
        needs = "needs" if len(wrong) == 1 else "need"
        return "partial", f"{len(wrong)} of {of} {needs} attention: {_named(wrong)}."
    return "succeeded", f"Everything is up to date: {of}, nothing queued, nothing rejected."


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join([*names[:NAMED], *([f"{more} more"] if more > 0 else [])])
