"""Which adapter is driven by which class; each is imported only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse.port import Warehouse

_CLASSES = {
    "duckdb": ("dbt_batch_sync.warehouse.duckdb", "DuckDbWarehouse"),
    "postgres": ("dbt_batch_sync.warehouse.postgres", "PostgresWarehouse"),
    "redshift": ("dbt_batch_sync.warehouse.redshift", "RedshiftWarehouse"),
    "snowflake": ("dbt_batch_sync.warehouse.snowflake", "SnowflakeWarehouse"),
    "bigquery": ("dbt_batch_sync.warehouse.bigquery", "BigQueryWarehouse"),
    "databricks": ("dbt_batch_sync.warehouse.databricks", "DatabricksWarehouse"),
    "spark": ("dbt_batch_sync.warehouse.spark", "SparkWarehouse"),
}

SUPPORTED_ADAPTERS: tuple[str, ...] = tuple(_CLASSES)


def open_warehouse(target: WarehouseTarget) -> Warehouse:
    """Connects to the warehouse of a dbt target.

    Raises UnsupportedWarehouse for an adapter without an entry, ProfileError and WarehouseError from the
    connection.
    """
    if target.type not in _CLASSES:
        raise UnsupportedWarehouse(
            f"profile `{target.profile_name}`, target `{target.target_name}` has the type `{target.type}`; "
            f"supported: {', '.join(SUPPORTED_ADAPTERS)}"
        )
    module, name = _CLASSES[target.type]
    return cast("Warehouse", getattr(import_module(module), name)(target))
