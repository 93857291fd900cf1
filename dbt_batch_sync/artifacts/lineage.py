"""The origins of a sync's attributes, from its mapping and the compiled SQL."""

from __future__ import annotations

from contextlib import suppress

from dbt_batch_sync.artifacts.compiled import CompiledSql, Origin
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.mapping.mapping import ALL, Attribute
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.results.look import AttributeLineage, SyncLineage


def trace(sync: Sync, compiled: CompiledSql) -> SyncLineage:
    """The origins of the identifier and of each attribute, in the mapping's order."""
    node, mapping = sync.model.unique_id, sync.mapping
    columns = compiled.columns(node)
    attributes: tuple[Attribute, ...] = mapping.attributes
    resolved = False
    if columns is not None:
        with suppress(MappingError):  # `validate` reports the errors, and an origin the column
            attributes, resolved = mapping.resolve(columns), True
    identifier = CUSTOM_ID if sync.kind.per_operation else sync.kind.key
    named = [(identifier, mapping.identifier), *((each.name, each.column) for each in attributes)]
    found = [
        AttributeLineage(name, column or None, _sorted(compiled.origins(node, column)) if column else ())
        for name, column in named
    ]
    if mapping.membership is not None and not resolved:
        found.append(AttributeLineage(mapping.membership, None, ()))
    if mapping.all_columns and not resolved:
        reason = f"which columns {sync.name} has is not known: run `dbt compile` and `dbt docs generate`"
        found.append(AttributeLineage(ALL, None, (Origin("unknown", sync.name, "", reason),)))
    return SyncLineage(sync.name, tuple(found), sync.kind.name)


def _sorted(origins: frozenset[Origin]) -> tuple[Origin, ...]:
    return tuple(sorted(origins, key=lambda each: (each.kind == "unknown", each.table, each.column)))
