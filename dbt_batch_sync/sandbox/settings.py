"""The sandbox's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Versions keep working for years; 2.13 is the newest known one.
KNOWN_VERSIONS = frozenset(f"2.{minor}" for minor in range(14))


@dataclass(frozen=True)
class SandboxSettings:
    """The defaults are the strict server that the documentation describes. `knobs` describes the settings
    that can be changed at any time. Rejections are partial errors; requests without partial errors are
    rejected as a whole.

    - `app_keys`: of the project's apps, for deletions.
    - `store`: a file that keeps the profiles over restarts; None keeps them in memory.
    - `keep_profiles`: off where only the counts matter, so that millions of profiles need no memory.
    - `keep_requests`, `keep_bodies`: how many of the last requests are listed, and how many of them with
      their body and the answer.
    - `keep_history`: how many of the last changes of profiles; `keep_events`: how many of the last events.
    - `count_custom_ids`: counts applied operations by custom_id. `count_events`: of how many different
      events it is counted how often each came.
    - `controls`: who may use the page and `/_sandbox`: clients on this machine, or everybody who reaches the
      port.
    """

    rest_api_key: str = "sandbox"
    project_key: str = "project_sandbox"
    versions: frozenset[str] = KNOWN_VERSIONS
    max_body_bytes: int = 8 * 1024 * 1024
    rate_limits: bool = True
    retry_after: Literal["none", "seconds", "date"] = "seconds"
    bad_row: Literal["partial", "400"] = "partial"
    error_attribute: Literal["sent", "plain"] = "sent"
    indexing_delay: float = 0.0
    on_existing: Literal["409", "400", "accept"] = "409"
    on_missing: Literal["404", "400", "accept"] = "404"
    second_write: Literal["replace", "merge"] = "replace"
    max_items: int = 2_000_000
    app_keys: frozenset[str] = frozenset({"sandbox_app"})
    deletion_delay: float = 0.0
    deletion_token: str = "token"  # noqa: S105  # a name
    blacklist_days: float = 31.0
    deletion_days: float = 30.0
    erase_members: bool = True
    event_errors: Literal["none", "name", "place"] = "none"
    event_skew: float = 0.0
    export_seconds: float = 0.0
    export_result: Literal["SUCCESS", "ERROR"] = "SUCCESS"
    export_file_profiles: int = 200_000
    export_link_seconds: float = 1200.0
    exports_per_hour: float | None = None
    export_dates: Literal["sent", "fraction", "offset", "plain", "day", "seconds", "milliseconds"] = "sent"
    export_names: Literal["plain", "wrapped"] = "plain"
    export_arrays: Literal["list", "unordered", "text"] = "list"
    export_scalars: Literal["typed", "text"] = "typed"
    export_nulls: Literal["absent", "null"] = "absent"
    share_rate: bool = False
    time_ahead: float = 0.0
    latency: float = 0.0
    reject_ids: frozenset[str] = frozenset()
    reject_attributes: frozenset[str] = frozenset()
    reject_events: frozenset[str] = frozenset()
    store: Path | None = None
    keep_profiles: bool = True
    keep_requests: int = 200
    keep_bodies: int = 20
    keep_history: int = 20_000
    keep_events: int = 10_000
    count_custom_ids: bool = True
    count_events: int = 200_000
    controls: Literal["loopback", "anywhere"] = "loopback"
