"""Rejections: rows and attributes, reasons and times. dbt resolves them; nothing is changed here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dbt_batch_sync.ledger.records import (
    REJECT_COLUMNS,
    RejectCount,
    RejectedKey,
    Rejection,
    fetch_ledger,
    typed,
)
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.relations import columns_of, equals, is_in, is_null, value

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
        names = ("sync", "attribute", "reason", "rejected_by")
        at = exp.column("rejected_at")
        query = (
            exp.select(
                *columns_of(names),
                exp.alias_(exp.Count(this=exp.Distinct(expressions=[exp.column("key")])), "rejected"),
                exp.alias_(exp.Min(this=at), "first_at"),
                exp.alias_(exp.Max(this=at.copy()), "last_at"),
            )
            .from_(self.table.copy())
            .where(is_in(exp.column("sync"), syncs), is_null(exp.column("resolved_at")))
            .group_by(*columns_of(names))
        )
        rows = fetch_ledger(self._warehouse, self.table, Statement(query))
        counts = [RejectCount(*row.values()) for row in typed(rows, _COUNT_COLUMNS).to_pylist()]
        return sorted(counts, key=lambda each: (-each.count, each.sync, each.attribute or "", each.reason))

    def open_keys(self, sync: str, limit: int) -> list[RejectedKey]:
        """The first open rejections of a sync, by key."""
        names = ("key", "attribute", "reason")
        query = (
            exp.select(*columns_of(names))
            .distinct()
            .from_(self.table.copy())
            .where(equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at")))
            .order_by(*columns_of(names))
            .limit(limit)
        )
        rows = fetch_ledger(self._warehouse, self.table, Statement(query, {"sync": sync}))
        columns = {name: REJECT_COLUMNS[name] for name in names}
        return [RejectedKey(*row.values()) for row in typed(rows, columns).to_pylist()]

    def of_key(self, sync: str, key: str) -> list[Rejection]:
        """All rejections of one key: the last one of each attribute, open ones first."""
        names = ("attribute", "reason", "rejected_by", "run_id", "rejected_at", "resolved_at")
        query = (
            exp.select(*columns_of(names))
            .from_(self.table.copy())
            .where(equals(exp.column("sync"), value("sync")), equals(exp.column("key"), value("key")))
        )
        rows = fetch_ledger(self._warehouse, self.table, Statement(query, {"sync": sync, "key": key}))
        columns = {name: REJECT_COLUMNS[name] for name in names}
        found = [Rejection(*row.values()) for row in typed(rows, columns).to_pylist()]
        last = {each.attribute: each for each in sorted(found, key=lambda each: each.rejected_at)}
        newest = sorted(last.values(), key=lambda each: each.rejected_at, reverse=True)
        return sorted(newest, key=lambda each: each.resolved_at is not None)
