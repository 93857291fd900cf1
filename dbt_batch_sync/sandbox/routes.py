"""What a route of the API is, and the world that all of them share."""

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
    """`read` checks a call without the state, `settle` applies what it read.

    `read` gets the parsed JSON, or the parameters of a GET, and raises BrokenRuleError. `settle` raises
    RefusedCallError.
    `cost` is what the call takes of which rate. `since` is the minor version that introduced the route.
    `base` is what the path stands below: a version, in the older API the key of an app, or nothing for links.
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
        """As faults and rates call it: `update`, `audiences/update`."""
        return self.path.removeprefix("profiles/")


@dataclass
class Call:
    """A call that may be settled, and what it adds to the counts."""

    route: Route
    read: Any
    tally: Tally
    era: int  # of the store, when the call arrived


@dataclass
class World:
    """The settings, which may be replaced at any time, and the clocks.

    `clock` (seconds, only differences count) drives rates and durations, `utc` is the time of day.
    """

    settings: SandboxSettings
    clock: Callable[[], float]
    utc: Callable[[], datetime]

    def now(self) -> datetime:
        """The time of day, as far ahead as the settings say."""
        return self.utc() + timedelta(seconds=self.settings.time_ahead)

    def seconds(self) -> float:
        """`clock`, as far ahead as `now`."""
        return self.clock() + self.settings.time_ahead

    def moment(self) -> str:
        """`now` as Batch writes it."""
        return self.now().replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def members(document: object, required: Set[str], optional: Set[str] = frozenset()) -> dict[str, Any]:
    """A body that is an object of these keys. Raises BrokenRuleError."""
    if not isinstance(document, dict):
        raise BrokenRuleError("INVALID_BODY", "the body must be an object")
    if missing := sorted(required - document.keys()):
        raise BrokenRuleError("INVALID_BODY", f"missing: {', '.join(missing)}")
    if document.keys() - required - optional:
        known = ", ".join(sorted(required | optional))
        raise BrokenRuleError("INVALID_BODY", f"unknown keys; known are {known}")
    return document


def entries(value: object, what: str, most: int) -> list[Any]:
    """A list of 1 to `most`. Raises BrokenRuleError."""
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise BrokenRuleError("INVALID_BODY", f"{what}: an array of 1 to {most:,}")
    return value


def read_number(asked: Mapping[str, str], name: str, default: int, least: int, most: int = 10**9) -> int:
    """A whole number among a GET's parameters. Raises BrokenRuleError."""
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise BrokenRuleError("INVALID_PARAMETER", f"{name}: a number from {least} to {most}")
    return int(text)


def exists(settings: SandboxSettings, what: str) -> None:
    """Of a creation of what is there already: returns where it is accepted. Raises RefusedCallError."""
    if settings.on_existing != "accept":
        raise refuse(
            int(settings.on_existing), f"{what.upper()}_ALREADY_EXISTS", f"the {what} exists already"
        )


def missing(settings: SandboxSettings, what: str) -> None:
    """Of a write to what is not there: returns where it is accepted. Raises RefusedCallError."""
    if settings.on_missing != "accept":
        raise refuse(int(settings.on_missing), f"{what.upper()}_NOT_FOUND", f"there is no such {what}")


def not_found(what: str) -> RefusedCallError:
    return refuse(404, f"{what.upper()}_NOT_FOUND", f"there is no such {what}")
