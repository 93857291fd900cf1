"""A route of the API, and the state that all routes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from dbt_batch_sync.sandbox.gate import RefusedCallError, refuse
from dbt_batch_sync.sandbox.limits import Rate
from dbt_batch_sync.sandbox.record import Tally
from dbt_batch_sync.sandbox.replies import Reply
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.values import BrokenRuleError


def _free(_read: Any) -> Mapping[Rate, float]:
    return {}


@dataclass(frozen=True)
class Route:
    """`read` validates a request without the state; `settle` applies the result.

    `read` gets the parsed JSON, or the parameters of a GET, and raises BrokenRuleError. `settle` raises
    RefusedCallError. `cost` is what the request takes from which rate. `since` is the minor version that
    introduced the route. `base` precedes the path: a version, an app's key in the older API, or nothing for
    links.
    """

    method: Literal["GET", "POST"]
    path: str
    read: Callable[[Any], Any]
    settle: Callable[[Call], Reply]
    cost: Callable[[Any], Mapping[Rate, float]] = _free
    since: int = 0
    base: Literal["version", "app", "link"] = "version"

    @property
    def name(self) -> str:
        """Its name for faults and rates: `update`, `audiences/update`."""
        return self.path.removeprefix("profiles/")


@dataclass
class Call:
    """A validated request, and what it adds to the counts."""

    route: Route
    read: Any
    tally: Tally
    era: int  # of the store, when the request arrived


@dataclass
class World:
    """The settings, which may be replaced at any time, and the clocks.

    `clock` (seconds; only differences count) is for rates and durations, `utc` is the time of day.
    """

    settings: SandboxSettings
    clock: Callable[[], float]
    utc: Callable[[], datetime]

    def now(self) -> datetime:
        """The time of day, shifted as in the settings."""
        return self.utc() + timedelta(seconds=self.settings.time_ahead)

    def seconds(self) -> float:
        """`clock`, shifted like `now`."""
        return self.clock() + self.settings.time_ahead

    def moment(self) -> str:
        """`now` in Batch's format."""
        return self.now().replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def members(document: object, required: Set[str], optional: Set[str] = frozenset()) -> dict[str, Any]:
    """A body that must be an object with these keys. Raises BrokenRuleError."""
    if not isinstance(document, dict):
        raise BrokenRuleError("INVALID_BODY", "the body must be an object")
    if missing := sorted(required - document.keys()):
        raise BrokenRuleError("INVALID_BODY", f"missing: {', '.join(missing)}")
    if document.keys() - required - optional:
        known = ", ".join(sorted(required | optional))
        raise BrokenRuleError("INVALID_BODY", f"unknown keys; known are {known}")
    return document


def entries(value: object, what: str, most: int) -> list[Any]:
    """A list of 1 to `most` items. Raises BrokenRuleError."""
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise BrokenRuleError("INVALID_BODY", f"{what}: an array of 1 to {most:,}")
    return value


def read_number(asked: Mapping[str, str], name: str, default: int, least: int, most: int = 10**9) -> int:
    """A whole number in a GET's parameters. Raises BrokenRuleError."""
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise BrokenRuleError("INVALID_PARAMETER", f"{name}: a number from {least} to {most}")
    return int(text)


def exists(settings: SandboxSettings, what: str) -> None:
    """For creating what already exists. Returns if the settings accept it, or raises RefusedCallError."""
    if settings.on_existing != "accept":
        raise refuse(
            int(settings.on_existing), f"{what.upper()}_ALREADY_EXISTS", f"the {what} exists already"
        )


def missing(settings: SandboxSettings, what: str) -> None:
    """For writing to what doesn't exist. Returns if the settings accept it; otherwise raises
    RefusedCallError.
    """
    if settings.on_missing != "accept":
        raise refuse(int(settings.on_missing), f"{what.upper()}_NOT_FOUND", f"there is no such {what}")


def not_found(what: str) -> RefusedCallError:
    return refuse(404, f"{what.upper()}_NOT_FOUND", f"there is no such {what}")
