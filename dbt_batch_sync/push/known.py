"""What is read about a sync before anything is sent: its state, ledger, relations and unsettled rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from dbt_batch_sync.errors import ConfigurationError, WarehouseError
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.ledger.journal import Journal, awake
from dbt_batch_sync.ledger.records import COLUMNS, JOURNAL, ledger_rows
from dbt_batch_sync.ledger.state import Built, Checkpoint, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, beside, select


@dataclass(frozen=True)
class Known:
    """A sync and its state, from the ledger beside its snapshot."""

    sync: Sync
    journal: Journal
    state: SyncState


def read_known(warehouse: Warehouse, syncs: Sequence[Sync]) -> list[Known]:
    """The states of the syncs, in order. Raises ConfigurationError for the first that has none."""
    found, wrong = read_each(warehouse, syncs)
    for error in wrong.values():
        raise error
    return found


def read_each(
    warehouse: Warehouse, syncs: Sequence[Sync], seconds: Callable[[], float] = awake
) -> tuple[list[Known], dict[str, ConfigurationError]]:
    """The states of the syncs, in order, by one query per ledger, and the errors of the others."""
    wrong: dict[str, ConfigurationError] = {}
    own: dict[exp.Table, list[Sync]] = {}
    for sync in syncs:
        try:
            own.setdefault(beside(table_of(warehouse, sync, "snapshot"), JOURNAL), []).append(sync)
        except ConfigurationError as error:
            wrong[sync.name] = error
    known: dict[str, Known] = {}
    for table, some in own.items():
        journal = Journal(warehouse, table, seconds)
        try:
            states = journal.states([sync.name for sync in some])
        except ConfigurationError as error:
            wrong |= {sync.name: error for sync in some}
        else:
            known |= {sync.name: Known(sync, journal, states[sync.name]) for sync in some}
    return [known[sync.name] for sync in syncs if sync.name in known], wrong


def parked_rows(sync: Sync, state: SyncState) -> int:
    """Rows that are not sent until they change. Events are not among them: they are never sent again."""
    return 0 if sync.kind.per_operation else state.parked


def by_ledger(known: Iterable[Known]) -> list[tuple[Journal, list[str]]]:
    """The ledgers, each with the names of its syncs."""
    found: dict[exp.Table, tuple[Journal, list[str]]] = {}
    for each in known:
        _, names = found.setdefault(each.journal.table, (each.journal, []))
        names.append(each.sync.name)
    return list(found.values())


def relation_of(warehouse: Warehouse, sync: Sync, which: Literal["snapshot", "delta"]) -> Relation:
    """A relation of the sync with its columns. Raises ConfigurationError: there is no such model or table."""
    table = table_of(warehouse, sync, which)
    columns = warehouse.columns(table)
    if not columns:
        name = table.sql(warehouse.dialect)
        raise ConfigurationError(f"there is no {name} in the warehouse yet. Run: {build_command(sync)}")
    return Relation(table, columns, sync.kind.key)


@dataclass(frozen=True)
class Pending:
    """The rows of a delta that are not settled by the checkpoint `at`. `names`: its attributes."""

    delta: Relation
    delta_id: str
    at: Checkpoint
    names: tuple[str, ...] = ()

    @staticmethod
    def of(warehouse: Warehouse, sync: Sync, built: Built, at: Checkpoint) -> Pending:
        """Those of the sync's last built delta. Raises ConfigurationError: it is not in the warehouse."""
        names = tuple(attribute.name for attribute in parse_types(built.attribute_types))
        return Pending(relation_of(warehouse, sync, "delta"), built.delta_id, at, names)

    def read(self, warehouse: Warehouse, query: exp.Select, **values: Value) -> list[dict[str, Any]]:
        """The result of a query with `conditions` and further values."""
        rows: list[dict[str, Any]] = warehouse.fetch(Statement(query, {**self.values, **values})).to_pylist()
        return rows

    @property
    def values(self) -> dict[str, Value]:
        """The values of a query with `conditions`."""
        key = {} if self.at.key is None else {"key": self.at.key}
        return {"delta_id": self.delta_id, "page": self.at.page, **key}

    def conditions(self, of: str = "") -> list[str]:
        """What an unsettled row of this build meets; `of` is the delta's alias and a dot."""
        found = [f"{of}_batch_delta_id = :delta_id", f"{of}_batch_page > :page"]
        if self.at.key is not None:
            found.append(f"({of}_batch_page > {self.at.page + 1} or {of}_batch_key > :key)")
        return found

    @property
    def settled(self) -> str:
        """What a row of this build meets when it is settled."""
        if self.at.key is None:
            return "_batch_page <= :page"
        return f"(_batch_page <= :page or (_batch_page = {self.at.page + 1} and _batch_key <= :key))"


def build_command(sync: Sync) -> str:
    """The command that builds the sync's three models."""
    name, delta, snapshot = sync.names
    return f"dbt run --select {name} {snapshot} {delta}"


def table_of(warehouse: Warehouse, sync: Sync, which: Literal["snapshot", "delta"]) -> exp.Table:
    """The sync's relation of one role. Raises ConfigurationError if there is no such model."""
    model = sync.snapshot if which == "snapshot" else sync.delta
    if model is None or model.relation_name is None:
        name = sync.names[2 if which == "snapshot" else 1]
        raise ConfigurationError(
            f"the sync `{sync.name}` has no model `{name}`. Run: dbt-batch-sync generate, then "
            f"{build_command(sync)}"
        )
    return exp.to_table(model.relation_name, dialect=warehouse.dialect)


def check_access(warehouse: Warehouse, known: Known) -> None:
    """Selects no row of the delta and inserts no row into the ledger's tables, from which `known` was read.
    Raises ConfigurationError: there is no delta. Raises WarehouseError: a right to a table is missing.
    """
    delta = relation_of(warehouse, known.sync, "delta")
    nothing = select("select _batch_key from delta where false", delta=delta)
    try:
        warehouse.fetch(Statement(nothing))
    except WarehouseError as error:
        name = delta.table.sql(warehouse.dialect)
        raise WarehouseError(f"a push could not read {name}: it needs select: {error}") from None
    for table in (known.journal.table, known.journal.rejects_table):
        try:
            warehouse.append(table, ledger_rows(COLUMNS[table.name]))
        except WarehouseError as error:
            name = table.sql(warehouse.dialect)
            raise WarehouseError(f"a push could not write to {name}: it needs insert: {error}") from None
