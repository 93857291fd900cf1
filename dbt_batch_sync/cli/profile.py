"""The verb that explains one row: profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.layout import Grid, at, draw, say
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.results import shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.erasures import Erasure
    from dbt_batch_sync.ledger.records import Rejection
    from dbt_batch_sync.results.look import ProfileResult, SyncProfile


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
            cells = [
                (at(each.time) if each.time else "", escape(each.name or ""), escape(each.state))
                for each in sync.events
            ]
            if cells:
                draw(console, Grid(("Time (UTC)", "Event", "State"), cells))
            console.print()
            continue
        console.print(f"[bold]{escape(sync.sync)}[/]: {_sent(sync)}")
        for line in _state(sync):
            say(console, line)
        rows = list(_attributes(sync))
        if rows:
            held = "Requested" if sync.kind == "deletions" else "In Batch"
            head = ("Attribute", held, "Next push", "Rejected")
            empty = [name for place, name in enumerate(head) if not any(row[place] for row in rows)]
            draw(console, Grid(head, rows).without(*empty))
        console.print()
    others = [escape(each.sync) for each in result.syncs if each not in known]
    if others:
        console.print(f"[dim]Neither sent, queued nor rejected by {', '.join(others)}[/]")


def _sent(sync: SyncProfile) -> str:
    if sync.sent_at is None:
        return "never accepted by Batch"
    left = f", left the model {at(sync.exited_at)} UTC" if sync.exited_at is not None else ""
    run = f", run {escape(sync.run_id)}" if sync.run_id else ""
    return f"last accepted {at(sync.sent_at)} UTC{run}{left}"


def _state(sync: SyncProfile) -> list[str]:
    pending, lines = sync.pending, []
    if pending is None:
        lines.append("nothing to send")
    elif pending.reason == "parked":
        lines.append(
            "[yellow]parked:[/] rejected as a whole; sent again when changed, or after "
            "dbt-batch-sync resend --rejected"
        )
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
            lines.append(f"[yellow]row rejected:[/] {_rejected(each)}")
    return [*lines, *map(_erasure, sync.erasures)]


def _erasure(erasure: Erasure) -> str:
    said = f" ({escape(erasure.error)})" if erasure.error else ""
    ended = f"{erasure.status} {at(erasure.done_at)} UTC{said}" if erasure.done_at else "[yellow]pending[/]"
    return f"erasure requested {at(erasure.asked_at)} UTC, app {escape(erasure.app)}: {ended}"


def _rejected(each: Rejection) -> str:
    resolved = f", resolved {at(each.resolved_at)}" if each.resolved_at is not None else ""
    return f"{escape(each.reason)} ({escape(each.rejected_by)}, {at(each.rejected_at)}{resolved})"


def _attributes(sync: SyncProfile) -> list[tuple[str, str, str, str]]:
    """A row for each attribute with known values."""
    queued = {each.attribute: each.new for each in sync.pending.attributes} if sync.pending else {}
    found = {each.attribute: each for each in sync.rejects if each.attribute is not None}
    rows = []
    for name in dict.fromkeys([*sync.attributes, *queued, *found]):
        reason = _rejected(found[name]) if name in found else ""
        rows.append(
            (
                escape(shown_name(name)),
                escape(sync.attributes.get(name, "")),
                escape(queued.get(name, "")),
                reason,
            )
        )
    return rows
