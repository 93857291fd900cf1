"""The real command line, with the faults that the variable `TROUBLES` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.faulty import VARIABLE, FaultyWarehouse, Points, faulty_send, from_text

from dbt_batch_sync import api, cli
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.warehouse import Warehouse, open_warehouse


def run(arguments: Sequence[str]) -> None:
    """Run the command line in this process, which ends with it."""
    points = Points(from_text(os.environ.get(VARIABLE, "[]")))

    def opened(target: WarehouseTarget) -> Warehouse:
        return FaultyWarehouse(open_warehouse(target), points)

    api.project.open_warehouse = opened
    Client.send = faulty_send(Client.send, points)  # type: ignore[method-assign]
    sys.argv = ["dbt-batch-sync", *arguments]
    cli.program()
