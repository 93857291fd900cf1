"""The verbs that move data, or ask for it, and how they end: push, adopt, resend."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.audit import audited as show_audit
from dbt_batch_sync.cli.options import DbtFlags, Json
from dbt_batch_sync.cli.show import Cell, colored, draw, listed, say
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results import counted, duration

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.records import Run
    from dbt_batch_sync.results.sync import PushResult, ResendResult, SyncPushed

OUTCOME = ("Status", "Inserts", "Updates", "Exits", "Accepted", "Rejected", "Time")

# Slow imports are in the verbs that need them, so that `--help` answers at once.


def push(
    dbt: DbtFlags,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send and record nothing; show what would be sent.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Send at most this many rows of each sync.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Skip the guards for this run.")] = False,
    require_tests: Annotated[
        bool,
        typer.Option(
            "--require-tests", help="Push only what dbt's last command built and tested, with no test failed."
        ),
    ] = False,
    max_age: Annotated[
        str | None, typer.Option(help="Fail if the delta was built longer ago: 90s, 30m, 2h, 1d.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Push only the deltas of this file, written by `plan --out`.")
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Wait until Batch has applied the members of audiences and the items of catalogs."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Send the deltas to Batch, and record what it accepts.

    Example: [bold]dbt run --select +crm_contacts_delta && dbt-batch-sync push --select crm_contacts[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.cli.progress import Bar

    planned = api.read_plan(plan) if plan is not None else None
    options = api.PushOptions(dry_run, limit, force, require_tests, _span(max_age), planned, wait)
    with stopping() as (stop, signals), Bar(quiet=as_json) as bar:
        result = api.push(dbt.options, dbt.selection, options, stop=stop, observer=bar)
    _finish(result, as_json, dry_run=dry_run, signals=signals)


def _span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if found is None:
        raise ConfigurationError("--max-age: must be a number and one of s, m, h, d, such as 2h")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def adopt(
    dbt: DbtFlags,
    from_export: Annotated[
        bool,
        typer.Option(
            "--from-export",
            help="First compare the deltas with an export from Batch; the next push sends what differs.",
        ),
    ] = False,
    export: Annotated[
        str | None, typer.Option(metavar="ID", help="With --from-export: resume an export.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before acting.")] = False,
    as_json: Json = False,
) -> None:
    """Settle the deltas without sending them, for profiles, members or items that Batch already has.

    Example: [bold]dbt-batch-sync adopt --select crm_contacts --yes[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.cli.progress import watching

    if export is not None and not from_export:
        raise ConfigurationError("--export: give it with --from-export")
    if not yes:
        plans = api.plan(dbt.options, dbt.selection).syncs
        rows = sum(each.inserts + each.updates + each.exits for each in plans)
        names = ", ".join(each.sync for each in plans)
        outputs = ", ".join(sorted({each.output for each in plans}))
        _confirm(f"Settle {counted(rows, 'row')} of {names} for {outputs} without sending them?")
    audited = None
    if from_export:
        with watching(quiet=as_json) as watch:
            options = api.AuditOptions(export=export, adopts=True)
            audited = api.audit(dbt.options, dbt.selection, options, observer=watch)
        if audited.status == "failed":
            show.answer(audited, show_audit, as_json)
            raise typer.Exit(1)
        if not as_json:
            show_audit(audited)
    with stopping() as (stop, signals):
        result = api.adopt(dbt.options, dbt.selection, audited=audited, stop=stop)
    _finish(result, as_json, signals=signals)


def resend(
    dbt: DbtFlags,
    everything: Annotated[
        bool, typer.Option("--all", help="Every row of the model, with all its attributes.")
    ] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Rows and attributes with an open rejection.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Request that the next `dbt run` adds rows to the delta again. Sends nothing.

    Example: [bold]dbt-batch-sync resend --rejected --select crm_contacts[/]
    """
    from dbt_batch_sync import api

    if everything == rejected:
        raise ConfigurationError("resend: give either --all or --rejected")
    result = api.resend(dbt.options, "all" if everything else "rejected", dbt.selection)
    show.answer(result, resent, as_json)


def _finish(result: PushResult, as_json: bool, *, dry_run: bool = False, signals: Sequence[int] = ()) -> None:
    from dbt_batch_sync.results.sync import EXIT_CODES

    show.answer(result, partial(pushed, dry_run=dry_run), as_json)
    for note in result.notes:
        show.err().print(f"[yellow]Note:[/] {escape(note)}")
    interrupted = result.status == "interrupted" and signals
    raise typer.Exit(128 + signals[0] if interrupted else EXIT_CODES[result.status])


def _confirm(question: str) -> None:
    """Asks for confirmation on a terminal. Elsewhere, `--yes` is required."""
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Without a terminal, confirm with --yes")
    typer.confirm(question, abort=True, err=True)


@contextmanager
def stopping() -> Iterator[tuple[Event, list[int]]]:
    """SIGINT and SIGTERM set the event and are recorded. A second one ends the process at once."""
    stop, signals = Event(), list[int]()

    def handle(number: int, frame: FrameType | None) -> None:
        if signals:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        signals.append(number)
        stop.set()
        show.err().print(
            "[yellow]Stopping: no new requests; waiting for those in flight, then recording them.[/]"
        )

    with show.handling(handle):
        yield stop, signals


def pushed(result: PushResult, *, dry_run: bool) -> None:
    """A row per sync, then what was not accepted, and how the push ended."""
    rows: list[tuple[Cell, ...]]
    if dry_run:
        head = ("Sync", "Inserts", "Updates", "Exits", "Would send", "Would reject", "Requests", "Endpoint")
        rows = [
            (
                each.sync,
                *changes(each),
                each.sent,
                each.rejected_attributes + each.rejected_rows,
                each.requests,
                each.endpoint or "",
            )
            for each in result.syncs
        ]
    else:
        head = ("Sync", *OUTCOME)
        rows = [(each.sync, *outcome(each)) for each in result.syncs]
    draw(head, rows, drop=("Accepted",), indent=0)
    for sync in result.syncs:
        _notes(sync, dry_run)
    spent = duration((result.finished_at - result.started_at).total_seconds())
    end = f"{counted(len(result.syncs), 'sync')} in {spent}"
    if dry_run:
        show.out().print(f"Dry run: nothing was sent or recorded. {end}.")
    else:
        show.out().print(colored(result.status), f": {end}, run {result.run_id}", sep="")


def _notes(sync: SyncPushed, dry_run: bool) -> None:
    name = f"[bold]{escape(sync.sync)}[/]"
    if sync.error:
        say(f"{name}: [red]{escape(sync.error)}[/]")
    elif sync.status == "interrupted":
        say(f"{name}: the next push resumes after the last checkpoint")
    else:
        left = sum(changes(sync)) - sync.settled
        if left > 0 and not dry_run and sync.status != "skipped":
            say(f"{name}: {counted(left, 'row')} not sent yet. Run: dbt-batch-sync push")
    parts = (
        counted(sync.invalid, "row") + " invalid" if sync.invalid else "",
        counted(sync.parked, "row") + " parked" if sync.parked else "",
        counted(sync.rejected_rows, "row") + " rejected" if sync.rejected_rows else "",
        counted(sync.rejected_attributes, "attribute") + " rejected" if sync.rejected_attributes else "",
    )
    if any(parts) and not dry_run:
        say(f"{name}: [yellow]{listed(parts)}[/]. Reasons: dbt-batch-sync rejects")
    if sync.unsure:
        say(f"{name}: {unsure(sync.unsure)}")


def resent(result: ResendResult) -> None:
    """What was requested, and the commands that send it."""
    console = show.out()
    rows = "every row" if result.request == "all" else "rejected rows and attributes"
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]: the next dbt run adds {rows} to the delta")
    for note in result.notes:
        say(f"[yellow]{escape(note)}[/]")
    console.print("Next:")
    for command in result.next:
        say(f"[bold]{escape(command)}[/]")


def changes(counts: SyncPushed | Run) -> tuple[int, int, int]:
    """Rows by what happens to them."""
    return counts.inserts, counts.updates, counts.exits


def outcome(counts: SyncPushed | Run) -> tuple[Cell, ...]:
    """The cells of `OUTCOME`. Rejected are all rows and attributes that could not be delivered."""
    rows = counts.rejected_rows + counts.invalid + counts.parked
    parts = [counted(rows, "row")] if rows else []
    if counts.rejected_attributes:
        parts.append(counted(counts.rejected_attributes, "attribute"))
    return (colored(counts.status), *changes(counts), counts.accepted, ", ".join(parts) or 0, counts.seconds)


def unsure(count: int) -> str:
    """What is to be said of events without a usable answer."""
    return (
        f"[yellow]{counted(count, 'event')} unsure:[/] no usable answer came. With on_doubt: resend they "
        "may have arrived twice, with skip not at all"
    )
