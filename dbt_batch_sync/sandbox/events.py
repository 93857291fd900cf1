"""The documented form of events. They are checked and counted, not kept."""

from __future__ import annotations

import json
import re
from datetime import datetime

from dbt_batch_sync.sandbox.rules import MAX_ITEMS, read_key
from dbt_batch_sync.sandbox.values import ArrayChange, BrokenRuleError

MAX_EVENTS = 15
MAX_EVENT_BYTES = 25_000
MAX_KEYS = 20
MAX_DEPTH = 3
MAX_LABEL = 200
MAX_TAGS, MAX_TAG = 10, 64

_NAME = re.compile(r"[a-z0-9_]{1,30}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+\-][0-9]{2}:[0-9]{2})"
)


def _broken(reason: str) -> BrokenRuleError:
    return BrokenRuleError("INVALID_EVENT", reason)


def check_event(event: object) -> None:
    """Raises BrokenRuleError. A time out of the last 24 hours is no error: reception counts then."""
    if not isinstance(event, dict) or event.keys() - {"name", "time", "attributes"}:
        raise _broken("an event is an object of name, time and attributes")
    name = event.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _broken("an event's name is 1 to 30 of a-z, 0-9 and _")
    if "time" in event:
        _check_time(event["time"])
    if len(json.dumps(event, ensure_ascii=False).encode()) > MAX_EVENT_BYTES:
        raise _broken(f"an event is at most {MAX_EVENT_BYTES} bytes")
    _check_attributes(event.get("attributes", {}))


def _check_time(time: object) -> None:
    if not isinstance(time, str) or not _TIME.fullmatch(time):
        raise _broken("an event's time is RFC 3339")
    try:
        datetime.fromisoformat(time[:19].upper())
    except ValueError:
        raise _broken("an event's time exists") from None


def _check_attributes(attributes: object) -> None:
    if not isinstance(attributes, dict):
        raise _broken("an event's attributes are an object")
    own = dict(attributes)
    if "$label" in own:
        label = own.pop("$label")
        if not isinstance(label, str) or not 1 <= len(label) <= MAX_LABEL:
            raise _broken(f"$label is a string of at most {MAX_LABEL} characters")
    if "$tags" in own:
        tags = own.pop("$tags")
        if not isinstance(tags, list) or len(tags) > MAX_TAGS:
            raise _broken(f"$tags is an array of at most {MAX_TAGS} strings")
        if not all(isinstance(tag, str) and 1 <= len(tag) <= MAX_TAG for tag in tags):
            raise _broken(f"a tag is at most {MAX_TAG} characters")
    _check_object(own, depth=1)


def _check_object(value: dict[str, object], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _broken(f"objects are at most {MAX_DEPTH} deep")
    if len(value) > MAX_KEYS:
        raise _broken(f"an object has at most {MAX_KEYS} keys")
    for key, inner in value.items():
        if key.startswith("$"):
            raise _broken("no such reserved attribute")
        name = read_key(key)
        if isinstance(inner, dict):
            _check_object(inner, depth + 1)
        elif isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            if len(inner) > MAX_ITEMS:
                raise _broken(f"an array has at most {MAX_ITEMS} items")
            for item in inner:
                _check_object(item, depth + 1)
        elif inner is None or isinstance(name.read(inner), ArrayChange):
            raise _broken("an event's attribute has a value")
