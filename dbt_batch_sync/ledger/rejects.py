"""Reads rejections: rows and attributes, reasons and times. dbt resolves them; nothing is changed here."""

from __future__ import annotations

from collections.abc import Sequence

from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import RejectCount, RejectedKey, Rejection


def open_counts(journal: Journal, syncs: Sequence[str]) -> list[RejectCount]:
    """The open rejections by sync, attribute, reason and source, most frequent first."""
    query = """
        select sync, attribute, reason, rejected_by, count(distinct key) as rejected,
            min(rejected_at) as first_at, max(rejected_at) as last_at
        from rejects where sync in :syncs and resolved_at is null
        group by sync, attribute, reason, rejected_by
        """
    counts = journal.read(RejectCount, query, syncs)
    return sorted(counts, key=lambda each: (-each.count, each.sync, each.attribute or "", each.reason))


def open_keys(journal: Journal, sync: str, limit: int) -> list[RejectedKey]:
    """The first open rejections of a sync, by key."""
    query = f"""
        select distinct key, attribute, reason from rejects
        where sync = :sync and resolved_at is null order by key, attribute, reason limit {limit}
        """
    return journal.read(RejectedKey, query, sync=sync)


def rejections_of(journal: Journal, sync: str, key: str) -> list[Rejection]:
    """All rejections of one key: the last one of each attribute, open ones first."""
    query = """
        select attribute, reason, rejected_by, run_id, rejected_at, resolved_at from rejects
        where sync = :sync and key = :key
        """
    found = sorted(journal.read(Rejection, query, sync=sync, key=key), key=lambda each: each.rejected_at)
    newest = list({each.attribute: each for each in found}.values())[::-1]
    return sorted(newest, key=lambda each: each.resolved_at is not None)
