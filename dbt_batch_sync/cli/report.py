"""The verb that writes a page: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags


def report(
    dbt: DbtFlags,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("report.html"),
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Runs per sync.")] = 50,
) -> None:
    """Write one HTML page of runs, deltas and rejections. It contains no customer data.

    Example: [bold]dbt-batch-sync report --out public/batch.html[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.report import page

    result = api.report(dbt.options, dbt.selection, limit=limit)
    page.write(out, page.render(result))
    runs = sum(len(sync.runs) for sync in result.syncs)
    show.out().print(f"wrote {escape(str(out))} (syncs: {len(result.syncs):,}, runs: {runs:,})")
