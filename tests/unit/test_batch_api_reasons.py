"""Which free text of an answer is kept."""

from __future__ import annotations

import json

import pytest

from dbt_batch_sync.batch_api.reasons import MAX_REASON, attribute_name, clean_reason, machine_code

OPERATION = {
    "identifiers": {"custom_id": "C-0042"},
    "attributes": {
        "$email_address": "jane.doe@example.com",
        "$phone_number": "+33612345678",
        "firstname": "Élodie",
        "tier": "vip",
        "points": 12,
        "ltv": 1234.5,
        "optin": True,
        "date(birthdate)": "1989-07-20T00:00:00Z",
        "interests": ["trail running", "x"],
        "note": 'said "hello"\nand left',
        "gone": None,
    },
}


@pytest.mark.parametrize(
    "reason",
    [
        "Attribute value is too long",
        "must be true or false, not null",
        "the VIPs list is full",
        "at most 123 characters",
        "attribute firstname: expected a string",
        "C-42 is fine",
    ],
)
def test_a_reason_that_quotes_nothing_is_kept(reason: str) -> None:
    assert clean_reason(reason, json.dumps(OPERATION)) == reason
    assert clean_reason(reason, json.dumps(OPERATION) + ",") == reason


@pytest.mark.parametrize(
    "reason",
    [
        "invalid e-mail 'jane.doe@example.com'",
        "JANE.DOE is unknown",
        "somebody@else.example is taken",
        "C-0042: no such profile",
        "c0042 was deleted",
        "06 12 34 56 78 and +33 6 12 34 56 78",
        "ÉLODIE is too short",
        r"\u00c9lodie is too short",
        "'vip' is not a number",
        "12 is not a string",
        "value [1234.5]",
        "1989-07-20 is in the past",
        "unknown: Trail-Running",
        "the item x is too short",
        r"said \"hello\"\nand",
        "",
        " \x00\n",
    ],
)
def test_a_reason_that_may_quote_a_value_is_dropped(reason: str) -> None:
    assert clean_reason(reason, json.dumps(OPERATION)) == ""


def test_a_reason_is_one_bounded_line() -> None:
    assert clean_reason("too\nlong\x1b[31m\tby far", "{}") == "too long [31m by far"
    assert len(clean_reason("no " * 100_000, "{}")) <= MAX_REASON


@pytest.mark.parametrize("operation", ["", "{", "[" * 100_000])
def test_an_unreadable_operation_keeps_no_reason(operation: str) -> None:
    assert clean_reason("too long", operation) == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ATTRIBUTE_ERROR", "ATTRIBUTE_ERROR"),
        ("summer_sale", ""),
        ("Jane", ""),
        ("JANE DOE", ""),
        ("KEY_0123", ""),
        ("A" * 65, ""),
        ("INVALID\n", ""),
        (None, ""),
        ({"code": "X"}, ""),
    ],
)
def test_a_code_is_kept_if_it_looks_like_one(text: object, kept: str) -> None:
    assert machine_code(text) == kept


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("$email_address", "$email_address"),
        ("loyalty_points", "loyalty_points"),
        ("date(birthdate)", "birthdate"),
        ("url(site)", "site"),
        ("Jane Doe", None),
        ("jane@example.com", None),
        ("date($x)", None),
        ("a" * 31, None),
        ("points\n", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_an_attribute_is_a_name_or_nothing(text: object, name: str | None) -> None:
    assert attribute_name(text) == name
