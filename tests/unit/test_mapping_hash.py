"""The mapping's hash: for ever the same for the same mapping, another one if something else is sent."""

from __future__ import annotations

import hashlib

import pytest

from dbt_batch_sync.mapping.mapping import Location, Mapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

BASE: dict[str, object] = {
    "identifier": "customer_id",
    "standard": {"region": "country", "email_address": "email"},
    "custom": [
        "points",
        {"column": "site", "name": "website", "type": "url"},
        {"column": "nick", "on_null": "keep"},
    ],
}
ALL: dict[str, object] = {"identifier": "customer_id", "custom": "all", "exclude": ["b", "a"]}


def parse(raw: object) -> Mapping:
    return parse_mapping("s", raw, Location("f.yml", "s"))


# Recorded once: a stored `_batch_mapping` of an older release must still be recognised.
@pytest.mark.parametrize(
    ("raw", "recorded"),
    [
        (BASE, "769f196380d871c02f19e7fefda14c43"),
        (ALL, "923b6bf612b0cb95ab25f3cf4128bd14"),
        (
            {**BASE, "on_null": "keep", "on_exit": "flag", "membership": "in_crm"},
            "2d7aab1e8091568dc1ad6ede4d2041ba",
        ),
        ({"identifier": "é", "custom": [{"column": "ÀB", "name": "x"}]}, "a13d2f966620759e79539d677a5dc511"),
    ],
)
def test_recorded_hashes(raw: object, recorded: str) -> None:
    assert parse(raw).hash == recorded


def test_the_sequence_that_is_hashed() -> None:
    texts = ["v1", "customer_id", "clear", "ignore", ""]
    texts += ["standard", "email_address", "email", "standard", "region", "country"]
    texts += ["custom", "nick", "nick", "", "keep"]
    texts += ["custom", "points", "points", "", "clear"]
    texts += ["custom", "site", "website", "url", "clear"]
    written = "".join(f"{len(text)}:{text}" for text in texts)
    assert parse(BASE).hash == hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()


def test_the_sequence_of_all_columns() -> None:
    texts = ["v1", "customer_id", "clear", "ignore", "", "all", "exclude", "a", "exclude", "b"]
    written = "".join(f"{len(text)}:{text}" for text in texts)
    assert parse(ALL).hash == hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        {**BASE, "identifier": "CUSTOMER_ID"},
        {**BASE, "standard": {"email_address": "EMAIL", "region": "country"}},
        {**BASE, "custom": list(reversed(BASE["custom"]))},  # type: ignore[call-overload]
        {**BASE, "custom": ["Points", *BASE["custom"][1:]]},  # type: ignore[index]
        {**BASE, "endpoint": "update"},
        {**BASE, "output": "prod"},
        {**BASE, "guards": {"min_rows": 5}},
        {**BASE, "on_null": "clear", "on_exit": "ignore", "membership": None},
    ],
)
def test_what_does_not_change_it(same: object) -> None:
    assert parse(same).hash == parse(BASE).hash


def test_the_order_and_case_of_the_excluded_does_not_change_it() -> None:
    assert parse({**ALL, "exclude": ["A", "b"]}).hash == parse(ALL).hash


def test_whatever_changes_what_is_sent_changes_it() -> None:
    custom = BASE["custom"]
    assert isinstance(custom, list)
    others: list[object] = [
        BASE,
        {**BASE, "identifier": "id"},
        {**BASE, "on_null": "keep"},
        {**BASE, "on_exit": "clear"},
        {**BASE, "on_exit": "clear", "membership": "m"},
        {**BASE, "on_exit": "flag", "membership": "m"},
        {**BASE, "on_exit": "flag", "membership": "n"},
        {**BASE, "standard": {"region": "country"}},
        {**BASE, "standard": {"region": "email", "email_address": "country"}},
        {**BASE, "standard": {"region": "country", "language": "email"}},
        {**BASE, "custom": custom[1:]},
        {**BASE, "custom": ["score", *custom[1:]]},
        {**BASE, "custom": [{"column": "points", "name": "p"}, *custom[1:]]},
        {**BASE, "custom": [{"column": "p", "name": "points"}, *custom[1:]]},
        {**BASE, "custom": [{"column": "points", "type": "integer"}, *custom[1:]]},
        {**BASE, "custom": [{"column": "points", "on_null": "keep"}, *custom[1:]]},
        {**BASE, "custom": "all"},
        {**BASE, "custom": "all", "exclude": ["a"]},
        {**BASE, "custom": "all", "exclude": ["a", "b"]},
        {**BASE, "custom": "all", "exclude": ["ab"]},
    ]
    hashes = [parse(each).hash for each in others]
    assert len(set(hashes)) == len(hashes)
