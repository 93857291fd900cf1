"""What is known of a sync before anything is sent: its state, its ledger, its relations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import JOURNAL, REJECTS
from dbt_batch_sync.ledger.rejects import Rejects
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.sql.relations import Relation, beside, parse_table
from dbt_batch_sync.warehouse import Warehouse


@dataclass(frozen=True)
class Known:
    """A sync, and what the ledger beside its snapshot says of it."""

    sync: Sync
    journal: Journal
    rejects: Rejects
    state: SyncState


def read_known(warehouse: Warehouse, syncs: Sequence[Sync]) -> list[Known]:
    """The states of the syncs, in their order; one query for each schema that has a ledger.

    Raises:
        ConfigurationError: a sync has no snapshot model, or dbt has not created a ledger.
    """
    tables = {sync.name: beside(table_of(warehouse, sync, "snapshot"), JOURNAL) for sync in syncs}
    known: dict[str, Known] = {}
    for table in dict.fromkeys(tables.values()):
        journal, rejects = Journal(warehouse, table), Rejects(warehouse, beside(table, REJECTS))
        own = [sync for sync in syncs if tables[sync.name] == table]
        states = journal.states([sync.name for sync in own])
        known |= {sync.name: Known(sync, journal, rejects, states[sync.name]) for sync in own}
    return [known[sync.name] for sync in syncs]


def by_ledger(known: Iterable[Known]) -> list[tuple[Journal, Rejects, list[str]]]:
    """The ledgers, each with the names of its syncs."""
    found: dict[exp.Table, tuple[Journal, Rejects, list[str]]] = {}
    for each in known:
        _, _, names = found.setdefault(each.journal.table, (each.journal, each.rejects, []))
        names.append(each.sync.name)
    return list(found.values())


def relation_of(warehouse: Warehouse, sync: Sync, which: Literal["snapshot", "delta"]) -> Relation:
    """A relation of the sync with its columns.

    Raises:
        ConfigurationError: there is no such model, or no such table.
    """
    table = table_of(warehouse, sync, which)
    columns = warehouse.columns(table)
    if not columns:
        name = table.sql(warehouse.dialect)
        raise ConfigurationError(f"there is no {name} in the warehouse yet. Run: {build_command(sync)}")
    return Relation(table, columns, sync.kind.key)


def build_command(sync: Sync) -> str:
    """The command that builds the sync's three models."""
    name, delta, snapshot = sync.names
    return f"dbt run --select {name} {snapshot} {delta}"


def table_of(warehouse: Warehouse, sync: Sync, which: Literal["snapshot", "delta"]) -> exp.Table:
    """Where a relation of the sync is. Raises ConfigurationError when there is no such model."""
    model = sync.snapshot if which == "snapshot" else sync.delta
    if model is None or model.relation_name is None:
        name = sync.names[2 if which == "snapshot" else 1]
        raise ConfigurationError(
            f"the sync `{sync.name}` has no model `{name}`. Run: dbt-batch-sync generate, then "
            f"{build_command(sync)}"
        )
    return parse_table(model.relation_name, warehouse.dialect)
