"""Checks whether a push may read and write what it needs, with statements that affect no row."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.ledger.records import ARROW_TYPES, JOURNAL_COLUMNS, REJECT_COLUMNS
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.warehouse import Statement, Warehouse


def check_access(warehouse: Warehouse, known: Known) -> None:
    """Selects no row of the delta and inserts no row into the ledger's tables, from which `known` was read.

    Raises:
        ConfigurationError: there is no delta.
        WarehouseError: a right is missing. The message has the table and the warehouse's error.
    """
    delta = relation_of(warehouse, known.sync, "delta")
    nothing = exp.select(delta.column(delta.key)).from_(delta.table.copy()).where(exp.false())
    try:
        warehouse.fetch(Statement(nothing))
    except WarehouseError as error:
        name = delta.table.sql(warehouse.dialect)
        raise WarehouseError(f"a push could not read {name}: it needs select: {error}") from None
    for table, columns in ((known.journal.table, JOURNAL_COLUMNS), (known.rejects.table, REJECT_COLUMNS)):
        rows = pa.table({name: pa.array([], ARROW_TYPES[kind]) for name, kind in columns.items()})
        try:
            warehouse.append(table, rows)
        except WarehouseError as error:
            name = table.sql(warehouse.dialect)
            raise WarehouseError(f"a push could not write to {name}: it needs insert: {error}") from None
