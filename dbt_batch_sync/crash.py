"""Crash points for the tests: `kill -9` of this process at a named place, and nothing at all without the
variable.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "DBT_BATCH_SYNC_CRASH_AT"
"""`name`, or `name:3` for the third time that the place is passed. Tests alone set it."""

POINTS = (
    "lease_taken",
    "run_started",
    "intent_recorded",
    "chunk_settled",
    "before_commit",
    "inside_commit",
    "after_commit",
    "before_end",
    "ended",
    "requeued",
)
"""Every write point of a push, in order."""

_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Kills this process if the tests ask for it here; `name` is one of `POINTS`."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    _passed[name] += 1
    place, _, count = wanted.partition(":")
    if place == name and _passed[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
