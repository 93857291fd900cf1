"""Resolving a mapping against a sync's columns."""

from __future__ import annotations

import pytest

from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.kinds.attributes import AttributeType
from dbt_batch_sync.mapping.mapping import Attribute, OnNull
from dbt_batch_sync.mapping.mapping_reader import parse_mapping


def resolve(raw: object, columns: list[str]) -> tuple[Attribute, ...]:
    return parse_mapping("s", raw, "models/s.yml").resolve(columns)


def problems(raw: object, columns: list[str]) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as caught:
        resolve(raw, columns)
    assert all((each.file, each.model) == ("models/s.yml", "s") for each in caught.value.problems)
    return [(each.key, each.message) for each in caught.value.problems]


def pairs(attributes: tuple[Attribute, ...]) -> list[tuple[str, str]]:
    return [(each.column, each.name) for each in attributes]


def test_columns_have_the_spelling_of_the_sync() -> None:
    raw = {
        "identifier": "id",
        "standard": {"region": "country"},
        "custom": [{"column": "SITE", "name": "w", "type": "url"}],
    }
    assert resolve(raw, ["ID", "Country", "site", "unused"]) == (
        Attribute("Country", "batch__region", None, OnNull.CLEAR),
        Attribute("site", "w", AttributeType.URL, OnNull.CLEAR),
    )


def test_the_membership_comes_last_and_has_no_column() -> None:
    raw = {"identifier": "id", "custom": ["a"], "membership": "m", "on_exit": "flag", "on_null": "keep"}
    assert resolve(raw, ["id", "a"])[-1] == Attribute("", "m", AttributeType.BOOLEAN, OnNull.KEEP)


def test_all_means_every_column_not_used_or_excluded() -> None:
    raw = {
        "identifier": "ID",
        "standard": {"region": "Country"},
        "custom": "all",
        "exclude": ["note"],
        "on_null": "keep",
    }
    found = resolve(raw, ["id", "B", "COUNTRY", "a", "NOTE"])
    assert pairs(found) == [("COUNTRY", "batch__region"), ("B", "b"), ("a", "a")]
    assert found[1] == Attribute("B", "b", None, OnNull.KEEP)


def test_an_exactly_spelled_column_wins() -> None:
    raw = {"identifier": "id", "custom": [{"column": "Email", "name": "a"}, {"column": "email", "name": "b"}]}
    assert pairs(resolve(raw, ["id", "Email", "email"])) == [("Email", "a"), ("email", "b")]


def test_exclude_prefers_an_exact_spelling() -> None:
    assert pairs(
        resolve({"identifier": "id", "custom": "all", "exclude": ["Email"]}, ["id", "Email", "email"])
    ) == [("email", "email")]


@pytest.mark.parametrize(
    ("raw", "columns", "key", "words"),
    [
        ({"identifier": "id", "custom": ["a"]}, ["a"], "identifier", ("no column `id`", "`a`")),
        (
            {"identifier": "id", "custom": ["emial"]},
            ["id", "email"],
            "custom[0]",
            ("`emial` (did you mean `email`?)",),
        ),
        ({"identifier": "id", "custom": ["emial"]}, ["ID", "EMAIL"], "custom[0]", ("did you mean `EMAIL`",)),
        ({"identifier": "id", "standard": {"region": "c"}}, ["id"], "standard.region", ("no column `c`",)),
        (
            {"identifier": "id", "custom": "all", "exclude": ["x"]},
            ["id", "a"],
            "exclude[0]",
            ("no column `x`",),
        ),
        (
            {"identifier": "id", "custom": ["EMAIL"]},
            ["id", "Email", "email"],
            "custom[0]",
            ("could be `Email`, `email`",),
        ),
        ({"identifier": "id", "custom": "all"}, ["id"], "custom", ("no column to send",)),
        (
            {"identifier": "id", "custom": "all"},
            ["id", "a", "Loyalty Points"],
            "custom",
            ("`Loyalty Points` is not a valid attribute name", "`exclude`", "name: loyalty_points}"),
        ),
        (
            {"identifier": "id", "custom": "all"},
            ["id", "a", "batch__x"],
            "custom",
            ("reserved", "name: batch_x}"),
        ),
        (
            {"identifier": "id", "custom": "all"},
            ["id", "a", "_batch_x"],
            "custom",
            ("reserved", "name: batch_x}"),
        ),
        (
            {"identifier": "id", "custom": "all"},
            ["id", "a", "CUSTOM_ID"],
            "custom",
            ("reserved", "name: source_id}"),
        ),
        ({"identifier": "id", "custom": "all"}, ["id", "A", "a"], "custom", ("`A`, `a`", "one attribute")),
        (
            {"identifier": "id", "custom": "all", "membership": "m", "on_exit": "flag"},
            ["id", "a", "M"],
            "membership",
            ("column `M`", "`exclude`"),
        ),
    ],
)
def test_a_problem(raw: object, columns: list[str], key: str, words: tuple[str, ...]) -> None:
    ((found, message),) = problems(raw, columns)
    assert found == f"batch_sync.{key}"
    assert all(word in message for word in words), message


def test_all_problems_are_reported_at_once() -> None:
    raw = {"identifier": "id", "standard": {"region": "r"}, "custom": ["a", "b"]}
    assert [key for key, _ in problems(raw, ["x"])] == [
        "batch_sync.identifier",
        "batch_sync.standard.region",
        "batch_sync.custom[0]",
        "batch_sync.custom[1]",
    ]


def test_the_columns_of_a_wide_sync_are_shortened() -> None:
    for more, end in (
        (99, "`c18` and 80 more"),
        (20, "`c18` and 1 more"),
        (19, "`c18`"),
        (2, "`id`, `c0`, `c1`"),
    ):
        columns = ["id", *(f"c{number}" for number in range(more))]
        ((_, message),) = problems({"identifier": "id", "custom": ["x"]}, columns)
        assert message.endswith(end)


def test_an_identifier_named_custom_id_is_not_exported() -> None:
    assert pairs(resolve({"identifier": "custom_id", "custom": "all"}, ["custom_id", "a"])) == [("a", "a")]
