"""The verbs to run before a push: validate, lineage, plan."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags, Json, ShowValues
from dbt_batch_sync.cli.show import Cell, colored, draw, listed, say
from dbt_batch_sync.errors import ConfigurationError, MappingError, Problem, printable
from dbt_batch_sync.results import counted, noun, shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin
    from dbt_batch_sync.results.look import LineageResult, PlanResult, SyncPlanned, ValidateResult

_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "\\`*_[]<>|~#&"})


def validate(
    dbt: DbtFlags,
    online: Annotated[
        bool, typer.Option("--online", help="Also check the warehouse and Batch. Changes nothing there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Report every mapping error.

    Example: [bold]dbt parse && dbt-batch-sync validate[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.results.look import ValidateResult

    try:
        result = api.validate(dbt.options, dbt.selection, online=online)
    except MappingError as failure:
        if os.environ.get("GITHUB_ACTIONS") == "true":
            project = dbt.options.project_dir
            workspace = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
            sys.stderr.writelines(
                f"{annotation(problem, project, workspace)}\n" for problem in failure.problems
            )
        if not as_json:
            raise
        result = ValidateResult(False, online=online, problems=failure.problems)
    show.answer(result, validated, as_json)
    if not result.valid:
        raise typer.Exit(MappingError.exit_code)


def validated(result: ValidateResult) -> None:
    console, checked = show.out(), "; the warehouse and Batch are reachable" if result.online else ""
    console.print(f"[green]Mappings are valid[/]: {', '.join(result.syncs)}{checked}")
    if result.unchecked:
        console.print(
            f"[yellow]Columns not checked[/]: {', '.join(result.unchecked)}. "
            "Run: dbt compile (and dbt docs generate for a `select *`), then validate again"
        )
    for step in result.steps:
        console.print(f"  the next push would {escape(step)}")
    for note in result.notes:
        console.print(f"[yellow]Note:[/] {escape(note)}")


def annotation(problem: Problem, project_dir: Path, workspace: Path) -> str:
    """A problem as a workflow command of GitHub Actions, which shows it at its line. File names are relative
    to the repository, which is checked out in `workspace`.
    """
    file = os.path.relpath((project_dir / problem.file).resolve(), workspace.resolve())
    title = f"{problem.model}: {problem.key}"
    line = "" if problem.line is None else f",line={problem.line}"
    properties = f"file={_escaped(file, ':,')}{line},title={_escaped(title, ':,')}"
    return f"::error {properties}::{_escaped(printable(problem.message))}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + also else char for char in text)


def lineage(
    dbt: DbtFlags,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Show the source columns of each attribute, from the SQL that `dbt compile` wrote.

    Example: [bold]dbt compile && dbt-batch-sync lineage --select crm_contacts[/]
    """
    from dbt_batch_sync import api

    if mermaid and as_json:
        raise ConfigurationError("--mermaid and --json exclude each other")
    result = api.lineage(dbt.options, dbt.selection)
    show.answer(result, flowchart if mermaid else traced, as_json)
    if result.not_compiled:
        names = ", ".join(result.not_compiled)
        show.err().print(f"[yellow]No compiled SQL of {names}: run `dbt compile`[/]")


def traced(result: LineageResult) -> None:
    """Each attribute with its source columns."""
    console = show.out()
    for sync in result.syncs:
        console.print(f"[bold]{escape(sync.sync)}[/]")
        rows = list[tuple[Cell, Cell, Cell]]()
        for each in sync.attributes:
            nothing = "no column: a constant, or a count" if each.column else "membership in the sync"
            first, *others = [_origin(origin) for origin in each.origins] or [nothing]
            rows.append((shown_name(each.attribute), each.column or "", first))
            rows += [("", "", origin) for origin in others]
        draw(("Attribute", "Column", "Source"), rows, drop=("Column",))
        console.print()


def _origin(origin: Origin) -> Cell:
    if origin.kind == "unknown":
        return colored(f"unknown: {origin.reason}", "yellow")
    return f"{origin.table}.{origin.column} ({origin.kind})"


def flowchart(result: LineageResult) -> str:
    """A Mermaid flowchart from source columns to attributes, for each sync."""
    lines, nodes = ["flowchart LR"], dict[tuple[str, ...], str]()
    edges: list[str] = []
    for sync in result.syncs:
        lines.append(f"    subgraph {_quoted(sync.sync)}")
        for each in sync.attributes:
            target = nodes.setdefault((sync.sync, each.attribute), f"a{len(nodes)}")
            lines.append(f"        {target}[{_quoted(shown_name(each.attribute))}]")
            for origin in each.origins:
                unknown = origin.kind == "unknown"
                key = (origin.kind, origin.table, origin.column)
                if key not in nodes:
                    nodes[key] = f"a{len(nodes)}"
                    label = f"{origin.table}.{origin.column}" if origin.column else origin.table
                    edges.append(f"    {nodes[key]}[{_quoted(label + (' ?' if unknown else ''))}]")
                edges.append(f"    {nodes[key]} {'-.->' if unknown else '-->'} {target}")
        lines.append("    end")
    return "\n".join([*lines, *edges]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("#", "#35;").replace('"', "#quot;") + '"'


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
