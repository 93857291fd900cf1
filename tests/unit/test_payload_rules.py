"""Every rendering rule at its limits: a cell goes in, a key or a reason comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pytest
from harness.rendering import arrived

from dbt_batch_sync.kinds.attributes import (
    CUSTOM_RULES,
    KEY,
    STANDARD_RULES,
    AttributeType,
    TypedAttribute,
)
from dbt_batch_sync.kinds.profiles import PROFILES
from dbt_batch_sync.kinds.vocabularies import Vocabulary, words
from dbt_batch_sync.payload.render import (
    CHANGE,
    CHANGED,
    RejectedValue,
    Rendered,
    render,
    split,
)
from dbt_batch_sync.sandbox.operations import read_operation


class Rejected(NamedTuple):
    """The reason of a rejection."""

    reason: str


class Raw(NamedTuple):
    """A value's exact JSON text."""

    text: str


NOTHING = object()
"""Neither a key nor a reason."""


def attribute(kind: str, name: str = "a") -> TypedAttribute:
    """`kind` is a type, or a standard attribute's `$name`."""
    if kind.startswith("$"):
        return TypedAttribute(f"batch__{kind[1:]}", STANDARD_RULES[kind[1:]].type)
    return TypedAttribute(name, AttributeType(kind))


def schema_of(columns: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in (KEY, CHANGE, CHANGED)), *columns.items()])


def batch_of(schema: pa.Schema, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows are inserts with consecutive ids unless they set their own."""
    own = {"_batch_change": "insert", "_batch_changed": ""}
    whole = [{KEY: f"{number:05}", **own, **row} for number, row in enumerate(rows)]
    arrays = [pa.array([row.get(field.name) for row in whole], field.type) for field in schema]
    return arrived(pa.RecordBatch.from_arrays(arrays, schema=schema))


def rendered(
    rows: Sequence[dict[str, Any]], columns: dict[str, pa.DataType], attributes: Sequence[TypedAttribute]
) -> Rendered:
    schema = schema_of(columns)
    (result,) = render([batch_of(schema, rows)], attributes, PROFILES.fragment)
    assert result.rows.num_rows == len(rows)
    return result


def strict(text: str) -> Any:
    """Parse as Batch would. Raises on anything that JSON doesn't allow."""

    def object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs), "duplicate key"
        return dict(pairs)

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    return json.loads(text, object_pairs_hook=object_of, parse_constant=refuse, parse_float=Raw)


def attributes_of(operation: str | None) -> dict[str, Any]:
    """An operation's attributes. Asserts that the sandbox accepts them all."""
    if operation is None:
        return {}
    assert operation.endswith("},")
    accepted = read_operation(json.loads(operation[:-1]))
    assert accepted.refused == []
    return dict(strict(operation[:-1])["attributes"])


def outcomes(
    kind: str, source: pa.DataType, values: Sequence[object], change: str = "insert"
) -> list[object]:
    """The result for each value: its JSON value, a reason, or NOTHING. Another attribute is always sent."""
    one, other = attribute(kind), TypedAttribute("other", AttributeType.BOOLEAN)
    rows = [
        {one.name: value, "other": True, "_batch_change": change, "_batch_changed": f"{one.name},other"}
        for value in values
    ]
    result = rendered(rows, {one.name: source, "other": pa.bool_()}, [one, other])
    reasons = {note.position: note for note in result.rejected}
    assert len(reasons) == len(result.rejected)
    found: list[object] = []
    for position, operation in enumerate(result.rows.column("operation").to_pylist(), 1):
        sent = attributes_of(operation)
        assert sent.pop("other") is True
        if position in reasons:
            assert reasons[position].attribute == one.name
            assert sent == {}
            found.append(Rejected(reasons[position].reason))
        elif not sent:
            found.append(NOTHING)
        else:
            ((key, value),) = sent.items()
            assert key == (one.plain_name if value is None else one.wire_name)
            found.append(value)
    return found


TEXT = (pa.string(), pa.large_string(), pa.string_view())
TOO_LONG, EMPTY_ITEM, TOO_MANY = Rejected("too_long"), Rejected("empty_item"), Rejected("too_many_items")
RANGE, NOT_FINITE = Rejected("out_of_range"), Rejected("not_finite")

ODD_TEXTS = (
    "a", " ", "  padded  ", "\t", "\n\r\n", "'", '"', "\\", '\\"', "\\u0041", "/", "</script>", "\x00",
    "a\x00b",
    "\x01\x07\x1b\x1f", "\x7f\x80\x9f", "\u2028\u2029", "\ufeff", "\ufffe\uffff", "😀👩‍👩‍👧🇫🇷", "e\u0301",
    "عربى\u202e", "\U0010ffff", "{}", "[]", "null", "true", "1", "NaN", "%s $1 ? :a", ",a,b,,", "a:b",
)  # fmt: skip

