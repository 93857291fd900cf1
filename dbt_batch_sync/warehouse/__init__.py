"""The warehouse: the only importer of `dbt.*`. Selects in as sqlglot trees, rows in and out as Arrow tables."""

from dbt_batch_sync.warehouse.port import Column, Statement, Value, Warehouse
from dbt_batch_sync.warehouse.registry import SUPPORTED_ADAPTERS, open_warehouse

__all__ = [
    "SUPPORTED_ADAPTERS",
    "Column",
    "Statement",
    "Value",
    "Warehouse",
    "open_warehouse",
]
