"""Any value arrives as valid JSON and as the rules demand, or is rejected.

The expected value comes from `harness.oracle`, which shares nothing with the renderer. The sandbox's rules,
an independent reading of Batch's documentation, must accept every operation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from harness.oracle import Expected, Rejected, attribute_name, expected, relation_name
from harness.rendering import arrived
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dbt_batch_sync.kinds.attributes import CUSTOM_RULES, KEY, STANDARD_RULES, AttributeType, TypedAttribute
from dbt_batch_sync.kinds.profiles import PROFILES
from dbt_batch_sync.payload.render import Rendered, render
from dbt_batch_sync.sandbox.operations import read_operation

EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

CHARACTERS = st.characters(exclude_categories=["Cs"])
# Includes lengths around the limits, which random texts rarely reach.
LENGTHS = st.sampled_from([1, 2, 25, 127, 128, 129, 299, 300, 301, 2048, 2049])
TEXTS = st.one_of(
    st.text(CHARACTERS),
    st.text(st.sampled_from("\"\\/\x00\x1f\x7f\u2028\u2029\ufeff😀é,:{}[]'\n"), max_size=12),
    st.builds(lambda character, length: character * length, CHARACTERS, LENGTHS),
)
URLS = st.one_of(
    TEXTS,
    st.from_regex(
        r"[a-zA-Z][a-z0-9+.\-]{0,4}://[^@/?#:\[\]\s]{0,6}(:[0-9]{1,5})?(/[a-z?#=]{0,6})?", fullmatch=True
    ),
    st.builds(lambda length: "https://a/" + "x" * (length - 10), st.sampled_from([11, 2048, 2049])),
)
EMAILS = st.one_of(
    TEXTS, st.emails(), st.builds(lambda n: "a" * (n - 4) + "@b.c", st.sampled_from([127, 128, 129]))
)
DECIMALS = st.builds(
    lambda digits, negative: Decimal(("-" if negative else "") + digits[:-10] + "." + digits[-10:]),
    st.from_regex(r"[0-9]{11,38}", fullmatch=True),
    st.booleans(),
)
WHOLE = st.builds(Decimal, st.integers(-(10**38) + 1, 10**38 - 1))
SMALL = st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 0, -1]).map(Decimal)
ARRAYS = st.one_of(
    st.lists(st.one_of(TEXTS, st.none()), max_size=4),
    st.builds(
        lambda item, count: [item] * count, st.text(CHARACTERS, max_size=3), st.sampled_from([1, 24, 25, 26])
    ),
)
TOPICS = st.lists(st.one_of(st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), TEXTS), max_size=4)
PHONES = st.one_of(TEXTS, st.from_regex(r"\+?[0-9]{0,17}", fullmatch=True))

COLUMNS: dict[str, tuple[str, pa.DataType, st.SearchStrategy[Any]]] = {
    "text": ("string", pa.string(), TEXTS),
    "whole": ("integer", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "exact": ("integer", pa.decimal128(38, 0), st.one_of(WHOLE, SMALL)),
    "real": ("float", pa.float64(), st.floats()),
    "price": ("float", pa.decimal128(38, 10), DECIMALS),
    "flag": ("boolean", pa.bool_(), st.booleans()),
    "day": ("date", pa.date32(), st.dates()),
    "moment": ("date", pa.timestamp("us"), st.datetimes()),
    "site": ("url", pa.string(), URLS),
    "tags": ("string_array", pa.list_(pa.string()), ARRAYS),
    "email": ("$email_address", pa.string(), EMAILS),
    "consent": ("$email_marketing", pa.bool_(), st.booleans()),
    "words": (
        "$sms_marketing",
        pa.string(),
        st.one_of(TEXTS, st.sampled_from(["subscribed", "unsubscribed"])),
    ),
    "phone": ("$phone_number", pa.string(), PHONES),
    "language": ("$language", pa.string(), st.one_of(TEXTS, st.from_regex("[a-z]{2}", fullmatch=True))),
    "region": ("$region", pa.string(), st.one_of(TEXTS, st.from_regex("[A-Z]{2}", fullmatch=True))),
    "topics": ("$topic_preferences", pa.list_(pa.string()), TOPICS),
}


def typed(column: str, kind: str) -> TypedAttribute:
    standard = kind.startswith("$")
    type_ = STANDARD_RULES[kind[1:]].type if standard else AttributeType(kind)
    return TypedAttribute(relation_name(column, kind), type_)


def rendered(
    attributes: Sequence[TypedAttribute], sources: Sequence[pa.DataType], rows: Sequence[dict[str, Any]]
) -> Rendered:
    """Render rows, all as inserts."""
    columns = ((each.name, source) for each, source in zip(attributes, sources, strict=True))
    schema = pa.schema([(KEY, pa.string()), *columns])
    whole = [{KEY: str(number), **row} for number, row in enumerate(rows, 1)]
    arrays = [pa.array([row.get(field.name) for row in whole], field.type) for field in schema]
    (result,) = render(
        [arrived(pa.RecordBatch.from_arrays(arrays, schema=schema))], attributes, PROFILES.fragment
    )
    return result


def strict(text: str) -> Any:
    """Parse JSON and keep numbers as written. Raises on anything that JSON doesn't allow."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse, parse_float=Decimal)


