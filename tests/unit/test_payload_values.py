"""What each type makes of each kind of column: a member of the operation, a reason why not, or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from harness.rendering import Row, delta, rows_of

from dbt_batch_sync.attributes import AttributeType, TypedAttribute

NOTHING = None
"""Counts as null: a new profile is sent without it, and a known one gets a null."""

INT64 = 2**63
INFINITE_DAY = 2**31 - 1
INFINITE_TIME = 2**63 - 1
"""How DuckDB writes `infinity` to Arrow."""


@dataclass(frozen=True)
class Case:
    """A value of a column, and what becomes of it: `"x":value`, a reason, or NOTHING."""

    type: str
    kind: pa.DataType
    value: Any
    outcome: str | None
    name: str = "x"

    def __str__(self) -> str:
        shown = ascii(self.value)
        return f"{self.name}-{self.type}-{self.kind}-{shown if len(shown) < 40 else shown[:37] + '...'}"

    @property
    def cell(self) -> pa.Array:
        """The value in a column of three rows."""
        ticks = isinstance(self.value, int) and pa.types.is_temporal(self.kind)
        if ticks:
            stored = pa.int32() if self.kind == pa.date32() else pa.int64()
            return pa.array([self.value] * 3, stored).view(self.kind)
        return pa.array([self.value] * 3, self.kind)


def cases(type_: str, kind: pa.DataType, *pairs: tuple[Any, str | None], name: str = "x") -> list[Case]:
    return [Case(type_, kind, value, outcome, name) for value, outcome in pairs]


TEXT = pa.string()
TEXTS = pa.list_(TEXT)
US = pa.timestamp("us")
TWO = "e\u0301"
"""One letter to a reader, two characters to Batch."""

STRINGS = [
    *cases(
        "string",
        TEXT,
        ("Jane", '"x":"Jane"'),
        ("", NOTHING),
        (None, NOTHING),
        (" ", '"x":" "'),
        ("  spaces stay  ", '"x":"  spaces stay  "'),
        ('Jane "J" Doe', r'"x":"Jane \"J\" Doe"'),
        ("back\\slash", r'"x":"back\\slash"'),
        ("a/b", '"x":"a/b"'),
        ("tab\tline\nreturn\r", r'"x":"tab\tline\nreturn\r"'),
        ("\b\f", r'"x":"\b\f"'),
        ("nul\0inside", r'"x":"nul\u0000inside"'),
        ("\x01\x1f", r'"x":"\u0001\u001F"'),
        ("\x7f\x80\x9f", '"x":"\x7f\x80\x9f"'),
        ("\u2028\u2029\ufeff\ufffe", '"x":"\u2028\u2029\ufeff\ufffe"'),
        ("👩‍👩‍👧 𝒳 é e\u0301", '"x":"👩‍👩‍👧 𝒳 é e\u0301"'),
        ("null", '"x":"null"'),
        ("x" * 300, f'"x":"{"x" * 300}"'),
        ("x" * 301, "too_long"),
        ("é" * 300, f'"x":"{"é" * 300}"'),
        ("é" * 301, "too_long"),
        ("😀" * 300, f'"x":"{"😀" * 300}"'),
        ("😀" * 301, "too_long"),
        ('"' * 300, '"x":"' + '\\"' * 300 + '"'),
        (TWO * 150, f'"x":"{TWO * 150}"'),
        (TWO * 150 + "e", "too_long"),
    ),
    *cases("string", pa.large_string(), ("a", '"x":"a"'), ("", NOTHING), ("x" * 301, "too_long")),
    *cases(
        "string", pa.string_view(), ("a", '"x":"a"'), ("", NOTHING), ("a longer text", '"x":"a longer text"')
    ),
    *cases("string", pa.dictionary(pa.int8(), TEXT), ('a"b', r'"x":"a\"b"'), ("", NOTHING), (None, NOTHING)),
    *cases("string", pa.null(), (None, NOTHING)),
    *cases("string", pa.int64(), (26, '"x":"26"'), (None, NOTHING)),
    *cases("string", pa.bool_(), (True, '"x":"true"'), (None, NOTHING)),
    *cases("string", pa.decimal128(12, 2), (Decimal("9.90"), '"x":"9.90"')),
]

INTEGERS = [
    *cases(
        "integer",
        pa.int64(),
        (26, '"x":26'),
        (0, '"x":0'),
        (-1, '"x":-1'),
        (INT64 - 1, '"x":9223372036854775807'),
        (-INT64, '"x":-9223372036854775808'),
        (None, NOTHING),
    ),
    *cases("integer", pa.int8(), (-128, '"x":-128')),
    *cases("integer", pa.int16(), (32767, '"x":32767')),
    *cases("integer", pa.int32(), (-(2**31), '"x":-2147483648')),
    *cases("integer", pa.uint32(), (2**32 - 1, '"x":4294967295')),
    *cases("integer", pa.uint64(), (INT64 - 1, '"x":9223372036854775807'), (INT64, "out_of_range")),
    *cases(
        "integer",
        pa.decimal128(38, 0),
        (Decimal(INT64 - 1), '"x":9223372036854775807'),
        (Decimal(INT64), "out_of_range"),
        (Decimal(-INT64), '"x":-9223372036854775808'),
        (Decimal(-INT64 - 1), "out_of_range"),
        (Decimal("9" * 38), "out_of_range"),
        (Decimal(0), '"x":0'),
        (None, NOTHING),
    ),
    *cases("integer", pa.decimal128(18, 0), (Decimal("9" * 18), f'"x":{"9" * 18}')),
    *cases("integer", pa.decimal128(19, 0), (Decimal("9" * 19), "out_of_range")),
    *cases(
        "integer",
        pa.decimal128(12, 2),
        (Decimal("26.00"), '"x":26'),
        (Decimal("-26.00"), '"x":-26'),
        (Decimal("26.01"), "not_an_integer"),
        (Decimal("0.99"), "not_an_integer"),
        (None, NOTHING),
    ),
    *cases(
        "integer",
        pa.decimal128(38, 18),
        (Decimal("9223372036854775807"), '"x":9223372036854775807'),
        (Decimal("9223372036854775808"), "out_of_range"),
        (Decimal("0." + "0" * 17 + "1"), "not_an_integer"),
    ),
    *cases("integer", pa.decimal128(2, 2), (Decimal("0.00"), '"x":0'), (Decimal("0.50"), "not_an_integer")),
    *cases(
        "integer",
        pa.float64(),
        (26.0, '"x":26'),
        (-0.0, '"x":0'),
        (26.5, "not_an_integer"),
        (-0.1, "not_an_integer"),
        (5e-324, "not_an_integer"),
        (2.0**53, '"x":9007199254740992'),
        (-(2.0**63), '"x":-9223372036854775808'),
        (math.nextafter(2.0**63, 0), '"x":9223372036854774784'),
        (2.0**63, "out_of_range"),
        (math.nextafter(-(2.0**63), -math.inf), "out_of_range"),
        (1e300, "out_of_range"),
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        (-math.inf, "not_finite"),
        (None, NOTHING),
    ),
    *cases("integer", pa.float32(), (26.0, '"x":26'), (0.5, "not_an_integer"), (math.nan, "not_finite")),
    *cases(
        "integer",
        TEXT,
        ("26", '"x":26'),
        (" 26 ", '"x":26'),
        ("+26", '"x":26'),
        ("-026", '"x":-26'),
        ("-0", '"x":0'),
        ("9223372036854775807", '"x":9223372036854775807'),
        ("-9223372036854775808", '"x":-9223372036854775808'),
        ("9223372036854775808", "out_of_range"),
        ("9" * 400, "out_of_range"),
        ("26.5", "not_an_integer"),
        ("26.0", "not_an_integer"),
        ("1e3", "not_an_integer"),
        ("1_000", "not_an_integer"),
        ("0x1a", "not_an_integer"),
        ("26 years", "not_an_integer"),
        ("2\0006", "not_an_integer"),
        ("٢٦", "not_an_integer"),
        ("+", "not_an_integer"),
        ("", NOTHING),
        ("   ", NOTHING),
        (None, NOTHING),
    ),
]

FLOATS = [
    *cases(
        "float",
        pa.float64(),
        (12.5, '"x":12.5'),
        (12.0, '"x":12.0'),
        (0.1, '"x":0.1'),
        (-0.0, '"x":-0.0'),
        (5e-324, '"x":5e-324'),
        (2.2250738585072014e-308, '"x":2.2250738585072014e-308'),
        (1.7976931348623157e308, '"x":1.7976931348623157e308'),
        (1e22, '"x":1e22'),
        (0.1 + 0.2, '"x":0.30000000000000004'),
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        (-math.inf, "not_finite"),
        (None, NOTHING),
    ),
    *cases(
        "float", pa.float32(), (0.5, '"x":0.5'), (0.1, '"x":0.10000000149011612'), (math.inf, "not_finite")
    ),
    *cases(
        "float",
        pa.decimal128(12, 2),
        (Decimal("9.90"), '"x":9.90'),
        (Decimal("-0.01"), '"x":-0.01'),
        (Decimal("0.00"), '"x":0.00'),
        (Decimal("9999999999.99"), '"x":9999999999.99'),
        (None, NOTHING),
    ),
    *cases("float", pa.decimal128(38, 2), (Decimal("9" * 36 + ".99"), f'"x":{"9" * 36}.99')),
    *cases(
        "float",
        pa.decimal128(38, 38),
        (Decimal("-0." + "0" * 37 + "1"), f'"x":-0.{"0" * 37}1'),
        (Decimal("0." + "9" * 38), f'"x":0.{"9" * 38}'),
        (Decimal("0." + "0" * 38), f'"x":0.{"0" * 38}'),
    ),
    *cases("float", pa.decimal128(2, 2), (Decimal("0.05"), '"x":0.05'), (Decimal("-0.50"), '"x":-0.50')),
    # A number without a point would be an integer to Batch.
    *cases(
        "float",
        pa.decimal128(38, 0),
        (Decimal("-" + "9" * 38), f'"x":-{"9" * 38}.0'),
        (Decimal(26), '"x":26.0'),
    ),
    *cases("float", pa.int64(), (26, '"x":26.0'), (-INT64, f'"x":-{INT64}.0'), (None, NOTHING)),
    *cases("float", pa.int8(), (0, '"x":0.0')),
    *cases(
        "float",
        TEXT,
        ("12.5", '"x":12.5'),
        (" 12.5 ", '"x":12.5'),
        ("26", '"x":26.0'),
        ("1e3", '"x":1000.0'),
        ("-1E-3", '"x":-0.001'),
        (".5", '"x":0.5'),
        ("5.", '"x":5.0'),
        ("+.5e+1", '"x":5.0'),
        ("-0", '"x":-0.0'),
        ("1e308", '"x":1e308'),
        ("1e309", "not_finite"),
        ("-1e309", "not_finite"),
        ("1e-400", '"x":0.0'),
        ("nan", "not_a_number"),
        ("inf", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("twelve", "not_a_number"),
        ("12,5", "not_a_number"),
        ("1_000", "not_a_number"),
        (".", "not_a_number"),
        ("e3", "not_a_number"),
        ("0x1p3", "not_a_number"),
        ("", NOTHING),
        (" ", NOTHING),
        (None, NOTHING),
    ),
]

BOOLEANS = [
    *cases("boolean", pa.bool_(), (True, '"x":true'), (False, '"x":false'), (None, NOTHING)),
    *cases(
        "boolean",
        TEXT,
        *((word, '"x":true') for word in ("true", "TRUE", "t", "yes", "y", "1", " true ")),
        *((word, '"x":false') for word in ("false", "False", "f", "no", "N", "0", "false ")),
        *((word, "not_a_boolean") for word in ("perhaps", "2", "1.0", "vrai", "true\0")),
        ("", NOTHING),
        ("  ", NOTHING),
        (None, NOTHING),
    ),
]


def day(text: str) -> str:
    return f'"date(x)":"{text}"'


def ticks(text: str, per_second: int) -> int:
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1)
    return (
        moment.days * 86_400 + moment.seconds
    ) * per_second + moment.microseconds * per_second // 1_000_000


YEAR_ZERO = -719_163
"""The day before 0001-01-01."""
YEAR_10000 = 2_932_897

DATES = [
    *cases(
        "date",
        pa.date32(),
        (date(1989, 7, 20), day("1989-07-20T00:00:00Z")),
        (date(1, 1, 1), day("0001-01-01T00:00:00Z")),
        (date(9999, 12, 31), day("9999-12-31T00:00:00Z")),
        (date(2024, 2, 29), day("2024-02-29T00:00:00Z")),
        (YEAR_ZERO, "out_of_range"),
        (YEAR_10000, "out_of_range"),
        (-(2**31), "out_of_range"),
        (INFINITE_DAY, "not_finite"),
        (-INFINITE_DAY, "not_finite"),
        (None, NOTHING),
    ),
    *cases("date", pa.date64(), (date(1989, 7, 20), day("1989-07-20T00:00:00Z")), (None, NOTHING)),
    *cases(
        "date",
        US,
        (datetime(2026, 3, 1, 10, 30, 15, 987_000), day("2026-03-01T10:30:15Z")),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999), day("1969-12-31T23:59:59Z")),
        (datetime(1970, 1, 1), day("1970-01-01T00:00:00Z")),
        (datetime(1, 1, 1), day("0001-01-01T00:00:00Z")),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999), day("9999-12-31T23:59:59Z")),
        (YEAR_ZERO * 86_400_000_000 + 86_399_999_999, "out_of_range"),
        (YEAR_10000 * 86_400_000_000, "out_of_range"),
        (INFINITE_TIME - 1, "out_of_range"),
        (INFINITE_TIME, "not_finite"),
        (-INFINITE_TIME, "not_finite"),
        (None, NOTHING),
    ),
    *[
        case
        for zone in ("UTC", "Europe/Paris", "+05:30")
        for case in cases(
            "date",
            pa.timestamp("us", zone),
            (ticks("2026-03-01 08:30:15.5", 10**6), day("2026-03-01T08:30:15Z")),
            (YEAR_10000 * 86_400_000_000, "out_of_range"),
            (INFINITE_TIME, "not_finite"),
            (None, NOTHING),
        )
    ],
    *[
        case
        for unit, per_second in (("s", 1), ("ms", 1_000))
        for zone in (None, "America/New_York")
        for case in cases(
            "date",
            pa.timestamp(unit, zone),
            (ticks("2026-03-01 08:30:15", per_second), day("2026-03-01T08:30:15Z")),
            (ticks("1969-12-31 23:59:59", per_second), day("1969-12-31T23:59:59Z")),
            (ticks("9999-12-31 23:59:59", per_second), day("9999-12-31T23:59:59Z")),
            (YEAR_ZERO * 86_400 * per_second, "out_of_range"),
            (YEAR_10000 * 86_400 * per_second, "out_of_range"),
            (INFINITE_TIME, "out_of_range"),
            (-INFINITE_TIME, "out_of_range"),
            (None, NOTHING),
        )
    ],
    *[
        case
        for zone in (None, "Europe/Paris")
        for case in cases(
            "date",
            pa.timestamp("ns", zone),
            (ticks("2026-03-01 08:30:15.999999", 10**9) + 999, day("2026-03-01T08:30:15Z")),
            (-1, day("1969-12-31T23:59:59Z")),
            (None, NOTHING),
        )
    ],
    *cases(
        "date",
        TEXT,
        ("2026-03-01", day("2026-03-01T00:00:00Z")),
        (" 2026-03-01 ", day("2026-03-01T00:00:00Z")),
        ("2026-03-01T10:30:15+02:00", day("2026-03-01T08:30:15Z")),
        ("2026-03-01 10:30:15.999", day("2026-03-01T10:30:15Z")),
        ("2026-03-01T10:30:15Z", day("2026-03-01T10:30:15Z")),
        ("2026-03-01 10:30", day("2026-03-01T10:30:00Z")),
        ("0001-01-01", day("0001-01-01T00:00:00Z")),
        ("9999-12-31T23:59:59Z", day("9999-12-31T23:59:59Z")),
        ("9999-12-31T23:59:59-01:00", "out_of_range"),
        ("0001-01-01T00:00:00+01:00", "out_of_range"),
        ("0000-12-31", "out_of_range"),
        ("10000-01-01", "not_a_date"),
        ("2026-02-30", "not_a_date"),
        ("2026-13-01", "not_a_date"),
        ("2026-03-01 25:00", "not_a_date"),
        ("01/03/2026", "not_a_date"),
        ("2026-03", "not_a_date"),
        ("20260301", "not_a_date"),
        ("1772323200", "not_a_date"),
        ("infinity", "not_a_date"),
        ("epoch", "not_a_date"),
        ("yesterday", "not_a_date"),
        ("", NOTHING),
        ("  ", NOTHING),
        (None, NOTHING),
    ),
]

URLS = cases(
    "url",
    TEXT,
    ("https://example.com/ada?tab=1", '"url(x)":"https://example.com/ada?tab=1"'),
    ("http://example.com", '"url(x)":"http://example.com"'),
    ("myapp://open/profile", '"url(x)":"myapp://open/profile"'),
    ("https://user:secret@example.com:8080/#top", '"url(x)":"https://user:secret@example.com:8080/#top"'),
    ("https://[2001:db8::1]/", '"url(x)":"https://[2001:db8::1]/"'),
    ("https://exämple.com/ü?q=é", '"url(x)":"https://exämple.com/ü?q=é"'),
    ('https://example.com/"q"', r'"url(x)":"https://example.com/\"q\""'),
    ("https://example.com/" + "x" * 2028, f'"url(x)":"https://example.com/{"x" * 2028}"'),
    ("https://example.com/" + "x" * 2029, "too_long"),
    ("https://example.com/" + "é" * 2028, f'"url(x)":"https://example.com/{"é" * 2028}"'),
    ("https://example.com/" + "é" * 2029, "too_long"),
    ("example.com", "invalid_url"),
    ("https://", "invalid_url"),
    ("https:///path", "invalid_url"),
    ("//example.com", "invalid_url"),
    ("https:example.com", "invalid_url"),
    ("mailto:ada@example.com", "invalid_url"),
    ("https://exa mple.com", "invalid_url"),
    ("https://example.com/a b", "invalid_url"),
    ("https://example.com/\n", "invalid_url"),
    ("https://example.com/\xa0", "invalid_url"),
    ("https://example.com:port/", "invalid_url"),
    ("https://example.com:123456/", "invalid_url"),
    (" https://example.com", "invalid_url"),
    ("1http://example.com", "invalid_url"),
    ("", NOTHING),
    (None, NOTHING),
)

ITEMS_25 = [f"item {number}" for number in range(25)]


def listed(items: Iterable[str]) -> str:
    return '"x":[' + ",".join(f'"{item}"' for item in items) + "]"


ARRAYS = [
    *cases(
        "string_array",
        TEXTS,
        (["bikes", "bread"], '"x":["bikes","bread"]'),
        (["one"], '"x":["one"]'),
        (
            ['a "quoted"', "back\\slash", "nul\0", "é😀"],
            r'"x":["a \"quoted\"","back\\slash","nul\u0000","é😀"]',
        ),
        (["same", "same"], '"x":["same","same"]'),
        ([" "], '"x":[" "]'),
        (ITEMS_25, listed(ITEMS_25)),
        ([*ITEMS_25, "one more"], "too_many_items"),
        ([*ITEMS_25, ""], "too_many_items"),
        (["x" * 300, "é" * 300], listed(["x" * 300, "é" * 300])),
        (["bikes", "x" * 301], "too_long"),
        (["bikes", ""], "empty_item"),
        (["bikes", None], "empty_item"),
        ([None], "empty_item"),
        (["", "x" * 301], "empty_item"),
        ([], NOTHING),
        (None, NOTHING),
    ),
    *cases("string_array", pa.large_list(TEXT), (["a"], '"x":["a"]'), ([], NOTHING), ([""], "empty_item")),
    *cases("string_array", pa.list_(pa.large_string()), (["a"], '"x":["a"]'), (["x" * 301], "too_long")),
    *cases("string_array", pa.list_view(TEXT), (["a", "b"], '"x":["a","b"]'), ([], NOTHING)),
    *cases("string_array", pa.list_(TEXT, 2), (["a", "b"], '"x":["a","b"]'), (["a", None], "empty_item")),
    *cases("string_array", pa.list_(pa.int32()), ([1, 2], '"x":["1","2"]'), ([], NOTHING)),
    *cases(
        "string_array",
        TEXT,
        ('["bikes", "bread"]', '"x":["bikes","bread"]'),
        (' [ "a\\"b" , "\\u00e9\\ud83d\\ude00" , "\\u0000" ] ', '"x":["a\\"b","é😀","\\u0000"]'),
        ('["' + '","'.join(ITEMS_25) + '"]', listed(ITEMS_25)),
        ('["' + '","'.join([*ITEMS_25, "one more"]) + '"]', "too_many_items"),
        ('["' + "x" * 301 + '"]', "too_long"),
        ('["a", ""]', "empty_item"),
        ('["a", null]', "empty_item"),
        ("[1, 2]", "not_a_string"),
        ('["a", true]', "not_a_string"),
        ('["a", ["b"]]', "not_a_string"),
        ('["a", {"b": 1}]', "not_a_string"),
        ("bikes, bread", "not_an_array"),
        ('"bikes"', "not_an_array"),
        ('{"a": "b"}', "not_an_array"),
        ('["a"', "not_an_array"),
        ('["a"] ["b"]', "not_an_array"),
        ('["\\ud83d"]', "not_an_array"),
        ("['a']", "not_an_array"),
        ("12", "not_an_array"),
        ("[]", NOTHING),
        (" [ ] ", NOTHING),
        ("null", NOTHING),
        ("", NOTHING),
        ("  ", NOTHING),
        (None, NOTHING),
    ),
]


def member(name: str, value: str) -> str:
    return f'"${name}":{value}'


def standard(name: str, kind: pa.DataType, *pairs: tuple[Any, str | None]) -> list[Case]:
    type_ = "string_array" if name == "topic_preferences" else "string"
    return [
        Case(type_, kind, value, f'"${name}":{outcome}' if outcome and outcome[0] in '"[' else outcome, name)
        for value, outcome in pairs
    ]


def words_of(name: str, right: Sequence[str], wrong: Sequence[str], reason: str) -> list[Case]:
    sent = [(word, f'"{word}"') for word in right]
    refused = [(word, reason) for word in wrong]
    return standard(name, TEXT, *sent, *refused, ("", NOTHING), (None, NOTHING))


STANDARD = [
    *standard(
        "email_address",
        TEXT,
        ("ada@example.com", '"ada@example.com"'),
        ("a@b.c", '"a@b.c"'),
        ("Ada+tag@sub.EXAMPLE.co", '"Ada+tag@sub.EXAMPLE.co"'),
        ('"quoted\\"@example.com', r'"\"quoted\\\"@example.com"'),
        ("é😀@example.com", '"é😀@example.com"'),
        ("x" * 116 + "@example.com", f'"{"x" * 116}@example.com"'),
        ("x" * 117 + "@example.com", "too_long"),
        ("é" * 116 + "@example.com", f'"{"é" * 116}@example.com"'),
        ("ada@example", "invalid_email"),
        ("ada.example.com", "invalid_email"),
        ("@example.com", "invalid_email"),
        ("ada@", "invalid_email"),
        ("ada@example.", "invalid_email"),
        ("ada@@example.com", "invalid_email"),
        ("ada@exämple.com", "invalid_email"),
        ("ada @example.com", "invalid_email"),
        ("ada\xa0@example.com", "invalid_email"),
        ("ada\0@example.com", "invalid_email"),
        ("ada@example.com\n", "invalid_email"),
        (" ada@example.com", "invalid_email"),
        ("x" * 200, "too_long"),
        ("", NOTHING),
        (None, NOTHING),
    ),
    *[
        case
        for name in ("email_marketing", "sms_marketing")
        for case in (
            *standard(name, pa.bool_(), (True, '"subscribed"'), (False, '"unsubscribed"'), (None, NOTHING)),
            *words_of(
                name,
                ["subscribed", "unsubscribed"],
                ["yes", "Subscribed", "true", " "],
                "invalid_subscription",
            ),
        )
    ],
    *words_of(
        "phone_number",
        ["+33199000661", "+1", "+" + "9" * 15],
        ["33199000661", "+", "+" + "9" * 16, "+33 1 99 00 06 61", "+33199000661\n", "+٣٣"],
        "invalid_phone",
    ),
    *words_of(
        "language", ["fr", "zu", "aa"], ["FR", "fr-FR", "fra", "xx", "fr ", "fr\0"], "invalid_language"
    ),
    *words_of("region", ["FR", "GB", "ZW"], ["fr", "UK", "FRA", "EU", "FR\n"], "invalid_region"),
    *words_of(
        "timezone",
        ["Europe/Paris", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"],
        ["europe/paris", "CEST", "Europe/Pariss", "+02:00", "Europe/Paris "],
        "invalid_timezone",
    ),
    *standard(
        "topic_preferences",
        TEXTS,
        (["bread", "new_shops", "2"], '["bread","new_shops","2"]'),
        (["x" * 300], f'["{"x" * 300}"]'),
        (["x" * 301], "invalid_topic"),
        (["bread"] * 25, '["' + '","'.join(["bread"] * 25) + '"]'),
        (["bread"] * 26, "too_many_items"),
        (["Fresh bread"], "invalid_topic"),
        (["bread", "Shops"], "invalid_topic"),
        (["new-shops"], "invalid_topic"),
        (["brød"], "invalid_topic"),
        (["bread\n"], "invalid_topic"),
        ([""], "empty_item"),
        ([None], "empty_item"),
        ([], NOTHING),
        (None, NOTHING),
    ),
    *standard(
        "topic_preferences",
        TEXT,
        ('["bread"]', '["bread"]'),
        ('["Bread"]', "invalid_topic"),
        ("[1]", "not_a_string"),
        ("bread", "not_an_array"),
        ("[]", NOTHING),
    ),
]

CASES = [*STRINGS, *INTEGERS, *FLOATS, *BOOLEANS, *DATES, *URLS, *ARRAYS, *STANDARD]
GROUP = 40
"""Cases that are rendered together, each as an attribute of its own: the start of an engine is what costs."""


@dataclass(frozen=True)
class Outcome:
    """What became of a value in a new row, in one in which it changed, and in one in which it did not."""

    inserted: str | None
    updated: str | None
    untouched: str | None


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """One for each case, in their order."""
    found: dict[int, Outcome] = {}
    for group in _groups():
        found.update(_rendered(group))
    return [found[number] for number in range(len(CASES))]


def _groups() -> Iterator[list[int]]:
    """Numbers of cases that may stand in one row: a standard attribute only once."""
    custom = [number for number, case in enumerate(CASES) if case.name == "x"]
    yield from (custom[start : start + GROUP] for start in range(0, len(custom), GROUP))
    by_name: dict[str, list[int]] = {}
    for number, case in enumerate(CASES):
        if case.name != "x":
            by_name.setdefault(case.name, []).append(number)
    for round_ in range(max(map(len, by_name.values()))):
        yield [numbers[round_] for numbers in by_name.values() if round_ < len(numbers)]


def _rendered(group: Sequence[int]) -> Iterator[tuple[int, Outcome]]:
    names = {n: f"x{n}" if CASES[n].name == "x" else f"batch__{CASES[n].name}" for n in group}
    attributes = [TypedAttribute(names[n], AttributeType(CASES[n].type)) for n in group]
    batch = delta(
        {names[n]: CASES[n].cell for n in group},
        change=["insert", "update", "update"],
        changed=["", ",".join(names.values()), ""],
    )
    rows = rows_of(batch, attributes)
    for n in group:
        yield n, Outcome(*(_outcome(row, names[n]) for row in rows))


def _outcome(row: Row, column: str) -> str | None:
    plain = column.replace("batch__", "$")
    own = [(key, value) for key, value in row.members if key in (plain, f"date({plain})", f"url({plain})")]
    if column in row.withheld:
        assert own == []
        return row.withheld[column]
    if not own:
        return None
    ((key, value),) = own
    return f'"{key.replace(column, "x")}":{value}'


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_value(number: int, outcomes: list[Outcome]) -> None:
    case, outcome = CASES[number], outcomes[number]
    plain = "x" if case.name == "x" else f"${case.name}"
    assert outcome.inserted == case.outcome
    assert outcome.updated == (f'"{plain}":null' if case.outcome is NOTHING else case.outcome)
    assert outcome.untouched is None


def test_every_type_meets_every_column_that_it_accepts() -> None:
    """By Arrow type: what the macros let through, for each type that a mapping can ask for."""
    accepted = {
        "string": {TEXT},
        "integer": {TEXT, pa.int64(), pa.float64(), pa.decimal128(38, 0), pa.decimal128(12, 2)},
        "float": {TEXT, pa.int64(), pa.float64(), pa.decimal128(12, 2), pa.decimal128(38, 0)},
        "boolean": {TEXT, pa.bool_()},
        "date": {TEXT, pa.date32(), US, pa.timestamp("us", "UTC")},
        "url": {TEXT},
        "string_array": {TEXT, TEXTS},
    }
    assert set(accepted) == {kind.value for kind in AttributeType}
    met = {(case.type, case.kind) for case in CASES}
    assert {(kind, source) for kind, sources in accepted.items() for source in sources} - met == set()
