"""Objects and arrays of objects: which JSON is sent, and why values are rejected."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from dbt_batch_sync.payload.objects import checked, checked_objects

LONG = "x" * 300
MANY = {f"a{number}": number for number in range(20)}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (
            '{"name": "Tee", "price": 23.99, "left": 3, "new": true}',
            '{"name":"Tee","price":23.99,"left":3,"new":true}',
        ),
        ('[{"name": "Tee"}, {"name": "Cap"}]', '[{"name":"Tee"},{"name":"Cap"}]'),
        ('["a", "é"]', '["a","é"]'),
        (r'{"a": "\ud83d\ude00"}', '{"a":"😀"}'),
        ('{"a": {"b": 1}}', '{"a":{"b":1}}'),
        ('{"date(since)": "2026-02-28T10:00:00Z", "url(page)": "https://example.com/a?b#c"}', None),
        (json.dumps({"text": LONG}), None),
        (json.dumps({"url(a)": f"https://a.example/{'x' * 2030}"}), None),
        (json.dumps(MANY), None),
        (json.dumps(["x"] * 25), None),
        ('{"n": -9223372036854775808, "x": 1e300}', '{"n":-9223372036854775808,"x":1e+300}'),
    ],
)
def test_valid_objects_are_sent_unchanged(value: str, sent: str | None) -> None:
    assert checked(value) == (sent or json.dumps(json.loads(value), separators=(",", ":")))


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ('{"a": null, "b": 1}', '{"b":1}'),
        ('{"a": "", "b": {}, "c": [], "d": [null], "e": 0}', '{"e":0}'),
        ('[null, {"a": 1}, {}]', '[{"a":1}]'),
        ('["a", "", null]', '["a"]'),
        ('{"url(a)": "", "date(b)": null, "c": 1}', '{"c":1}'),
        ('{"date(a)": null, "a": 1}', '{"a":1}'),
        ("{}", None),
        ("[]", None),
        ("null", None),
        ("", None),
        ("  ", None),
    ],
)
def test_nulls_and_empty_values_are_omitted(value: str, sent: str | None) -> None:
    assert checked(value) == sent


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ("3", "not_an_object"),
        ('"text"', "not_an_object"),
        ("[1]", "not_an_object"),
        ('[{"a": 1}, 2]', "not_an_object"),
        ('{"a": {"b": {"c": 1}}}', "too_deep"),
        ('[{"a": [{"b": {"c": 1}}]}]', "too_deep"),
        ('{"Name": 1}', "invalid_name"),
        (json.dumps({"a" * 31: 1}), "invalid_name"),
        ('{"number(a)": 1}', "invalid_name"),
        ('{"date(a)": "2026-02-28T10:00:00Z", "a": 1}', "duplicate_name"),
        ('{"date(a)": "2026-02-28T10:00:00Z", "url(a)": "https://example.com"}', "duplicate_name"),
        (json.dumps({**MANY, "one_more": 1}), "too_many_attributes"),
        (json.dumps(["x"] * 26), "too_many_items"),
        (json.dumps([{"a": 1}] * 26), "too_many_items"),
        ('["a", {"b": 1}]', "mixed_array"),
        ('[["a"]]', "nested_array"),
        (json.dumps({"a": LONG + "x"}), "too_long"),
        (r'{"a": "x\ud800"}', "invalid_text"),
        (r'["\udc00x"]', "invalid_text"),
        (r'{"a\ud800": 1}', "invalid_name"),
        (r'{"url(a)": "https://example.com/\ud800"}', "invalid_text"),
        ('{"a": 9223372036854775808}', "out_of_range"),
        ('{"a": NaN}', "not_finite"),
        ('{"a": 1e999}', "not_finite"),
        ('{"url(a)": "example.com"}', "invalid_url"),
        (json.dumps({"url(a)": f"https://a.example/{'x' * 2031}"}), "too_long"),
        ('{"date(a)": "2026-02-30T10:00:00Z"}', "not_a_date"),
        ('{"date(a)": "2026-02-28"}', "not_a_date"),
    ],
)
def test_invalid_objects_are_rejected_with_a_reason(value: str, reason: str) -> None:
    assert checked(value) == f"!{reason}"


def test_a_column_keeps_its_order_and_its_nulls() -> None:
    column = pa.array(['{"a": 1}', None, "3", '{"a": 1}', "{}"])
    assert checked_objects(column).to_pylist() == ['{"a":1}', None, "!not_an_object", '{"a":1}', None]
