"""The table of Batch's attribute rules: valid names and values, and the reasons for invalid ones.

Sources are marked as in docs/batch-api.md: D documented, C inferred from SDKs, Q reported, U unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from dbt_batch_sync.kinds.vocabularies import Vocabulary, email_pattern, phone_pattern

MAX_NAME = 30
ATTRIBUTE_NAME = rf"[a-z0-9_]{{1,{MAX_NAME}}}"
"""Custom attribute names [D]; the `date()` and `url()` wrappers are outside the 30 characters [C]."""

MAX_ATTRIBUTES = 50
"""Attributes of one operation [Q]."""

MAX_ARRAYS = 15
"""Array attributes of one operation [C]."""

MAX_ITEMS = 25
"""Items of one array [D]."""

STANDARD_PREFIX = "batch__"
"""Prefix of the columns of standard attributes, as in Batch's own warehouse sync."""

PRESENT = f"{STANDARD_PREFIX}present"
"""The column that tells whether Batch has a row, for kinds that add and remove rows."""

OWN_PREFIX = "_batch_"
"""Prefix of our own columns."""

KEY = "_batch_key"
"""What the key is called in selects and in rows that were read, of whatever kind. No attribute is."""

CUSTOM_ID = "custom_id"
"""The key column of relations about people."""

KEYS = (CUSTOM_ID, "item_id", "event_id")
"""The key columns of all kinds, which no attribute may be named."""


class AttributeType(str, Enum):
    """Batch's types. The type is part of an attribute's identity [C].

    `OBJECT` is for events only: an object, or an array of objects, from JSON.
    """

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    URL = "url"
    STRING_ARRAY = "string_array"
    OBJECT = "object"


@dataclass(frozen=True)
class Rule:
    """What Batch accepts for one type or standard attribute.

    Lengths count characters (code points). `pattern` is RE2 syntax and must match the whole value, or each
    whole item of an array. `max_items` limits an array; None means the kind's limit. `reason` is for values
    that don't match `pattern` or `vocabulary`; other checks have their own reasons. A value that Batch
    accepts but that doesn't match the stricter `plausible` is `impossible`.
    """

    type: AttributeType
    reason: str
    max_length: int | None = None
    max_items: int | None = None
    pattern: str | None = None
    vocabulary: Vocabulary | None = None
    plausible: str | None = None
    impossible: str = ""


_NO_SPACE = r"\s\pZ\x00-\x1f\x7f-\x9f\x{feff}"

CUSTOM_RULES: Mapping[AttributeType, Rule] = {
    # 1–300 characters, never empty [D]. There is no minimum here, because an empty one counts as null.
    AttributeType.STRING: Rule(AttributeType.STRING, "not_a_string", max_length=300),
    # Signed, 64-bit [D].
    AttributeType.INTEGER: Rule(AttributeType.INTEGER, "not_an_integer"),
    # Finite [D].
    AttributeType.FLOAT: Rule(AttributeType.FLOAT, "not_a_number"),
    AttributeType.BOOLEAN: Rule(AttributeType.BOOLEAN, "not_a_boolean"),
    # RFC 3339 in UTC [D]. Date-only and fractions of a second are [U]: always whole seconds and Z.
    AttributeType.DATE: Rule(AttributeType.DATE, "not_a_date"),
    # Scheme and host, at most 2,048 characters [D].
    AttributeType.URL: Rule(
        AttributeType.URL,
        "invalid_url",
        max_length=2048,
        pattern=rf"[A-Za-z][A-Za-z0-9+.\-]*://(?:[^@/?#{_NO_SPACE}]*@)?"
        rf"(?:\[[0-9A-Fa-f:.]+\]|[^@/?#:\[\]{_NO_SPACE}]+)(?::[0-9]{{1,5}})?(?:[/?#][^{_NO_SPACE}]*)?",
    ),
    # 1–25 items, each a valid string [D].
    AttributeType.STRING_ARRAY: Rule(AttributeType.STRING_ARRAY, "not_an_array", max_length=300),
}


_SUBSCRIPTION = Rule(AttributeType.STRING, "invalid_subscription", vocabulary=Vocabulary.SUBSCRIPTION)