def sent(result: Rendered) -> list[dict[str, Any]]:
    """Each row's attributes. Asserts that the sandbox accepts them and that they are assigned to the right
    rows.
    """
    found: list[dict[str, Any]] = []
    for number, operation in enumerate(result.rows.column("operation").to_pylist(), 1):
        if operation is None:
            found.append({})
            continue
        assert operation.endswith("},")
        document = strict(operation[:-1])
        assert document.keys() == {"identifiers", "attributes"}
        assert document["identifiers"] == {"custom_id": str(number)}
        assert read_operation(json.loads(operation[:-1])).refused == []
        found.append(document["attributes"])
    return found


def same(value: object, wanted: Expected, kind: str) -> bool:
    """Whether a JSON value equals the oracle's, type included."""
    assert wanted is not None
    assert not isinstance(wanted, Rejected)
    if kind == "float":
        # Every double has an exact decimal form, and -0.0 stays -0.0.
        return isinstance(value, Decimal) and repr(float(value)) == repr(wanted.value)
    given = tuple(value) if isinstance(value, list) else value
    return type(given) is type(wanted.value) and given == wanted.value


ROWS = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, (_, _, values) in COLUMNS.items()}),
    min_size=6,
    max_size=12,
)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@EXAMPLES
@given(ROWS)
def test_every_value_arrives_or_is_rejected(rows: list[dict[str, Any]]) -> None:
    attributes = [typed(column, kind) for column, (kind, _, _) in COLUMNS.items()]
    names = dict(zip(COLUMNS, (each.name for each in attributes), strict=True))
    cells = [{names[column]: value for column, value in row.items()} for row in rows]
    result = rendered(attributes, [source for _, source, _ in COLUMNS.values()], cells)
    notes = {(note.position, note.attribute): note.reason for note in result.rejected}
    assert len(notes) == len(result.rejected)
    for position, (row, operation) in enumerate(zip(rows, sent(result), strict=True), 1):
        for column, (kind, _, _) in COLUMNS.items():
            wanted, name = expected(kind, row[column]), attribute_name(column, kind)
            key = f"{kind}({name})" if kind in ("date", "url") else name
            note = notes.pop((position, names[column]), None)
            if kind == "url" and isinstance(wanted, Rejected) and note is None:
                # The oracle rejects characters that Python calls unprintable, such as unassigned ones.
                assert not row[column].isprintable(), row[column]
                assert operation.pop(key) == row[column]
            elif isinstance(wanted, Rejected):
                # If two things are wrong, either may be reported.
                assert note is not None, (kind, row[column])
                assert key not in operation
            elif wanted is None:
                assert note is None
                assert key not in operation
            elif note is not None:
                # The package may be stricter than the oracle about URLs and e-mail addresses.
                assert kind in ("url", "$email_address"), (kind, row[column], note)
                assert key not in operation
            else:
                assert same(operation.pop(key), wanted, kind), (kind, row[column])
        assert operation == {}
    assert notes == {}


