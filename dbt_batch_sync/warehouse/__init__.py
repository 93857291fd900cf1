"""The warehouse, the only importer of `dbt.*`. Selects are sqlglot trees; rows are Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Protocol, TypeAlias, cast

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import UnsupportedWarehouse

Value: TypeAlias = str | int | float | bool | datetime | None
"""The type of a statement's parameter. Values travel beside the SQL, never in it."""


@dataclass(frozen=True)
class Statement:
    """A select with named placeholders, and their values, no others: drivers don't accept them."""

    tree: exp.Expr
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column as the warehouse reports it: its exact name and type."""

    name: str
    data_type: str


class Warehouse(Protocol):
    """An open warehouse. Two threads may call it at the same time; nothing stays open between calls.

    Temporary failures (a full queue, a conflict, a lost connection) are retried for about half a minute.
    Every method raises WarehouseError, whose message contains no value.
    """

    dialect: str
    """sqlglot's name for its SQL dialect."""
    checkpoint_seconds: float
    """The default interval of checkpoints."""

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        """The columns of a table in order; empty if there is no such table."""

    def fetch(self, query: Statement) -> pa.Table:
        """The whole result of a select, which the caller limits to some tens of thousands of rows.

        Columns have the names of the select's aliases, which must be unique. Times are UTC microseconds
        without a zone. A whole number may be an integer, a decimal or a text, depending on the warehouse.
        """

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        """Inserts rows. Columns match by name; missing ones are null.

        A few hundred rows are one insert, all or none; more rows may be several. If the connection is lost
        after an insert was sent, and the warehouse can't tell whether it was executed, it is sent again. So
        rows may be in the table twice, and readers must count them once.
        """

    def close(self) -> None:
        """Closes every connection."""


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

    Raises UnsupportedWarehouse (another adapter, or not installed), ProfileError, WarehouseError.
    """
    if target.type not in _CLASSES:
        raise UnsupportedWarehouse(
            f"profile `{target.profile_name}`, target `{target.target_name}` has the type `{target.type}`; "
            f"supported: {', '.join(SUPPORTED_ADAPTERS)}"
        )
    try:
        module = import_module(f"{__name__}.{target.type}")
    except ImportError as error:
        raise not_installed(target.type) from error
    return cast("Warehouse", getattr(module, _CLASSES[target.type])(target))


def not_installed(adapter: str) -> UnsupportedWarehouse:
    return UnsupportedWarehouse(
        f"the dbt adapter `{adapter}` is not installed here: pip install 'dbt-batch-sync[{adapter}]', or the "
        f"dbt-{adapter} that your project uses"
    )