STANDARD_RULES: Mapping[str, Rule] = {
    # Web SDK: at most 128 characters, this pattern [C].
    "email_address": Rule(
        AttributeType.STRING,
        "invalid_email",
        max_length=128,
        pattern=rf"[^@{_NO_SPACE}]+@[A-Za-z0-9.\-]+\.[A-Za-z0-9]+",
        plausible=email_pattern(_NO_SPACE),
        impossible="impossible_email",
    ),
    "email_marketing": _SUBSCRIPTION,
    # E.164 [D], this pattern [C].
    "phone_number": Rule(
        AttributeType.STRING,
        "invalid_phone",
        pattern=r"\+[0-9]{1,15}",
        plausible=phone_pattern(),
        impossible="impossible_phone",
    ),
    "sms_marketing": _SUBSCRIPTION,
    # ISO 639-1, lower case [D].
    "language": Rule(AttributeType.STRING, "invalid_language", vocabulary=Vocabulary.LANGUAGE),
    # ISO 3166-1 alpha-2, upper case [D].
    "region": Rule(AttributeType.STRING, "invalid_region", vocabulary=Vocabulary.REGION),
    # IANA name [D].
    "timezone": Rule(AttributeType.STRING, "invalid_timezone", vocabulary=Vocabulary.TIMEZONE),
    # 1–25 topics [Q].
    "topic_preferences": Rule(AttributeType.STRING_ARRAY, "invalid_topic", pattern=r"[a-z0-9_]{1,300}"),
}


@dataclass(frozen=True)
class Rules:
    """What a kind accepts: types and standard attributes with their rules, and items of an array."""

    types: Mapping[AttributeType, Rule] = field(default_factory=lambda: CUSTOM_RULES)
    standard: Mapping[str, Rule] = field(default_factory=lambda: STANDARD_RULES)
    max_items: int = MAX_ITEMS
    hidden: tuple[str, ...] = ()  # columns of the delta that are never sent


PROFILE_RULES = Rules()


def name_in_batch(column: str) -> str:
    """An attribute's name without a wrapper, for nulls [U] and in answers: `$email_address`, `website`."""
    standard = column.startswith(STANDARD_PREFIX)
    return "$" + column.removeprefix(STANDARD_PREFIX) if standard else column


STANDARD_ATTRIBUTES: tuple[str, ...] = tuple(STANDARD_RULES)


@dataclass(frozen=True)
class TypedAttribute:
    """An attribute in a delta: the column's `name`, and its type in Batch."""

    name: str
    type: AttributeType
    rules: Rules = field(default=PROFILE_RULES, compare=False, repr=False)

    @property
    def standard(self) -> bool:
        """Whether it is one of Batch's own attributes."""
        return self.name.startswith(STANDARD_PREFIX)

    @property
    def rule(self) -> Rule:
        return (
            self.rules.standard[self.name.removeprefix(STANDARD_PREFIX)]
            if self.standard
            else self.rules.types[self.type]
        )

    @property
    def plain_name(self) -> str:
        return name_in_batch(self.name)

    @property
    def wire_name(self) -> str:
        """Its key in an operation: dates and URLs are wrapped [D]."""
        wrapped = not self.standard and self.type in (AttributeType.DATE, AttributeType.URL)
        return f"{self.type.value}({self.name})" if wrapped else self.plain_name


def parse_types(types: str, rules: Rules = PROFILE_RULES) -> tuple[TypedAttribute, ...]:
    """Reads the journal's `attribute_types`: `name:type,name:type,…`, in the order of the delta's columns.

    The column that tells whether Batch has a row is not an attribute and left out.
    """
    pairs = (pair.split(":", 1) for pair in types.split(",") if pair)
    return tuple(
        TypedAttribute(name, AttributeType(kind), rules)
        for name, kind in pairs
        if name not in (PRESENT, *rules.hidden)
    )


def name_refusal(name: str) -> str | None:
    """Why a custom attribute can't have this name; None if it can.

    The form is Batch's rule [D]. Reserved names would collide with columns of the snapshot and the delta.
    """
    if not re.fullmatch(ATTRIBUTE_NAME, name):
        return f"is not a valid attribute name (1 to {MAX_NAME} of a-z, 0-9 and _)"
    if name.startswith(STANDARD_PREFIX):
        return f"begins with `{STANDARD_PREFIX}`, which is reserved for the standard attributes"
    if name.startswith(OWN_PREFIX):
        return f"begins with `{OWN_PREFIX}`, which is reserved for the snapshot's and the delta's own columns"
    if name in KEYS:
        return "is reserved for the identifier's column"
    return None


def propose_name(column: str) -> str:
    """A valid attribute name similar to the column's: without accents, in snake case, shortened."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    # Underscores are merged too, so that no reserved prefix is left.
    slug = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    slug = slug[:MAX_NAME].rstrip("_")
    return "source_id" if slug in KEYS else slug or "attribute"
