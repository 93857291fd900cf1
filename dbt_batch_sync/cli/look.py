"""The verbs that show what happened: status, rejects, report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.layout import Grid, at, bars, draw, noun, say
from dbt_batch_sync.cli.options import DbtFlags, Json
from dbt_batch_sync.cli.sync import OUTCOME, changes, outcome, stopping, unsure
from dbt_batch_sync.results import counted, shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.audits import Audited
    from dbt_batch_sync.ledger.erasures import ErasureCounts
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.results.look import RejectsResult, StatusResult, SyncRejects


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
    show.answer(result, history, as_json)
    if signals:
        raise typer.Exit(128 + signals[0])


def history(result: StatusResult) -> None:
    """The last runs of each sync, the sizes of their deltas, parked rows and open requests."""
    console = show.out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        if sync.runs:
            draw(console, _runs(sync.runs), drop=("Accepted",))
            say(console, f"[dim]Rows per push, oldest first[/]  {_trend(sync.runs, console.width - 32)}")
        else:
            say(console, "never pushed. Run: dbt-batch-sync push")
        if sync.in_batch is not None:
            held = counted(sync.in_batch, noun(sync.kind).lower())
            say(console, f"{held} in Batch, {sync.expected:,} expected")
        if sync.note:
            say(console, f"[yellow]{escape(sync.note)}[/]")
        if sync.audit is not None:
            say(console, _last_audit(sync.audit, sync.kind))
        if sync.parked:
            say(
                console,
                f"[yellow]{counted(sync.parked, 'row')} parked:[/] rejected as a whole; sent again when "
                "changed, or after dbt-batch-sync resend --rejected",
            )
        if sync.erasures.people:
            say(console, _erasures(sync.erasures))
        events = sum(run.unsure for run in sync.runs)
        if events:
            say(console, unsure(events))
        for each in sync.requests:
            say(
                console,
                f"[yellow]{_requested_by(each.request)} requested {at(each.recorded_at)}:[/] the next dbt "
                "run adds the rows to the delta",
            )
        if sync.runs and sync.runs[0].error:
            say(console, f"[red]Last error:[/] {escape(sync.runs[0].error)}")
        console.print()


def _erasures(counts: ErasureCounts) -> str:
    asked = "1 person" if counts.people == 1 else f"{counts.people:,} people"
    waiting = f"[yellow]{counts.pending:,} pending[/]: see dbt-batch-sync status --wait"
    return f"erasure of {asked}: {counts.done:,} done" + (f", {waiting}" if counts.pending else "")


def _requested_by(request: str) -> str:
    audits = {"drift": "audit --repair", "adopted": "adopt --from-export"}
    return audits.get(request, f"resend --{request}")


def _last_audit(audit: Audited, kind: str) -> str:
    compared = counted(audit.compared, noun(kind).lower())
    if not audit.drifted:
        return f"Last audit {at(audit.ended)}: no drift in {compared}"
    return f"[yellow]Last audit {at(audit.ended)}:[/] {audit.drifted:,} of {compared} differ in Batch"


def _runs(runs: Sequence[Run]) -> Grid:
    return Grid(("Started (UTC)", *OUTCOME), [(at(run.started_at), *outcome(run)) for run in runs])


def _trend(runs: Sequence[Run], width: int) -> str:
    """The sizes of deltas, oldest first: a bar each, and a number if there is space."""
    from dbt_batch_sync.report.charts import axis_top

    sizes = [sum(changes(run)) for run in runs[::-1]]
    drawn, numbers = bars(sizes, axis_top(sizes)), " ".join(f"{size:,}" for size in sizes)
    return f"{drawn}  {numbers}" if len(drawn) + 2 + len(numbers) <= width else drawn


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
    show.answer(result, rejected, as_json)


def rejected(result: RejectsResult) -> None:
    """What is not in Batch because it was rejected or can't be sent, most frequent first."""
    console = show.out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        grid = _rejects(sync)
        if not grid.rows:
            say(console, "no open rejections")
            console.print()
            continue
        draw(console, grid, drop=("Last (UTC)", "Since (UTC)"))
        if sync.profiles:
            console.print()
            rows = [
                (
                    escape(each.key or "null"),
                    escape(shown_name(each.attribute or "whole row")),
                    escape(each.reason),
                )
                for each in sync.profiles
            ]
            draw(console, Grid((noun(sync.kind), "Attribute", "Reason"), rows))
        else:
            say(console, f"[dim]{noun(sync.kind)}s: dbt-batch-sync rejects --profiles 20[/]")
        console.print()


def _rejects(sync: SyncRejects) -> Grid:
    head = (f"{noun(sync.kind)}s", "Attribute", "Reason", "Rejected by", "Since (UTC)", "Last (UTC)")
    rows = [
        (
            each.count,
            escape(shown_name(each.attribute or "whole row")),
            escape(each.reason),
            escape(each.rejected_by),
            at(each.first_rejected_at),
            at(each.last_rejected_at),
        )
        for each in sync.rejects
    ]
    invalid = sorted(sync.invalid.items(), key=lambda item: -item[1])
    rows += [(count, "whole row", escape(reason), "validation", "", "") for reason, count in invalid]
    return Grid(head, rows)


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
    show.write(out, page.render(result))
    runs = sum(len(sync.runs) for sync in result.syncs)
    show.out().print(f"wrote {escape(str(out))} (syncs: {len(result.syncs):,}, runs: {runs:,})")