STRINGS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    ("x" * 300, "x" * 300),
    ("x" * 301, TOO_LONG),
    ("é" * 300, "é" * 300),
    ("é" * 301, TOO_LONG),
    ("😀" * 300, "😀" * 300),
    ("😀" * 301, TOO_LONG),
    # Lengths count code points: e and its accent are two.
    ("e\u0301" * 150, "e\u0301" * 150),
    ("e\u0301" * 151, TOO_LONG),
    ("\x00" * 300, "\x00" * 300),
    ("\x00" * 301, TOO_LONG),
    (" " * 300, " " * 300),
    *((text, text) for text in ODD_TEXTS),
]

NOT_INT, NOT_NUM, NOT_BOOL, NOT_DATE = (
    Rejected(reason) for reason in ("not_an_integer", "not_a_number", "not_a_boolean", "not_a_date")
)
MAX, MIN = 2**63 - 1, -(2**63)

INTEGER_TEXTS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    ("   ", NOTHING),
    ("0", 0),
    ("-0", 0),
    ("+5", 5),
    ("007", 7),
    (" 26 ", 26),
    (str(MAX), MAX),
    (str(MIN), MIN),
    (str(MAX + 1), RANGE),
    (str(MIN - 1), RANGE),
    *(
        (text, NOT_INT)
        for text in ("12.7", "12.0", "1e3", "1_000", "0x1F", "١٢", "½", "--1", "1 2", "\t1", "NaN")
    ),
    *((text, NOT_INT) for text in ("1\n", "1\x00", "x" * 400)),
]
FLOAT_TEXTS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    ("  ", NOTHING),
    ("1", Raw("1.0")),
    (" 1.5 ", Raw("1.5")),
    (".5", Raw("0.5")),
    ("5.", Raw("5.0")),
    ("-0.0", Raw("-0.0")),
    ("+1e3", Raw("1000.0")),
    ("1E-3", Raw("0.001")),
    ("1.7976931348623157e308", Raw("1.7976931348623157e308")),
    ("5e-324", Raw("5e-324")),
    ("1e-400", Raw("0.0")),
    ("1e400", NOT_FINITE),
    ("-1e400", NOT_FINITE),
    *(
        (text, NOT_NUM)
        for text in ("NaN", "inf", "-Infinity", "1_0", "1,5", ".", "e5", "0x1p3", "1e", "1 2", "١")
    ),
]
DOUBLES_AS_INTEGERS: list[tuple[object, object]] = [
    (None, NOTHING),
    (26.0, 26),
    (-0.0, 0),
    (26.5, NOT_INT),
    (5e-324, NOT_INT),
    (2.0**53, 2**53),
    # The largest double below 2^63, and 2^63, which compares equal to 2^63 - 1.
    (2.0**63 - 1024, 2**63 - 1024),
    (2.0**63, RANGE),
    (-(2.0**63), MIN),
    (-(2.0**63) - 2048, RANGE),
    (1e300, RANGE),
    (float("nan"), NOT_FINITE),
    (float("inf"), NOT_FINITE),
    (float("-inf"), NOT_FINITE),
]
DOUBLES: list[tuple[object, object]] = [
    (None, NOTHING),
    (0.0, Raw("0.0")),
    (-0.0, Raw("-0.0")),
    (1.0, Raw("1.0")),
    (0.1, Raw("0.1")),
    (1e22, Raw("1e22")),
    (1.7976931348623157e308, Raw("1.7976931348623157e308")),
    (5e-324, Raw("5e-324")),
    (float("nan"), NOT_FINITE),
    (float("inf"), NOT_FINITE),
    (float("-inf"), NOT_FINITE),
]


