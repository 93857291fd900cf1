"""Random people, valid and invalid: every column type that warehouses have and Batch accepts. Seeded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

COLUMNS = {
    "id": "varchar",
    "email": "varchar",
    "optin": "boolean",
    "phone": "varchar",
    "sms": "varchar",
    "lang": "varchar",
    "country": "varchar",
    "zone": "varchar",
    "topics": "varchar[]",
    "nick": "varchar",
    "tiny": "tinyint",
    "big": "bigint",
    "unsigned": "ubigint",
    "huge": "hugeint",
    "price": "decimal(18,4)",
    "exact": "decimal(38,0)",
    "ratio": "double",
    "single": "float",
    "vip": "boolean",
    "born": "date",
    "seen_at": "timestamp",
    "zoned_at": "timestamptz",
    "coarse_at": "timestamp_s",
    "fine_at": "timestamp_ns",
    "site": "varchar",
    "tags": "varchar[]",
    "token": "uuid",
    "level": "enum('low', 'high')",
    "note": "json",
}
"""Columns with their DuckDB types."""

STANDARD = {
    "email_address": "email",
    "email_marketing": "optin",
    "phone_number": "phone",
    "sms_marketing": "sms",
    "language": "lang",
    "region": "country",
    "timezone": "zone",
    "topic_preferences": "topics",
}

KINDS = {
    **{column: f"${name}" for name, column in STANDARD.items()},
    "nick": "string",
    "tiny": "integer",
    "big": "integer",
    "unsigned": "integer",
    "huge": "integer",
    "price": "float",
    "exact": "integer",
    "ratio": "float",
    "single": "float",
    "vip": "boolean",
    "born": "date",
    "seen_at": "date",
    "zoned_at": "date",
    "coarse_at": "date",
    "fine_at": "date",
    "site": "url",
    "tags": "string_array",
    "token": "string",
    "level": "string",
    "note": "string",
}
"""The kind of each column, as in `oracle.expected`."""

MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": STANDARD,
    "custom": [
        {"column": name, "type": kind} if name in ("site", "note") else name
        for name, kind in KINDS.items()
        if not kind.startswith("$")
    ],
}

TEXTS = (
    "Zoé",
    "O'Brien",
    'the "boss"',
    "back\\slash \\n \\u0041",
    "😀👩‍👩‍👧 🇫🇷",
    "عربى",
    "日本語",
    "line\nfeed\r\n",
    "tab\tbell\x07esc\x1b[31m\x7f",
    "nul\x00inside",
    "\u2028\u2029\ufeff",
    "</script><!--",
    "'; drop table people; --",
    "{{ jinja }} {% raw %}",
    "null",
    " ",
    "  padded  ",
    "%s ${x} $1 ?",
    ",a,b,,",
    "é" * 300,
    "😀" * 300,
)
LONG_TEXTS = ("x" * 301, "😀" * 301)
_UTC = timezone.utc
_FLOATS = (0.0, -0.0, 0.1, -2.5, 5.0, 1e300, 5e-324, 1.7976931348623157e308, 123456789.123, 2.0**53 + 2)
_MOMENTS = (
    datetime(1970, 1, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 2, 29, 12, 30, 15, 123456),
    datetime(1, 1, 1),
    datetime(1582, 10, 10, 5),
    datetime(2200, 12, 31, 23, 59, 59),
)


def people(number: int, seed: int = 20240229) -> list[dict[str, object]]:
    """`number` rows with unique custom_ids. One value in forty is invalid."""
    chance = random.Random(seed)
    return [_person(chance, place) for place in range(number)]


def _person(chance: random.Random, place: int) -> dict[str, object]:
    cells: dict[str, object] = {
        "email": _pick(
            chance, [f"p{place}@example.com", "ü+tag@sub-domain.example"], ["a@b", "a b@c.fr", "@c.fr"]
        ),
        "optin": chance.random() < 0.5,
        "phone": _pick(
            chance,
            [f"+336{place:08d}", "+12025550123"],
            ["0612345678", "+", "+1", "+1234567890123456", "+٣٣"],
        ),
        "sms": _pick(chance, ["subscribed", "unsubscribed"], ["yes", "Subscribed", " subscribed"]),
        "lang": _pick(chance, ["fr", "en", "ja"], ["FR", "fra", "xx"]),
        "country": _pick(chance, ["FR", "US", "GB"], ["fr", "UK", "FRA"]),
        "zone": _pick(
            chance, ["Europe/Paris", "UTC", "America/Argentina/Ushuaia"], ["Paris", "europe/paris"]
        ),
        "topics": _pick(chance, [["news"], ["a_1", "b"], []], [["News"], ["a", ""], ["t"] * 26]),
        "nick": _pick(chance, [*TEXTS, ""], LONG_TEXTS),
        "tiny": chance.randrange(-128, 128),
        "big": chance.choice([0, 2**63 - 1, -(2**63), 2**53 + 1, place]),
        "unsigned": _pick(chance, [0, 2**63 - 1], [2**63, 2**64 - 1]),
        "huge": _pick(
            chance, [str(2**63 - 1), str(-(2**63)), "7"], [str(2**63), str(2**127 - 1), str(-(2**127))]
        ),
        "price": chance.choice(
            [Decimal("12.3400"), Decimal("-0.0001"), Decimal("99999999999999.9999"), Decimal(3)]
        ),
        "exact": _pick(chance, [Decimal(2**63 - 1), Decimal(-5)], [Decimal(2**63), Decimal(10) ** 37]),
        "ratio": _pick(chance, _FLOATS, [float("inf"), float("-inf"), float("nan")]),
        "single": _pick(chance, [1.5, -0.25, 1024.0], [float("nan")]),
        "vip": chance.random() < 0.5,
        "born": chance.choice(
            [date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), date(1990, 1, place % 28 + 1)]
        ),
        "seen_at": chance.choice(_MOMENTS),
        "zoned_at": chance.choice(_MOMENTS[:3]).replace(tzinfo=_zone(chance)),
        "coarse_at": chance.choice(_MOMENTS).replace(microsecond=0),
        "fine_at": chance.choice(_MOMENTS[:3]),
        "site": _pick(chance, _URLS, ["example.com", "https://", "http://a b.fr", "//x", "https://x\n.fr"]),
        "tags": _pick(
            chance, [["x"], list(TEXTS), ["é" * 300], ["t"] * 25, []], [["t"] * 26, ["a", ""], ["x" * 301]]
        ),
        "token": f"00000000-0000-4000-8000-{place:012d}",
        "level": chance.choice(["low", "high"]),
        "note": chance.choice(['{"a": [1, "x"]}', '"text"', "[]", "1.50"]),
    }
    known = {name: None if chance.random() < 0.1 else cell for name, cell in cells.items()}
    return {"id": f"{chance.choice(_IDS)}{place}", **known}


_IDS = ("", "user-", "é/", "日本 ", '"', "'", "😀", "a,b;", "\u00a0", "0", "NULL_", "{{x}}")
_URLS = (
    "https://example.com",
    "https://user:pw@example.com:8080/é?q=😀#x",
    "app+x://host/path",
    "http://[::1]/",
    "https://例え.jp/" + "a" * 2030,
)


def _zone(chance: random.Random) -> timezone:
    return timezone(timedelta(minutes=chance.choice([0, 60, -210, 345, 765])))


def _pick(chance: random.Random, good: Sequence[object], bad: Sequence[object]) -> object:
    return chance.choice(bad if chance.random() < 0.025 else good)
