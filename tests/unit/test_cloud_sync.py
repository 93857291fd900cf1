"""Converting Cloud Sync's column prefixes to a mapping."""

from __future__ import annotations

import pytest
import yaml

from dbt_batch_sync.kinds.attributes import AttributeType
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.scaffold.cloud_sync import TYPED, mapping_yaml

COLUMNS = [
    "custom_id",
    "last_updated_at",
    "batch__email_address",
    "plan",
    "date__birthday",
    "url__avatar",
    "is_vip",
]


def read(text: str) -> dict[str, object]:
    (model,) = yaml.safe_load(text)["models"]
    found: dict[str, object] = model["config"]["meta"]["batch_sync"]
    return found


def test_a_table_of_cloud_sync() -> None:
    text = mapping_yaml("people", COLUMNS)
    assert read(text) == {
        "identifier": "custom_id",
        "standard": {"email_address": "batch__email_address"},
        "custom": [
            "plan",
            {"column": "date__birthday", "name": "birthday", "type": "date"},
            {"column": "url__avatar", "name": "avatar", "type": "url"},
            "is_vip",
        ],
    }
    parse_mapping("people", read(text), "models/people.yml")
    assert "# last_updated_at is not needed" in text


def test_typed_prefixes_are_types() -> None:
    assert set(TYPED.values()) <= {each.value for each in AttributeType}


@pytest.mark.parametrize(
    ("columns", "comment", "custom"),
    [
        (["batch__shoe_size", "plan"], "batch__shoe_size", ["plan"]),
        (["plan"], "expects a column custom_id", ["plan"]),
        (
            ["birthday", "date__birthday"],
            "another column is the attribute birthday: date__birthday",
            ["birthday"],
        ),
    ],
)
def test_unsupported_columns_become_comments(columns: list[str], comment: str, custom: list[object]) -> None:
    text = mapping_yaml("people", columns)
    assert comment in text
    assert read(text)["custom"] == custom


@pytest.mark.parametrize(
    ("column", "entry"),
    [
        ("Loyalty Points", {"column": "Loyalty Points", "name": "loyalty_points"}),
        ("DATE__BIRTHDAY", {"column": "DATE__BIRTHDAY", "name": "birthday", "type": "date"}),
        ("on", "on"),
        ("a: b", {"column": "a: b", "name": "a_b"}),
    ],
)
def test_a_column(column: str, entry: object) -> None:
    assert read(mapping_yaml("people", [column]))["custom"] == [entry]


def test_columns_in_upper_case() -> None:
    text = mapping_yaml("people", [each.upper() for each in COLUMNS])
    assert "expects" not in text
    assert "# last_updated_at is not needed" in text
    found = parse_mapping("people", read(text), "models/people.yml")
    assert found.identifier.lower() == "custom_id"