def decimals(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


BOOLEAN_TEXTS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    (" ", NOTHING),
    *((text, True) for text in ("true", "TRUE", " true ", "t", "yes", "1")),
    *((text, False) for text in ("false", "False", "f", "no", "0")),
    *((text, NOT_BOOL) for text in ("2", "on", "vrai", "nan", "true\n", "true\x00")),
]
DATE_TEXTS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    (" ", NOTHING),
    ("2024-02-29", "2024-02-29T00:00:00Z"),
    (" 2024-02-29 ", "2024-02-29T00:00:00Z"),
    ("2024-02-29 23:59:59", "2024-02-29T23:59:59Z"),
    ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
    ("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59Z"),
    ("2024-02-29T01:00:00+02:00", "2024-02-28T23:00:00Z"),
    ("2024-02-29T01:00:00-05:30", "2024-02-29T06:30:00Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ("0001-01-01T00:00:00+01:00", RANGE),
    ("9999-12-31T23:59:59-01:00", RANGE),
    ("0000-12-31", RANGE),
    ("10000-01-01", NOT_DATE),
    *(
        (text, NOT_DATE)
        for text in ("2023-02-29", "2024-13-01", "24-01-01", "infinity", "-infinity", "epoch", "now")
    ),
    *(
        (text, NOT_DATE)
        for text in ("2024-01-01T25:00:00", "01/02/2024", "20240101", "1704067200", "٢٠٢٤-01-01")
    ),
]
DAYS: list[tuple[object, object]] = [
    (None, NOTHING),
    (date(1, 1, 1), "0001-01-01T00:00:00Z"),
    (date(9999, 12, 31), "9999-12-31T00:00:00Z"),
    (date(1969, 12, 31), "1969-12-31T00:00:00Z"),
    (date(2024, 2, 29), "2024-02-29T00:00:00Z"),
]
MOMENTS: list[tuple[object, object]] = [
    (None, NOTHING),
    (datetime(1, 1, 1), "0001-01-01T00:00:00Z"),
    (datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31T23:59:59Z"),
    (datetime(1969, 12, 31, 23, 59, 59, 999_999), "1969-12-31T23:59:59Z"),
    (datetime(2024, 2, 29, 1, 2, 3), "2024-02-29T01:02:03Z"),
]
# Deltas have microseconds. Other units are also read where DuckDB supports them.
OTHERS: list[tuple[object, object]] = [
    (None, NOTHING),
    MOMENTS[-1],
    (datetime(2262, 1, 1), "2262-01-01T00:00:00Z"),
]

URLS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    *(
        (url, url)
        for url in (
            "https://a",
            "HTTP://a.b:8080/c?d=e#f",
            "app+x-1.y://open",
            "ftp://me:pw@a/",
            "https://[::1]:80/",
        )
    ),
    *(
        (url, url)
        for url in ("https://exämple.com/ü?q=😀", "https://a/\"'\\", "https://a/@b", "https://a?b@c")
    ),
    ("https://a/" + "x" * 2038, "https://a/" + "x" * 2038),
    ("https://a/" + "x" * 2039, TOO_LONG),
    ("https://a/" + "é" * 2038, "https://a/" + "é" * 2038),
    *(
        (url, Rejected("invalid_url"))
        for url in (
            "a.com",
            "https:/a",
            "https://",
            "https:///a",
            "https://?a",
            "://a",
            "1a://b",
            "mailto:a@b.c",
            "https://@",
            "https://a b",
            "https://a/b c",
            " https://a",
            "https://a ",
            "https://a\n",
            "https://a/\x00",
            "https://a/\x7f",
            "https://a/\u2028",
            "https://a/\u00a0",
            "https://a/\ufeff",
            "https://a:b/",
            "https://a:123456/",
            "https://[::1",
        )
    ),
]
EMAILS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    *((text, text) for text in ("a@b.c", "j+é!'@example.co.uk", "a@b-c.d1e", "😀@b.c", "a@xn--bcher-kva.de")),
    ("a" * 116 + "@example.com", "a" * 116 + "@example.com"),
    ("a" * 117 + "@example.com", TOO_LONG),
    *(
        (text, Rejected("impossible_email"))
        for text in (
            "ada@example..com",
            "ada.@example.com",
            ".ada@example.com",
            "a..da@example.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada@.example.com",
            "ada\u200b@example.com",
            "ada\u00ad@example.com",
            "mailto:ada@example.com",
            "<ada@example.com",
            "a,ada@example.com",
            '"ada"@example.com',
            "a\\b@example.com",
            "ada@10.0.0.1",
            "ada@" + "x" * 64 + ".com",
        )
    ),
    ("é" * 116 + "@example.com", "é" * 116 + "@example.com"),
    *(
        (text, Rejected("invalid_email"))
        for text in (
            "a",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.c d",
            "a@@b.c",
            "a b@c.d",
            " a@b.c",
            "a@b.c ",
            "a@b.c\n",
            "a\x00@b.c",
            "a\u2028@b.c",
            "a\u00a0@b.c",
            "a@é.c",
            "a@b.é",
            "a@b_c.d",
        )
    ),
]
PHONES: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    *((text, text) for text in ("+33199000661", "+12025550123", "+79161234567", "+491234567890123")),
    *(
        (text, Rejected("impossible_phone"))
        for text in ("+0199000661", "+1", "+120255501234", "+999123456789", "+3319900066", "+" + "1" * 15)
    ),
    *(
        (text, Rejected("invalid_phone"))
        for text in (
            "+",
            "+" + "1" * 16,
            "33612345678",
            "0033",
            "+33 6",
            "+33-6",
            " +33",
            "+33\n",
            "+٣",
            "++3",
        )
    ),
]
CONSENT_WORDS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    ("subscribed", "subscribed"),
    ("unsubscribed", "unsubscribed"),
    *(
        (text, Rejected("invalid_subscription"))
        for text in ("Subscribed", "true", "1", " subscribed", "opted_in")
    ),
]
CONSENTS: list[tuple[object, object]] = [(None, NOTHING), (True, "subscribed"), (False, "unsubscribed")]


