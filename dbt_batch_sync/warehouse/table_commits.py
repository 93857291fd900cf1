"""Tables of Delta and Iceberg, whichever engine writes to them: each statement is one commit of one table.

Of two that are in each other's way the later one fails, having done nothing; it is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dbt_batch_sync.errors import Conflict

ATTEMPTS = 6
"""How often a statement is tried that another writer's commit made impossible."""

_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NoSuchTableException", "NoSuchNamespaceException")

_CONFLICT = re.compile(
    r"DELTA_CONCURRENT|DELTA_METADATA_CHANGED|Concurrent\w*Exception|MetadataChangedException"
    r"|CommitFailedException|Found conflicting files|ConflictException"
)
"""What Delta and Iceberg call a commit that came too late."""


def patiently(call: Callable[[], None]) -> None:
    """Calls it until it ends without a Conflict, `ATTEMPTS` times at most. Raises what it raises."""
    retrying = Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(0.2, max=5),
        reraise=True,
    )
    retrying(call)


def is_missing(message: str) -> bool:
    """Whether an error says that there is no such table."""
    return any(word in message for word in _MISSING)


def is_conflict(message: str) -> bool:
    """Whether an error says that another writer came first."""
    return _CONFLICT.search(message) is not None
