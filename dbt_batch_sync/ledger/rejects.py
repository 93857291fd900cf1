"""Rejections: rows and attributes, reasons and times. dbt resolves them; nothing is changed here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dbt_batch_sync.ledger.records import REJECT_COLUMNS, RejectCount, RejectedKey, Rejection, read_ledger
from dbt_batch_sync.warehouse import Warehouse
from dbt_batch_sync.warehouse.relations import select

_COUNT_COLUMNS = {
    **dict.fromkeys(("sync", "attribute", "reason", "rejected_by"), "text"),
    "count": "bigint",
    "first_rejected_at": "timestamp",
    "last_rejected_at": "timestamp",
}


class Rejects:
    """The rejects in one schema, for many syncs. Each push appends its rejections."""

    def __init__(self, warehouse: Warehouse, table: exp.Table) -> None:
        self.table = table
        self._warehouse = warehouse

    def open_counts(self, syncs: Sequence[str]) -> list[RejectCount]:
        """The open rejections by sync, attribute, reason and source, most frequent first."""
        query = select(
            """
            select sync, attribute, reason, rejected_by, count(distinct key) as rejected,
                min(rejected_at) as first_at, max(rejected_at) as last_at
            from rejects where sync in :syncs and resolved_at is null
            group by sync, attribute, reason, rejected_by
            """,
            rejects=self.table,
            syncs=syncs,
        )
        rows = read_ledger(self._warehouse, self.table, query, _COUNT_COLUMNS)
        counts = [RejectCount(*row.values()) for row in rows]
        return sorted(counts, key=lambda each: (-each.count, each.sync, each.attribute or "", each.reason))

    def open_keys(self, sync: str, limit: int) -> list[RejectedKey]:
        """The first open rejections of a sync, by key."""
        query = select(
            """
            select distinct key, attribute, reason from rejects
            where sync = :sync and resolved_at is null order by key, attribute, reason
            """,
            rejects=self.table,
        ).limit(limit)
        columns = _columns("key", "attribute", "reason")
        rows = read_ledger(self._warehouse, self.table, query, columns, {"sync": sync})
        return [RejectedKey(*row.values()) for row in rows]

    def of_key(self, sync: str, key: str) -> list[Rejection]:
        """All rejections of one key: the last one of each attribute, open ones first."""
        query = select(
            """
            select attribute, reason, rejected_by, run_id, rejected_at, resolved_at from rejects
            where sync = :sync and key = :key
            """,
            rejects=self.table,
        )
        columns = _columns("attribute", "reason", "rejected_by", "run_id", "rejected_at", "resolved_at")
        rows = read_ledger(self._warehouse, self.table, query, columns, {"sync": sync, "key": key})
        found = sorted((Rejection(*row.values()) for row in rows), key=lambda each: each.rejected_at)
        newest = list({each.attribute: each for each in found}.values())[::-1]
        return sorted(newest, key=lambda each: each.resolved_at is not None)


def _columns(*names: str) -> dict[str, str]:
    return {name: REJECT_COLUMNS[name] for name in names}
