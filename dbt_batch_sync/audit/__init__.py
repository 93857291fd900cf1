"""Whether Batch holds what the warehouse says: an export is compared with what was sent.

`exporting` asks Batch for an export and loads its files · `believed` reads what Batch should hold ·
`comparison` holds one against the other, in a DuckDB that spills to disk · `run` does all of it for each sync
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class AuditOptions:
    """`tolerance`: the share of profiles that may differ. `repair`: what differs is sent again. `export`: the
    id of an export that was begun before. `adopts`: the deltas count as accepted, and what differs from them
    is sent once they are.
    """

    tolerance: float = 0.0
    repair: bool = False
    export: str | None = None
    adopts: bool = False


class AuditObserver(Protocol):
    """Told what an audit does; shows it, or not."""

    def exporting(self, export_id: str) -> None:
        """An export is under way, which goes on in Batch whatever happens here."""

    def state(self, line: str) -> None:
        """What happens now, in one line."""

    def told(self, message: str) -> None:
        """Something is waited for."""


@dataclass(frozen=True)
class Wait:
    """`seconds` sleeps; `now` is a monotonic clock."""

    seconds: Callable[[float], None]
    now: Callable[[], float]
