"""Shows results: tables and a few lines on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import Console

from dbt_batch_sync.cli.layout import Grid, at, bars, counted, draw, duration, listed, plain, say, status

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin
    from dbt_batch_sync.ledger.audits import Audited
    from dbt_batch_sync.ledger.erasures import ErasureCounts
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.results import (
        LineageResult,
        PlanResult,
        PushResult,
        RejectsResult,
        ResendResult,
        StatusResult,
        SyncPlanned,
        SyncPushed,
        SyncRejects,
        SyncStatus,
    )


class Result(Protocol):
    """The result of a verb."""

    def to_json(self) -> dict[str, object]:
        """The document of `--json`."""


def out() -> Console:
    """Standard output. rich omits colors if it is not a terminal or NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    # A pipe has no width, so a table is as wide as its cells.
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, soft_wrap=True, width=10_000)
    )


def print_json(document: dict[str, object]) -> None:
    """Prints one JSON document on standard output."""
    sys.stdout.write(json_text(document))
    sys.stdout.flush()


_Result = TypeVar("_Result", bound="Result")


def answer(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    """Prints a result as JSON, or with `show`."""
    if as_json:
        print_json(result.to_json())
    else:
        show(result)


def json_text(document: dict[str, object]) -> str:
    """A JSON document as it is printed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def error(message: str) -> None:
    """Prints a message on standard error, without markup."""
    err().print(f"[red bold]Error:[/] {plain(message)}")


def pushed(result: PushResult, *, dry_run: bool) -> None:
    """A row per sync, then what was not accepted, and how the push ended."""
    console = out()
    draw(console, _dry(result.syncs) if dry_run else _pushed(result.syncs), indent=0)
    for sync in result.syncs:
        _notes(console, sync, dry_run)
    spent = duration((result.finished_at - result.started_at).total_seconds())
    if dry_run:
        console.print(
            f"Dry run: nothing was sent or recorded. {counted(len(result.syncs), 'sync')} in {spent}."
        )
    else:
        end = f"{counted(len(result.syncs), 'sync')} in {spent}, run {result.run_id}"
        console.print(f"{status(result.status)}: {end}")


def _pushed(syncs: Sequence[SyncPushed]) -> Grid:
    head = ("Sync", "Status", "Inserts", "Updates", "Exits", "Accepted", "Rejected", "Time")
    return Grid(
        head,
        [
            (
                plain(each.sync),
                status(each.status),
                *_changes(each),
                each.accepted,
                _rejected(each),
                each.seconds,
            )
            for each in syncs
        ],
    )


def _dry(syncs: Sequence[SyncPushed]) -> Grid:
    head = ("Sync", "Inserts", "Updates", "Exits", "Would send", "Would reject", "Requests", "Endpoint")
    rows = [
        (
            plain(each.sync),
            *_changes(each),
            each.sent,
            each.rejected_attributes + each.rejected_rows,
            each.requests,
            each.endpoint or "",
        )
        for each in syncs
    ]
    return Grid(head, rows)


def _noun(sync: SyncPlanned | SyncStatus | SyncRejects) -> str:
    """The noun for a sync's rows, for a head: Profile, Member, Item."""
    from dbt_batch_sync.results import noun

    return noun(sync.kind).capitalize()


def _changes(counts: SyncPushed | Run) -> tuple[int, int, int]:
    return counts.inserts, counts.updates, counts.exits


def _rejected(counts: SyncPushed | Run) -> int:
    """What a push could not deliver: rows and attributes."""
    return counts.rejected_rows + counts.rejected_attributes + counts.invalid + counts.parked


def _notes(console: Console, sync: SyncPushed, dry_run: bool) -> None:
    name = f"[bold]{plain(sync.sync)}[/]"
    if sync.error:
        say(console, f"{name}: [red]{plain(sync.error)}[/]")
    elif sync.status == "interrupted":
        say(console, f"{name}: the next push resumes after the last checkpoint")
    else:
        left = sync.inserts + sync.updates + sync.exits - sync.settled
        if left > 0 and not dry_run and sync.status != "skipped":
            say(console, f"{name}: {counted(left, 'row')} not sent yet. Run: dbt-batch-sync push")
    parts = (
        counted(sync.invalid, "row") + " invalid" if sync.invalid else "",
        counted(sync.parked, "row") + " parked" if sync.parked else "",
        counted(sync.rejected_rows, "row") + " rejected" if sync.rejected_rows else "",
        counted(sync.rejected_attributes, "attribute") + " rejected" if sync.rejected_attributes else "",
    )
    if any(parts) and not dry_run:
        say(console, f"{name}: [yellow]{listed(parts)}[/]. Reasons: dbt-batch-sync rejects")
    if sync.unsure:
        say(console, f"{name}: {_unsure(sync.unsure)}")


def _unsure(count: int) -> str:
    return (
        f"[yellow]{counted(count, 'event')} unsure:[/] no usable answer came. With on_doubt: resend they "
        "may have arrived twice, with skip not at all"
    )


def planned(result: PlanResult) -> None:
    """The plan of each sync, and the next command."""
    console = out()
    for sync in result.syncs:
        _plan(console, sync)
    ready = [each for each in result.syncs if each.requests and not each.stops]
    if any(each.guards for each in ready):
        console.print("Next: if that is intended, [bold]dbt-batch-sync push --force[/]")
    elif ready:
        console.print("Next: [bold]dbt-batch-sync push[/]")


def _plan(console: Console, sync: SyncPlanned) -> None:
    goes = f" → {plain(sync.output)}" if sync.output else ""
    console.print(f"[bold]{plain(sync.sync)}[/]{goes}")
    for stop in sync.stops:
        say(console, f"[red]A push would stop:[/] {plain(stop)}")
    if sync.delta_id is None:
        if not sync.stops:
            say(console, "nothing to send: the delta is empty")
        console.print()
        return
    changes = listed(
        (counted(sync.inserts, "insert"), counted(sync.updates, "update"), counted(sync.exits, "exit"))
    )
    goes = f"{counted(sync.requests, 'request')} to {sync.endpoint}, {seconds(sync.seconds)}"
    say(console, f"{changes}  →  {goes if sync.requests else 'nothing to send'}")
    for step in sync.steps:
        say(console, f"before that, a push would {plain(step)}")
    for guard in sync.guards:
        say(console, f"[red]A guard would stop the push:[/] {plain(guard)}")
    reasons = ", ".join(f"{count:,} {plain(reason)}" for reason, count in sync.invalid_reasons.items())
    not_sent = listed(
        (
            f"{counted(sync.invalid, 'row')} invalid ({reasons})" if sync.invalid else "",
            f"{counted(sync.parked, 'row')} parked" if sync.parked else "",
            f"{counted(sync.resubscriptions, 'resubscription')} (never_resubscribe)"
            if sync.resubscriptions
            else "",
        )
    )
    if not_sent:
        say(console, f"[yellow]not sent:[/] {not_sent}")
    for flapping in sync.flapping:
        say(console, f"[yellow]{plain(str(flapping))}[/]")
    console.print()
    if sync.attributes:
        counts = sorted(sync.attributes.items(), key=lambda item: -item[1])
        head = ("Event" if sync.kind == "events" else "Attribute", "Rows")
        draw(console, Grid(head, [(plain(name), count) for name, count in counts]))
        console.print()
    if sync.samples:
        cells = [
            tuple(map(plain, (each.key, each.change, each.attribute, each.old, each.new)))
            for each in sync.samples
        ]
        draw(console, Grid((_noun(sync), "Change", "Attribute", "From", "To"), cells), drop=("Change",))
        console.print()


def traced(result: LineageResult) -> None:
    """Each attribute with its source columns."""
    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{plain(sync.sync)}[/]")
        rows = []
        for each in sync.attributes:
            nothing = "no column: a constant, or a count" if each.column else "membership in the sync"
            origins = [_origin(origin) for origin in each.origins] or [nothing]
            names = [plain(each.attribute), plain(each.column or "")]
            rows += [(*(names if place == 0 else ("", "")), origin) for place, origin in enumerate(origins)]
        draw(console, Grid(("Attribute", "Column", "Source"), rows), drop=("Column",))
        console.print()


def _origin(origin: Origin) -> str:
    if origin.kind == "unknown":
        return f"[yellow]unknown: {plain(str(origin.reason))}[/]"
    return plain(f"{origin.table}.{origin.column} ({origin.kind})")


def history(result: StatusResult) -> None:
    """The last runs of each sync, the sizes of their deltas, parked rows and open requests."""
    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{plain(sync.sync)}[/]")
        if sync.runs:
            draw(console, _runs(sync.runs), drop=("Accepted",))
            say(console, f"[dim]Rows per push, oldest first[/]  {_trend(sync.runs, console.width - 32)}")
        else:
            say(console, "never pushed. Run: dbt-batch-sync push")
        if sync.in_batch is not None:
            say(
                console, f"{counted(sync.in_batch, _noun(sync).lower())} in Batch, {sync.expected:,} expected"
            )
        if sync.note:
            say(console, f"[yellow]{plain(sync.note)}[/]")
        if sync.audit is not None:
            say(console, _last_audit(sync.audit))
        if sync.parked:
            say(
                console,
                f"[yellow]{counted(sync.parked, 'row')} parked:[/] rejected as a whole; sent again when "
                "changed, or after dbt-batch-sync resend --rejected",
            )
        if sync.erasures.people:
            say(console, _erasures(sync.erasures))
        unsure = sum(run.unsure for run in sync.runs)
        if unsure:
            say(console, _unsure(unsure))
        for each in sync.requests:
            say(
                console,
                f"[yellow]{asked_by(each.request)} requested {at(each.recorded_at)}:[/] the next dbt run "
                "adds the rows to the delta",
            )
        if sync.runs and sync.runs[0].error:
            say(console, f"[red]Last error:[/] {plain(sync.runs[0].error)}")
        console.print()


def _erasures(counts: ErasureCounts) -> str:
    asked = "1 person" if counts.people == 1 else f"{counts.people:,} people"
    waiting = f"[yellow]{counts.pending:,} pending[/]: see dbt-batch-sync status --wait"
    return f"erasure of {asked}: {counts.done:,} done" + (f", {waiting}" if counts.pending else "")


def asked_by(request: str) -> str:
    """The name of a request's command."""
    audits = {"drift": "audit --repair", "adopted": "adopt --from-export"}
    return audits.get(request, f"resend --{request}")


def _last_audit(audit: Audited) -> str:
    compared = counted(audit.compared, "profile")
    if not audit.drifted:
        return f"Last audit {at(audit.ended)}: no drift in {compared}"
    return f"[yellow]Last audit {at(audit.ended)}:[/] {audit.drifted:,} of {compared} differ in Batch"


def _runs(runs: Sequence[Run]) -> Grid:
    head = ("Started (UTC)", "Status", "Inserts", "Updates", "Exits", "Accepted", "Rejected", "Time")
    rows = [
        (at(run.started_at), status(run.status), *_changes(run), run.accepted, _rejected(run), run.seconds)
        for run in runs
    ]
    return Grid(head, rows)


def _trend(runs: Sequence[Run], width: int) -> str:
    """The sizes of deltas, oldest first: a bar each, and a number if there is space."""
    from dbt_batch_sync.report.charts import axis_top

    sizes = [sum(_changes(run)) for run in runs[::-1]]
    drawn, numbers = bars(sizes, axis_top(sizes)), " ".join(f"{size:,}" for size in sizes)
    return f"{drawn}  {numbers}" if len(drawn) + 2 + len(numbers) <= width else drawn


def rejected(result: RejectsResult) -> None:
    """What is not in Batch because it was rejected or can't be sent, most frequent first."""
    console = out()
    for sync in result.syncs:
        console.print(f"[bold]{plain(sync.sync)}[/]")
        grid = _rejects(sync)
        if not grid.rows:
            say(console, "no open rejections")
            console.print()
            continue
        draw(console, grid, drop=("Last (UTC)", "Since (UTC)"))
        if sync.profiles:
            console.print()
            rows = [
                (plain(each.key), plain(each.attribute or "whole row"), plain(each.reason))
                for each in sync.profiles
            ]
            draw(console, Grid((_noun(sync), "Attribute", "Reason"), rows))
        elif sync.rejects:
            say(console, f"[dim]{_noun(sync)}s: dbt-batch-sync rejects --profiles 20[/]")
        console.print()


def _rejects(sync: SyncRejects) -> Grid:
    head = (f"{_noun(sync)}s", "Attribute", "Reason", "Rejected by", "Since (UTC)", "Last (UTC)")
    rows = [
        (
            each.count,
            plain(each.attribute or "whole row"),
            plain(each.reason),
            plain(each.rejected_by),
            at(each.first_rejected_at),
            at(each.last_rejected_at),
        )
        for each in sync.rejects
    ]
    invalid = sorted(sync.invalid.items(), key=lambda item: -item[1])
    rows += [(count, "whole row", plain(reason), "validation", "", "") for reason, count in invalid]
    return Grid(head, rows)


def keys_query(sync: str, table: str) -> str:
    """An example query for the keys with an open rejection."""
    return f"select distinct key from {table} where sync = '{sync}' and resolved_at is null"  # noqa: S608


def resent(result: ResendResult) -> None:
    """What was requested, and the commands that send it."""
    console = out()
    rows = "every row" if result.request == "all" else "rejected rows and attributes"
    for sync in result.syncs:
        console.print(f"[bold]{plain(sync.sync)}[/]: the next dbt run adds {rows} to the delta")
    for note in result.notes:
        say(console, f"[yellow]{plain(note)}[/]")
    console.print("Next:")
    for command in result.next:
        say(console, f"[bold]{plain(command)}[/]")


def seconds(seconds: float) -> str:
    """The time needed at a rate, in readable units."""
    if seconds < 1:
        return "about a second"
    if seconds < 120:
        return f"about {seconds:.0f} s at Batch's rate"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} min at Batch's rate"
    return f"about {seconds / 3600:.1f} h at Batch's rate"
