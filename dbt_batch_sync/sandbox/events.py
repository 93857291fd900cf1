"""The rules of events, and the events that the sandbox remembers."""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter, deque
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from dbt_batch_sync.sandbox.rules import MAX_INTEGER, MIN_INTEGER, read_date, read_url
from dbt_batch_sync.sandbox.values import BrokenRuleError

MAX_EVENTS = 15
MAX_BYTES = 25_000
MAX_ATTRIBUTES = 20
MAX_DEPTH = 3
MAX_ITEMS = 25
MAX_STRING = 300
MAX_LABEL = 200
MAX_TAGS = 10
MAX_TAG = 64
MAX_AGE = timedelta(hours=24)

_NAME = re.compile(r"[a-z0-9_]{1,30}")
_WRAPPED = re.compile(r"(date|url)\(([a-z0-9_]{1,30})\)")


class Event(NamedTuple):
    """`time` as sent; None means the time of arrival."""

    name: str
    time: str | None
    attributes: dict[str, Any]


class UntimelyEventError(BrokenRuleError):
    """Too old, or in the future."""


def read_event(raw: object, now: datetime, skew: float) -> Event:
    """`skew` is the tolerance of a time's limits, in seconds. Raises BrokenRuleError."""
    if not isinstance(raw, dict) or "name" not in raw or raw.keys() - {"name", "time", "attributes"}:
        raise _broken("an event is an object of name, time and attributes")
    name, attributes = raw["name"], raw.get("attributes", {})
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BrokenRuleError("INVALID_NAME", "an event's name is 1 to 30 of a-z, 0-9 and _")
    _read_object(attributes, 1)
    if len(json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
        raise _broken(f"at most {MAX_BYTES:,} bytes an event")
    if "time" in raw:
        _check_time(raw["time"], now, timedelta(seconds=skew))
    return Event(name, raw.get("time"), attributes)


def _broken(reason: str) -> BrokenRuleError:
    return BrokenRuleError("INVALID_EVENT", reason)


def _check_time(value: object, now: datetime, skew: timedelta) -> None:
    time = datetime.fromisoformat(str(read_date(value).value).replace("Z", "+00:00"))
    if time < now - MAX_AGE - skew:
        raise UntimelyEventError("INVALID_EVENT_TIME", "the event is older than 24 hours")
    if time > now + skew:
        raise UntimelyEventError("INVALID_EVENT_TIME", "the event is in the future")


def _read_object(attributes: object, depth: int) -> None:
    if not isinstance(attributes, dict) or len(attributes) > MAX_ATTRIBUTES:
        raise _broken(f"attributes are an object of at most {MAX_ATTRIBUTES}")
    if depth > MAX_DEPTH:
        raise _broken(f"objects are nested at most {MAX_DEPTH} levels deep")
    names = []
    for key, value in attributes.items():
        if key in ("$label", "$tags") and depth == 1:
            _read_special(key, value)
            continue
        wrapped = _WRAPPED.fullmatch(key)
        if wrapped is None and not _NAME.fullmatch(key):
            raise BrokenRuleError("INVALID_NAME", "an event's attribute is 1 to 30 of a-z, 0-9 and _")
        names.append(wrapped[2] if wrapped else key)
        if wrapped:
            (read_date if wrapped[1] == "date" else read_url)(value)
        else:
            _read_value(value, depth)
    if len(set(names)) < len(names):
        raise _broken("the same attribute twice")


def _read_special(key: str, value: object) -> None:
    if key == "$label" and not (isinstance(value, str) and 1 <= len(value) <= MAX_LABEL):
        raise _broken(f"$label is 1 to {MAX_LABEL} characters")
    if key == "$tags" and not (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_TAGS
        and all(isinstance(tag, str) and 1 <= len(tag) <= MAX_TAG for tag in value)
    ):
        raise _broken(f"$tags are 1 to {MAX_TAGS} texts of 1 to {MAX_TAG} characters")


def _is_string(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_STRING


def _read_value(value: object, depth: int) -> None:
    if isinstance(value, dict):
        _read_object(value, depth + 1)
    elif isinstance(value, list):
        _read_array(value, depth)
    elif isinstance(value, str) and not _is_string(value):
        raise _broken(f"a string has 1 to {MAX_STRING} characters")
    elif isinstance(value, float) and not math.isfinite(value):
        raise _broken("a float is finite")
    elif type(value) is int and not MIN_INTEGER <= value <= MAX_INTEGER:
        raise _broken("an integer has 64 bits, with a sign")
    elif value is None:
        raise _broken("null is no value of an event's attribute")


def _read_array(items: list[object], depth: int) -> None:
    if not 1 <= len(items) <= MAX_ITEMS:
        raise _broken(f"an array has 1 to {MAX_ITEMS} items")
    if all(isinstance(item, dict) for item in items):
        for item in items:
            _read_object(item, depth + 1)
    elif not all(map(_is_string, items)):
        raise _broken("an array is of strings of 1 to 300 characters, or of objects")


class StoredEvent(NamedTuple):
    """An applied event, with its request and time."""

    request: int
    at: str
    custom_id: str
    event: Event


class EventLog:
    """The last events, and how often each occurred, for at most `count` different ones.

    For several threads.
    """

    def __init__(self, keep: int, count: int) -> None:
        self._lock = threading.Lock()
        self._count = count
        self._complete = True
        self._last: deque[StoredEvent] = deque(maxlen=keep)
        self._seen: Counter[str] = Counter()
        self._total = 0

    def add(self, stored: StoredEvent) -> None:
        custom_id, event = stored.custom_id, stored.event
        with self._lock:
            self._total += 1
            self._last.append(stored)
            if not self._count:
                return
            key = json.dumps([custom_id, event.name, event.time, event.attributes], sort_keys=True)
            if key in self._seen or len(self._seen) < self._count:
                self._seen[key] += 1
            else:
                self._complete = False

    @property
    def total(self) -> int:
        return self._total

    @property
    def repeated(self) -> int:
        """How many identical events occurred more than once."""
        with self._lock:
            return sum(times > 1 for times in self._seen.values())

    @property
    def last(self) -> tuple[StoredEvent, ...]:
        """Oldest first."""
        with self._lock:
            return tuple(self._last)

    def of(self, custom_id: str) -> list[StoredEvent]:
        """A person's recent events, newest first."""
        return [stored for stored in reversed(self.last) if stored.custom_id == custom_id]

    @property
    def seen(self) -> Counter[tuple[str, str, str | None, str]]:
        """The number of events by custom_id, name, time as sent, and attributes as JSON with sorted keys.

        Raises RuntimeError if there were too many to count.
        """
        if not self._complete:
            raise RuntimeError("more different events than `count_events` of the settings")
        with self._lock:
            copied = Counter(self._seen)
        counts: Counter[tuple[str, str, str | None, str]] = Counter()
        for key, times in copied.items():
            custom_id, name, time, attributes = json.loads(key)
            counts[custom_id, name, time, json.dumps(attributes, sort_keys=True)] = times
        return counts

    def seen_by(self, attribute: str) -> Counter[str | int]:
        """The number of events by an attribute that identifies them."""
        counts: Counter[str | int] = Counter()
        for (_, _, _, attributes), times in self.seen.items():
            counts[json.loads(attributes).get(attribute)] += times
        return counts

    def clear(self) -> None:
        with self._lock:
            self._last.clear()
            self._seen.clear()
            self._complete = True
            self._total = 0
