"""One element of the body's array: its profile, what it writes, and which parts are rejected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple, NoReturn, cast

from dbt_batch_sync.sandbox.events import MAX_EVENTS, Event, read_event
from dbt_batch_sync.sandbox.rules import read_key
from dbt_batch_sync.sandbox.values import ArrayChange, BrokenRuleError, Refusal, TypedValue, Write

MAX_ATTRIBUTES = 50
MAX_ARRAYS = 15
MAX_CUSTOM_ID = 511
_RESERVED_IDS = frozenset(
    ("undefined", "null", "nil", "(null)", "[object object]", "true", "false", "nan", "infinity", "-infinity")
)
_KEYS = frozenset(("identifiers", "attributes", "events"))


class RefusedEvent(NamedTuple):
    """An event that is dropped alone: its place, its name if it has one, and the reason."""

    place: int
    name: str
    broken: BrokenRuleError


@dataclass(slots=True)
class Operation:
    """An operation with valid identifiers. `custom_id` is None for an installation."""

    custom_id: str | None
    writes: dict[str, Write] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    refused_events: list[RefusedEvent] = field(default_factory=list)
    arrays: int = 0
    # Whether every write is a plain value, which a profile can take unchanged.
    only_values: bool = True

    def take_out(self, names: Collection[str]) -> list[str]:
        """Removes the writes of these attributes, by plain name or as sent. Returns their keys as sent."""
        taken = [
            (key, name)
            for key, name in zip(self.keys, self.writes, strict=True)
            if name in names or key in names
        ]
        for key, name in taken:
            self.keys.remove(key)
            del self.writes[name]
        return [key for key, _ in taken]


def read_operation(raw: object, now: datetime | None = None, skew: float = 0.0) -> Operation:
    """Raises BrokenRuleError for an invalid operation.

    An invalid attribute is in `refused`, an invalid event in `refused_events`. Times of events are compared
    with `now` (by default the current time), with a tolerance of `skew` seconds.
    """
    if not isinstance(raw, dict):
        raise BrokenRuleError("INVALID_OPERATION", "an operation is an object")
    if raw.keys() - _KEYS:
        raise BrokenRuleError("INVALID_OPERATION", "an operation has identifiers, attributes and events")
    operation = Operation(_identifier(raw.get("identifiers")))
    attributes = raw.get("attributes", {})
    if not isinstance(attributes, dict):
        raise BrokenRuleError("INVALID_OPERATION", "attributes are an object")
    if len(attributes) > MAX_ATTRIBUTES:
        raise BrokenRuleError("TOO_MANY_ATTRIBUTES", f"at most {MAX_ATTRIBUTES} attributes an operation")
    _read_attributes(attributes, operation)
    if "events" in raw:
        _read_events(raw["events"], operation, now or datetime.now(timezone.utc), skew)
    return operation


def _read_events(events: object, operation: Operation, now: datetime, skew: float) -> None:
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise BrokenRuleError("TOO_MANY_EVENTS", f"events are an array of at most {MAX_EVENTS}")
    for place, raw in enumerate(events):
        try:
            operation.events.append(read_event(raw, now, skew))
        except BrokenRuleError as broken:
            name = raw.get("name") if isinstance(raw, dict) else None
            operation.refused_events.append(
                RefusedEvent(place, name if isinstance(name, str) else "", broken)
            )


def _identifier(identifiers: object) -> str | None:
    if not isinstance(identifiers, dict) or len(identifiers) != 1:
        raise BrokenRuleError(
            "INVALID_IDENTIFIER", "identifiers have exactly one of custom_id and installation"
        )
    if "custom_id" in identifiers:
        check_custom_id(identifiers["custom_id"])
        return cast(str, identifiers["custom_id"])
    installation = identifiers.get("installation")
    if not isinstance(installation, str) or not installation.strip():
        raise BrokenRuleError(
            "INVALID_IDENTIFIER", "identifiers have exactly one of custom_id and installation"
        )
    return None


def check_custom_id(custom_id: object) -> None:
    """Raises BrokenRuleError."""
    if not isinstance(custom_id, str):
        raise BrokenRuleError("INVALID_IDENTIFIER", "custom_id is a string")
    if not custom_id.strip():
        raise BrokenRuleError("INVALID_IDENTIFIER", "custom_id is blank")
    if len(custom_id) > MAX_CUSTOM_ID:
        raise BrokenRuleError("INVALID_IDENTIFIER", f"custom_id is at most {MAX_CUSTOM_ID} characters")
    if "\n" in custom_id or "\r" in custom_id:
        raise BrokenRuleError("INVALID_IDENTIFIER", "custom_id has a line break")
    if custom_id.lower() in _RESERVED_IDS:
        raise BrokenRuleError("INVALID_IDENTIFIER", "custom_id is a reserved word")


def _read_attributes(attributes: dict[str, object], operation: Operation) -> None:
    writes = operation.writes
    for key, value in attributes.items():
        try:
            name, write = _read_attribute(key, value)
            if type(write) is not TypedValue:
                operation.only_values = False
            if name in writes:
                _refuse_second()
            if type(value) is list or type(write) is ArrayChange:
                _count_array(name, operation)
        except BrokenRuleError as broken:
            operation.refused.append(broken.refusal(key))
            continue
        writes[name] = write
        operation.keys.append(key)


def _read_attribute(key: str, value: object) -> tuple[str, Write]:
    name, read, nullable = read_key(key)
    if value is not None:
        return name, read(value)
    if not nullable:
        raise BrokenRuleError("INVALID_VALUE", "null is sent under the plain name")
    return name, None


def _refuse_second() -> NoReturn:
    raise BrokenRuleError("DUPLICATE_ATTRIBUTE", "the same attribute twice in one operation")


def _count_array(name: str, operation: Operation) -> None:
    """Standard attributes don't count, because the limit is documented for custom ones."""
    if name.startswith("$"):
        return
    if operation.arrays == MAX_ARRAYS:
        raise BrokenRuleError("TOO_MANY_ARRAYS", f"at most {MAX_ARRAYS} arrays an operation")
    operation.arrays += 1
