"""dbt's `catalog.json`, which `dbt docs generate` writes: the columns that relations had then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbt_batch_sync.artifacts.json_objects import JsonObject, load_json


@dataclass(frozen=True)
class CatalogTable:
    """A relation; `database` is None where the warehouse has none."""

    database: str | None
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    """The relations by the `unique_id` of the node or source."""

    tables: Mapping[str, CatalogTable]


def read_catalog(path: Path) -> Catalog:
    """Reads a catalog; an empty one when there is no such file.

    Raises:
        ManifestError: it is not one; it names the key that is wrong.
    """
    if not path.is_file():
        return Catalog({})
    document = load_json(path)
    entries = [*document.entries("nodes"), *document.entries("sources")]
    tables = {each.text("unique_id"): _table(each) for each in entries}
    return Catalog(tables)


def _table(entry: JsonObject) -> CatalogTable:
    metadata = entry.below("metadata")
    columns = tuple(each.required("name") for each in entry.entries("columns"))
    return CatalogTable(
        metadata.optional("database"), metadata.text("schema"), metadata.text("name"), columns
    )
