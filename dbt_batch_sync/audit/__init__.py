"""Compares an export from Batch with what was sent.

`run` requests an export and loads its files · `believed` reads what Batch should hold · `comparison`
compares both in a DuckDB that spills to disk
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class AuditOptions:
    """`tolerance`: the share of profiles that may differ. `repair`: send differences again. `export`: the id
    of an earlier export. `adopts`: treat the deltas as accepted, and send what differs.
    """

    tolerance: float = 0.0
    repair: bool = False
    export: str | None = None
    adopts: bool = False


class AuditObserver:
    """Receives the progress of an audit. Its methods do nothing; a subclass overrides those it needs."""

    def exporting(self, export_id: str) -> None:
        """An export was started. It continues in Batch even if the audit ends."""

    def state(self, line: str) -> None:
        """The current step, in one line."""

    def told(self, message: str) -> None:
        """The audit waits for something."""


@dataclass(frozen=True)
class Wait:
    """`seconds` sleeps; `now` is a monotonic clock."""

    seconds: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
