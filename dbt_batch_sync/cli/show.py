"""How results are shown: tables and one-line summaries on standard output, everything else on standard
error.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dbt_batch_sync.errors import printable

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin
    from dbt_batch_sync.errors import Problem
    from dbt_batch_sync.results import (
        LineageResult,
        PlanResult,
        ProfileResult,
        PushResult,
        Refusal,
        RejectsResult,
        StatusResult,
        SyncPlanned,
        SyncProfile,
        SyncPushed,
    )

_PLAIN: Any = {"box": None, "pad_edge": False, "padding": (0, 2), "header_style": "dim"}

_LEAST_WIDTH = 110
"""Of a table. A narrower terminal breaks its lines, which is better than cells with their ends cut off."""

_BARS = "·▁▂▃▄▅▆▇█"
"""Of a size of nothing, and of eighths."""

_COLOURS = {"succeeded": "green", "partial": "yellow", "interrupted": "yellow", "failed": "red"}


def out() -> Console:
    """Standard output; rich leaves colours out where it is no terminal, or NO_COLOR is set."""
    console = Console(highlight=False, soft_wrap=True)
    # A pipe has no width: a table in it is as wide as its cells.
    width = max(console.width, _LEAST_WIDTH) if console.is_terminal else 10_000
    return Console(highlight=False, soft_wrap=True, width=width)


def err() -> Console:
    """Standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    return (
        console
        if console.is_terminal
        else Console(stderr=True, highlight=False, soft_wrap=True, width=10_000)
    )


def print_json(document: dict[str, object]) -> None:
    """One document on standard output."""
    sys.stdout.write(json_text(document))
    sys.stdout.flush()


