"""Error messages about keys and values, and the names they suggest."""

from __future__ import annotations

import pytest

from dbt_batch_sync.errors import MappingError, Problem, printable
from dbt_batch_sync.kinds.attributes import propose_name
from dbt_batch_sync.mapping.validation import Spot, kind, number, shown, whole


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "a whole number"),
        (1.5, "a number"),
        ("", "text"),
        ([], "a list"),
        ({}, "a mapping"),
        (b"", "a value of another type"),
    ],
)
def test_kind(value: object, word: str) -> None:
    assert kind(value) == word


def test_shown_is_short_and_printable() -> None:
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 60 + "…"
    assert shown("a\x1b\n\ud800é") == "a\\x1b\\n\\ud800é"
    assert shown(10**5000) == "a whole number"


def test_printable_leaves_what_can_be_printed() -> None:
    assert printable("Ünïcode – 日本 🎉") == "Ünïcode – 日本 🎉"
    assert printable("\u202e\x00\t") == "\\u202e\\x00\\t"


@pytest.mark.parametrize(
    ("reader", "value", "message"),
    [
        (whole(1, 9), 10, "must be a whole number from 1 to 9"),
        (whole(1), 0, "must be a whole number of at least 1"),
        (whole(1), None, "must be a whole number of at least 1, not null"),
        (number(0, 1), 2, "must be a number from 0 to 1"),
        (number(0, 1, above=True), 0.0, "must be a number above 0 and at most 1"),
        (number(0, 1), True, "must be a number from 0 to 1, not a boolean"),
    ],
)
def test_messages_for_numbers(reader: object, value: object, message: str) -> None:
    spot = Spot("key")
    reader(value, spot)  # type: ignore[operator]
    assert [each.message for each in spot.found] == [message]


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Loyalty Points", "loyalty_points"),
        ("loyaltyPoints2", "loyalty_points2"),
        ("LOYALTY_POINTS", "loyalty_points"),
        ("Prénom & nom", "prenom_nom"),
        ("__a--b__", "a_b"),
        ("batch__email", "batch_email"),
        ("_batch_changed", "batch_changed"),
        ("custom_id", "source_id"),
        ("a" * 40, "a" * 30),
        ("a" * 29 + " b", "a" * 29),
        ("日本", "attribute"),
        ("", "attribute"),
    ],
)
def test_suggested_names(column: str, name: str) -> None:
    assert propose_name(column) == name


def test_singular_and_plural_of_problems() -> None:
    assert str(MappingError([Problem("f", "m", "k", "is wrong")])).splitlines() == [
        "1 problem with `batch_sync` mappings:",
        "  f: m: k: is wrong",
    ]
