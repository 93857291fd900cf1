"""The verb that counts: plan, for people and as Markdown for a comment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.layout import Grid, counted, draw, listed, noun, plain, say
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from rich.console import Console

    from dbt_batch_sync.results.look import PlanResult, SyncPlanned

_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "\\`*_[]<>|~#&"})


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
        sys.stdout.write(comment(result))
    else:
        planned(result)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--out: {path} can't be written: {error.strerror}") from None


def planned(result: PlanResult) -> None:
    """The plan of each sync, and the next command."""
    console = show.out()
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
        draw(console, Grid((noun(sync.kind), "Change", "Attribute", "From", "To"), cells), drop=("Change",))
        console.print()


def seconds(seconds: float) -> str:
    """The time needed at a rate, in readable units."""
    if seconds < 1:
        return "about a second"
    if seconds < 120:
        return f"about {seconds:.0f} s at Batch's rate"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} min at Batch's rate"
    return f"about {seconds / 3600:.1f} h at Batch's rate"


def comment(result: PlanResult) -> str:
    """A plan as GitHub Flavored Markdown: a table of syncs, and a section for each that would send something
    or be stopped.
    """
    head = ("sync", "inserts", "updates", "exits", "invalid", "parked", "requests", "time")
    rows = [
        (
            _code(each.sync),
            *(f"{getattr(each, name):,}" for name in head[1:-1]),
            seconds(each.seconds) if each.requests else "",
        )
        for each in result.syncs
    ]
    lines = ["### What `dbt-batch-sync push` would do", "", *_table(head, rows)]
    for sync in result.syncs:
        if sync.delta_id is not None or sync.stops:
            lines += _section(sync)
    return "\n".join(lines) + "\n"


def _section(sync: SyncPlanned) -> Iterator[str]:
    yield from ("", f"#### {_code(sync.sync)}")
    for stop in sync.stops:
        yield from ("", "> [!WARNING]", f"> A push would stop: {_plain(stop)}")
    for guard in sync.guards:
        yield from ("", "> [!WARNING]", f"> A guard would stop the push: {_plain(guard)}")
    for flapping in sync.flapping:
        yield from ("", "> [!NOTE]", f"> {_plain(str(flapping))}")
    if sync.invalid_reasons:
        yield from ("", "Invalid rows, which are not sent:", "")
        reasons = sync.invalid_reasons.items()
        yield from _table(("reason", "rows"), ((_code(reason), f"{count:,}") for reason, count in reasons))
    if sync.resubscriptions:
        rows = counted(sync.resubscriptions, "resubscription")
        yield from ("", f"{rows} not sent (`never_resubscribe`); the rest of each row is sent.")
    if sync.attributes:
        counts = sorted(sync.attributes.items(), key=lambda item: -item[1])
        yield ""
        yield from _table(("attribute", "profiles"), ((_code(name), f"{count:,}") for name, count in counts))
    if sync.samples:
        changes = counted(len(sync.samples), "change")
        yield from ("", f"<details><summary>{changes} as examples, masked</summary>", "")
        cells = ((each.key, each.change, each.attribute, each.old, each.new) for each in sync.samples)
        head = ("profile", "change", "attribute", "old", "new")
        yield from _table(head, (tuple(_plain(cell) for cell in row) for row in cells))
        yield from ("", "</details>")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def _code(name: str) -> str:
    return f"`{printable(name).replace('`', '').replace('|', '')}`"


def _plain(text: str) -> str:
    return printable(text).translate(_MARKDOWN)