def listed(vocabulary: Vocabulary, reason: str, *wrong: str) -> list[tuple[object, object]]:
    right: list[tuple[object, object]] = [(word, word) for word in words(vocabulary)]
    return [(None, NOTHING), ("", NOTHING), *right, *((word, Rejected(reason)) for word in wrong)]


ARRAYS: list[tuple[object, object]] = [
    (None, NOTHING),
    ([], NOTHING),
    (["a"], ["a"]),
    (["a", "a", "b"], ["a", "a", "b"]),
    ([" "], [" "]),
    (["x"] * 25, ["x"] * 25),
    (["x"] * 26, TOO_MANY),
    (["é" * 300], ["é" * 300]),
    (["a", "é" * 301], TOO_LONG),
    (["😀" * 300] * 25, ["😀" * 300] * 25),
    ([None], EMPTY_ITEM),
    (["a", None, "b"], EMPTY_ITEM),
    ([""], EMPTY_ITEM),
    (["a", ""], EMPTY_ITEM),
    (list(ODD_TEXTS[:25]), list(ODD_TEXTS[:25])),
    (list(ODD_TEXTS[25:]), list(ODD_TEXTS[25:])),
]
NO_ARRAY, NO_TEXT = Rejected("not_an_array"), Rejected("not_a_string")
JSON_ARRAYS: list[tuple[object, object]] = [
    (None, NOTHING),
    ("", NOTHING),
    ("  ", NOTHING),
    ("[]", NOTHING),
    (" [] ", NOTHING),
    ("null", NOTHING),
    *((json.dumps(items), outcome) for items, outcome in ARRAYS if items),
    *((json.dumps(items, ensure_ascii=False), outcome) for items, outcome in ARRAYS if items),
    (' [ "a" , "b" ] ', ["a", "b"]),
    *((text, NO_ARRAY) for text in ("{}", '"a"', "1", "x", "a,b", "['a']", '["a"', '["a"]["b"]')),
    *(
        (text, NO_TEXT)
        for text in ("[1]", '["a", true]', '[["a"]]', '[{"a": "b"}]', "[1.5]", "[[]]", "[false, null]")
    ),
    ('["a", null]', EMPTY_ITEM),
]
TOPICS: list[tuple[object, object]] = [
    (None, NOTHING),
    ([], NOTHING),
    (["sport", "news_1"], ["sport", "news_1"]),
    (["a" * 300] * 25, ["a" * 300] * 25),
    (["a"] * 26, TOO_MANY),
    ([None], EMPTY_ITEM),
    ([""], EMPTY_ITEM),
    *(([text], Rejected("invalid_topic")) for text in ("Sport", "a-b", "a b", "é", "a\n", " a", "a" * 301)),
]

Table = list[tuple[object, object]]

