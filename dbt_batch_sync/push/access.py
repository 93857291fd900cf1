"""Whether a push could write what it has to write, asked with statements that are about no row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.ledger.lease import LEASES
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.sql.relations import Relation, beside, equals, insert_into
from dbt_batch_sync.warehouse import Statement, Warehouse


def check_access(warehouse: Warehouse, work: Work) -> None:
    """Inserts, updates and deletes no row of the snapshot and of the ledger's tables that there are. Whether
    missing tables may be created is not asked: nothing but creating one could tell.

    Raises:
        WarehouseError: it may not, with the table and what the warehouse says.
    """
    for relation in _written(warehouse, work):
        try:
            warehouse.execute([Statement(tree) for tree in _about_no_row(relation)])
        except WarehouseError as error:
            name = relation.table.sql(warehouse.dialect)
            raise WarehouseError(
                f"a push could not write to {name}: it needs select, insert, update and delete: {error}"
            ) from None


def _written(warehouse: Warehouse, work: Work) -> Iterator[Relation]:
    yield work.snapshot
    for table in (work.ledger.runs, work.ledger.rejects.table, beside(work.snapshot.table, LEASES)):
        columns = warehouse.columns(table)
        if columns:
            yield Relation(table, columns)


def _about_no_row(relation: Relation) -> tuple[exp.Expr, ...]:
    column = exp.to_identifier(relation.columns[0].name, quoted=True)
    nothing = exp.select(exp.Column(this=column.copy())).from_(relation.table.copy()).where(exp.false())
    same = equals(exp.Column(this=column.copy()), exp.Column(this=column.copy()))
    return (
        insert_into(relation.table, [column], nothing),
        exp.Update(this=relation.table.copy(), expressions=[same], where=exp.Where(this=exp.false())),
        exp.Delete(this=relation.table.copy()).where(exp.false()),
    )