@EXAMPLES
@given(
    st.lists(
        st.one_of(
            TEXTS,
            st.integers(-(2**64), 2**64).map(str),
            st.floats().map(str),
            st.dates().map(date.isoformat),
            st.datetimes().map(datetime.isoformat),
            st.lists(st.one_of(st.text(CHARACTERS), st.none(), st.integers()), max_size=3).map(json.dumps),
            st.sampled_from(
                ["true", "F", " 1 ", "-0", "1e400", "infinity", "[", "{}", '["\\ud800"]', "[[[[[]]]]]"]
            ),
        ),
        min_size=8,
        max_size=15,
    )
)
def test_any_text_as_any_type_follows_the_rules(texts: list[str]) -> None:
    kinds = [kind.value for kind in CUSTOM_RULES]
    attributes = [TypedAttribute(f"as_{kind}", AttributeType(kind)) for kind in kinds]
    rows = [{each.name: text for each in attributes} for text in texts]
    result = rendered(attributes, [pa.string()] * len(kinds), rows)
    noted = {(note.position, note.attribute) for note in result.rejected}
    for position, (text, operation) in enumerate(zip(texts, sent(result), strict=True), 1):
        for each in attributes:
            value = operation.pop(each.wire_name, None)
            assert value is None or (position, each.name) not in noted
            if value is None:
                empty = not text.strip() or (
                    each.type is AttributeType.STRING_ARRAY and text.strip() in ("[]", "null")
                )
                assert (position, each.name) in noted or empty, (each.name, text)
            elif each.type in (AttributeType.STRING, AttributeType.URL):
                assert value == text
            elif each.type is AttributeType.INTEGER:
                assert value == int(text)
            elif each.type is AttributeType.FLOAT:
                assert repr(float(value)) == repr(float(text))
            elif each.type is AttributeType.STRING_ARRAY:
                assert value == json.loads(text)
        assert operation == {}


@EXAMPLES
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_any_double_mapped_to_integer(numbers: list[float]) -> None:
    cases = [*numbers, 2.0**63, -(2.0**63), 2.0**63 - 1024]
    result = rendered(
        [TypedAttribute("a", AttributeType.INTEGER)], [pa.float64()], [{"a": each} for each in cases]
    )
    noted = {note.position for note in result.rejected}
    for position, (number, operation) in enumerate(zip(cases, sent(result), strict=True), 1):
        whole = number.is_integer() and -(2**63) <= number < 2**63
        assert operation == ({"a": int(number)} if whole else {})
        assert (position in noted) is not whole


@pytest.mark.parametrize("scale", [0, 1, 18, 19, 20, 38])
def test_decimals_of_every_scale(scale: int) -> None:
    texts = [f"{sign}{digit}" for sign in ("", "-") for digit in ("1", "9" * 38)]
    values = [Decimal(f"{text}e-{scale}") for text in texts] + [Decimal(0)]
    for kind in ("integer", "float") if scale else ("integer",):
        result = rendered(
            [TypedAttribute("a", AttributeType(kind))], [pa.decimal128(38, scale)], [{"a": v} for v in values]
        )
        for value, operation in zip(values, sent(result), strict=True):
            if kind == "float":
                assert operation["a"] == value
            else:
                whole = value == value.to_integral_value() and -(2**63) <= value < 2**63
                assert operation == ({"a": int(value)} if whole else {}), value
