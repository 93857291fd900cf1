"""The documented rules for attributes: names, wrappers, types, lengths, arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from dbt_batch_sync.kinds.vocabularies import Vocabulary, words
from dbt_batch_sync.sandbox.values import ArrayChange, BrokenRuleError, TypedValue

MAX_STRING = 300
MAX_URL = 2048
MAX_EMAIL = 128
MAX_ITEMS = 25
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

_NAME = re.compile(r"[a-z0-9_]{1,30}")
_WRAPPED = re.compile(r"(date|url)\((.*)\)", re.DOTALL)
# Whole seconds and Z only: how Batch reads other RFC 3339 forms is not documented.
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::[0-9]*)?(?:[/?#].*)?",
    re.DOTALL,
)
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x20\x7f]")
_EMAIL = re.compile(r"[^@\s]+@[A-Za-z0-9.\-]+\.[A-Za-z0-9]+")
_PHONE = re.compile(r"\+[0-9]{1,15}")
_TOPIC = re.compile(r"[a-z0-9_]{1,300}")

Value = TypedValue | ArrayChange


def _wrong_type(expected: str) -> BrokenRuleError:
    return BrokenRuleError("INVALID_TYPE", f"must be {expected}")


def _wrong_value(expected: str) -> BrokenRuleError:
    return BrokenRuleError("INVALID_VALUE", f"must be {expected}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a string")
    return value


def _is_string(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_STRING


def _is_topic(value: object) -> bool:
    return isinstance(value, str) and _TOPIC.fullmatch(value) is not None


def _string(value: object) -> TypedValue:
    if not 1 <= len(_text(value)) <= MAX_STRING:
        raise _wrong_value(f"1 to {MAX_STRING} characters")
    return TypedValue("string", _text(value))


def _integer(value: object) -> TypedValue:
    if not isinstance(value, int) or not MIN_INTEGER <= value <= MAX_INTEGER:
        raise _wrong_value("a signed 64 bit integer")
    return TypedValue("integer", value)


def _float(value: object) -> TypedValue:
    if not isinstance(value, float) or not math.isfinite(value):
        raise _wrong_value("a finite number")
    return TypedValue("float", value)


def _boolean(value: object) -> TypedValue:
    return TypedValue("boolean", bool(value))


def read_date(value: object) -> TypedValue:
    """Raises BrokenRuleError."""
    text = _text(value)
    matched = _DATE.fullmatch(text)
    if matched is None:
        raise _wrong_value("RFC 3339 in UTC, whole seconds and Z")
    try:
        date.fromisoformat(matched[1])
    except ValueError:
        raise _wrong_value("a day that exists") from None
    return TypedValue("date", text)


def read_url(value: object) -> TypedValue:
    """Raises BrokenRuleError."""
    text = _text(value)
    if len(text) > MAX_URL:
        raise _wrong_value(f"at most {MAX_URL} characters")
    if _BLANK_OR_CONTROL.search(text) or not _URL.fullmatch(text):
        raise _wrong_value("a URL with scheme and host, without blanks")
    return TypedValue("url", text)


def _items(value: object, is_item: Callable[[object], bool]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong_type("an array of strings")
    if not 1 <= len(value) <= MAX_ITEMS:
        raise _wrong_value(f"an array of 1 to {MAX_ITEMS} items")
    if not all(map(is_item, value)):
        raise _wrong_value("an array of valid strings")
    return tuple(value)


def _array_change(value: object, is_item: Callable[[object], bool]) -> ArrayChange:
    if not isinstance(value, dict) or not value or value.keys() - {"$add", "$remove"}:
        raise BrokenRuleError("INVALID_TYPE", "an object is not allowed, except $add and $remove of an array")
    add, remove = (_items(value[key], is_item) if key in value else () for key in ("$add", "$remove"))
    return ArrayChange(add, remove)


def _array(value: object) -> TypedValue:
    return TypedValue("string_array", _items(value, _is_string))


def _change(value: object) -> ArrayChange:
    return _array_change(value, _is_string)


_BY_JSON_TYPE: dict[type, Callable[[object], Value]] = {
    str: _string,
    int: _integer,
    float: _float,
    bool: _boolean,
    list: _array,
    dict: _change,
}


def _plain(value: object) -> Value:
    return _BY_JSON_TYPE[type(value)](value)


def _email(value: object) -> TypedValue:
    text = _text(value)
    if len(text) > MAX_EMAIL or not _EMAIL.fullmatch(text):
        raise _wrong_value(f"an e-mail address of at most {MAX_EMAIL} characters")
    return TypedValue("string", text)


def _one_of(accepted: Callable[[str], object], expected: str) -> Callable[[object], Value]:
    def read(value: object) -> TypedValue:
        if not accepted(_text(value)):
            raise _wrong_value(expected)
        return TypedValue("string", _text(value))

    return read


def _topics(value: object) -> Value:
    if isinstance(value, dict):
        return _array_change(value, _is_topic)
    return TypedValue("string_array", _items(value, _is_topic))


_consent = _one_of(words(Vocabulary.SUBSCRIPTION).__contains__, "subscribed or unsubscribed")

STANDARD: dict[str, Callable[[object], Value]] = {
    "$email_address": _email,
    "$email_marketing": _consent,
    "$phone_number": _one_of(_PHONE.fullmatch, "an E.164 number: + and 1 to 15 digits"),
    "$sms_marketing": _consent,
    "$language": _one_of(words(Vocabulary.LANGUAGE).__contains__, "an ISO 639-1 code in lower case"),
    "$region": _one_of(words(Vocabulary.REGION).__contains__, "an ISO 3166-1 alpha-2 code in upper case"),
    "$timezone": _one_of(words(Vocabulary.TIMEZONE).__contains__, "an IANA time zone"),
    "$topic_preferences": _topics,
}


class Key(NamedTuple):
    """A key in an operation's attributes: the name without a wrapper, and how to read its value."""

    name: str
    read: Callable[[object], Value]
    nullable: bool


@lru_cache(maxsize=4096)
def read_key(key: str) -> Key:
    """Raises BrokenRuleError for an unknown `$` name, or a name that is not `[a-z0-9_]{1,30}` inside its
    wrapper.
    """
    if key.startswith("$"):
        if key not in STANDARD:
            raise BrokenRuleError("INVALID_NAME", "no such standard attribute")
        return Key(key, STANDARD[key], nullable=True)
    wrapped = _WRAPPED.fullmatch(key)
    name = wrapped[2] if wrapped else key
    if not _NAME.fullmatch(name):
        raise BrokenRuleError("INVALID_NAME", "a name is 1 to 30 of a-z, 0-9 and _")
    if wrapped is None:
        return Key(name, _plain, nullable=True)
    return Key(name, read_date if wrapped[1] == "date" else read_url, nullable=False)


def plain_name(key: str) -> str:
    """The key without its wrapper."""
    wrapped = _WRAPPED.fullmatch(key)
    return wrapped[2] if wrapped else key
