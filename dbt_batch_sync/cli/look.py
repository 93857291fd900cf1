"""The verbs that show what happened: status, rejects, profile, report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.cli.show import draw, say, without
from dbt_batch_sync.cli.sync import OUTCOME, changes, outcome, stopping, unsure
from dbt_batch_sync.results import counted, noun, shown_name, shown_time

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.audits import Audited
    from dbt_batch_sync.ledger.erasures import Erasure, ErasureCounts
    from dbt_batch_sync.ledger.records import Rejection, Run
    from dbt_batch_sync.results.look import ProfileResult, RejectsResult, StatusResult, SyncProfile

_BARS = "·▁▂▃▄▅▆▇█"
"""The bar of a zero, then eighths."""

_PARKED = "rejected as a whole; sent again when changed, or after dbt-batch-sync resend --rejected"


def status(
    dbt: DbtFlags,
    limit: Annotated[int, typer.Option(min=1, help="Runs per sync.")] = 10,
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
            rows = [(shown_time(run.started_at), *outcome(run)) for run in sync.runs]
            draw(("Started (UTC)", *OUTCOME), rows, drop=("Accepted",))
            say(f"[dim]Rows per push, oldest first[/]  {_trend(sync.runs, console.width - 32)}")
        else:
            say("never pushed. Run: dbt-batch-sync push")
        if sync.in_batch is not None:
            say(f"{counted(sync.in_batch, noun(sync.kind))} in Batch, {sync.expected:,} expected")
        if sync.note:
            say(f"[yellow]{escape(sync.note)}[/]")
        if sync.audit is not None:
            say(_last_audit(sync.audit, sync.kind))
        if sync.parked:
            say(f"[yellow]{counted(sync.parked, 'row')} parked:[/] {_PARKED}")
        if sync.erasures.people:
            say(_erasures(sync.erasures))
        events = sum(run.unsure for run in sync.runs)
        if events:
            say(unsure(events))
        for each in sync.requests:
            request = f"{_requested_by(each.request)} requested {shown_time(each.recorded_at)}"
            say(f"[yellow]{request}:[/] the next dbt run adds the rows to the delta")
        if sync.runs and sync.runs[0].error:
            say(f"[red]Last error:[/] {escape(sync.runs[0].error)}")
        console.print()


def _erasures(counts: ErasureCounts) -> str:
    asked = "1 person" if counts.people == 1 else f"{counts.people:,} people"
    waiting = f"[yellow]{counts.pending:,} pending[/]: see dbt-batch-sync status --wait"
    return f"erasure of {asked}: {counts.done:,} done" + (f", {waiting}" if counts.pending else "")


def _requested_by(request: str) -> str:
    audits = {"drift": "audit --repair", "adopted": "adopt --from-export"}
    return audits.get(request, f"resend --{request}")


def _last_audit(audit: Audited, kind: str) -> str:
    compared, said = counted(audit.compared, noun(kind)), f"Last audit {shown_time(audit.ended)}:"
    if not audit.drifted:
        return f"{said} no drift in {compared}"
    return f"[yellow]{said}[/] {audit.drifted:,} of {compared} differ in Batch"


def _trend(runs: Sequence[Run], width: int) -> str:
    """The sizes of deltas, oldest first: a bar each, full for outliers, and a number if there is space."""
    from dbt_batch_sync.report.charts import axis_top

    sizes = [sum(changes(run)) for run in runs[::-1]]
    full, top = len(_BARS) - 1, axis_top(sizes)
    drawn = "".join(_BARS[min(full, math.ceil(size / top * full))] for size in sizes)
    numbers = " ".join(f"{size:,}" for size in sizes)
    return f"{drawn}  {numbers}" if len(drawn) + 2 + len(numbers) <= width else drawn


def rejects(
    dbt: DbtFlags,
    profiles: Annotated[int, typer.Option(min=0, help="Also list this many profiles of each sync.")] = 0,
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
        one = noun(sync.kind).capitalize()
        rows = [
            (
                each.count,
                shown_name(each.attribute or "whole row"),
                each.reason,
                each.rejected_by,
                shown_time(each.first_rejected_at),
                shown_time(each.last_rejected_at),
            )
            for each in sync.rejects
        ]
        invalid = sorted(sync.invalid.items(), key=lambda item: -item[1])
        rows += [(count, "whole row", reason, "validation", "", "") for reason, count in invalid]
        if rows:
            head = (f"{one}s", "Attribute", "Reason", "Rejected by", "Since (UTC)", "Last (UTC)")
            draw(head, rows, drop=("Last (UTC)", "Since (UTC)"))
        else:
            say("no open rejections")
        if sync.profiles:
            console.print()
            found = [
                (each.key or "null", shown_name(each.attribute or "whole row"), each.reason)
                for each in sync.profiles
            ]
            draw((one, "Attribute", "Reason"), found)
        elif rows:
            say(f"[dim]{one}s: dbt-batch-sync rejects --profiles 20[/]")
        console.print()


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
        show.answer(result, explained, as_json)
    if not result.is_known:
        show.err().print(f"No selected sync knows {escape(key)}: neither sent, queued nor rejected")
        raise typer.Exit(1)


def explained(result: ProfileResult) -> None:
    console = show.out()
    known = [each for each in result.syncs if each.is_known] or result.syncs
    for sync in known:
        if sync.kind == "events":
            sent = f": {_sent(sync)}" if sync.sent_at or not sync.events else ""
            console.print(f"[bold]{escape(sync.sync)}[/]{sent}")
            events = [(shown_time(each.time), each.name or "", each.state) for each in sync.events]
            if events:
                draw(("Time (UTC)", "Event", "State"), events)
            console.print()
            continue
        console.print(f"[bold]{escape(sync.sync)}[/]: {_sent(sync)}")
        for line in _state(sync):
            say(line)
        rows = _attributes(sync)
        if rows:
            held = "Requested" if sync.kind == "deletions" else "In Batch"
            head = ("Attribute", held, "Next push", "Rejected")
            empty = [name for place, name in enumerate(head) if not any(row[place] for row in rows)]
            draw(*without(head, rows, empty))
        console.print()
    others = [escape(each.sync) for each in result.syncs if each not in known]
    if others:
        console.print(f"[dim]Neither sent, queued nor rejected by {', '.join(others)}[/]")


def _sent(sync: SyncProfile) -> str:
    if sync.sent_at is None:
        return "never accepted by Batch"
    left = f", left the model {shown_time(sync.exited_at)} UTC" if sync.exited_at is not None else ""
    run = f", run {escape(sync.run_id)}" if sync.run_id else ""
    return f"last accepted {shown_time(sync.sent_at)} UTC{run}{left}"


def _state(sync: SyncProfile) -> list[str]:
    pending, lines = sync.pending, []
    if pending is None:
        lines.append("nothing to send")
    elif pending.reason == "parked":
        lines.append(f"[yellow]parked:[/] {_PARKED}")
    elif pending.change == "invalid":
        lines.append(f"[yellow]invalid, not sent:[/] {escape(str(pending.reason))}")
    else:
        lines.append(f"queued for the next push: {escape(pending.change)}")
        if pending.reason is not None:
            names = ", ".join(map(shown_name, pending.reason.partition(":")[2].split(",")))
            lines.append(f"[yellow]not sent:[/] {escape(names)}, unsubscribed in Batch (never_resubscribe)")
    if sync.in_doubt:
        names = escape(", ".join(map(shown_name, sync.in_doubt)))
        lines.append(f"[yellow]in doubt, sent again by the next delta with a value:[/] {names}")
    for each in sync.rejects:
        if each.attribute is None:
            lines.append(f"[yellow]row rejected:[/] {escape(_rejected(each))}")
    return [*lines, *map(_erasure, sync.erasures)]


def _erasure(erasure: Erasure) -> str:
    said = f" ({escape(erasure.error)})" if erasure.error else ""
    ended = (
        f"{erasure.status} {shown_time(erasure.done_at)} UTC{said}"
        if erasure.done_at
        else "[yellow]pending[/]"
    )
    return f"erasure requested {shown_time(erasure.asked_at)} UTC, app {escape(erasure.app)}: {ended}"


def _rejected(each: Rejection) -> str:
    resolved = f", resolved {shown_time(each.resolved_at)}" if each.resolved_at is not None else ""
    return f"{each.reason} ({each.rejected_by}, {shown_time(each.rejected_at)}{resolved})"


def _attributes(sync: SyncProfile) -> list[tuple[str, str, str, str]]:
    """A row for each attribute with known values."""
    queued = {each.attribute: each.new for each in sync.pending.attributes} if sync.pending else {}
    reasons = {each.attribute: _rejected(each) for each in sync.rejects if each.attribute is not None}
    return [
        (shown_name(name), sync.attributes.get(name, ""), queued.get(name, ""), reasons.get(name, ""))
        for name in dict.fromkeys([*sync.attributes, *queued, *reasons])
    ]


def report(
    dbt: DbtFlags,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("report.html"),
    limit: Annotated[int, typer.Option(min=1, max=200, help="Runs per sync.")] = 50,
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
