"""What a push reads of a delta: how many rows are in each page, and the rows of some pages."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dbt_batch_sync.kinds.kind import KEY
from dbt_batch_sync.sql.counts import Pending
from dbt_batch_sync.sql.relations import Relation, count_of, value


def histogram(pending: Pending) -> exp.Select:
    """By page and change: all rows, and those that are to be read."""
    delta = pending.delta
    page, change = delta.column("_batch_page"), delta.column("_batch_change")
    cells = {
        "page": page,
        "change": change,
        "row_count": exp.Count(this=exp.Star()),
        "sending": count_of(exp.and_(*_sends(delta))),
    }
    query = exp.select(*(exp.alias_(cell, name) for name, cell in cells.items()))
    return query.from_(delta.table.copy()).where(*pending.conditions()).group_by(page.copy(), change.copy())


def rows_of(
    pending: Pending, names: Sequence[str], *, inserts: bool, limit: int | None
) -> tuple[exp.Select, list[str]]:
    """The rows to read of the pages from `:first` to `:last`, and the names of the columns.

    `inserts`: there are no others, whose change needs not be told. An insert sends all that it has, so its
    names, longer than many a row, are not read. `limit`: so many rows, in the order of page and key.
    """
    delta = pending.delta
    key, page = delta.column(delta.key), delta.column("_batch_page")
    cells: dict[str, exp.Expr] = {KEY: key, "_batch_page": page}
    if not inserts:
        change, changed = delta.column("_batch_change"), delta.column("_batch_changed")
        known = exp.NEQ(this=change, expression=exp.Literal.string("insert"))
        cells["_batch_change"] = change
        cells["_batch_changed"] = exp.Case().when(known, changed)
        cells["_batch_reason"] = delta.column("_batch_reason")
    cells |= {name: delta.column(name) for name in names}
    query = exp.select(*(exp.alias_(cell.copy(), name, quoted=True) for name, cell in cells.items()))
    between = exp.Between(this=page.copy(), low=value("first"), high=value("last"))
    query = query.from_(delta.table.copy()).where(between, *pending.conditions(), *_sends(delta))
    if limit is not None:
        query = query.order_by(page.copy(), key.copy()).limit(limit)
    return query, list(cells)


def _sends(delta: Relation) -> tuple[exp.Expr, exp.Expr]:
    """Rows that send something, or of which the delta left out what is rejected."""
    change, nothing = delta.column("_batch_change"), exp.Literal.string("")
    valid = exp.NEQ(this=change, expression=exp.Literal.string("invalid"))
    some = (
        exp.NEQ(this=delta.column(f"_batch_{name}"), expression=nothing) for name in ("changed", "reason")
    )
    return valid, exp.or_(*some)