CASES: list[tuple[str, pa.DataType, Table]] = [
    *(("string", source, STRINGS) for source in TEXT),
    *(("integer", source, INTEGER_TEXTS) for source in TEXT),
    *(("float", source, FLOAT_TEXTS) for source in TEXT),
    *(("boolean", source, BOOLEAN_TEXTS) for source in TEXT),
    *(("date", source, DATE_TEXTS) for source in TEXT),
    *(("url", source, URLS) for source in TEXT),
    *(("string_array", source, JSON_ARRAYS) for source in TEXT),
    *(("string_array", kind(pa.string()), ARRAYS) for kind in (pa.list_, pa.large_list)),
    ("string_array", pa.list_(pa.large_string()), ARRAYS),
    ("boolean", pa.bool_(), [(None, NOTHING), (True, True), (False, False)]),
    *(
        ("integer", kind, [(None, NOTHING), (-128, -128), (0, 0), (127, 127)])
        for kind in (pa.int8(), pa.int16())
    ),
    ("integer", pa.int32(), [(None, NOTHING), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1)]),
    ("integer", pa.int64(), [(None, NOTHING), (MIN, MIN), (0, 0), (MAX, MAX)]),
    ("integer", pa.uint32(), [(2**32 - 1, 2**32 - 1)]),
    ("integer", pa.float64(), DOUBLES_AS_INTEGERS),
    (
        "integer",
        pa.float32(),
        [(None, NOTHING), (3.0, 3), (0.5, NOT_INT), (2.0**63, RANGE), (-(2.0**63), MIN)],
    ),
    (
        "integer",
        pa.decimal128(38, 0),
        [
            (None, NOTHING),
            *((Decimal(n), n) for n in (MIN, -1, 0, MAX)),
            *((Decimal(n), RANGE) for n in (MIN - 1, MAX + 1, 10**38 - 1, -(10**38) + 1)),
        ],
    ),
    (
        "integer",
        pa.decimal128(38, 10),
        [
            (None, NOTHING),
            (Decimal(MAX), MAX),
            (Decimal(MIN), MIN),
            (Decimal("1.5"), NOT_INT),
            (Decimal(2**63), RANGE),
        ],
    ),
    # With fewer digits before the point than the limits.
    *(
        (
            "integer",
            pa.decimal128(*size),
            [(None, NOTHING), (Decimal(2), 2), (Decimal(-9), -9), (Decimal("1.5"), NOT_INT)],
        )
        for size in ((2, 1), (18, 4), (38, 19), (38, 20), (38, 37))
    ),
    ("integer", pa.decimal128(18, 0), [(Decimal(10**18 - 1), 10**18 - 1)]),
    ("integer", pa.decimal128(19, 0), [(Decimal(MAX), MAX), (Decimal(2**63), RANGE)]),
    ("float", pa.float64(), DOUBLES),
    ("float", pa.float32(), [(1.5, Raw("1.5")), (float("nan"), NOT_FINITE), (float("-inf"), NOT_FINITE)]),
    (
        "float",
        pa.decimal128(18, 4),
        [(None, NOTHING), (Decimal("12"), Raw("12.0000")), (Decimal("-0.0001"), Raw("-0.0001"))],
    ),
    *(
        ("float", pa.decimal128(38, scale), [(Decimal(text), Raw(text))])
        for scale in (1, 19, 37)
        for text in (sign + "9" * (38 - scale) + "." + "9" * scale for sign in ("", "-"))
    ),
    ("date", pa.date32(), DAYS),
    ("date", pa.date64(), DAYS),
    ("date", pa.timestamp("s"), OTHERS),
    ("date", pa.timestamp("ms"), OTHERS),
    ("date", pa.timestamp("us"), MOMENTS),
    ("date", pa.timestamp("ns"), OTHERS),
    (
        "date",
        pa.timestamp("us", tz="UTC"),
        [(m and m.replace(tzinfo=timezone.utc), text) for m, text in MOMENTS],
    ),  # type: ignore[attr-defined]
    *(("$email_address", source, EMAILS) for source in TEXT),
    *(("$phone_number", source, PHONES) for source in TEXT),
    *((f"${channel}_marketing", pa.string(), CONSENT_WORDS) for channel in ("email", "sms")),
    *((f"${channel}_marketing", pa.bool_(), CONSENTS) for channel in ("email", "sms")),
    (
        "$language",
        pa.string(),
        listed(Vocabulary.LANGUAGE, "invalid_language", "FR", "fra", "xx", "fr-FR", " fr", "sh"),
    ),
    (
        "$region",
        pa.string(),
        listed(Vocabulary.REGION, "invalid_region", "fr", "FRA", "XX", "UK", "EU", " FR"),
    ),
    (
        "$timezone",
        pa.string(),
        listed(Vocabulary.TIMEZONE, "invalid_timezone", "europe/paris", "CEST", "+01:00", "Europe"),
    ),
    ("$topic_preferences", pa.list_(pa.string()), TOPICS),
    ("$topic_preferences", pa.string(), [(v if v is None else json.dumps(v), o) for v, o in TOPICS]),
]


@pytest.mark.parametrize(
    ("kind", "source", "table"), CASES, ids=lambda part: str(part) if not isinstance(part, list) else ""
)
def test_rules(kind: str, source: pa.DataType, table: Table) -> None:
    found = outcomes(kind, source, [value for value, _ in table])
    wrong = [
        (value, got, outcome)
        for (value, outcome), got in zip(table, found, strict=True)
        if got != outcome or type(got) is not type(outcome)
    ]
    assert wrong == []
    # In an update, an absent value becomes null; everything else is the same.
    updated = outcomes(kind, source, [value for value, _ in table], "update")
    assert updated == [None if got is NOTHING else got for got in found]


def test_every_type_and_standard_attribute_is_tested() -> None:
    kinds = {kind for kind, _, _ in CASES}
    assert kinds == {each.value for each in CUSTOM_RULES} | {f"${name}" for name in STANDARD_RULES}


