"""What a plan shows of a value, and how long it says a push will take."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.batch_api.limits import Endpoint
from dbt_batch_sync.push.plan import mask, seconds_at_rate

DOT = "•"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("", ""),
        ("a", DOT),
        ("ab", DOT * 2),
        ("abc", f"a{DOT * 2}"),
        ("jane@b.co", f"j{DOT * 8}"),
        ("jane@b.com", f"j{DOT * 8} (10)"),
        ("é" * 300, f"é{DOT * 8} (300)"),
        (0, DOT),
        (12, DOT * 2),
        (123, f"1{DOT * 2}"),
        (-5, DOT * 2),
        (12.5, f"1{DOT * 3}"),
        (Decimal("1234567890.5"), f"1{DOT * 8} (12)"),
        (date(1989, 7, 20), f"1989-{DOT * 2}-{DOT * 2}"),
        (datetime(1989, 7, 20, 1, 2, 3), f"1989-{DOT * 2}-{DOT * 2}"),
        (datetime(1989, 7, 20, tzinfo=timezone.utc), f"1989-{DOT * 2}-{DOT * 2}"),
        ([], "[0 items]"),
        (["secret", None], "[2 items]"),
        (("secret",), "[1 items]"),
    ],
)
def test_mask(value: object, shown: str) -> None:
    assert mask(value) == shown


@given(st.text(alphabet=st.characters(exclude_characters=DOT), max_size=400))
def test_a_text_shows_its_first_character_and_its_size(text: str) -> None:
    shown = mask(text)
    size = f" ({len(text)})" if len(text) > 9 else ""
    assert shown.endswith(size)
    head = shown.removesuffix(size)
    assert head.replace(DOT, "") in ("", text[:1])
    assert len(head) <= 9


@given(
    st.one_of(
        st.integers(), st.floats(), st.decimals(), st.uuids(), st.binary(max_size=40), st.times(),
        st.dictionaries(st.text(), st.text(), max_size=2), st.sets(st.integers(), max_size=4),
    )
)  # fmt: skip
def test_any_other_value_is_shown_as_its_text_would_be(value: object) -> None:
    assert mask(value) == mask(str(value))


@given(st.lists(st.text(min_size=3), max_size=30))
def test_a_list_shows_nothing_of_its_items(items: list[str]) -> None:
    assert mask(items) == mask(tuple(items)) == f"[{len(items)} items]"


@given(st.one_of(st.dates(), st.datetimes(), st.datetimes(timezones=st.timezones())))
def test_a_date_shows_its_year(value: date) -> None:
    assert mask(value) == f"{value.year}-{DOT * 2}-{DOT * 2}"


@pytest.mark.parametrize(
    ("profiles", "endpoint", "given_rate", "seconds"),
    [
        # 300 a second behind a burst of 1,000, at 99 %.
        (0, Endpoint.UPDATE, None, 0.0),
        (1_000, Endpoint.UPDATE, None, 0.0),
        (1_297, Endpoint.UPDATE, None, 1.0),
        (10_000, Endpoint.UPDATE, None, 30.3),
        # 10,000 a second: the first call goes at once.
        (10_000, Endpoint.MASS_UPDATE, None, 0.5),
        (19_900, Endpoint.MASS_UPDATE, None, 1.5),
        (1_000_000, Endpoint.MASS_UPDATE, None, 100.5),
        # A rate of one's own, with a call or a second of it at once.
        (1_200, Endpoint.UPDATE, 100.0, 10.0),
        (1_200, Endpoint.UPDATE, 500.0, 1.4),
        (1_000_000, Endpoint.UPDATE, 0.0, 0.0),
        (10_001, Endpoint.MASS_UPDATE, 0.5, 10_002.0),
    ],
)
def test_seconds_at_rate(profiles: int, endpoint: Endpoint, given_rate: float | None, seconds: float) -> None:
    assert seconds_at_rate(profiles, endpoint, given_rate) == seconds
