"""The value that Batch must hold for a value in the warehouse: a second implementation of the rules, in plain
Python.

Written from Batch's documentation. It shares no code, table or pattern with the package or the sandbox, so
that their mistakes show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from zoneinfo import available_timezones

import phonenumbers
import pycountry

from dbt_batch_sync.sandbox.server import TypedValue


class Rejected(NamedTuple):
    """A value that must be held back, and why."""

    reason: str


Expected = TypedValue | Rejected | None
"""None: no value."""


def expected(kind: str, value: object) -> Expected:
    """The expected result for a value mapped to `kind`: a Batch type, or a standard attribute's `$name`."""
    if value is None or value in ("", []):
        return None
    return _KINDS[kind](value)


def expected_profile(kinds: Mapping[str, str], row: Mapping[str, object]) -> dict[str, TypedValue]:
    """The expected attributes of a new profile. `kinds`: the kind of each column."""
    found = {attribute_name(column, kind): expected(kind, row.get(column)) for column, kind in kinds.items()}
    return {name: value for name, value in found.items() if isinstance(value, TypedValue)}


def expected_refusals(kinds: Mapping[str, str], row: Mapping[str, object]) -> dict[str, str]:
    """The expected rejections of a row: reasons by relation column."""
    found = {relation_name(column, kind): expected(kind, row.get(column)) for column, kind in kinds.items()}
    return {name: value.reason for name, value in found.items() if isinstance(value, Rejected)}


def attribute_name(column: str, kind: str) -> str:
    """The attribute's name in Batch."""
    return kind if kind.startswith("$") else column


def relation_name(column: str, kind: str) -> str:
    """The attribute's column in the snapshot and the delta."""
    return "batch__" + kind[1:] if kind.startswith("$") else column


def _string(value: object) -> Expected:
    text = str(value)
    return TypedValue("string", text) if len(text) <= 300 else Rejected("too_long")


def _integer(value: object) -> Expected:
    assert isinstance(value, (int, str, Decimal))
    number = int(value)
    return TypedValue("integer", number) if -(2**63) <= number < 2**63 else Rejected("out_of_range")


def _float(value: object) -> Expected:
    assert isinstance(value, (int, float, Decimal))
    return TypedValue("float", float(value)) if math.isfinite(value) else Rejected("not_finite")


def _boolean(value: object) -> Expected:
    assert isinstance(value, bool)
    return TypedValue("boolean", value)


def _date(value: object) -> Expected:
    assert isinstance(value, date)
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    day = f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"
    return TypedValue("date", f"{day}T{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}Z")


def _url(value: object) -> Expected:
    text = str(value)
    if len(text) > 2048:
        return Rejected("too_long")
    scheme, separator, rest = text.partition("://")
    host = rest.replace("?", "/").replace("#", "/").split("/")[0].rsplit("@", 1)[-1].split(":")[0]
    right = scheme[:1].isalpha() and scheme.isascii() and separator and host
    clean = not any(character.isspace() or not character.isprintable() for character in text)
    return TypedValue("url", text) if right and clean else Rejected("invalid_url")


def _array(value: object) -> Expected:
    assert isinstance(value, list)
    if len(value) > 25:
        return Rejected("too_many_items")
    if not all(value):
        return Rejected("empty_item")
    if any(len(item) > 300 for item in value):
        return Rejected("too_long")
    return TypedValue("string_array", tuple(value))


def _email(value: object) -> Expected:
    text = str(value)
    if len(text) > 128:
        return Rejected("too_long")
    name, _, domain = text.partition("@")
    host, dot, end = domain.rpartition(".")
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    right = name and host and dot and end and set(host) <= plain | {".", "-"} and set(end) <= plain
    right = right and not any(character.isspace() for character in name)
    if not right:
        return Rejected("invalid_email")
    labels = domain.split(".")
    possible = all(name.split(".")) and not set(name) & set('"(),:;<>[]\\\u200b')
    possible = possible and all(0 < len(each) <= 63 and each.strip("-") == each for each in labels)
    return TypedValue("string", text) if possible and end[-1].isalpha() else Rejected("impossible_email")


def _consent(value: object) -> Expected:
    if isinstance(value, bool):
        return TypedValue("string", "subscribed" if value else "unsubscribed")
    return _listed({"subscribed", "unsubscribed"}, value, "invalid_subscription")


def _phone(value: object) -> Expected:
    digits = str(value)[1:]
    right = str(value).startswith("+") and digits.isascii() and digits.isdigit() and len(digits) <= 15
    if not right:
        return Rejected("invalid_phone")
    return TypedValue("string", str(value)) if is_possible_phone(str(value)) else Rejected("impossible_phone")


def is_possible_phone(text: str) -> bool:
    """Whether phonenumbers knows a numbering plan for the number."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    possible = (
        phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    )
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return possible and written == text


def _topics(value: object) -> Expected:
    assert isinstance(value, list)
    if len(value) > 25:
        return Rejected("too_many_items")
    if not all(value):
        return Rejected("empty_item")
    right = all(
        len(item) <= 300 and set(item) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for item in value
    )
    return TypedValue("string_array", tuple(value)) if right else Rejected("invalid_topic")


def _listed(accepted: set[str] | frozenset[str], value: object, reason: str) -> Expected:
    return TypedValue("string", str(value)) if value in accepted else Rejected(reason)


@cache
def _languages() -> frozenset[str]:
    return frozenset(each.alpha_2 for each in pycountry.languages if hasattr(each, "alpha_2"))


@cache
def _regions() -> frozenset[str]:
    return frozenset(each.alpha_2 for each in pycountry.countries)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


_KINDS: Mapping[str, Callable[[object], Expected]] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "url": _url,
    "string_array": _array,
    "$email_address": _email,
    "$email_marketing": _consent,
    "$phone_number": _phone,
    "$sms_marketing": _consent,
    "$language": lambda value: _listed(_languages(), value, "invalid_language"),
    "$region": lambda value: _listed(_regions(), value, "invalid_region"),
    "$timezone": lambda value: _listed(_zones(), value, "invalid_timezone"),
    "$topic_preferences": _topics,
}