# Infinite dates, and years beyond Python's range, exist only as Arrow's numbers.
@pytest.mark.parametrize(
    ("source", "numbers", "expected"),
    [
        (pa.date32(), [2**31 - 1, -(2**31) + 1], [NOT_FINITE, NOT_FINITE]),
        (pa.date32(), [2932896, 2932897], ["9999-12-31T00:00:00Z", RANGE]),
        (pa.date32(), [-719162, -719163, -719528, -719529], ["0001-01-01T00:00:00Z", RANGE, RANGE, RANGE]),
        (pa.timestamp("us"), [2**63 - 1, -(2**63) + 1], [NOT_FINITE, NOT_FINITE]),
        (
            pa.timestamp("us"),
            [253402300799_999999, 253402300800_000000, -62135596800_000000, -62135596800_000001],
            ["9999-12-31T23:59:59Z", RANGE, "0001-01-01T00:00:00Z", RANGE],
        ),
        (
            pa.timestamp("us", tz="UTC"),
            [2**63 - 1, -(2**63) + 1, 253402300799_999999, 253402300800_000000, -62135596800_000001],
            [NOT_FINITE, NOT_FINITE, "9999-12-31T23:59:59Z", RANGE, RANGE],
        ),
    ],
)
def test_times_beyond_the_calendar(source: pa.DataType, numbers: list[int], expected: list[object]) -> None:
    width = pa.int32() if source == pa.date32() else pa.int64()
    column = pa.array(numbers, width).view(source)
    attributes = [attribute("date"), TypedAttribute("other", AttributeType.BOOLEAN)]
    schema = schema_of({"a": source, "other": pa.bool_()})
    base = batch_of(schema, [{"other": True}] * len(numbers))
    batch = base.set_column(base.schema.get_field_index("a"), pa.field("a", source), column)
    (result,) = render([batch], attributes, PROFILES.fragment)
    reasons = {note.position: Rejected(note.reason) for note in result.rejected}
    operations = result.rows.column("operation").to_pylist()
    found = [reasons.get(n) or attributes_of(op).get("date(a)") for n, op in enumerate(operations, 1)]
    assert found == expected


@pytest.mark.parametrize("source", [pa.int64(), pa.decimal128(38, 0)])
def test_integers_mapped_to_float(source: pa.DataType) -> None:
    (found,) = outcomes("float", source, [26])
    assert found == Raw("26.0")


def test_a_large_integer_as_a_float_is_accepted() -> None:
    outcomes("float", pa.decimal128(38, 0), [Decimal(10**37)])


# Rows


def test_inserts_updates_and_exits() -> None:
    attributes = [attribute(kind, kind) for kind in ("string", "integer", "date", "url", "string_array")]
    attributes.append(attribute("$email_address"))
    columns = {
        "string": pa.string(),
        "integer": pa.int64(),
        "date": pa.date32(),
        "url": pa.string(),
        "string_array": pa.list_(pa.string()),
        "batch__email_address": pa.string(),
    }
    names = ",".join(columns)
    full = {
        "string": "x",
        "integer": 1,
        "date": date(2024, 1, 1),
        "url": "a://b",
        "string_array": ["x"],
        "batch__email_address": "a@b.c",
    }
    sent = {
        "string": "x",
        "integer": 1,
        "date(date)": "2024-01-01T00:00:00Z",
        "url(url)": "a://b",
        "string_array": ["x"],
        "$email_address": "a@b.c",
    }
    nulls = dict.fromkeys(("string", "integer", "date", "url", "string_array", "$email_address"))
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        # An insert sends all values, whatever is listed.
        ({**full, "_batch_changed": ""}, sent),
        ({**full, "_batch_changed": names}, sent),
        ({"_batch_changed": names}, {}),
        ({"string": "", "url": "", "string_array": [], "integer": 0}, {"integer": 0}),
        # Updates and exits send the listed attributes, nulls under plain names.
        ({**full, "_batch_change": "update", "_batch_changed": names}, sent),
        ({**full, "_batch_change": "update", "_batch_changed": "integer"}, {"integer": 1}),
        ({**full, "_batch_change": "update", "_batch_changed": ""}, {}),
        ({"_batch_change": "update", "_batch_changed": names}, nulls),
        ({"_batch_change": "update", "_batch_changed": "date,url"}, {"date": None, "url": None}),
        (
            {"string": "", "_batch_change": "update", "_batch_changed": "string,string_array"},
            {"string": None, "string_array": None},
        ),
        ({"_batch_change": "exit", "_batch_changed": names}, nulls),
        ({"_batch_change": "exit", "_batch_changed": ""}, {}),
        ({**full, "_batch_change": "exit", "_batch_changed": "integer"}, {"integer": 1}),
    ]
    result = rendered([row for row, _ in rows], columns, attributes)
    assert result.rejected == ()
    operations = result.rows.column("operation").to_pylist()
    assert [attributes_of(operation) for operation in operations] == [expected for _, expected in rows]
    # A row with nothing to send has no operation, but is still a row.
    assert [operation is None for operation in operations] == [not expected for _, expected in rows]
    assert result.rows.column("extra").null_count == len(rows)


