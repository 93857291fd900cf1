"""What is wrong with mappings that only the other files of dbt's `target/` show: columns that the compiled
SQL doesn't produce, attributes that two syncs write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from dbt_batch_sync.artifacts.catalog import Catalog, CatalogTable
from dbt_batch_sync.artifacts.compiled import CompiledSql
from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.mapping.mapping import MAX_LISTED, Attribute
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.mapping.validation import listed


class Checks:
    """The checks of a project. What the files don't tell is not checked.

    `default_output` is the one of syncs that name none: the profile's target; None if that is not known.
    """

    def __init__(self, manifest: Manifest, catalog: Catalog, default_output: str | None = None) -> None:
        self._compiled = CompiledSql(manifest, catalog)
        self._catalog = catalog
        self._default_output = default_output

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
        found += self._shared(syncs, names)
        found += self._too_many(syncs, names)
        if found:
            raise MappingError(found)

    def unchecked(self, syncs: Iterable[Sync]) -> tuple[str, ...]:
        """The syncs whose columns are not known."""
        return tuple(sync.name for sync in syncs if self._compiled.columns(sync.model.unique_id) is None)

    def _columns(self, sync: Sync) -> Iterator[Problem]:
        columns = self._compiled.columns(sync.model.unique_id)
        if columns is None:
            return
        try:
            sync.mapping.resolve(columns)
        except MappingError as error:
            yield from error.problems

    def _attributes(self, sync: Sync, columns: Sequence[str]) -> tuple[Attribute, ...]:
        """The mapping's attributes, with those of `custom: all` where the columns tell them."""
        try:
            return sync.mapping.resolve(columns)
        except MappingError:
            return sync.mapping.attributes

    def _shared(self, syncs: Sequence[Sync], selected: set[str]) -> Iterator[Problem]:
        """Syncs of one kind and output that write to the same, though neither says that this is meant."""
        names = {each.name: self._names(each) for each in syncs}
        for one, other in combinations(syncs, 2):
            outputs = {each.mapping.output or self._default_output for each in (one, other)}
            if one.kind is not other.kind or len(outputs) > 1 or not selected & {one.name, other.name}:
                continue
            at, against = (other, one) if other.name in selected else (one, other)
            where, target = at.mapping.where, at.mapping.target
            if target and target == against.mapping.target:
                wrong = (
                    f"{_spoken(target)} is that of the sync `{against.name}` too. Each would remove "
                    f"the other's {at.kind.noun}s: make one model of both"
                )
                yield Problem(where.file, where.model, f"batch_sync.{at.kind.name}", wrong)
            both = [name for name in names[one.name] if name in names[other.name]]
            if target or not both or one.mapping.shared or other.mapping.shared:
                continue
            more = f" and {len(both) - MAX_LISTED} more" if len(both) > MAX_LISTED else ""
            wrong = (
                f"{listed(both[:MAX_LISTED])}{more}: written by the sync `{against.name}` too. Where both "
                "have a profile, they would overwrite each other in turns. If they have none in common, or "
                "that is meant, say `shared: true` in one of the two mappings"
            )
            yield Problem(where.file, where.model, "batch_sync", wrong)

    def _too_many(self, syncs: Sequence[Sync], selected: set[str]) -> Iterator[Problem]:
        """Syncs with more targets of their kind than an output may have."""
        seen: dict[tuple[str, str | None], set[str]] = {}
        for sync in syncs:
            targets = seen.setdefault((sync.kind.name, sync.mapping.output or self._default_output), set())
            targets.add(sync.mapping.target)
            most = sync.kind.max_targets
            if most is not None and len(targets) > most and sync.name in selected:
                where = sync.mapping.where
                wrong = f"Batch takes at most {most} {sync.kind.name}s a project; this output has more"
                yield Problem(where.file, where.model, f"batch_sync.{sync.kind.name}", wrong)

    def _names(self, sync: Sync) -> list[str]:
        """The names in Batch that a sync writes, as far as they can be told offline."""
        columns = self._compiled.columns(sync.model.unique_id)
        table = self._catalog.tables.get(sync.model.unique_id)
        if columns is None and table is not None and _is_relation_of(table, sync.model):
            columns = table.columns
        found = [attribute.wire_name for attribute in self._attributes(sync, columns or ())]
        membership = sync.mapping.membership
        return list(dict.fromkeys([*found, *([membership] if membership else [])]))


def _spoken(target: str) -> str:
    """`audience spring_vips` as a message says it."""
    what, _, name = target.partition(" ")
    return f"the {what} `{name}`" if name else f"the {what}"


def _is_relation_of(table: CatalogTable, model: Model) -> bool:
    """Whether a catalog's table is the relation that the model has now: another target's is not."""
    have, want = (table.database, table.schema, table.name), (model.database, model.schema, model.alias)
    return [part.lower() if part else "" for part in have] == [part.lower() if part else "" for part in want]
