"""Results as text for other programs: Markdown for a comment, Mermaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dbt_batch_sync.cli.show import counted, seconds
from dbt_batch_sync.errors import printable

if TYPE_CHECKING:
    from dbt_batch_sync.results import LineageResult, PlanResult, SyncPlanned

_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "\\`*_[]<>|~#&"})


def comment(result: PlanResult) -> str:
    """A plan as GitHub Flavored Markdown: what a push would do, a section for each sync with something to
    do.
    """
    head = ("sync", "new", "changed", "left", "invalid", "requests", "time")
    rows = [
        (
            _code(each.sync),
            *(f"{n:,}" for n in (each.inserts, each.updates, each.exits, each.invalid, each.requests)),
            seconds(each.seconds) if each.requests else "",
        )
        for each in result.syncs
    ]
    lines = ["### What `dbt-batch-sync push` would do", "", *_table(head, rows)]
    for sync in result.syncs:
        if sync.delta_id is not None:
            lines += _section(sync)
    return "\n".join(lines) + "\n"


def _section(sync: SyncPlanned) -> Iterator[str]:
    yield from ("", f"#### {_code(sync.sync)}")
    for guard in sync.guards:
        yield from ("", "> [!WARNING]", f"> A guard would stop the push: {_plain(guard)}")
    for flapping in sync.flapping:
        yield from ("", "> [!NOTE]", f"> {_plain(str(flapping))}")
    if sync.invalid_reasons:
        yield from ("", "Rows that can't be sent:", "")
        reasons = sync.invalid_reasons.items()
        yield from _table(("reason", "rows"), ((_code(reason), f"{count:,}") for reason, count in reasons))
    if sync.attributes:
        counts = sorted(sync.attributes.items(), key=lambda item: -item[1])
        yield ""
        yield from _table(("attribute", "profiles"), ((_code(name), f"{count:,}") for name, count in counts))
    if sync.samples:
        changes = counted(len(sync.samples), "change")
        yield from ("", f"<details><summary>{changes} as examples, masked</summary>", "")
        cells = ((each.profile, each.change, each.attribute, each.old, each.new) for each in sync.samples)
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
    """A Mermaid flowchart from the source columns to the attributes of each sync."""
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
    """A label, as Mermaid escapes it."""
    return '"' + text.replace("#", "#35;").replace('"', "#quot;") + '"'
