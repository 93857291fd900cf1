"""The verb that counts: plan, for people and as Markdown for a comment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.cli.show import draw, listed, say
from dbt_batch_sync.errors import ConfigurationError, printable
from dbt_batch_sync.results import counted, noun, shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.results.look import PlanResult, SyncPlanned

_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "\\`*_[]<>|~#&"})


def plan(
    dbt: DbtFlags,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a comment.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the plan as JSON, for `push --plan`.")] = None,
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
        show.write(out, show.json_text(result))
    show.answer(result, comment if markdown else planned, as_json)


def planned(result: PlanResult) -> None:
    console = show.out()
    for sync in result.syncs:
        _plan(sync)
    ready = [each for each in result.syncs if each.requests and not each.stops]
    if any(each.guards for each in ready):
        console.print("Next: if that is intended, [bold]dbt-batch-sync push --force[/]")
    elif ready:
        console.print("Next: [bold]dbt-batch-sync push[/]")


def _plan(sync: SyncPlanned) -> None:
    console = show.out()
    goes = f" → {escape(sync.output)}" if sync.output else ""
    console.print(f"[bold]{escape(sync.sync)}[/]{goes}")
    for stop in sync.stops:
        say(f"[red]A push would stop:[/] {escape(stop)}")
    if sync.delta_id is None:
        if not sync.stops:
            say("nothing to send: the delta is empty")
        console.print()
        return
    changes = listed(
        (counted(sync.inserts, "insert"), counted(sync.updates, "update"), counted(sync.exits, "exit"))
    )
    goes = f"{counted(sync.requests, 'request')} to {sync.endpoint}, {seconds(sync.seconds)}"
    say(f"{changes}  →  {goes if sync.requests else 'nothing to send'}")
    for step in sync.steps:
        say(f"before that, a push would {escape(step)}")
    for guard in sync.guards:
        say(f"[red]A guard would stop the push:[/] {escape(guard)}")
    reasons = ", ".join(f"{count:,} {escape(reason)}" for reason, count in sync.invalid_reasons.items())
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
        say(f"[yellow]not sent:[/] {not_sent}")
    for flapping in sync.flapping:
        say(f"[yellow]{escape(str(flapping))}[/]")
    console.print()
    if sync.attributes:
        counts = sorted(sync.attributes.items(), key=lambda item: -item[1])
        head = ("Event" if sync.kind == "events" else "Attribute", "Rows")
        draw(head, [(shown_name(name), count) for name, count in counts])
        console.print()
    if sync.samples:
        samples = [
            (each.key, each.change, shown_name(each.attribute), each.old, each.new) for each in sync.samples
        ]
        draw((noun(sync.kind).capitalize(), "Change", "Attribute", "From", "To"), samples, drop=("Change",))
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
    from dbt_batch_sync.pages import load_template

    template = load_template(
        Path(__file__).parent, "plan.md.jinja", {"code": _code, "plain": _plain, "time": seconds}
    )
    return template.render(syncs=result.syncs)


def _code(name: str) -> str:
    return f"`{printable(name).replace('`', '').replace('|', '')}`"


def _plain(text: str) -> str:
    return printable(text).translate(_MARKDOWN)
