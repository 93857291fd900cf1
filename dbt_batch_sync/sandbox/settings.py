"""The sandbox's settings, with descriptions of those that can be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

# Versions keep working for years; 2.13 is the newest known one.
KNOWN_VERSIONS = frozenset(f"2.{minor}" for minor in range(14))


def _knob(group: str, text: str, default: object) -> Any:
    """A setting that can be changed at any time; see `knobs`."""
    return field(default=default, metadata={"group": group, "help": text})


_calls = partial(_knob, "Calls")
_rejections = partial(_knob, "Rejections")
_containers = partial(_knob, "Audiences and catalogs")
_deletions = partial(_knob, "Deletions")
_exports = partial(_knob, "Exports")


@dataclass(frozen=True)
class SandboxSettings:
    """The defaults are the strict server that the documentation describes. Rejections are partial errors;
    requests without partial errors are rejected as a whole.

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
    app_keys: frozenset[str] = frozenset({"sandbox_app"})
    store: Path | None = None
    keep_profiles: bool = True
    keep_requests: int = 200
    keep_bodies: int = 20
    keep_history: int = 20_000
    keep_events: int = 10_000
    count_custom_ids: bool = True
    count_events: int = 200_000
    controls: Literal["loopback", "anywhere"] = "loopback"
    rate_limits: bool = _calls("Answer 429 above Batch's rates", True)
    retry_after: Literal["none", "seconds", "date"] = _calls(
        "Form of the Retry-After header of a 429", "seconds"
    )
    latency: float = _calls("Seconds before each answer", 0.0)
    time_ahead: float = _calls(
        "Seconds to move the sandbox's clock ahead, to see links and blocks expire", 0.0
    )
    share_rate: bool = _calls("Exports count towards the rate of audiences", False)
    reject_ids: frozenset[str] = _rejections("Ids of profiles, members or items to reject", frozenset())
    reject_attributes: frozenset[str] = _rejections("Attributes to reject, by plain name", frozenset())
    reject_events: frozenset[str] = _rejections("Events to reject, by name", frozenset())
    bad_row: Literal["partial", "400"] = _rejections(
        "An invalid operation: a partial error, or a 400 for the call", "partial"
    )
    error_attribute: Literal["sent", "plain"] = _rejections(
        "How a partial error names date(birthdate): as sent, or plain", "sent"
    )
    event_errors: Literal["none", "name", "place"] = _rejections(
        "How a partial error names an event: not at all, by name, or as events[0]", "none"
    )
    event_skew: float = _rejections("Seconds of tolerance for events that are too old or in the future", 0.0)
    indexing_delay: float = _containers("Seconds until a write is applied", 0.0)
    on_existing: Literal["409", "400", "accept"] = _containers(
        "Creating one that exists: an error with this status, or accepted", "409"
    )
    on_missing: Literal["404", "400", "accept"] = _containers(
        "Writing to one that does not exist: an error with this status, or accepted", "404"
    )
    second_write: Literal["replace", "merge"] = _containers(
        "Adding a member or an item again: replace its attributes, or merge them", "replace"
    )
    item_names: Literal["wrapped", "plain", "either"] = _containers(
        "Names of dates and URLs in an item: wrapped as in date(since), plain, or either", "wrapped"
    )
    item_nulls: Literal["400", "clear"] = _containers(
        "A null in an item: an error for the call, or no value", "400"
    )
    max_items: int = _containers("Most items in a catalog", 2_000_000)
    deletion_delay: float = _deletions("Seconds until a person is erased", 0.0)
    deletion_token: str = _deletions("Name of the token in the answer", "token")
    deletion_days: float = _deletions("Days until the status of a request is no longer available", 30.0)
    deletions_per_second: float | None = _deletions("Requests a second; empty: no limit", None)
    blacklist_days: float = _deletions("Days during which an erased person's data is discarded", 31.0)
    blacklisted: Literal["accept", "reject"] = _deletions(
        "An erased person's data: accepted and discarded, or rejected", "accept"
    )
    erase_members: bool = _deletions("Remove an erased person from audiences, too", True)
    export_seconds: float = _exports("Seconds until an export is ready", 0.0)
    export_result: Literal["SUCCESS", "ERROR"] = _exports("How an export ends", "SUCCESS")
    export_file_profiles: int = _exports("Most profiles in a file", 200_000)
    export_link_seconds: float = _exports("Seconds until a link to a file expires", 1200.0)
    exports_per_hour: float | None = _exports("Exports an hour; empty: no limit", None)
    export_dates: Literal["sent", "fraction", "offset", "plain", "day", "seconds", "milliseconds"] = _exports(
        "Form of a date", "sent"
    )
    export_names: Literal["plain", "wrapped"] = _exports(
        "Names of dates and URLs: plain, or wrapped as in date(birthdate)", "plain"
    )
    export_arrays: Literal["list", "unordered", "text"] = _exports("Form of an array", "list")
    export_scalars: Literal["typed", "text"] = _exports(
        "Numbers and booleans as themselves, or as text", "typed"
    )
    export_nulls: Literal["absent", "null"] = _exports(
        "Attributes without a value: left out, or null", "absent"
    )
