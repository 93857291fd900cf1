"""The patterns for e-mail addresses and phone numbers against the libraries they are derived from."""

from __future__ import annotations

import random
from collections.abc import Iterable

import duckdb
import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from harness.oracle import is_possible_phone

from dbt_batch_sync.kinds.attributes import STANDARD_RULES

PIECES = [
    *(
        "a",
        "B",
        "9",
        "-",
        ".",
        "_",
        "+",
        "@",
        "@",
        "'",
        '"',
        ":",
        ",",
        "<",
        ")",
        "[",
        "\\",
        "é",
        "😀",
        "x.io",
    ),
    *("\u200b", "\u2060", "\u00ad", "com", "example", "--", "..", "c" * 64),
]


def matching(values: Iterable[str], *patterns: str | None) -> set[str]:
    """The values that match all patterns."""
    query = "select unnest($values) as v"
    for number in range(len(patterns)):
        query = f"select v from ({query}) where regexp_full_match(v, $p{number})"
    given = {f"p{number}": pattern for number, pattern in enumerate(patterns)}
    with duckdb.connect() as connection:
        return {value for (value,) in connection.execute(query, {"values": list(values), **given}).fetchall()}


def is_an_address(text: str) -> bool:
    """Whether the library accepts the address's form. Special-use domains are allowed."""
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return "special-use" in str(error)
    return True


@pytest.fixture(scope="module")
def addresses() -> set[str]:
    """Random addresses that match Batch's own pattern."""
    choose = random.Random(1)
    found = set()
    for _ in range(20_000):
        name, domain = ("".join(choose.choices(PIECES, k=choose.randint(1, 4))) for _ in range(2))
        found |= {f"{name}@{domain}", f"{name}@{domain}.com"}
    return matching(found, STANDARD_RULES["email_address"].pattern)


def test_addresses_accepted_by_the_library_are_accepted(addresses: set[str]) -> None:
    taken = matching(addresses, STANDARD_RULES["email_address"].plausible)
    assert [each for each in addresses - taken if is_an_address(each)] == []
    assert len(taken) > 300
    assert len(addresses - taken) > 1_000


def test_addresses_rejected_by_the_library_are_rejected_except_rare_forms(addresses: set[str]) -> None:
    """For example, hyphens in a label's third and fourth position mark punycode."""
    taken = matching(addresses, STANDARD_RULES["email_address"].plausible)
    passed = [each for each in taken if not is_an_address(each)]
    assert [each for each in passed if "--" not in each.rpartition("@")[2]] == []


def test_phone_numbers_match_the_library() -> None:
    choose = random.Random(2)
    found = set()
    for code in (*phonenumbers.COUNTRY_CODE_TO_REGION_CODE, *range(1, 1000, 7)):
        for length in range(1, 16 - len(str(code))):
            rest = "".join(choose.choices("0123456789", k=length - 1))
            found.add(f"+{code}{choose.choice('123456789')}{rest}")
    rule = STANDARD_RULES["phone_number"]
    taken = matching(found, rule.plausible)
    assert taken == matching(taken, rule.pattern)
    assert [each for each in found - taken if is_possible_phone(each)] == []
    assert len(taken) > 500
    others = [each for each in taken if not is_possible_phone(each)]
    assert len(others) < len(taken) / 50, "the library would normalize them differently"
