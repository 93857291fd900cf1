"""Errors in mappings that only other files in dbt's `target/` show: columns that the compiled SQL doesn't
produce, and attributes that two syncs write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from dbt_batch_sync.artifacts.compiled import CompiledSql
from dbt_batch_sync.artifacts.json_files import Catalog, CatalogTable
from dbt_batch_sync.artifacts.manifest import Manifest, Model
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.kinds.attributes import name_in_batch
from dbt_batch_sync.mapping.mapping import MAX_LISTED
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.mapping.validation import listed


class Checks:
    """The checks of a project. What the files don't tell is not checked.

    `default_output` is the output of syncs that name none, from the profile's target; None if unknown.
    """

    def __init__(self, manifest: Manifest, catalog: Catalog, default_output: str | None = None) -> None:
        self._compiled = CompiledSql(manifest, catalog)
        self._catalog = catalog
        self._default_output = default_output

    def check(self, syncs: Sequence[Sync], selected: Iterable[str], known: Iterable[Problem] = ()) -> None:
        """Checks the selected syncs against all. Raises MappingError with every error and the known ones."""
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
        """The syncs whose columns are unknown."""
        return tuple(sync.name for sync in syncs if self._compiled.columns(sync.model.unique_id) is None)

    def _columns(self, sync: Sync) -> Iterator[Problem]:
        columns = self._compiled.columns(sync.model.unique_id)
        if columns is None:
            return
        try:
            sync.mapping.resolve(columns)
        except MappingError as error:
            yield from error.problems

    def _shared(self, syncs: Sequence[Sync], selected: set[str]) -> Iterator[Problem]:
        """Syncs of one kind and output that write the same attribute or object, unless one allows it."""
        names = {each.name: self._names(each) for each in syncs}
        for one, other in combinations(syncs, 2):
            outputs = {each.mapping.output or self._default_output for each in (one, other)}
            if one.kind is not other.kind or len(outputs) > 1 or not selected & {one.name, other.name}:
                continue
            at, against = (other, one) if other.name in selected else (one, other)
            target = at.mapping.target
            if target and target == against.mapping.target:
                key, why = at.kind.name, f"Each would remove the other's {at.kind.noun}s"
                if at.kind.erases:
                    key, why = "kind", "Who is in both would be erased twice, perhaps after coming back"
                wrong = (
                    f"{_spoken(target)} is that of the sync `{against.name}` too. {why}: "
                    "make one model of both"
                )
                yield at.mapping.problem(key, wrong)
            both = [name for name in names[one.name] if name in names[other.name]]
            if target or not both or one.mapping.shared or other.mapping.shared:
                continue
            more = f" and {len(both) - MAX_LISTED} more" if len(both) > MAX_LISTED else ""
            wrong = (
                f"{listed(both[:MAX_LISTED])}{more}: written by the sync `{against.name}` too. Where both "
                "have a profile, they would overwrite each other in turns. If they have none in common, or "
                "that is meant, say `shared: true` in one of the two mappings"
            )
            yield Problem(at.mapping.file, at.name, "batch_sync", wrong)

    def _too_many(self, syncs: Sequence[Sync], selected: set[str]) -> Iterator[Problem]:
        """Syncs whose kind has more targets than an output may have."""
        seen: dict[tuple[str, str | None], set[str]] = {}
        for sync in syncs:
            targets = seen.setdefault((sync.kind.name, sync.mapping.output or self._default_output), set())
            targets.add(sync.mapping.target)
            most = sync.kind.max_targets
            if most is not None and len(targets) > most and sync.name in selected:
                wrong = f"Batch takes at most {most} {sync.kind.name}s a project; this output has more"
                yield sync.mapping.problem(sync.kind.name, wrong)

    def _names(self, sync: Sync) -> list[str]:
        """The names that a sync writes in Batch, as far as they are known offline."""
        columns = self._compiled.columns(sync.model.unique_id)
        table = self._catalog.get(sync.model.unique_id)
        if columns is None and table is not None and _is_relation_of(table, sync.model):
            columns = table.columns
        try:  # including those of `custom: all`
            found = sync.mapping.resolve(columns or ())
        except MappingError:
            found = sync.mapping.attributes
        names = [name_in_batch(each.name) for each in found]
        membership = sync.mapping.membership
        return list(dict.fromkeys([*names, *([membership] if membership else [])]))


def _spoken(target: str) -> str:
    """A target as messages name it: `audience spring_vips`."""
    what, _, name = target.partition(" ")
    return f"the {what} `{name}`" if name else f"the output of the {what}"


def _is_relation_of(table: CatalogTable, model: Model) -> bool:
    """Whether a catalog table is the model's current relation, not another target's."""
    have, want = (table.database, table.schema, table.name), (model.database, model.schema, model.alias)
    return [part.lower() if part else "" for part in have] == [part.lower() if part else "" for part in want]
