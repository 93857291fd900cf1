"""What can be set about the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Versions keep answering for years; 2.13 is the newest that is known of.
KNOWN_VERSIONS = frozenset(f"2.{minor}" for minor in range(14))


@dataclass(frozen=True)
class SandboxSettings:
    """The defaults are the strict server that the documentation describes.

    - `rate_limits`: off for benchmarks and for tests that are not about pacing.
    - `retry_after`: the form of the header on a 429 of the rate limit.
    - `bad_row`: what one operation that is wrong as a whole does: a partial error of its own, or a 400 for
      the call.
    - `error_attribute`: how a partial error names a wrapped attribute: `date(birthdate)` as sent, or plain
      `birthdate`.
    - `indexing_delay`: seconds until a write to an audience or a catalog is applied.
    - `on_existing`, `on_missing`: what creating an audience or a catalog that exists does, and writing to
      one that doesn't: an error of that status, or nothing behind the answer of a success.
    - `second_write`: whether adding a member or an item again replaces its attributes or merges them.
    - `max_items`: of a catalog.
    - `app_keys`: of the project's apps, for deletions.
    - `deletion_delay`: seconds until a person is erased. `deletion_token`: the name of the token in the
      answer. `blacklist_days`: how long Batch takes no data of them afterwards. `deletion_days`: how long
      the request can be asked for. `erase_members`: whether they are taken out of audiences too.
    - `event_errors`: how the partial error of an event names it: not at all, by its name, or by its place,
      `events[0]`. `event_skew`: how many seconds an event's time may be beyond its borders.
    - `export_seconds`: how long an export takes; `export_result`: how it ends; `export_file_profiles`:
      the most a file has; `export_link_seconds`: how long a link to one is good; `exports_per_hour`: of those
      without a segment, None is no limit.
    - `export_dates`, `export_names`, `export_arrays`, `export_scalars`, `export_nulls`: the form of values in
      an export, of which nothing is documented.
    - `share_rate`: whether exports count for the rate of audiences.
    - `time_ahead`: seconds that the sandbox's time of day is ahead, to see what time brings.
    - `latency`: seconds before each answer of the API's routes.
    - `reject_ids`: profiles whose operations are rejected as a whole. `reject_attributes`: attributes, by
      their plain names, and `reject_events`: events, by their names, that are rejected alone. These are
      partial errors; an id in a call that has none refuses the call.
    - `store`: a file that keeps the profiles over restarts; None keeps them in memory.
    - `keep_profiles`: off where only the counts matter, so that millions of profiles need no memory.
    - `keep_requests`, `keep_bodies`: how many of the last requests are listed, and how many of them with
      their body and the answer.
    - `keep_history`: how many of the last changes of profiles; `keep_events`: how many of the last events.
    - `count_custom_ids`: counts applied operations by custom_id. `count_events`: counts equal events.
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
    count_events: bool = True
    controls: Literal["loopback", "anywhere"] = "loopback"