def json_text(document: dict[str, object]) -> str:
    """A document as it is printed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def error(message: str) -> None:
    """A message on standard error, as it is."""
    err().print(f"[red bold]Error:[/] {escape(message)}")


def pushed(result: PushResult, *, dry_run: bool) -> None:
    """The summary of a push."""
    console = out()
    for sync in result.syncs:
        colour = _COLOURS.get(sync.status, "white")
        console.print(f"[bold]{escape(sync.sync)}[/]  [{colour}]{sync.status}[/]  {_story(sync, dry_run)}")
        if sync.error:
            console.print(f"  [red]{escape(sync.error)}[/]")
        elif sync.status == "interrupted":
            console.print("  [yellow]the rest waits: the next push goes on behind what is committed[/]")
        for line in _refusals(sync, dry_run):
            console.print(f"  [yellow]{line}[/]")


def _story(sync: SyncPushed, dry_run: bool) -> str:
    if sync.delta_id is None and sync.error is None:
        return "nothing to send: the delta is empty"
    words = (
        counted(sync.inserts, "new"),
        counted(sync.updates, "changed"),
        counted(sync.exits, "left"),
    )
    changes = " · ".join(words)
    if dry_run:
        return (
            f"{changes}  →  would send {counted(sync.sent, 'profile')} in "
            f"{counted(sync.requests, 'request')} to {sync.endpoint}; nothing was sent"
        )
    if sync.inserts + sync.updates + sync.exits + sync.sent == 0:
        return "nothing was sent" if sync.error else "nothing to send: everything is committed"
    if sync.endpoint is None and sync.error is not None:
        return f"{changes}  →  nothing was sent"
    return (
        f"{changes}  →  {sync.accepted:,} of {counted(sync.sent, 'profile')} accepted in "
        f"{counted(sync.requests, 'request')}"
        f" ({sync.endpoint}), {sync.committed:,} committed, {sync.seconds:.1f} s"
    )


def _refusals(sync: SyncPushed, dry_run: bool) -> list[str]:
    lines = []
    if sync.invalid:
        lines.append(f"{counted(sync.invalid, 'row')} can't be sent: see _batch_reason in {sync.sync}_delta")
    if sync.rejected_rows:
        lines.append(f"{counted(sync.rejected_rows, 'row')} refused: see dbt-batch-sync rejects")
    if sync.rejected_attributes:
        withheld = counted(sync.rejected_attributes, "attribute")
        lines.append(
            f"{withheld} would be withheld; the rest of the rows would go"
            if dry_run
            else f"{withheld} withheld or refused, the rest of the rows went: see dbt-batch-sync rejects"
        )
    return lines


def planned(result: PlanResult) -> None:
    """The plan of each sync: counts, then samples."""
    for sync in result.syncs:
        _plan(out(), sync)


def _plan(console: Console, sync: SyncPlanned) -> None:
    console.print(f"[bold]{escape(sync.sync)}[/]")
    if sync.delta_id is None:
        console.print("  nothing to send: the delta is empty\n")
        return
    goes = f"{counted(sync.requests, 'request')} to {sync.endpoint}, about {seconds(sync.seconds)}"
    console.print(
        f"  {counted(sync.inserts, 'insert')} · {counted(sync.updates, 'update')} · "
        f"{counted(sync.exits, 'exit')} · "
        f"{sync.invalid:,} invalid  →  {goes if sync.requests else 'nothing to send'}"
    )
    for guard in sync.guards:
        console.print(f"  [red]a guard would stop the push: {escape(guard)}[/]")
    for flapping in sync.flapping:
        console.print(f"  [yellow]{escape(str(flapping))}[/]")
    for reason, count in sync.invalid_reasons.items():
        console.print(f"  [yellow]{count:,} × {escape(reason)}[/]")
    if sync.attributes:
        table = Table("attribute", "rows", box=None, pad_edge=False, padding=(0, 2), header_style="dim")
        table.columns[1].justify = "right"
        for name, count in sorted(sync.attributes.items(), key=lambda item: -item[1]):
            table.add_row(escape(name), f"{count:,}")
        console.print(table)
    if sync.samples:
        table = Table(
            "profile",
            "change",
            "attribute",
            "old",
            "new",
            box=None,
            pad_edge=False,
            padding=(0, 2),
            header_style="dim",
        )
        for each in sync.samples:
            table.add_row(
                *(escape(cell) for cell in (each.profile, each.change, each.attribute, each.old, each.new))
            )
        console.print(table)
    console.print()


def traced(result: LineageResult) -> None:
    """Each attribute with the columns that it is made of."""
    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        table = Table("attribute", "column", "comes from", **_PLAIN)
        for each in sync.attributes:
            origins = [_origin(origin) for origin in each.origins]
            nothing = "no column: a constant, or a count" if each.column else "being in the sync"
            table.add_row(escape(each.attribute), escape(each.column or ""), "\n".join(origins) or nothing)
        console.print(table)
        console.print()


def _origin(origin: Origin) -> str:
    if origin.kind == "unknown":
        return f"[yellow]unknown: {escape(str(origin.reason))}[/]"
    return escape(f"{origin.table}.{origin.column} ({origin.kind})")


def history(result: StatusResult) -> None:
    """The last runs of each sync, how large their deltas were, and what is parked."""
    from dbt_batch_sync.results import iso

    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        if not sync.runs:
            console.print("  never pushed. Run: dbt-batch-sync push\n")
            continue
        table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
        for name in (
            "started (UTC)",
            "status",
            "inserts",
            "updates",
            "exits",
            "invalid",
            "accepted",
            "refused",
            "seconds",
        ):
            table.add_column(name, justify="left" if name in ("started (UTC)", "status") else "right")
        for run in sync.runs:
            refused = run.rejected_rows + run.rejected_attributes + run.parked
            counts = (run.inserts, run.updates, run.exits, run.invalid, run.accepted, refused)
            colour = _COLOURS.get(run.status, "white")
            cells = [
                str(iso(run.started_at)),
                f"[{colour}]{run.status}[/]",
                *(f"{count:,}" for count in counts),
            ]
            table.add_row(*cells, f"{run.seconds:.1f}")
        console.print(table)
        console.print(f"  {_trend([run.inserts + run.updates + run.exits for run in sync.runs[::-1]])}")
        if sync.parked:
            count = counted(sync.parked, "profile")
            console.print(
                f"  [yellow]{count} parked[/]: Batch refused the whole row; it goes again when it changes, "
                "or with push --retry-rejected"
            )
        if sync.runs[0].error:
            console.print(f"  last error: {escape(sync.runs[0].error)}")
        console.print()


def _trend(sizes: list[int]) -> str:
    """Sizes of deltas as a bar for each and in figures; what is far larger than the others has a full bar."""
    from dbt_batch_sync.report.charts import axis_top

    top = axis_top(sizes)
    bars = "".join(_BARS[min(len(_BARS) - 1, math.ceil(size / top * (len(_BARS) - 1)))] for size in sizes)
    return f"deltas, the oldest first  {bars}  {' '.join(f'{size:,}' for size in sizes)}"


def refused(result: RejectsResult) -> None:
    """What stands refused, the most frequent first."""
    from dbt_batch_sync.results import iso

    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        if not sync.rejects:
            console.print("  nothing stands refused\n")
            continue
        table = Table("count", "what", "reason", "refused by", "last seen (UTC)", "attempts", **_PLAIN)
        table.columns[0].justify = table.columns[5].justify = "right"
        for each in sync.rejects:
            what = each.attribute or "whole row"
            cells = (what, each.reason, each.rejected_by, str(iso(each.last_seen_at)))
            table.add_row(f"{each.count:,}", *map(escape, cells), f"{each.attempts:,}")
        console.print(table)
        console.print(
            f"  which profiles: select custom_id from {escape(sync.table)} where resolved_at is null\n"  # noqa: S608 - shown, not run
        )


def profile(result: ProfileResult) -> None:
    """What each sync knows of a profile."""
    console = out()
    console.print(f"[bold]{escape(result.custom_id)}[/]")
    for sync in result.syncs:
        console.print(f"\n[bold]{escape(sync.sync)}[/]  {_sent(sync)}")
        if sync.attributes:
            held = ", ".join(f"{name} {cell}" for name, cell in sync.attributes.items())
            console.print(f"  Batch holds: {escape(held)}")
        if sync.in_doubt:
            console.print(f"  [yellow]in doubt, goes again: {escape(', '.join(sync.in_doubt))}[/]")
        console.print(f"  {_next(sync)}")
        for each in sync.pending.attributes if sync.pending else ():
            console.print(f"    {escape(f'{each.attribute}: {each.old} → {each.new}')}")
        for refusal in sync.refusals:
            console.print(f"  {_refusal(refusal)}")


def _sent(sync: SyncProfile) -> str:
    from dbt_batch_sync.results import iso

    if sync.sent_at is None:
        return "never accepted by Batch"
    left = f", left the sync ({iso(sync.exited_at)})" if sync.exited_at is not None else ""
    return f"last accepted {iso(sync.sent_at)} (run {escape(str(sync.run_id))}){left}"


def _next(sync: SyncProfile) -> str:
    if sync.pending is None:
        return "nothing waits for the next push"
    if sync.pending.reason is not None:
        return f"[yellow]can't be sent: {escape(sync.pending.reason)}[/]"
    return f"waits for the next push: {escape(sync.pending.change)}"


def _refusal(refusal: Refusal) -> str:
    from dbt_batch_sync.results import iso

    what = escape(refusal.attribute or "whole row")
    ended = f", resolved {iso(refusal.resolved_at)}" if refusal.resolved_at is not None else ""
    said = f"{what} refused by {escape(refusal.rejected_by)}: {escape(refusal.reason)}"
    seen = f"{counted(refusal.attempts, 'time')}, last {iso(refusal.last_seen_at)}{ended}"
    return f"{said} ({seen})" if ended else f"[yellow]{said}[/] ({seen})"


def counted(count: int, word: str) -> str:
    """A count with its word."""
    plural = "" if count == 1 or word in ("new", "changed", "left") else "s"
    return f"{count:,} {word}{plural}"


def seconds(seconds: float) -> str:
    """How long something takes at the rate, as people say it."""
    if seconds < 1:
        return "a second at Batch's rate"
    if seconds < 120:
        return f"{seconds:.0f} s at Batch's rate"
    return (
        f"{seconds / 60:.0f} min at Batch's rate"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h at Batch's rate"
    )


def annotation(problem: Problem, project_dir: Path, workspace: Path) -> str:
    """A problem as GitHub Actions shows it beside the line that it is about: a workflow command. It knows
    files by their path in the repository, which is checked out in `workspace`.
    """
    file = os.path.relpath((project_dir / problem.file).resolve(), workspace.resolve())
    title = f"{problem.model}: {problem.key}"
    line = "" if problem.line is None else f",line={problem.line}"
    properties = f"file={_escaped(file, ':,')}{line},title={_escaped(title, ':,')}"
    return f"::error {properties}::{_escaped(printable(problem.message))}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + also else char for char in text)
