"""The verb `audit` and its output."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags, Json
from dbt_batch_sync.cli.show import Cell, colored, draw, say
from dbt_batch_sync.results import counted, shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.results.look import AuditResult, SyncAudited

# Slow imports are in the verbs that need them, so that `--help` answers at once.

_EXPECTED = {
    "changed": "sent after the export began",
    "pending": "waiting for the next push",
    "in_doubt": "in doubt, sent again by the next push",
    "rejected": "rejected: see dbt-batch-sync rejects",
    "parked": "parked",
    "invalid": "in invalid rows",
    "exited": "of profiles that left the model",
    "keep": "null in the model with `on_null: keep`",
    "opted_out": "opted out in Batch, which is never overwritten",
}


def audit(
    dbt: DbtFlags,
    export: Annotated[
        str | None, typer.Option(metavar="ID", help="Resume an export that an earlier audit began.")
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of profiles that may differ, such as 0.001."),
    ] = 0.0,
    repair: Annotated[
        bool, typer.Option("--repair", help="Request that the next `dbt run` sends what differs again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Export the profiles from Batch, and compare them with what was sent. Exits with 1 on drift.

    Example: [bold]dbt-batch-sync audit --select crm_contacts --repair[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.cli.progress import watching

    options = api.AuditOptions(tolerance, repair, export)
    with watching(quiet=as_json) as watch:
        result = api.audit(dbt.options, dbt.selection, options, observer=watch)
    show.answer(result, partial(audited, repair=repair), as_json)
    raise typer.Exit(0 if result.status == "succeeded" else 1)


def audited(result: AuditResult, *, repair: bool = False) -> None:
    """The summary of an audit: a row per sync, and notes below."""
    console = show.out()
    rows = []
    for sync in result.syncs:
        counts = ("", "") if sync.error or sync.skipped else (sync.compared, sync.drifted)
        rows.append((sync.sync, sync.kind, _verdict(sync, result.tolerance), *counts))
    draw(("Sync", "Kind", "Result", "Compared", "Differ"), rows, drop=("Kind",), indent=0)
    for sync in result.syncs:
        _details(sync)
    if result.next:
        console.print("What differs is in the next delta. Run:")
        for command in result.next:
            console.print(f"  {escape(command)}")
    drifted = [each for each in result.syncs if each.drifted]
    unsent = [each.sync for each in drifted if each.in_batch is None and not each.repairs]
    if unsent and not repair:
        console.print("To send what differs again: dbt-batch-sync audit --repair")
    elif unsent:
        console.print(
            f"{escape(', '.join(unsent))}: only consents differ, and a repair never sends `subscribed`. To "
            f"send everything again: dbt-batch-sync resend --all --select {escape(' '.join(unsent))}"
        )
    # Of an audience or a catalog, only the size is known.
    names = [each.sync for each in drifted if each.in_batch is not None]
    if names:
        console.print(
            f"To send all rows again: dbt-batch-sync resend --all --select {escape(' '.join(names))}"
        )


def _details(sync: SyncAudited) -> None:
    lines = [f"[red]{escape(sync.error)}[/]"] if sync.error is not None else []
    if sync.skipped is not None:
        lines.append(f"[dim]{escape(sync.skipped)}[/]")
    if sync.in_batch is not None and sync.drifted:
        lines.append(
            f"{sync.in_batch:,} in Batch, {sync.compared:,} expected: Batch may still be applying a push, or "
            "others write to it"
        )
    for reason, count in sync.expected.items():
        lines.append(f"[dim]{counted(count, 'expected difference')}: {_EXPECTED[reason]}[/]")
    if sync.unknown_profiles:
        lines.append(
            f"[dim]{counted(sync.unknown_profiles, 'unknown profile')}: in Batch, not in the sync[/]"
        )
    for sample in sync.samples:
        if sample.attribute is not None and sample.difference != "unknown_profile":
            found = f"{escape(sample.ours)} here, {escape(sample.batch)} in Batch"
            lines.append(f"[dim]{escape(sample.profile)}  {escape(shown_name(sample.attribute))}: {found}[/]")
    if not lines and not sync.differences:
        return
    show.out().print(f"[bold]{escape(sync.sync)}[/]")
    rows = [
        (shown_name(each.attribute or "(whole profile)"), each.difference.replace("_", " "), each.count)
        for each in sync.differences
    ]
    if rows:
        draw(("Attribute", "Difference", "Profiles"), rows)
    for line in lines:
        say(line)


def _verdict(sync: SyncAudited, tolerance: float) -> Cell:
    if sync.error is not None:
        return colored("failed")
    if sync.skipped is not None:
        return colored("not audited", "dim")
    if not sync.drifted:
        return colored("no drift", "green")
    return colored(f"drift {sync.share:.2%}", "red" if sync.share > tolerance else "yellow")
