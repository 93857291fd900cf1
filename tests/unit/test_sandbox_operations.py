"""One operation: identifiers, limits, rejected attributes and rejected operations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.sandbox.operations import Operation, read_operation
from dbt_batch_sync.sandbox.values import ArrayChange, BrokenRuleError, TypedValue

WHO = {"custom_id": "jane"}


def attributes(values: dict[str, object]) -> Operation:
    return read_operation({"identifiers": WHO, "attributes": values})


@pytest.mark.parametrize(
    "custom_id",
    [
        "a",
        "a" * 511,
        "😀" * 511,
        "jane@example.com",
        " jane ",
        "0",
        "nullable",
        "a\tb",
        "a\u2028b",
        "-",
        "NaNa",
    ],
)
def test_custom_id_accepted(custom_id: str) -> None:
    assert read_operation({"identifiers": {"custom_id": custom_id}}).custom_id == custom_id


@pytest.mark.parametrize(
    "custom_id",
    [
        "",
        " ",
        "\t \u00a0",
        "a" * 512,
        "a\nb",
        "a\r",
        "\n",
        *(
            "undefined",
            "null",
            "nil",
            "(null)",
            "[object object]",
            "true",
            "false",
            "nan",
            "infinity",
            "-infinity",
        ),
        *("NULL", "NaN", "[object Object]", "True", "-Infinity", "Nil"),
        None,
        1,
        True,
        ["a"],
        {},
    ],
)
def test_custom_id_refused(custom_id: object) -> None:
    with pytest.raises(BrokenRuleError) as broken:
        read_operation({"identifiers": {"custom_id": custom_id}, "attributes": {"a": 1}})
    assert broken.value.category == "INVALID_IDENTIFIER"


@pytest.mark.parametrize(
    ("operation", "category"),
    [
        (None, "INVALID_OPERATION"),
        ("jane", "INVALID_OPERATION"),
        ([], "INVALID_OPERATION"),
        ({}, "INVALID_IDENTIFIER"),
        ({"identifiers": None}, "INVALID_IDENTIFIER"),
        ({"identifiers": {}}, "INVALID_IDENTIFIER"),
        ({"identifiers": {"email": "a@b.c"}}, "INVALID_IDENTIFIER"),
        ({"identifiers": {"custom_id": "a", "installation": "b"}}, "INVALID_IDENTIFIER"),
        ({"identifiers": {"custom_id": "a", "other": 1}}, "INVALID_IDENTIFIER"),
        ({"identifiers": {"installation": ""}}, "INVALID_IDENTIFIER"),
        ({"identifiers": WHO, "attribute": {}}, "INVALID_OPERATION"),
        ({"identifiers": WHO, "attributes": None}, "INVALID_OPERATION"),
        ({"identifiers": WHO, "attributes": []}, "INVALID_OPERATION"),
        ({"identifiers": WHO, "attributes": {f"a{n}": 1 for n in range(51)}}, "TOO_MANY_ATTRIBUTES"),
        ({"identifiers": WHO, "attributes": {f"a{n}": None for n in range(51)}}, "TOO_MANY_ATTRIBUTES"),
        ({"identifiers": WHO, "events": {"name": "added_to_cart"}}, "TOO_MANY_EVENTS"),
        ({"identifiers": WHO, "events": [{"name": "added_to_cart"}] * 16}, "TOO_MANY_EVENTS"),
    ],
)
def test_rejected_operations(operation: object, category: str) -> None:
    with pytest.raises(BrokenRuleError) as broken:
        read_operation(operation)
    assert broken.value.category == category


def test_fifty_attributes_are_accepted() -> None:
    assert len(attributes({f"a{n}": n for n in range(50)}).writes) == 50


def test_an_installation_has_no_custom_id() -> None:
    assert read_operation({"identifiers": {"installation": "i"}}).custom_id is None


def test_only_the_invalid_attribute_is_rejected() -> None:
    operation = attributes({"good": 1, "Bad": 1, "empty": "", "date(day)": None, "gone": None})
    assert operation.writes == {"good": TypedValue("integer", 1), "gone": None}
    assert operation.keys == ["good", "gone"]
    assert [(refusal.attribute, refusal.category) for refusal in operation.refused] == [
        ("Bad", "INVALID_NAME"),
        ("empty", "INVALID_VALUE"),
        ("date(day)", "INVALID_VALUE"),
    ]


def test_a_second_type_of_an_attribute_is_rejected() -> None:
    operation = attributes({"day": "x", "date(day)": "2024-01-01T00:00:00Z"})
    assert operation.writes == {"day": TypedValue("string", "x")}
    assert [refusal.attribute for refusal in operation.refused] == ["date(day)"]


def test_the_sixteenth_array_is_rejected() -> None:
    arrays: dict[str, object] = {f"a{n}": ["x"] for n in range(14)}
    operation = attributes(
        {**arrays, "b": {"$add": ["x"]}, "$topic_preferences": ["t"], "c": ["x"], "d": "x"}
    )
    assert [(refusal.attribute, refusal.category) for refusal in operation.refused] == [
        ("c", "TOO_MANY_ARRAYS")
    ]
    assert {"b", "d", "$topic_preferences"} <= operation.writes.keys()


@pytest.mark.parametrize(
    ("values", "flag"), [({"a": 1}, True), ({"a": None}, False), ({"a": {"$add": ["x"]}}, False), ({}, True)]
)
def test_only_values(values: dict[str, object], flag: bool) -> None:
    assert attributes(values).only_values is flag


def test_array_changes_are_kept_as_changes() -> None:
    assert attributes({"a": {"$remove": ["x"]}}).writes == {"a": ArrayChange((), ("x",))}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(
    operation=json_values
    | st.fixed_dictionaries(
        {"identifiers": json_values | st.just(WHO)},
        optional={"attributes": json_values},
    )
)
def test_no_json_breaks_the_reader(operation: object) -> None:
    try:
        read_operation(operation)
    except BrokenRuleError:
        return
