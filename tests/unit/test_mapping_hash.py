"""The mapping's hash equals dbt's, and changes only with what is sent."""

from __future__ import annotations

import hashlib

import pytest

from dbt_batch_sync.mapping.mapping import Mapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

BASE: dict[str, object] = {
    "identifier": "customer_id",
    "standard": {"region": "country", "email_address": "email"},
    "custom": ["points", {"column": "site", "name": "website", "type": "url"}],
}


def parse(raw: object) -> Mapping:
    return parse_mapping("s", raw, "f.yml")


# Results of `local_md5(tojson(meta, sort_keys=true))` in dbt; see tests/integration/test_parity_with_dbt.py.
VECTORS: list[tuple[dict[str, object], str]] = [
    ({"identifier": "id", "custom": "all"}, '{"custom": "all", "identifier": "id"}'),
    (
        BASE,
        '{"custom": ["points", {"column": "site", "name": "website", "type": "url"}], '
        '"identifier": "customer_id", "standard": {"email_address": "email", "region": "country"}}',
    ),
    (
        {"kind": "profiles", "identifier": "é", "custom": [{"column": "ÀB", "name": "x"}]},
        '{"custom": [{"column": "\\u00c0B", "name": "x"}], "identifier": "\\u00e9", "kind": "profiles"}',
    ),
    (
        {
            **{"identifier": "id", "custom": ["a"], "guards": {"max_exit_ratio": 0.5}, "endpoint": "update"},
            **{"output": "prod", "shared": True, "membership": "m", "on_exit": "flag", "on_null": "keep"},
        },
        '{"custom": ["a"], "identifier": "id", "membership": "m", "on_exit": "flag", "on_null": "keep"}',
    ),
]


@pytest.mark.parametrize(("raw", "text"), VECTORS)
def test_the_hashed_text(raw: object, text: str) -> None:
    assert parse(raw).hash == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_recorded_hashes() -> None:
    assert [parse(raw).hash for raw, _ in VECTORS[:2]] == [
        "976156035596f2b9a5c4cd73aba9c6e4",
        "a4617e50af607d10c05fb94fcf8549af",
    ]


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(BASE.items())),
        {**BASE, "endpoint": "update"},
        {**BASE, "output": "prod"},
        {**BASE, "shared": True},
        {**BASE, "guards": {"min_rows": 5}},
    ],
)
def test_changes_that_keep_the_hash(same: object) -> None:
    assert parse(same).hash == parse(BASE).hash


@pytest.mark.parametrize(
    "other",
    [
        {**BASE, "identifier": "id"},
        {**BASE, "on_null": "keep"},
        {**BASE, "on_exit": "clear"},
        {**BASE, "standard": {"region": "country"}},
        {**BASE, "custom": "all"},
    ],
)
def test_changes_that_change_the_hash(other: object) -> None:
    assert parse(other).hash != parse(BASE).hash
