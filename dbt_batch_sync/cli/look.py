"""The verbs that only read: validate, plan, lineage, status, rejects, profile, report."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.markup import escape

from dbt_batch_sync.cli import documents, explain, show
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.cli.sync import stopping
from dbt_batch_sync.errors import ConfigurationError, MappingError

# Slow imports are in the verbs that need them, so that `--help` answers at once.


def validate(
    dbt: DbtFlags,
    online: Annotated[
        bool, typer.Option("--online", help="Also check the warehouse and Batch. Changes nothing there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Report every mapping error.

    Example: [bold]dbt parse && dbt-batch-sync validate[/]
    """
    from dbt_batch_sync import api

    try:
        result = api.validate(dbt.options, dbt.selection, online=online)
    except MappingError as failure:
        if os.environ.get("GITHUB_ACTIONS") == "true":
            project = dbt.options.project_dir
            workspace = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
            sys.stderr.writelines(
                f"{documents.annotation(problem, project, workspace)}\n" for problem in failure.problems
            )
        if not as_json:
            raise
        problems = [asdict(problem) for problem in failure.problems]
        show.print_json({"valid": False, "syncs": [], "online": online, "problems": problems})
        raise typer.Exit(failure.exit_code) from None
    if as_json:
        show.print_json(result.to_json())
    else:
        checked = "; the warehouse and Batch are reachable" if online else ""
        show.out().print(f"[green]Mappings are valid[/]: {', '.join(result.syncs)}{checked}")
        if result.unchecked:
            show.out().print(
                f"[yellow]Columns not checked[/]: {', '.join(result.unchecked)}. "
                "Run: dbt compile (and dbt docs generate for a `select *`), then validate again"
            )
        for step in result.steps:
            show.out().print(f"  the next push would {escape(step)}")


def plan(
    dbt: DbtFlags,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a comment.")] = False,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", help="Also write the plan as JSON, for `push --plan`."),
    ] = None,
    show_values: ShowValues = False,
    as_json: Json = False,
) -> None:
    """Show what a push would do: counts by change and attribute, requests, time, guards, samples.

    Example: [bold]dbt-batch-sync plan --select tag:crm --json[/]
    """
    from dbt_batch_sync import api

    if markdown and as_json:
        raise ConfigurationError("--markdown and --json exclude each other")
    result = api.plan(dbt.options, dbt.selection, show_values=show_values)
    if out is not None:
        _write(out, show.json_text(result.to_json()))
    if as_json:
        show.print_json(result.to_json())
    elif markdown:
        sys.stdout.write(documents.comment(result))
    else:
        show.planned(result)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--out: {path} can't be written: {error.strerror}") from None


def lineage(
    dbt: DbtFlags,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Show the source columns of each attribute, from the SQL that `dbt compile` wrote.

    Example: [bold]dbt compile && dbt-batch-sync lineage --select crm_contacts[/]
    """
    from dbt_batch_sync import api

    if mermaid and as_json:
        raise ConfigurationError("--mermaid and --json exclude each other")
    result = api.lineage(dbt.options, dbt.selection)
    if as_json:
        show.print_json(result.to_json())
    elif mermaid:
        sys.stdout.write(documents.flowchart(result))
    else:
        show.traced(result)
    if result.not_compiled:
        names = ", ".join(result.not_compiled)
        show.err().print(f"[yellow]No compiled SQL of {names}: run `dbt compile`[/]")


def status(
    dbt: DbtFlags,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs per sync.")] = 10,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Ask Batch for open requests for erasure until all of them are done."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the last runs of each sync, parked rows, open resend requests, and requests for erasure.

    Example: [bold]dbt-batch-sync status --select crm_contacts --limit 3[/]
    """
    from dbt_batch_sync import api

    with stopping() if wait else nullcontext((None, list[int]())) as (stop, signals):
        result = api.status(dbt.options, dbt.selection, limit=limit, wait=wait, stop=stop)
    show.answer(result, show.history, as_json)
    if signals:
        raise typer.Exit(128 + signals[0])


def rejects(
    dbt: DbtFlags,
    profiles: Annotated[
        int, typer.Option("--profiles", min=0, help="Also list this many profiles of each sync.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show open rejections and invalid rows by attribute and reason.

    Example: [bold]dbt-batch-sync rejects --select crm_contacts --profiles 20[/]
    """
    from dbt_batch_sync import api

    result = api.rejects(dbt.options, dbt.selection, profiles=profiles)
    show.answer(result, show.rejected, as_json)


def profile(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The custom_id of a profile or member, or the id of an item.")
    ],
    dbt: DbtFlags,
    show_values: ShowValues = False,
    as_json: Json = False,
) -> None:
    """Explain one profile, member or item: what was last sent, what is queued, what was rejected.

    Example: [bold]dbt-batch-sync profile C-1042 --select crm_contacts[/]
    """
    from dbt_batch_sync import api

    result = api.profile(dbt.options, key, dbt.selection, show_values=show_values)
    if as_json or result.is_known:
        show.answer(result, explain.profile, as_json)
    if not result.is_known:
        show.err().print(f"No selected sync knows {escape(key)}: neither sent, queued nor rejected")
        raise typer.Exit(1)


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
