"""Objects and arrays of objects in an event's attributes: a column of JSON, checked by Batch's rules.

One invalid value rejects the whole attribute. Nulls and empty values are left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

import pyarrow as pa

from dbt_batch_sync.kinds.attributes import ATTRIBUTE_NAME, CUSTOM_RULES, MAX_ITEMS, AttributeType

MAX_ATTRIBUTES = 20
"""The most attributes of one object [C]."""

MAX_LEVELS = 3
"""The most nested objects, including the event's attributes [C]."""

REJECTION = "!"
"""Prefix of a reason, in place of a rejected value. No JSON begins with it."""

_NAME = re.compile(rf"(?:(date|url)\()?({ATTRIBUTE_NAME})(?(1)\))")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_URL_RULE = CUSTOM_RULES[AttributeType.URL]
_URL = re.compile(
    str(_URL_RULE.pattern)
    .replace(r"\pZ", r"\u00a0\u2000-\u200a\u2028\u2029\u202f\u205f\u3000")
    .replace(r"\x{feff}", "\ufeff")
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_STRING = CUSTOM_RULES[AttributeType.STRING].max_length or 0


class _Rejected(Exception):
    """Raised with the reason."""


def checked_objects(column: pa.Array) -> pa.Array:
    """Compacts a column of JSON texts: null if there is nothing to send, `!` and a reason if the value is
    rejected. Equal values are checked once.
    """
    encoded = column.cast(pa.string()).dictionary_encode()
    values = [checked(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def checked(value: str) -> str | None:
    """Compacts one value."""
    try:
        document = json.loads(value, parse_constant=_not_finite) if value.strip() else None
        if document is None:
            return None
        if not isinstance(document, dict | list):
            return f"{REJECTION}not_an_object"
        kept = _kept(document, level=2)
    except _Rejected as rejected:
        return f"{REJECTION}{rejected}"
    except (ValueError, RecursionError):
        return f"{REJECTION}not_json"
    return None if kept is None else json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _not_finite(constant: str) -> NoReturn:
    raise _Rejected("not_finite")


def _kept(value: Any, level: int) -> Any:
    """What is sent for a value; None for nothing. `level` is that of an object here."""
    if isinstance(value, dict):
        return _object(value, level)
    if isinstance(value, list):
        return _array(value, level)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _Rejected("out_of_range")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Rejected("not_finite")
    return value


def _object(value: Mapping[str, Any], level: int) -> dict[str, Any] | None:
    if level > MAX_LEVELS:
        raise _Rejected("too_deep")
    kept: dict[str, Any] = {}
    names: set[str] = set()  # without wrappers
    for name, each in value.items():
        form = _NAME.fullmatch(name)
        if form is None:
            raise _Rejected("invalid_name")
        found = _wrapped(each, form[1]) if form[1] else _kept(each, level + 1)
        if found is not None:
            if form[2] in names:
                raise _Rejected("duplicate_name")
            names.add(form[2])
            kept[name] = found
    if len(kept) > MAX_ATTRIBUTES:
        raise _Rejected("too_many_attributes")
    return kept or None


def _wrapped(value: Any, kind: str) -> str | None:
    if value in (None, ""):
        return None
    if kind == "url":
        if not isinstance(value, str) or not _URL.fullmatch(value):
            raise _Rejected(_URL_RULE.reason)
        if len(value) > (_URL_RULE.max_length or 0):
            raise _Rejected("too_long")
        return _text(value)
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _Rejected("not_a_date")
    try:
        datetime.fromisoformat(value[:-1])
    except ValueError:
        raise _Rejected("not_a_date") from None
    return value


def _array(value: list[Any], level: int) -> list[Any] | None:
    """An array of strings, or of objects one level below."""
    if any(isinstance(each, list) for each in value):
        raise _Rejected("nested_array")
    texts = [isinstance(each, str) for each in value if each is not None]
    if any(texts) and not all(texts):
        raise _Rejected("mixed_array")
    if texts and not texts[0] and not all(isinstance(each, dict) for each in value if each is not None):
        raise _Rejected("not_an_object")
    kept = [found for each in value if (found := _kept(each, level)) is not None]
    if len(kept) > MAX_ITEMS:
        raise _Rejected("too_many_items")
    return kept or None


def _string(value: str) -> str | None:
    if len(value) > _MAX_STRING:
        raise _Rejected("too_long")
    return _text(value) or None


def _text(value: str) -> str:
    """The text. JSON can escape half of a surrogate pair, which no encoding has."""
    if _SURROGATE.search(value):
        raise _Rejected("invalid_text")
    return value
