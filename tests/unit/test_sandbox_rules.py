"""The sandbox's attribute rules, one by one as in the API's documentation."""

from __future__ import annotations

import json
import math
import string
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.sandbox.rules import STANDARD, plain_name, read_key
from dbt_batch_sync.sandbox.values import ArrayChange, BrokenRuleError, TypedValue

EMAIL_AT_LIMIT = "a" * 116 + "@example.com"


def read(key: str, value: object) -> TypedValue | ArrayChange:
    """Parse a key and its value as they come from a JSON document."""
    return read_key(key).read(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("a", "x", "string"),
        ("a", " ", "string"),
        ("a", "é" * 300, "string"),
        ("a", "😀" * 300, "string"),
        ("a", "\u0000\n\t\"'\\", "string"),
        ("a", "2024-01-01T00:00:00Z", "string"),
        ("a", "https://example.com", "string"),
        ("a", 0, "integer"),
        ("a", 2**63 - 1, "integer"),
        ("a", -(2**63), "integer"),
        ("a", 1.0, "float"),
        ("a", -1.5e300, "float"),
        ("a", 5e-324, "float"),
        ("a", True, "boolean"),
        ("a", False, "boolean"),
        ("a", ["x"], "string_array"),
        ("a", ["x"] * 25, "string_array"),
        ("a", ["é" * 300], "string_array"),
        ("date(a)", "1989-07-20T00:00:00Z", "date"),
        ("date(a)", "2024-02-29T23:59:59Z", "date"),
        ("date(a)", "0001-01-01T00:00:00Z", "date"),
        ("date(a)", "9999-12-31T23:59:59Z", "date"),
        ("url(a)", "https://example.com", "url"),
        ("url(a)", "HTTP://example.com:8080/a?b=c#d", "url"),
        ("url(a)", "myapp+x://open", "url"),
        ("url(a)", "ftp://me:secret@example.com/", "url"),
        ("url(a)", "https://[::1]:80/", "url"),
        ("url(a)", "https://exämple.com/ü", "url"),
        ("url(a)", "https://e.com/" + "a" * (2048 - 14), "url"),
        ("$email_address", "jane@example.com", "string"),
        ("$email_address", "j+é!@example.co.uk", "string"),
        ("$email_address", EMAIL_AT_LIMIT, "string"),
        ("$email_marketing", "subscribed", "string"),
        ("$sms_marketing", "unsubscribed", "string"),
        ("$phone_number", "+33123456789", "string"),
        ("$phone_number", "+" + "1" * 15, "string"),
        ("$language", "fr", "string"),
        ("$region", "FR", "string"),
        ("$timezone", "Europe/Paris", "string"),
        ("$timezone", "UTC", "string"),
        ("$timezone", "America/Argentina/Buenos_Aires", "string"),
        ("$topic_preferences", ["sport", "news_1"], "string_array"),
        ("$topic_preferences", ["a" * 300] * 25, "string_array"),
    ],
)
def test_accepted(key: str, value: object, kind: str) -> None:
    held = tuple(value) if isinstance(value, list) else value
    assert read(key, value) == TypedValue(kind, held)  # type: ignore[arg-type]
    assert type(read(key, value).value) is type(held)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a", ""),
        ("a", "é" * 301),
        ("a", 2**63),
        ("a", -(2**63) - 1),
        ("a", 10**400),
        ("a", []),
        ("a", ["x"] * 26),
        ("a", [""]),
        ("a", ["x", "y" * 301]),
        ("a", ["x", 1]),
        ("a", ["x", None]),
        ("a", [["x"]]),
        ("a", {}),
        ("a", {"b": 1}),
        ("a", {"$add": ["x"], "b": 1}),
        ("a", {"$add": []}),
        ("a", {"$add": ["x"] * 26}),
        ("a", {"$remove": "x"}),
        ("a", {"$add": [1]}),
        ("date(a)", "1989-07-20"),
        ("date(a)", "1989-07-20T00:00:00"),
        ("date(a)", "1989-07-20 00:00:00Z"),
        ("date(a)", "1989-07-20t00:00:00z"),
        ("date(a)", "1989-07-20T00:00:00.000Z"),
        ("date(a)", "1989-07-20T00:00:00+00:00"),
        ("date(a)", "1989-07-20T00:00:00Z\n"),
        ("date(a)", "1989-02-29T00:00:00Z"),
        ("date(a)", "1989-13-01T00:00:00Z"),
        ("date(a)", "1989-07-20T24:00:00Z"),
        ("date(a)", "1989-07-20T23:59:60Z"),
        ("date(a)", "0000-01-01T00:00:00Z"),
        ("date(a)", "10000-01-01T00:00:00Z"),
        ("date(a)", "١٩٨٩-07-20T00:00:00Z"),
        ("date(a)", ""),
        ("date(a)", 617_932_800),
        ("date(a)", ["1989-07-20T00:00:00Z"]),
        ("date(a)", True),
        ("url(a)", ""),
        ("url(a)", "example.com"),
        ("url(a)", "//example.com"),
        ("url(a)", "https://"),
        ("url(a)", "https:///path"),
        ("url(a)", "https://:80/"),
        ("url(a)", "https://me@/"),
        ("url(a)", "https:example.com"),
        ("url(a)", "1https://example.com"),
        ("url(a)", "https://exa mple.com"),
        ("url(a)", "https://example.com/a b"),
        ("url(a)", "https://example.com/\n"),
        ("url(a)", "mailto:jane@example.com"),
        ("url(a)", "https://e.com/" + "a" * (2049 - 14)),
        ("url(a)", 1),
        ("$email_address", "jane"),
        ("$email_address", "jane@example"),
        ("$email_address", "a@b@example.com"),
        ("$email_address", "a b@example.com"),
        ("$email_address", "jane@exämple.com"),
        ("$email_address", "jane@example.com\n"),
        ("$email_address", "a" + EMAIL_AT_LIMIT),
        ("$email_address", ""),
        ("$email_address", 1),
        ("$email_address", ["jane@example.com"]),
        ("$email_marketing", "Subscribed"),
        ("$email_marketing", True),
        ("$sms_marketing", ""),
        ("$phone_number", "0123456789"),
        ("$phone_number", "+33 1 23"),
        ("$phone_number", "+"),
        ("$phone_number", "+" + "1" * 16),
        ("$phone_number", "+١٢٣"),
        ("$phone_number", 33123456789),
        ("$language", "FR"),
        ("$language", "fr-FR"),
        ("$language", "fra"),
        ("$language", "xx"),
        ("$language", "sh"),
        ("$language", ""),
        ("$region", "fr"),
        ("$region", "FRA"),
        ("$region", "ZZ"),
        ("$timezone", "Europe/Nowhere"),
        ("$timezone", "+02:00"),
        ("$timezone", "Europe/Paris "),
        ("$timezone", "../etc/passwd"),
        ("$timezone", ""),
        ("$topic_preferences", []),
        ("$topic_preferences", ["Sport"]),
        ("$topic_preferences", ["a" * 301]),
        ("$topic_preferences", ["a"] * 26),
        ("$topic_preferences", "sport"),
        ("$topic_preferences", {"$add": ["Sport"]}),
    ],
)
def test_refused_value(key: str, value: object) -> None:
    with pytest.raises(BrokenRuleError) as broken:
        read(key, value)
    assert broken.value.category in ("INVALID_VALUE", "INVALID_TYPE")
    assert not (isinstance(value, str) and len(value) > 3 and value in broken.value.reason)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_refused_float(value: float) -> None:
    with pytest.raises(BrokenRuleError, match="finite"):
        read_key("a").read(value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "A",
        "é",
        "a b",
        "a-b",
        "a.b",
        "a\n",
        "a" * 31,
        "date()",
        "date(A)",
        "date(a",
        "date(a)b",
        "date(date(a))",
        "url(" + "a" * 31 + ")",
        "url(a\n)",
        "Date(a)",
        "string(a)",
        "$email",
        "$",
        "$label",
        "date($email_address)",
        "email_address$",
    ],
)
def test_refused_name(key: str) -> None:
    with pytest.raises(BrokenRuleError) as broken:
        read_key(key)
    assert broken.value.category == "INVALID_NAME"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a", "a"),
        ("0", "0"),
        ("_", "_"),
        ("date", "date"),
        ("date(birthdate)", "birthdate"),
        ("url(" + "a" * 30 + ")", "a" * 30),
        ("$language", "$language"),
    ],
)
def test_name_without_wrapper(key: str, name: str) -> None:
    assert read_key(key).name == plain_name(key) == name


