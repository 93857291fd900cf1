"""What of an answer's free text is kept."""

from __future__ import annotations

import pytest

from dbt_batch_sync.batch_api.wording import MAX_REASON, attribute_name, redact, safe_code


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("INVALID_EMAIL_ADDRESS", "INVALID_EMAIL_ADDRESS"),
        ("Attribute value is too long", "Attribute value is too long"),
        ("the REST API key is missing or wrong", "the REST API key is missing or wrong"),
        ("invalid e-mail 'jane.doe@example.com'", "invalid …"),
        ("the value +33612345678 is not a phone number", "the value … is not a phone number"),
        ("Jane Doe is not allowed", "… is not allowed"),
        ("Élodie is invalid", "… is invalid"),
        ("value unsubscribed is invalid", "value … is invalid"),
        ("too long: 1 2 3 4 5", "too long …"),
        ("invalid\x1b[31m\nvalue\x00", "invalid … value"),
        ("can’t be blank; value doesn't exist", "… be blank value doesn't exist"),
        ("Jane", ""),
        ("", ""),
        (None, ""),
        (["invalid"], ""),
        (17, ""),
    ],
)
def test_a_reason_keeps_known_words_only(text: object, kept: str) -> None:
    assert redact(text) == kept


def test_a_reason_is_bounded() -> None:
    kept = redact("invalid value " * 100_000)
    assert len(kept) <= MAX_REASON
    assert kept.endswith("value …") or kept.endswith("invalid …")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ATTRIBUTE_ERROR", "ATTRIBUTE_ERROR"),
        ("QUUX_FROBNICATION", "QUUX_FROBNICATION"),
        ("invalid_attribute", "invalid_attribute"),
        ("InvalidAttribute", "InvalidAttribute"),
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
    assert safe_code(text) == kept


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
