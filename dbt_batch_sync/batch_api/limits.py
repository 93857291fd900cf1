"""The two endpoints for profiles, and what they allow:

`batch_api.md`'s table, [D] unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

DEFAULT_API_URL: Final = "https://api.batch.com"
"""[D]"""

DEFAULT_API_VERSION: Final = "2.11"
"""[D] the newest version on an official page; older ones keep answering."""

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""[U] Batch names no limit; this project's choice."""

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""This project's choice: some 1,600 bytes of partial errors for each of 10,000 profiles."""

CHECK_PATH: Final = "audiences/list?limit=1"
"""[D] read-only, and answers 401 for a wrong key or project."""


class Endpoint(str, Enum):
    """A route that writes profiles. Body and answer of both are the same."""

    UPDATE = "update"
    MASS_UPDATE = "mass-update"

    @property
    def path(self) -> str:
        """The route behind the version, without a leading slash."""
        return f"profiles/{self.value}"


@dataclass(frozen=True)
class Limits:
    """What one endpoint allows.

    Attributes:
        max_operations: Operations of one call; one more rejects the whole call.
        profiles_per_second: Counted in profiles, not in calls.
        burst: Profiles that may go at once before the rate counts; 0 is "no burst".
    """

    max_operations: int
    profiles_per_second: int
    burst: int


LIMITS: Final[Mapping[Endpoint, Limits]] = MappingProxyType(
    {
        Endpoint.UPDATE: Limits(max_operations=200, profiles_per_second=300, burst=1_000),
        Endpoint.MASS_UPDATE: Limits(max_operations=10_000, profiles_per_second=10_000, burst=0),
    }
)
