"""What is wrong with mappings that only the other files of dbt's `target/` show: columns that the compiled
SQL doesn't produce, types that an attribute can't take, attributes that two syncs write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

from dbt_batch_sync.artifacts.catalog import Catalog, CatalogTable
from dbt_batch_sync.artifacts.compiled import CompiledSql
from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.attributes import STANDARD_PREFIX
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.mapping.macros import Macros, Refused, Unsupported, typed_columns
from dbt_batch_sync.mapping.mapping import MAX_LISTED, Attribute
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.mapping.validation import listed

_SAME_WORDS = ("duckdb",)
"""Adapters whose catalog has the types in the words that the macros know; elsewhere a type without a rule
may be an enum or a domain under its own name.
"""


class Checks:
    """The checks of a project. What the files don't tell is not checked."""

    def __init__(self, manifest: Manifest, catalog: Catalog, macros: Path) -> None:
        self._compiled = CompiledSql(manifest, catalog)
        self._catalog = catalog
        self._adapter = manifest.adapter_type or ""
        self._macros = Macros(macros, self._adapter)

    def check(self, syncs: Sequence[Sync], selected: Iterable[str], known: Iterable[Problem] = ()) -> None:
        """Looks at the selected ones among all of the project's syncs.

        Raises:
            MappingError: with every problem, and those that are known already.
        """
        names = set(selected)
        found = list(known)
        for sync in syncs:
            if sync.name in names:
                found += self._columns(sync)
                found += self._types(sync)
        found += self._shared(syncs, names)
        if found:
            raise MappingError(found)

    def _columns(self, sync: Sync) -> Iterator[Problem]:
        """Columns that the mapping names and the model's SQL doesn't produce."""
        columns = self._compiled.columns(sync.model.unique_id)
        if columns is None:
            return
        try:
            sync.mapping.resolve(columns)
        except MappingError as error:
            yield from error.problems

    def _types(self, sync: Sync) -> Iterator[Problem]:
        """Columns whose types the mapping can't take, by the catalog."""
        table = self._catalog.tables.get(sync.model.unique_id)
        if table is None or not _is_relation_of(table, sync.model):
            return
        columns = typed_columns({column.name: column.dtype for column in table.columns})
        mapping, where = sync.mapping, sync.mapping.where
        as_of = f" (as of catalog.json, {self._catalog.generated_at})"
        calls: list[tuple[str, object, tuple[object, ...]]] = []
        for column in self._called(columns, mapping.identifier):
            call = ("identifier_attribute", mapping.sync, {"identifier": mapping.identifier}, columns)
            calls.append(("identifier", column, call))
        for place, attribute in enumerate(self._attributes(sync, [column.name for column in table.columns])):
            for column in self._called(columns, attribute.column):
                given = (mapping.sync, columns, attribute.column, attribute.name, self._wanted(attribute))
                calls.append((mapping.key_of(place), column, ("typed_attribute", *given, "clear")))
        for key, about, (macro, *arguments) in calls:
            try:
                if self._macros.call("column_kind", about) is None and self._adapter not in _SAME_WORDS:
                    continue
                self._macros.call(str(macro), *arguments)
            except Refused as refused:
                yield Problem(where.file, where.model, f"batch_sync.{key}", f"{refused}{as_of}")
            except Unsupported:
                continue

    def _called(self, columns: list[SimpleNamespace], name: str) -> list[SimpleNamespace]:
        """The column that a mapping means by a name; none where that is not known."""
        found = self._macros.call("columns_called", columns, name)
        return found if len(found) == 1 else []

    def _attributes(self, sync: Sync, columns: Sequence[str]) -> tuple[Attribute, ...]:
        """The mapping's attributes, with those of `custom: all` where the columns tell them."""
        try:
            return sync.mapping.resolve(columns)
        except MappingError:
            return sync.mapping.attributes

    def _wanted(self, attribute: Attribute) -> object:
        if attribute.standard:
            return self._macros.call("standard_type", attribute.name.removeprefix(STANDARD_PREFIX))
        return attribute.type.value if attribute.type else ""

    def _shared(self, syncs: Sequence[Sync], selected: set[str]) -> Iterator[Problem]:
        """Syncs of one output that write the same attributes, though neither says that this is meant."""
        names = {each.name: self._names(each) for each in syncs}
        for one, other in combinations(syncs, 2):
            both = [name for name in names[one.name] if name in names[other.name]]
            mappings = (one.mapping, other.mapping)
            if not both or any(each.shared for each in mappings) or mappings[0].output != mappings[1].output:
                continue
            if not selected & {one.name, other.name}:
                continue
            at, against = (other, one) if other.name in selected else (one, other)
            more = f" and {len(both) - MAX_LISTED} more" if len(both) > MAX_LISTED else ""
            wrong = (
                f"{listed(both[:MAX_LISTED])}{more}: written by the sync `{against.name}` too. Where both "
                "have a profile, they would overwrite each other in turns. If they have none in common, or "
                "that is meant, say `shared: true` in one of the two mappings"
            )
            where = at.mapping.where
            yield Problem(where.file, where.model, "batch_sync", wrong)

    def _names(self, sync: Sync) -> list[str]:
        """The names in Batch that a sync writes, as far as they can be told offline."""
        columns = self._compiled.columns(sync.model.unique_id)
        table = self._catalog.tables.get(sync.model.unique_id)
        if columns is None and table is not None and _is_relation_of(table, sync.model):
            columns = tuple(column.name for column in table.columns)
        found = [attribute.wire_name for attribute in self._attributes(sync, columns or ())]
        membership = sync.mapping.membership
        return list(dict.fromkeys([*found, *([membership] if membership else [])]))


def _is_relation_of(table: CatalogTable, model: Model) -> bool:
    """Whether a catalog's table is the relation that the model has now: another target's is not."""
    have, want = (table.database, table.schema, table.name), (model.database, model.schema, model.alias)
    return [part.lower() if part else "" for part in have] == [part.lower() if part else "" for part in want]
