"""dbt's `catalog.json`, written by `dbt docs generate`: the columns that relations had at that time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbt_batch_sync.artifacts.json_files import Node, below, load_json


@dataclass(frozen=True)
class CatalogTable:
    """A relation. `database` is None if the warehouse has none."""

    database: str | None
    schema: str
    name: str
    columns: tuple[str, ...]


Catalog = Mapping[str, CatalogTable]
"""Relations by the `unique_id` of the node or source."""


def read_catalog(path: Path) -> Catalog:
    """Reads a catalog; empty if there is no file. Raises ManifestError if it is invalid."""
    if not path.is_file():
        return {}
    document = load_json(path)
    entries = [*below(document, "nodes").values(), *below(document, "sources").values()]
    return {each["unique_id"]: _table(each) for each in entries if each.get("unique_id")}


def _table(entry: Node) -> CatalogTable:
    metadata, columns = below(entry, "metadata"), below(entry, "columns")
    return CatalogTable(
        metadata.get("database") or None,
        metadata.get("schema") or "",
        metadata.get("name") or "",
        tuple(each["name"] for each in columns.values()),
    )
