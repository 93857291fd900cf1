"""Batch's attribute rules against the docs, and the attribute types recorded with a delta."""

from __future__ import annotations

import re

import pytest

from dbt_batch_sync.kinds.attributes import (
    ATTRIBUTE_NAME,
    CUSTOM_RULES,
    MAX_ARRAYS,
    MAX_ATTRIBUTES,
    MAX_ITEMS,
    STANDARD_ATTRIBUTES,
    STANDARD_RULES,
    AttributeType,
    TypedAttribute,
    parse_types,
)
from dbt_batch_sync.kinds.vocabularies import Vocabulary
from dbt_batch_sync.sandbox import operations, rules


def test_limits_equal_the_sandbox() -> None:
    assert (MAX_ATTRIBUTES, MAX_ARRAYS, MAX_ITEMS) == (50, 15, 25)
    assert (operations.MAX_ATTRIBUTES, operations.MAX_ARRAYS, rules.MAX_ITEMS) == (50, 15, 25)
    lengths = {kind.value: rule.max_length for kind, rule in CUSTOM_RULES.items()}
    assert lengths == {
        "string": 300,
        "integer": None,
        "float": None,
        "boolean": None,
        "date": None,
        "url": 2048,
        "string_array": 300,
    }
    assert STANDARD_RULES["email_address"].max_length == 128


def test_every_attribute_has_a_rule() -> None:
    assert set(CUSTOM_RULES) == set(AttributeType) - {AttributeType.OBJECT}, "only events may have objects"
    assert all(rule.type is kind for kind, rule in CUSTOM_RULES.items())
    assert {f"${name}" for name in STANDARD_RULES} == set(rules.STANDARD)
    assert tuple(STANDARD_RULES) == STANDARD_ATTRIBUTES
    used = {rule.vocabulary for rule in STANDARD_RULES.values()} - {None}
    assert used == set(Vocabulary)


def test_reasons_are_words_without_commas_and_colons() -> None:
    """They are recorded as `name:reason,name:reason`."""
    reasons = [rule.reason for rule in (*CUSTOM_RULES.values(), *STANDARD_RULES.values())]
    assert all(re.fullmatch(r"[a-z_]+", reason) for reason in reasons)
    assert len({rule.reason for rule in CUSTOM_RULES.values()}) == len(CUSTOM_RULES)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a", True),
        ("a" * 30, True),
        ("0_9", True),
        ("_", True),
        ("", False),
        ("a" * 31, False),
        ("A", False),
        ("é", False),
        ("a-b", False),
        ("a\n", False),
    ],
)
def test_names(name: str, valid: bool) -> None:
    assert bool(re.fullmatch(ATTRIBUTE_NAME, name)) is valid


@pytest.mark.parametrize(
    ("given", "standard", "plain", "wire"),
    [
        (("points", AttributeType.INTEGER), False, "points", "points"),
        (("a" * 30, AttributeType.DATE), False, "a" * 30, f"date({'a' * 30})"),
        (("born", AttributeType.DATE), False, "born", "date(born)"),
        (("site", AttributeType.URL), False, "site", "url(site)"),
        (("tags", AttributeType.STRING_ARRAY), False, "tags", "tags"),
        (("email_address", AttributeType.STRING), False, "email_address", "email_address"),
        (("batch__email_address", AttributeType.STRING), True, "$email_address", "$email_address"),
        (
            ("batch__topic_preferences", AttributeType.STRING_ARRAY),
            True,
            "$topic_preferences",
            "$topic_preferences",
        ),
    ],
)
def test_names_in_batch(given: tuple[str, AttributeType], standard: bool, plain: str, wire: str) -> None:
    attribute = TypedAttribute(*given)
    assert (attribute.standard, attribute.plain_name, attribute.wire_name) == (standard, plain, wire)
    expected = STANDARD_RULES[plain[1:]] if standard else CUSTOM_RULES[given[1]]
    assert attribute.rule is expected
    assert rules.plain_name(wire) == plain
    assert rules.read_key(wire).name == plain


def test_types_of_a_delta() -> None:
    assert parse_types("") == ()
    read = parse_types("b:string_array,a:integer,batch__region:string")
    assert [(each.name, each.type.value) for each in read] == [
        ("b", "string_array"),
        ("a", "integer"),
        ("batch__region", "string"),
    ]


@pytest.mark.parametrize("types", ["a:text", "a:", "a", ":x"])
def test_invalid_types_of_a_delta(types: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_types(types)
