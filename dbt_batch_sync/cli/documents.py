"""Results as text for other programs: Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt_batch_sync.results import LineageResult


def flowchart(result: LineageResult) -> str:
    """A Mermaid flowchart from the source columns to the attributes of each segment."""
    lines, nodes = ["flowchart LR"], dict[tuple[str, ...], str]()
    edges: list[str] = []
    for segment in result.segments:
        lines.append(f"    subgraph {_quoted(segment.segment)}")
        for each in segment.attributes:
            target = nodes.setdefault((segment.segment, each.attribute), f"a{len(nodes)}")
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
