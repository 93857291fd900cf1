"""A missing dbt adapter is one sentence with the command that installs it."""

from __future__ import annotations

import sys

import pytest

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.errors import UnsupportedWarehouse
from dbt_batch_sync.warehouse import SUPPORTED_ADAPTERS, open_warehouse

DRIVERS = ("psycopg2", "redshift_connector", "snowflake.connector", "google.api_core.exceptions")


@pytest.mark.parametrize("adapter", SUPPORTED_ADAPTERS)
def test_the_message_names_what_to_install(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in (*DRIVERS, f"dbt.adapters.{adapter}"):
        monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"dbt_batch_sync.warehouse.{adapter}", raising=False)
    with pytest.raises(UnsupportedWarehouse) as refused:
        open_warehouse(WarehouseTarget("shop", "dev", adapter, {"method": "session"}))
    assert f"pip install 'dbt-batch-sync[{adapter}]'" in str(refused.value)
