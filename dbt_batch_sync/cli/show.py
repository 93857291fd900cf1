"""How results are shown: tables and one-line summaries on standard output, everything else on standard
error.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin
    from dbt_batch_sync.ledger.records import Rejection, Run
    from dbt_batch_sync.results import (
        LineageResult,
        Occurrence,
        PlanResult,
        ProfileResult,
        PushResult,
        RejectsResult,
        ResendResult,
        StatusResult,
        SyncPlanned,
        SyncProfile,
        SyncPushed,
    )

_PLAIN: Any = {"box": None, "pad_edge": False, "padding": (0, 2), "header_style": "dim"}

_LEAST_WIDTH = 140
"""Of a table. A narrower terminal breaks its lines, which is better than cells with their ends cut off."""

_BARS = "·▁▂▃▄▅▆▇█"
"""Of a size of nothing, and of eighths."""

_COLOURS = {
    "succeeded": "green",
    "partial": "yellow",
    "interrupted": "yellow",
    "skipped": "yellow",
    "failed": "red",
}


class Result(Protocol):
    """What a verb answers."""

    def to_json(self) -> dict[str, object]:
        """The document of `--json`."""


def out() -> Console:
    """Standard output; rich leaves colors out where it is no terminal, or NO_COLOR is set."""
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


_Result = TypeVar("_Result", bound="Result")


def answer(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    """A result as one document, or as `show` does."""
    if as_json:
        print_json(result.to_json())
    else:
        show(result)


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
            console.print("  [yellow]the next push resumes after the last checkpoint[/]")
        for line in _not_taken(sync, dry_run):
            console.print(f"  [yellow]{line}[/]")


def _story(sync: SyncPushed, dry_run: bool) -> str:
    from dbt_batch_sync.results import noun

    if sync.status == "skipped":
        return "not started"
    if sync.delta_id is None and sync.error is None:
        return "nothing to send: the delta is empty"
    words = (counted(sync.inserts, "new"), counted(sync.updates, "changed"), counted(sync.exits, "left"))
    changes = " · ".join(words)
    if dry_run:
        return (
            f"{changes}  →  would send {counted(sync.sent, noun(sync.kind))} in "
            f"{counted(sync.requests, 'request')} to {sync.endpoint}; nothing was sent"
        )
    if sync.inserts + sync.updates + sync.exits + sync.sent == 0:
        return "nothing was sent" if sync.error else "nothing to send: up to date"
    if sync.endpoint is None and sync.error is not None:
        return f"{changes}  →  nothing was sent"
    return (
        f"{changes}  →  {sync.accepted:,} of {counted(sync.sent, noun(sync.kind))} accepted in "
        f"{counted(sync.requests, 'request')}"
        f" ({sync.endpoint}), {sync.settled:,} settled, {sync.seconds:.1f} s"
    )


def _not_taken(sync: SyncPushed, dry_run: bool) -> list[str]:
    lines = []
    if sync.invalid:
        rows = counted(sync.invalid, "invalid row")
        lines.append(f"{rows} not sent: see _batch_reason in {sync.sync}_delta")
    if sync.rejected_rows:
        lines.append(f"{counted(sync.rejected_rows, 'row')} rejected: see dbt-batch-sync rejects")
    if sync.rejected_attributes:
        attributes = counted(sync.rejected_attributes, "attribute")
        lines.append(
            f"{attributes} would be rejected; the rest of each row would be sent"
            if dry_run
            else f"{attributes} rejected, the rest of each row was sent: see dbt-batch-sync rejects"
        )
    if sync.parked:
        lines.append(_parked(sync.parked))
    if sync.unsure:
        lines.append(_unsure(sync.unsure))
    return lines


def _unsure(count: int) -> str:
    return (
        f"{counted(count, 'event')} unsure: a call had no usable answer. Sent again with on_doubt: resend "
        "(possibly twice), dropped with skip (possibly never sent)"
    )


def _parked(count: int) -> str:
    return (
        f"{counted(count, 'row')} parked: rejected as a whole, sent again when changed or after "
        "dbt-batch-sync resend --rejected"
    )


def planned(result: PlanResult) -> None:
    """The plan of each sync: counts, then samples."""
    for sync in result.syncs:
        _plan(out(), sync)


def _plan(console: Console, sync: SyncPlanned) -> None:
    from dbt_batch_sync.results import noun

    console.print(f"[bold]{escape(sync.sync)}[/]")
    for stop in sync.stops:
        console.print(f"  [red]A push would stop: {escape(stop)}[/]")
    if sync.delta_id is None:
        console.print("" if sync.stops else "  nothing to send: the delta is empty\n")
        return
    goes = f"{counted(sync.requests, 'request')} to {sync.endpoint}, about {seconds(sync.seconds)}"
    console.print(
        f"  {counted(sync.inserts, 'insert')} · {counted(sync.updates, 'update')} · "
        f"{counted(sync.exits, 'exit')} · "
        f"{sync.invalid:,} invalid · {sync.parked:,} parked  →  "
        f"{goes if sync.requests else 'nothing to send'}"
    )
    for step in sync.steps:
        console.print(f"  before that, a push would {escape(step)}")
    for guard in sync.guards:
        console.print(f"  [red]A guard would stop the push: {escape(guard)}[/]")
    for flapping in sync.flapping:
        console.print(f"  [yellow]{escape(str(flapping))}[/]")
    for reason, count in sync.invalid_reasons.items():
        console.print(f"  [yellow]{count:,} × {escape(reason)}[/]")
    if sync.resubscriptions:
        console.print(f"  [yellow]{_resubscriptions(sync.resubscriptions)}[/]")
    if sync.attributes:
        table = Table("event" if sync.kind == "events" else "attribute", "rows", **_PLAIN)
        table.columns[1].justify = "right"
        for name, count in sorted(sync.attributes.items(), key=lambda item: -item[1]):
            table.add_row(escape(name), f"{count:,}")
        console.print(table)
    if sync.samples:
        table = Table(noun(sync.kind), "change", "attribute", "old", "new", **_PLAIN)
        for each in sync.samples:
            table.add_row(
                *(escape(cell) for cell in (each.key, each.change, each.attribute, each.old, each.new))
            )
        console.print(table)
    console.print()


def _resubscriptions(count: int) -> str:
    return f"{counted(count, 'resubscription')} not sent (never_resubscribe); the rest of each row is sent"


def traced(result: LineageResult) -> None:
    """Each attribute with its source columns."""
    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        table = Table("attribute", "column", "comes from", **_PLAIN)
        for each in sync.attributes:
            origins = [_origin(origin) for origin in each.origins]
            nothing = "no column: a constant, or a count" if each.column else "membership in the sync"
            table.add_row(escape(each.attribute), escape(each.column or ""), "\n".join(origins) or nothing)
        console.print(table)
        console.print()


def _origin(origin: Origin) -> str:
    if origin.kind == "unknown":
        return f"[yellow]unknown: {escape(str(origin.reason))}[/]"
    return escape(f"{origin.table}.{origin.column} ({origin.kind})")


def history(result: StatusResult) -> None:
    """The last runs of each sync, the sizes of their deltas, parked rows and open requests."""
    from dbt_batch_sync.results import iso, noun

    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        if sync.runs:
            console.print(_runs(sync.runs))
            console.print(f"  {_trend([run.inserts + run.updates + run.exits for run in sync.runs[::-1]])}")
        else:
            console.print("  never pushed. Run: dbt-batch-sync push")
        if sync.in_batch is not None:
            console.print(f"  {counted(sync.in_batch, noun(sync.kind))} in Batch, {sync.expected:,} expected")
        if sync.note:
            console.print(f"  [yellow]{escape(sync.note)}[/]")
        if sync.parked:
            console.print(f"  [yellow]{_parked(sync.parked)}[/]")
        unsure = sum(run.unsure for run in sync.runs)
        if unsure:
            console.print(f"  [yellow]{_unsure(unsure)}[/]")
        for each in sync.requests:
            asked = f"resend --{each.request} requested {iso(each.recorded_at)}"
            console.print(f"  [yellow]{asked}: the next dbt run adds the rows to the delta[/]")
        if sync.runs and sync.runs[0].error:
            console.print(f"  last error: {escape(sync.runs[0].error)}")
        console.print()


def _runs(runs: Sequence[Run]) -> Table:
    from dbt_batch_sync.results import iso

    table = Table(**_PLAIN)
    texts = ("started (UTC)", "status")
    counts = ("inserts", "updates", "exits", "invalid", "accepted", "rejected", "parked", "seconds")
    for name in (*texts, *counts):
        table.add_column(name, justify="left" if name in texts else "right")
    for run in runs:
        rejected = run.rejected_rows + run.rejected_attributes
        figures = (run.inserts, run.updates, run.exits, run.invalid, run.accepted, rejected, run.parked)
        status = f"[{_COLOURS.get(run.status, 'white')}]{run.status}[/]"
        cells = (str(iso(run.started_at)), status, *(f"{count:,}" for count in figures))
        table.add_row(*cells, f"{run.seconds:.1f}")
    return table


def _trend(sizes: list[int]) -> str:
    """Sizes of deltas, the oldest first, each as a bar and a number; an outlier has a full bar."""
    from dbt_batch_sync.report.charts import axis_top

    top = axis_top(sizes)
    bars = "".join(_BARS[min(len(_BARS) - 1, math.ceil(size / top * (len(_BARS) - 1)))] for size in sizes)
    return f"delta sizes, oldest first  {bars}  {' '.join(f'{size:,}' for size in sizes)}"


def rejected(result: RejectsResult) -> None:
    """The open rejections, the most frequent first."""
    from dbt_batch_sync.results import iso, noun

    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        if not sync.rejects:
            console.print("  no open rejections\n")
            continue
        names = (f"{noun(sync.kind)}s", "attribute", "reason", "rejected by", "since (UTC)", "last (UTC)")
        table = Table(*names, **_PLAIN)
        table.columns[0].justify = "right"
        for each in sync.rejects:
            times = (str(iso(each.first_rejected_at)), str(iso(each.last_rejected_at)))
            cells = (each.attribute or "(whole row)", each.reason, each.rejected_by, *times)
            table.add_row(f"{each.count:,}", *map(escape, cells))
        console.print(table)
        console.print(f"  {noun(sync.kind)}s: {escape(keys_query(sync.sync, sync.table))}\n")


def keys_query(sync: str, table: str) -> str:
    """A query, to be shown, of the keys with an open rejection."""
    return f"select distinct key from {table} where sync = '{sync}' and resolved_at is null"  # noqa: S608


def resent(result: ResendResult) -> None:
    """What was asked for, and the commands that send it."""
    console = out()
    rows = "every row" if result.request == "all" else "rejected rows and attributes"
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]  requested: resend {rows}; nothing was sent yet")
    for note in result.notes:
        console.print(f"  [yellow]{escape(note)}[/]")
    console.print("Next:")
    for command in result.next:
        console.print(f"  {escape(command)}")


def profile(result: ProfileResult) -> None:
    """What each sync knows of a key."""
    console = out()
    console.print(f"[bold]{escape(result.key)}[/]")
    for sync in result.syncs:
        console.print(f"\n[bold]{escape(sync.sync)}[/]  {_sent(sync)}")
        if sync.kind == "events":
            console.print(_events(sync.events) if sync.events else "  no events")
            continue
        if sync.attributes:
            held = ", ".join(f"{name} {cell}" for name, cell in sync.attributes.items())
            console.print(f"  Batch holds: {escape(held)}")
        if sync.in_doubt:
            names = escape(", ".join(sync.in_doubt))
            console.print(f"  [yellow]in doubt, sent again after the next dbt run: {names}[/]")
        for line in _next(sync):
            console.print(f"  {line}")
        for rejection in sync.rejects:
            console.print(f"  {_rejection(rejection)}")


def _events(events: Sequence[Occurrence]) -> Table:
    from dbt_batch_sync.results import iso

    table = Table("time (UTC)", "event", "state", **_PLAIN)
    for each in events:
        table.add_row(str(iso(each.time)), escape(each.name or ""), escape(each.state))
    return table


def _sent(sync: SyncProfile) -> str:
    from dbt_batch_sync.results import iso

    if sync.sent_at is None:
        return "never accepted by Batch"
    left = f", left the model {iso(sync.exited_at)}" if sync.exited_at is not None else ""
    return f"last accepted {iso(sync.sent_at)} (run {escape(str(sync.run_id))}){left}"


def _next(sync: SyncProfile) -> list[str]:
    pending = sync.pending
    if pending is None:
        return ["nothing to send"]
    if pending.reason == "parked":
        return [
            "[yellow]parked: rejected as a whole, sent again when changed or after "
            "dbt-batch-sync resend --rejected[/]"
        ]
    if pending.change == "invalid":
        return [f"[yellow]invalid, not sent: {escape(str(pending.reason))}[/]"]
    lines = [f"queued for the next push: {escape(pending.change)}"]
    lines += [escape(f"  {each.attribute}: {each.old} → {each.new}") for each in pending.attributes]
    if pending.reason is not None:
        names = ", ".join(pending.reason.partition(":")[2].split(","))
        lines.append(f"[yellow]not sent: {escape(names)}, unsubscribed in Batch (never_resubscribe)[/]")
    return lines


def _rejection(rejection: Rejection) -> str:
    from dbt_batch_sync.results import iso

    what = escape(rejection.attribute or "whole row")
    said = f"{what} rejected by {escape(rejection.rejected_by)}: {escape(rejection.reason)}"
    if rejection.resolved_at is None:
        return f"[yellow]{said}[/] ({iso(rejection.rejected_at)})"
    return f"{said} ({iso(rejection.rejected_at)}, resolved {iso(rejection.resolved_at)})"


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
