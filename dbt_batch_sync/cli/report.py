"""The verb that writes a page: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import (
    Exclude,
    Profile,
    ProfilesDir,
    ProjectDir,
    Select,
    Target,
    Vars,
    dbt_options,
    selection_of,
)


def report(
    project_dir: ProjectDir = None,
    profiles_dir: ProfilesDir = None,
    profile: Profile = None,
    target: Target = None,
    variables: Vars = None,
    select: Select = None,
    exclude: Exclude = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", envvar="DBT_BATCH_SYNC_REPORT", help="File to write.")
    ] = Path("report.html"),
    limit: Annotated[
        int,
        typer.Option("--limit", envvar="DBT_BATCH_SYNC_REPORT_RUNS", min=1, max=200, help="Runs per sync."),
    ] = 50,
) -> None:
    """Write one HTML page of runs, deltas and rejections. It contains no customer data.

    Example: [bold]dbt-batch-sync report --out public/batch.html[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.report import page

    dbt = dbt_options(project_dir, profiles_dir, profile, target, variables)
    result = api.report(dbt, selection_of(select, exclude), limit=limit)
    page.write(out, page.render(result))
    runs = sum(len(sync.runs) for sync in result.syncs)
    show.out().print(f"wrote {escape(str(out))} (syncs: {len(result.syncs):,}, runs: {runs:,})")
