"""Tables and their columns, and the selects from them: written as SQL, spoken in the warehouse's dialect.

A value is always a named placeholder; an identifier of the user's is always quoted, with the name that the
warehouse reports. The ledger's own names are lower case, and left to the warehouse's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlglot import exp, parse_one

from dbt_batch_sync.kinds.attributes import KEY
from dbt_batch_sync.warehouse import Column


@dataclass(frozen=True)
class Relation:
    """A table of a sync: its columns' exact names by their lower-case names, and its key column."""

    table: exp.Table
    columns: tuple[Column, ...]
    key: str

    @property
    def names(self) -> Mapping[str, str]:
        """The names that the warehouse reports, by those in our selects: lower case, and `KEY`."""
        found = {column.name.lower(): column.name for column in self.columns}
        return {**found, KEY: found[self.key]} if self.key in found else found


def select(
    sql: str,
    *,
    cells: Mapping[str, str] | None = None,
    where: Iterable[str] = (),
    **given: Relation | exp.Table | Sequence[str],
) -> exp.Select:
    """The select of `sql`, with further `cells` by their names and further conditions.

    In all of them, `given` says what tables are by their names: a relation's columns are in lower case there,
    and its key is `KEY`. Texts that are given stand for `:name`; other placeholders stay, for values.
    """
    query = _parsed(sql).copy().where(*where, copy=False)
    aliased = (
        cell if cell == name else exp.alias_(cell, name, quoted=True) for name, cell in (cells or {}).items()
    )
    query = query.select(*aliased, copy=False)
    named: dict[str, Mapping[str, str]] = {}
    for table in list(query.find_all(exp.Table)):
        found = given.get(table.name)
        if isinstance(found, Relation | exp.Table):
            named[table.alias_or_name] = found.names if isinstance(found, Relation) else {}
            meant = found.table if isinstance(found, Relation) else found
            table.replace(exp.alias_(meant.copy(), table.alias, table=True) if table.alias else meant.copy())
    everything = {name: real for names in named.values() for name, real in names.items()}
    for column in query.find_all(exp.Column):
        real = named.get(column.table, everything).get(column.name)
        if real is not None:
            column.set("this", exp.to_identifier(real, quoted=True))
    for placeholder in list(query.find_all(exp.Placeholder)):
        texts = given.get(placeholder.name)
        if texts is not None and not isinstance(texts, Relation | exp.Table):
            placeholder.replace(exp.Tuple(expressions=[exp.Literal.string(text) for text in texts]))
    return query


@cache
def _parsed(sql: str) -> exp.Select:
    query = parse_one(sql, into=exp.Select)
    for ordered in list(query.find_all(exp.Ordered)):  # nulls are where the warehouse has them
        if ordered.args.get("desc"):
            ordered.set("nulls_first", None)
        else:
            ordered.replace(ordered.this)
    for mod in list(query.find_all(exp.Mod)):  # beside values, `%` is the drivers'
        mod.replace(exp.Anonymous(this="mod", expressions=[mod.this, mod.expression]))
    return query


def beside(table: exp.Table, name: str) -> exp.Table:
    """A table of this project in the same database and schema."""
    parts = {key: table.args[key].copy() for key in ("db", "catalog") if table.args.get(key) is not None}
    return exp.Table(this=exp.to_identifier(name), **parts)
