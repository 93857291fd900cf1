"""The warehouse, the only importer of `dbt.*`. Selects are sqlglot trees; rows are Arrow."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse.port import Column, Statement, Value, Warehouse

__all__ = ["SUPPORTED_ADAPTERS", "Column", "Statement", "Value", "Warehouse", "open_warehouse"]

_CLASSES = {
    "duckdb": "DuckDbWarehouse",
    "postgres": "PostgresWarehouse",
    "redshift": "RedshiftWarehouse",
    "snowflake": "SnowflakeWarehouse",
    "bigquery": "BigQueryWarehouse",
    "databricks": "DatabricksWarehouse",
    "spark": "SparkWarehouse",
}

SUPPORTED_ADAPTERS: tuple[str, ...] = tuple(_CLASSES)


def open_warehouse(target: WarehouseTarget) -> Warehouse:
    """Connects to the warehouse of a dbt target. Imports its module on demand.

    Raises UnsupportedWarehouse for another adapter, and the connection's ProfileError and WarehouseError.
    """
    if target.type not in _CLASSES:
        raise UnsupportedWarehouse(
            f"profile `{target.profile_name}`, target `{target.target_name}` has the type `{target.type}`; "
            f"supported: {', '.join(SUPPORTED_ADAPTERS)}"
        )
    module = import_module(f"{__name__}.{target.type}")
    return cast("Warehouse", getattr(module, _CLASSES[target.type])(target))