@pytest.mark.parametrize(
    ("key", "value", "change"),
    [
        ("a", {"$add": ["x", "y"]}, ArrayChange(("x", "y"), ())),
        ("a", {"$remove": ["x"]}, ArrayChange((), ("x",))),
        ("a", {"$add": ["x"] * 25, "$remove": ["y"] * 25}, ArrayChange(("x",) * 25, ("y",) * 25)),
        ("$topic_preferences", {"$add": ["sport"]}, ArrayChange(("sport",), ())),
    ],
)
def test_array_change(key: str, value: object, change: ArrayChange) -> None:
    assert read(key, value) == change


def test_null_clears_all_but_wrapped_names() -> None:
    assert all(read_key(key).nullable for key in [*STANDARD, "a"])
    assert not any(read_key(key).nullable for key in ("date(a)", "url(a)"))


def test_there_are_exactly_the_documented_standard_attributes() -> None:
    assert set(STANDARD) == {
        "$email_address",
        "$email_marketing",
        "$phone_number",
        "$sms_marketing",
        "$language",
        "$region",
        "$timezone",
        "$topic_preferences",
    }


@given(st.text())
def test_string_length_is_counted_in_characters(text: str) -> None:
    if 1 <= len(text) <= 300:
        assert read_key("a").read(text) == TypedValue("string", text)
    else:
        with pytest.raises(BrokenRuleError):
            read_key("a").read(text)


@given(st.integers())
def test_integers_are_64_bit(number: int) -> None:
    if -(2**63) <= number < 2**63:
        assert read("a", number) == TypedValue("integer", number)
    else:
        with pytest.raises(BrokenRuleError):
            read("a", number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_stay_floats(number: float) -> None:
    value = read("a", number)
    assert isinstance(value, TypedValue)
    assert (value.type, value.value) == ("float", number)


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_every_instant_in_whole_seconds_is_a_valid_date(moment: datetime) -> None:
    text = moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    assert read("date(a)", text) == TypedValue("date", text)
    with pytest.raises(BrokenRuleError):
        read("date(a)", text[:-1] + "+00:00")


@given(st.text(alphabet=string.ascii_lowercase + string.digits + "_", min_size=1, max_size=30))
def test_documented_names_are_accepted_plain_and_wrapped(name: str) -> None:
    assert {read_key(key).name for key in (name, f"date({name})", f"url({name})")} == {name}


@given(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()), st.booleans()))
def test_no_value_breaks_the_reader(value: object) -> None:
    for key in ("a", "date(a)", "url(a)", *STANDARD):
        try:
            read_key(key).read(value) if value is not None else None
        except BrokenRuleError:
            continue
