"""Searching profiles, members and items."""

from __future__ import annotations

import pytest

from dbt_batch_sync.sandbox.search import parse
from dbt_batch_sync.sandbox.values import TypedValue

HELD = {
    "city": TypedValue("string", "Paris 11e"),
    "$language": TypedValue("string", "fr"),
    "points": TypedValue("integer", 120),
    "vip": TypedValue("boolean", True),
    "tags": TypedValue("string_array", ("bread", "Cake")),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("c-1", True),
        ("C-2", False),
        ("paris", True),
        ("city:paris", True),
        ("city:oslo", False),
        ("points:12", True),
        ("points:paris", False),
        ("other:paris", False),
        ("vip:true", True),
        ("tags:cake", True),
        ("$language:fr", True),
        ("language:fr", True),
        ("Language:FR", True),
        ("$City:paris", True),
        ("anguage:fr", False),
        ('"paris 11e"', True),
        ('city:"paris 11e"', True),
        ('"paris 12e"', False),
        ("paris cake", True),
        ("paris oslo", False),
        ("crm:c-1", True),
    ],
)
def test_every_term_must_match(text: str, found: bool) -> None:
    assert parse(text).matches("crm:C-1", HELD) is found