def test_a_name_inside_another_does_not_match() -> None:
    kinds = [TypedAttribute(name, AttributeType.INTEGER) for name in ("a", "aa", "a_a", "_a")]
    rows = [
        {each.name: 1 for each in kinds} | {"_batch_change": "update", "_batch_changed": each.name}
        for each in kinds
    ]
    result = rendered(rows, {each.name: pa.int64() for each in kinds}, kinds)
    assert [list(attributes_of(op)) for op in result.rows.column("operation").to_pylist()] == [
        [k.name] for k in kinds
    ]


def test_rejections_are_recorded_only_for_values_that_would_be_sent() -> None:
    kinds = [attribute("string", "a"), attribute("url", "b"), attribute("string", "c")]
    columns = {each.name: pa.string() for each in kinds}
    bad = {"a": "x" * 301, "b": "no", "c": "fine"}
    rows = [
        bad,
        {**bad, "_batch_change": "update", "_batch_changed": "b,c"},
        {**bad, "_batch_change": "update", "_batch_changed": "c"},
        {**bad, "_batch_change": "update", "_batch_changed": "a,b"},
    ]
    result = rendered(rows, columns, kinds)
    assert result.rejected == (
        RejectedValue(1, "00000", "a", "too_long"),
        RejectedValue(1, "00000", "b", "invalid_url"),
        RejectedValue(2, "00001", "b", "invalid_url"),
        RejectedValue(4, "00003", "a", "too_long"),
        RejectedValue(4, "00003", "b", "invalid_url"),
    )
    sent = [attributes_of(operation) for operation in result.rows.column("operation").to_pylist()]
    assert sent == [{"c": "fine"}, {"c": "fine"}, {"c": "fine"}, {}]


@pytest.mark.parametrize("count", [1, 51])
def test_identifiers_are_sent_unchanged(count: int) -> None:
    """With 51 attributes Python writes the identifier, with one attribute DuckDB does."""
    kinds = [TypedAttribute(f"a{n}", AttributeType.INTEGER) for n in range(count)]
    ids = [text for text in ODD_TEXTS if text.strip()] + ["x" * 511, "😀" * 511, 'O\'Brien "x"']
    rows = [{KEY: custom_id, **{each.name: 1 for each in kinds}} for custom_id in ids]
    result = rendered(rows, {each.name: pa.int64() for each in kinds}, kinds)
    operations, extra = (result.rows.column(name).to_pylist() for name in ("operation", "extra"))
    for custom_id, first, others in zip(ids, operations, extra, strict=True):
        assert len(others or ()) == (count > 50)
        for text in (first, *(others or ())):
            assert strict(text[:-1])["identifiers"] == {"custom_id": custom_id}


# Limits of an operation


def test_limits_of_an_operation() -> None:
    """The expected operations, by the number of arrays and other attributes in a row."""
    cases = {
        (0, 0): 0,
        (0, 50): 1,
        (0, 51): 2,
        (15, 35): 1,
        (15, 36): 2,
        (15, 0): 1,
        (16, 0): 2,
        (16, 34): 2,
        (16, 84): 2,
        (16, 85): 3,
        (1, 1): 1,
    }
    arrays = [TypedAttribute(f"t{n}", AttributeType.STRING_ARRAY) for n in range(16)]
    others = [TypedAttribute(f"i{n}", AttributeType.INTEGER) for n in range(85)]
    row: dict[str, Any] = {each.name: ["x"] for each in arrays} | {each.name: 1 for each in others}
    names = [[each.name for each in (*arrays[:a], *others[:o])] for a, o in cases]
    rows = [{**row, "_batch_change": "update", "_batch_changed": ",".join(sent)} for sent in names]
    columns = {each.name: pa.list_(pa.string()) for each in arrays} | {
        each.name: pa.int64() for each in others
    }
    result = rendered(rows, columns, [*others, *arrays])
    operations, extra = (result.rows.column(name).to_pylist() for name in ("operation", "extra"))
    for sent, count, first, more in zip(names, cases.values(), operations, extra, strict=True):
        found = [attributes_of(text) for text in (first, *(more or ())) if text is not None]
        assert len(found) == count, len(sent)
        assert all(0 < len(part) <= 50 for part in found)
        assert all(sum(name[0] == "t" for name in part) <= 15 for part in found)
        assert sorted(name for part in found for name in part) == sorted(sent), (
            "each attribute should be sent once"
        )
        assert all(value == row[name] for part in found for name, value in part.items())


