"""The runner's queries in each dialect. Placeholders are `:named`, whatever the driver's format."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from dbt_batch_sync.ledger.journal import _last_events
from dbt_batch_sync.ledger.state import Checkpoint
from dbt_batch_sync.push.known import Pending
from dbt_batch_sync.push.lookup import EVENTS, row_of
from dbt_batch_sync.push.pages import histogram_of, rows_of
from dbt_batch_sync.push.plan import again_counts, change_counts, samples
from dbt_batch_sync.warehouse import Column
from dbt_batch_sync.warehouse.relations import Relation, beside, select

NAMES = ("nick", "tags")


def selects_of(
    dialect: str, tables: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Every kind of query. `tables`: the delta and the snapshot, as written in that dialect."""
    delta, snapshot = (
        Relation(
            exp.to_table(tables[name], dialect=dialect),
            tuple(Column(column, kind) for column, kind in columns[name].items()),
            "custom_id",
        )
        for name in ("people_delta", "people_sent_snapshot")
    )
    pending = Pending(delta, "d1", Checkpoint(4, "k"), NAMES)
    unsettled = Pending(delta, "d1", Checkpoint(), NAMES)
    trees: list[exp.Expr] = [
        _last_events(beside(snapshot.table, "batch_sync_journal"), ("people", "others")),
        histogram_of(unsettled),
        rows_of(unsettled, inserts=True, limit=None)[0],
        rows_of(pending, inserts=False, limit=10)[0],
        change_counts(pending),
        again_counts(pending, snapshot),
        samples(pending, snapshot, 5),
        row_of(snapshot, build=False),
        select(f"select * from journal where {EVENTS}", journal=beside(snapshot.table, "batch_sync_journal")),
    ]
    return [tree.sql(dialect=dialect, pretty=True) for tree in trees]
