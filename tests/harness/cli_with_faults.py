"""The real command line, with the faults that the variable `TROUBLES` names."""

from __future__ import annotations

import os
import struct
import sys

from harness.faulty import VARIABLE, FaultyWarehouse, Points, faulty_send, from_text

from dbt_batch_sync import api, cli
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.warehouse import Warehouse, open_warehouse


def program() -> None:
    """Run the command line, which ends this process. First, write the process id."""
    os.write(1, struct.pack("!i", os.getpid()))
    sys.argv[0] = "dbt-batch-sync"
    points = Points(from_text(os.environ[VARIABLE]))

    def opened(target: WarehouseTarget) -> Warehouse:
        return FaultyWarehouse(open_warehouse(target), points)

    api.project.open_warehouse = opened
    Client.send = faulty_send(Client.send, points)  # type: ignore[method-assign]
    cli.program()
