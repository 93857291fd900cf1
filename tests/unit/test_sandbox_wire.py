"""Strict parsing of JSON bodies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_batch_sync.sandbox.wire import MalformedBodyError, parse_body


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b"[]", []),
        (b'{"a": null}', {"a": None}),
        (b' \n[1, "a", null, true, 1.0] ', [1, "a", None, True, 1.0]),
        (b'[{"a": {"b": []}}]', [{"a": {"b": []}}]),
        ('["é😀"]'.encode(), ["é😀"]),
        (b'["\\ud83d\\ude00 \\\\ud800"]', ["😀 \\ud800"]),
        (b'["\\u0000"]', ["\x00"]),
        (b'[{"a": 1, "b": {"a": 1}}]', [{"a": 1, "b": {"a": 1}}]),
    ],
)
def test_accepted(body: bytes, parsed: object) -> None:
    assert parse_body(body) == parsed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"[1,]", "not valid JSON"),
        (b"[1] [2]", "not valid JSON"),
        (b"[01]", "not valid JSON"),
        (b"['a']", "not valid JSON"),
        (b"[NaN]", "NaN and Infinity"),
        (b"[Infinity]", "NaN and Infinity"),
        (b"[-Infinity]", "NaN and Infinity"),
        (b'[{"a": 1, "a": 1}]', "same key twice"),
        (b'[{"x": [{"a": 1, "b": 2, "a": 3}]}]', "same key twice"),
        (b'[{"a": 1, "\\u0061": 2}]', "same key twice"),
        (b'["a\nb"]', "not valid JSON"),
        (b'["\xff"]', "UTF-8"),
        (b'["\xed\xa0\x80"]', "UTF-8"),
        (b'["\\ud800"]', "UTF-8"),
        (b'[{"\\uDC00": 1}]', "UTF-8"),
        (b"\xef\xbb\xbf[]", "not valid JSON"),
        ("[]".encode("utf-16"), "UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5_000 + b"]", "too long"),
    ],
)
def test_refused(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedBodyError, match=reason):
        parse_body(body)


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


@settings(max_examples=50)
@given(
    st.lists(
        st.recursive(
            _scalars,
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_standard_json_round_trips(document: list[object]) -> None:
    assert parse_body(json.dumps(document).encode()) == document


@given(st.binary())
def test_no_body_breaks_the_parser(body: bytes) -> None:
    try:
        parse_body(body)
    except MalformedBodyError:
        return