def test_only_rows_over_the_limits_are_split() -> None:
    kinds = [TypedAttribute(f"i{n}", AttributeType.INTEGER) for n in range(52)]
    rows = [{each.name: 1 for each in kinds[:count]} for count in (50, 51, 0, 52, 1)]
    result = rendered(rows, {each.name: pa.int64() for each in kinds}, kinds)
    extra = result.rows.column("extra").to_pylist()
    assert [len(each or ()) for each in extra] == [0, 1, 0, 1, 0]
    assert [op is None for op in result.rows.column("operation").to_pylist()] == [
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("arrays", "others"), [(a, o) for a in (0, 1, 15, 16, 30, 31, 46) for o in (0, 1, 34, 35, 36, 50, 101)]
)
def test_split_makes_the_fewest_groups(arrays: int, others: int) -> None:
    given = [f"t{n}" for n in range(arrays)], [f"i{n}" for n in range(others)]
    groups = split(*given, PROFILES.fragment)
    assert sorted(name for group in groups for name in group) == sorted([*given[0], *given[1]])
    assert len(groups) == max(-(-(arrays + others) // 50), -(-arrays // 15))


# Batches


@pytest.mark.parametrize("batch_rows", [1, 1_000])
def test_rows_keep_their_order_across_batches(batch_rows: int) -> None:
    kinds = [
        attribute("$language"),
        attribute("$region"),
        attribute("$timezone"),
        attribute("integer", "n"),
        attribute("string_array", "tags"),
    ]
    columns = {each.name: pa.string() for each in kinds[:3]} | {
        "n": pa.int64(),
        "tags": pa.list_(pa.string()),
    }
    schema = schema_of(columns)
    languages, regions, zones = (words(Vocabulary(name)) for name in ("language", "region", "timezone"))
    sizes = (1, 0, 2047, 2048, 2049, 3, 0, 1, 5003)
    count = sum(sizes) if batch_rows > 1 else 300
    rows = [
        {
            KEY: f"{n:06}",
            "batch__language": languages[n % len(languages)] if n % 7 else "xx",
            "batch__region": regions[n % len(regions)],
            "batch__timezone": zones[n % len(zones)],
            "n": n,
            "tags": [str(n)] * (n % 4),
        }
        for n in range(count)
    ]

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for size in sizes:
            yield batch_of(schema, rows[start : start + size])
            start += size

    position = 0
    rejected: list[int] = []
    for result in render(batches(), kinds, PROFILES.fragment, batch_rows=batch_rows):
        read = result.rows
        texts = zip(*(read.column(name).to_pylist() for name in ("key", "operation")), strict=True)
        for place, (custom_id, operation) in enumerate(texts, position):
            assert custom_id == f"{place:06}"
            sent = json.loads(operation[:-1])["attributes"]
            assert sent["n"] == place
            assert sent["$timezone"] == zones[place % len(zones)]
            assert ("$language" in sent) is bool(place % 7)
        rejected += [note.position for note in result.rejected]
        position += read.num_rows
    assert position == count
    assert rejected == [n + 1 for n in range(count) if n % 7 == 0]


def test_no_rows() -> None:
    schema = schema_of({"a": pa.string()})
    for batches in ([], [batch_of(schema, [])]):
        assert (
            sum(each.rows.num_rows for each in render(batches, [attribute("string")], PROFILES.fragment)) == 0
        )


class Broken(Exception):
    """An error raised by the source itself."""


@pytest.mark.parametrize("error", [Broken("lost"), ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("good", [0, 1, 3])
def test_source_errors_are_raised_unchanged(error: BaseException, good: int) -> None:
    schema = schema_of({"a": pa.string()})

    def batches() -> Iterable[pa.RecordBatch]:
        for start in range(good):
            yield batch_of(schema, [{KEY: str(start), "a": "x"}])
        raise error

    with pytest.raises(type(error)) as raised:
        list(render(batches(), [attribute("string")], PROFILES.fragment))
    assert raised.value is error


def test_the_source_is_read_lazily() -> None:
    """Few batches are held at a time, whatever the number of rows."""
    schema = schema_of({"a": pa.string()})
    read = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for start in range(400):
            read += 1
            yield batch_of(schema, [{KEY: f"{start:03}{n:04}", "a": "x"} for n in range(500)])

    rendering = render(batches(), [attribute("string")], PROFILES.fragment, batch_rows=2_000)
    next(rendering)
    assert read < 100
    assert 2_000 <= sum(each.rows.num_rows for each in rendering) < 200_000
    assert read == 400


def test_wide_rows_are_rendered_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_batch_sync.payload.render.BATCH_BYTES", 10_000)
    schema = schema_of({"a": pa.string()})
    rows = [{KEY: str(number), "a": "x" * 300} for number in range(100)]
    sizes = [
        each.rows.num_rows
        for each in render([batch_of(schema, rows)], [attribute("string")], PROFILES.fragment)
    ]
    assert sum(sizes) == 100
    assert max(sizes) < 20
