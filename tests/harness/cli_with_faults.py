"""The real command line with faults: `TROUBLES='[{"point": "append:checkpoint"}]' python cli_with_faults.py
push`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[0] = str(
    Path(__file__).parents[1]
)  # This directory's modules have the names of drivers (`snowflake`, …), so it must not be on the path.

from harness.faulty import VARIABLE, FaultyWarehouse, Points, faulty_send, from_text  # noqa: E402

from dbt_batch_sync import api, cli  # noqa: E402
from dbt_batch_sync.batch_api.client import Client  # noqa: E402
from dbt_batch_sync.connections.profiles import WarehouseTarget  # noqa: E402
from dbt_batch_sync.warehouse import Warehouse, open_warehouse  # noqa: E402

if __name__ == "__main__":
    points = Points(from_text(os.environ.get(VARIABLE, "[]")))

    def opened(target: WarehouseTarget) -> Warehouse:
        return FaultyWarehouse(open_warehouse(target), points)

    api.project.open_warehouse = opened
    Client.send = faulty_send(Client.send, points)  # type: ignore[method-assign]
    sys.argv[0] = "dbt-batch-sync"
    cli.program()
