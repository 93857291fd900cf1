"""Results as text for other programs: Markdown for comments, Mermaid, annotations of GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_batch_sync.cli.layout import counted
from dbt_batch_sync.cli.show import seconds
from dbt_batch_sync.errors import printable

if TYPE_CHECKING:
    from dbt_batch_sync.errors import Problem
    from dbt_batch_sync.results import LineageResult, PlanResult, SyncPlanned

_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "\\`*_[]<>|~#&"})


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


def flowchart(result: LineageResult) -> str:
    """A Mermaid flowchart from source columns to attributes, for each sync."""
    lines, nodes = ["flowchart LR"], dict[tuple[str, ...], str]()
    edges: list[str] = []
    for sync in result.syncs:
        lines.append(f"    subgraph {_quoted(sync.sync)}")
        for each in sync.attributes:
            target = nodes.setdefault((sync.sync, each.attribute), f"a{len(nodes)}")
            lines.append(f"        {target}[{_quoted(each.attribute)}]")
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
