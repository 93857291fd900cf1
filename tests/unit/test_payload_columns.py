"""Columns as other warehouses return them: types, units and zones that DuckDB's deltas don't have.

Also names, numbers and combinations of attributes that the SQL could confuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from harness.rendering import delta, rows_of, typed

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.payload import render as rendering

NOTHING = None
"""Counts as null: omitted for a new profile, null for a known one."""

TEXT = pa.string()
INT64 = 2**63
INFINITE = 2**63 - 1
"""DuckDB's infinite time in Arrow. In no other unit is this number a time."""

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
YEAR_0 = -62_135_596_801
YEAR_10000 = 253_402_300_800
"""Seconds since 1970. The last second to be sent is the one before."""


@dataclass(frozen=True)
class Case:
    """A value of a column and the expected result: JSON text, a reason, or NOTHING."""

    type: str
    column: pa.DataType
    value: Any
    outcome: str | None

    def __str__(self) -> str:
        return f"{self.type}-{self.column}-{ascii(self.value)[:40]}"

    @property
    def cells(self) -> pa.Array:
        """The value in two rows. Integers in a time column are Arrow's internal values."""
        if isinstance(self.value, int) and pa.types.is_timestamp(self.column):
            return pa.array([self.value] * 2, pa.int64()).view(self.column)
        return pa.array([self.value] * 2, self.column)


def cases(type_: str, column: pa.DataType, *pairs: tuple[Any, str | None]) -> list[Case]:
    return [Case(type_, column, value, outcome) for value, outcome in pairs]


def day(text: str) -> str:
    return f'"date(x)":"{text}"'


def times(unit: str, zone: str | None) -> Iterable[Case]:
    """Instants in a unit. The zone affects only how they are displayed."""
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    moment = (datetime(2026, 3, 1, 8, 30, 15, tzinfo=timezone.utc) - EPOCH) // SECOND * scale
    kind = pa.timestamp(unit, zone)
    yield from cases("date", kind, (moment, day("2026-03-01T08:30:15Z")), (None, NOTHING))
    yield from cases("date", kind, (moment + scale - 1, day("2026-03-01T08:30:15Z")))
    # Seconds are rounded down before 1970 too.
    yield from cases("date", kind, (-1, day("1969-12-31T23:59:59Z")), (0, day("1970-01-01T00:00:00Z")))
    if unit == "ns":
        return
    beyond = "not_finite" if unit == "us" else "out_of_range"
    yield from cases(
        "date",
        kind,
        ((YEAR_0 + 1) * scale, day("0001-01-01T00:00:00Z")),
        ((YEAR_0 + 1) * scale - 1, "out_of_range"),
        (YEAR_10000 * scale - 1, day("9999-12-31T23:59:59Z")),
        (YEAR_10000 * scale, "out_of_range"),
        (INFINITE - 1, "out_of_range"),
        (INFINITE, beyond),
        (-INFINITE, beyond),
    )


CASES = [
    *cases("string", pa.dictionary(pa.int8(), TEXT), ('a"b', r'"x":"a\"b"'), ("", NOTHING), (None, NOTHING)),
    *cases("string", pa.null(), (None, NOTHING)),
    *cases("string", pa.int64(), (26, '"x":"26"'), (None, NOTHING)),
    *cases("string", pa.bool_(), (True, '"x":"true"')),
    *cases(
        "string", TEXT, ("\x01\x1f\b\f\n\r\t", r'"x":"\u0001\u001F\b\f\n\r\t"'), ("a/b\x7f", '"x":"a/b\x7f"')
    ),
    *cases("url", pa.dictionary(pa.int32(), pa.large_string()), ("https://a", '"url(x)":"https://a"')),
    *cases("integer", pa.dictionary(pa.int8(), TEXT), (" 7", '"x":7'), ("7.5", "not_an_integer")),
    *cases("integer", pa.null(), (None, NOTHING)),
    *cases("integer", pa.uint64(), (INT64 - 1, f'"x":{INT64 - 1}'), (INT64, "out_of_range"), (None, NOTHING)),
    *cases("integer", pa.decimal128(2, 2), (Decimal("0.00"), '"x":0'), (Decimal("0.50"), "not_an_integer")),
    # DuckDB writes such a number without a leading zero, which is not JSON.
    *cases("float", pa.decimal128(2, 2), (Decimal("0.05"), '"x":0.05'), (Decimal("-0.50"), '"x":-0.50')),
    *cases(
        "float",
        pa.decimal128(38, 38),
        (Decimal("-0." + "0" * 37 + "1"), f'"x":-0.{"0" * 37}1'),
        (Decimal("0." + "9" * 38), f'"x":0.{"9" * 38}'),
        (Decimal("0." + "0" * 38), f'"x":0.{"0" * 38}'),
    ),
    # Without a decimal point, Batch would read an integer.
    *cases("float", pa.decimal128(38, 0), (Decimal("-" + "9" * 38), f'"x":-{"9" * 38}.0')),
    *cases("float", pa.int8(), (-128, '"x":-128.0'), (None, NOTHING)),
    *cases("float", pa.uint64(), (2 * INT64 - 1, f'"x":{2 * INT64 - 1}.0')),
    *cases("float", pa.null(), (None, NOTHING)),
    *cases("boolean", pa.null(), (None, NOTHING)),
    *cases("boolean", pa.dictionary(pa.int8(), TEXT), ("yes", '"x":true'), ("maybe", "not_a_boolean")),
    *cases("date", pa.null(), (None, NOTHING)),
    *cases("date", pa.dictionary(pa.int8(), TEXT), ("2026-03-01", day("2026-03-01T00:00:00Z"))),
    *cases("date", pa.date64(), (date(1969, 12, 31), day("1969-12-31T00:00:00Z"))),
    *(
        case
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "America/New_York", "+05:30")
        for case in times(unit, zone)
    ),
    *cases("string_array", pa.null(), (None, NOTHING)),
    *cases(
        "string_array", pa.list_view(TEXT), (["a", "b"], '"x":["a","b"]'), ([], NOTHING), ([""], "empty_item")
    ),
    *cases("string_array", pa.list_(TEXT), (["a", "\x00[]"], "nested_array")),
    *cases("string_array", pa.list_(TEXT, 2), (["a", "b"], '"x":["a","b"]'), (["a", None], "empty_item")),
    *cases("string_array", pa.list_(pa.string_view()), (["a"], '"x":["a"]'), (["x" * 301], "too_long")),
    *cases(
        "string_array", pa.list_(pa.int32()), ([1, 2], '"x":["1","2"]'), ([], NOTHING), ([None], "empty_item")
    ),
    *cases("string_array", TEXT, (r'["\u00e9\ud83d\ude00", "\u0000"]', r'"x":["é😀","\u0000"]')),
]
GROUP = 40
"""Number of cases rendered together, each as its own attribute, because starting an engine is slow."""


@pytest.fixture(scope="module")
def outcomes() -> dict[int, tuple[str | None, str | None]]:
    """The result of each case's value in an insert and in an update."""
    found = {}
    for start in range(0, len(CASES), GROUP):
        group = {f"x{start + offset}": case for offset, case in enumerate(CASES[start : start + GROUP])}
        columns = {name: case.cells for name, case in group.items()}
        batch = delta(columns, change=["insert", "update"], changed=["", ",".join(columns)])
        inserted, updated = rows_of(batch, typed(**{name: case.type for name, case in group.items()}))
        for name in group:
            found[int(name[1:])] = (inserted.outcome(name), updated.outcome(name))
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(str, CASES))
def test_a_column(number: int, outcomes: dict[int, tuple[str | None, str | None]]) -> None:
    case = CASES[number]
    assert outcomes[number] == (case.outcome, '"x":null' if case.outcome is NOTHING else case.outcome)


AWKWARD = (
    "select", "order", "delta", "below", "names", "item", "operation", "extra", "position", "rejected",
    "parked", "live", "sent", "null", "first", "mask", "date", "url", "concat", "true", "x",
    "xx", "x_x", "_", "0",
)  # fmt: skip
"""Names that are SQL keywords, names used in the statement or result, or parts of each other."""


def test_a_name_is_only_a_name() -> None:
    columns = {name: pa.array([f"v-{name}"] * (len(AWKWARD) + 1)) for name in AWKWARD}
    changes = ["insert", *["update"] * len(AWKWARD)]
    batch = delta(columns, change=changes, changed=["", *AWKWARD])
    everything, *single = rows_of(batch, typed(**dict.fromkeys(AWKWARD, "string")))
    assert everything.members == [(name, f'"v-{name}"') for name in AWKWARD]
    assert [row.members for row in single] == [[(name, f'"v-{name}"')] for name in AWKWARD]


@pytest.mark.parametrize("count", [1, 62, 63, 125])
def test_many_attributes_are_independent(count: int) -> None:
    """Attributes are identified by bits in a few numbers."""
    names = [f"a{number}" for number in range(count)]
    value = pa.array([7] * (count + 2))
    changed = [*names, ",".join(names), ""]
    batch = delta(dict.fromkeys(names, value), change="update", changed=changed)
    *single, every, none = rows_of(batch, typed(**dict.fromkeys(names, "integer")))
    assert [row.members for row in single] == [[(name, "7")] for name in names]
    assert every.members == [(name, "7") for name in names]
    assert len(every.operations) == -(-count // 50)
    assert none.operations == ()


def test_unknown_and_repeated_names_are_ignored() -> None:
    changed = ["a,gone,b", "a,a", "gone", ",a,", "A"]
    columns = {"a": pa.array([1] * 5), "b": pa.array([2] * 5)}
    rows = rows_of(delta(columns, change="update", changed=changed), typed(a="integer", b="integer"))
    sent = [[key for key, _ in row.members] for row in rows]
    assert sent == [["a", "b"], ["a"], [], ["a"], []]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), TEXT)], ids=str
)
def test_text_types_of_the_delta_columns(kind: pa.DataType) -> None:
    plain = delta({"a": pa.array([1, 2])}, change=["insert", "update"], changed=["", "a"])
    own = pa.schema([each if each.name == "a" else each.with_type(kind) for each in plain.schema])
    batch = pa.RecordBatch.from_arrays(
        [column.cast(each.type) for column, each in zip(plain.columns, own, strict=True)], schema=own
    )
    assert rows_of(batch, typed(a="integer")) == rows_of(plain, typed(a="integer"))


def test_every_combination_is_valid_json() -> None:
    """For every combination of sent, cleared and rejected attributes, the result is one JSON object."""
    names = ("a", "b", "c", "d")
    states = {"sent": "x", "cleared": None, "rejected": "x" * 301, "untouched": "x"}
    wanted = {"sent": '"x"', "cleared": "null"}
    rows = [dict(zip(names, chosen, strict=True)) for chosen in _every(tuple(states), len(names))]
    columns = {name: pa.array([states[row[name]] for row in rows], TEXT) for name in names}
    changed = [",".join(name for name in names if row[name] != "untouched") for row in rows]
    found = rows_of(delta(columns, change="update", changed=changed), typed(**dict.fromkeys(names, "string")))
    for row, rendered in zip(rows, found, strict=True):
        assert rendered.members == [(name, wanted[row[name]]) for name in names if row[name] in wanted]
        assert rendered.rejected == {name: "too_long" for name in names if row[name] == "rejected"}


@pytest.mark.parametrize("kinds", ["nnknkn", "nnn", "kn", "nknn"])
def test_new_profiles_render_the_same_before_and_after_known_ones(kinds: str) -> None:
    """Leading batches of only new profiles use a separate statement. Rows keep their order."""
    states = ("x", None, "x" * 301)
    names = ("a", "b", "c")
    columns = {
        name: pa.array(cells, TEXT)
        for name, cells in zip(names, zip(*_every(states, len(names)), strict=True), strict=True)
    }
    attributes = typed(**dict.fromkeys(names, "string"))
    new, known = delta(columns), delta(columns, change="update", changed=",".join(names))
    batches = [new if kind == "n" else known for kind in kinds]
    alone = {"n": rows_of(new, attributes), "k": rows_of(known, attributes)}
    assert rows_of(batches, attributes) == [row for kind in kinds for row in alone[kind]]
    assert alone["k"] != alone["n"] == rows_of([known, new], attributes)[len(known) :]


def _every(states: tuple[Any, ...], length: int) -> Iterator[tuple[Any, ...]]:
    if not length:
        yield ()
        return
    yield from ((state, *rest) for state in states for rest in _every(states, length - 1))


@pytest.mark.parametrize(
    "kept", [range(8, -1, -1), range(1, 9), range(8), range(0, 9, 2), (0, 2, 1, *range(3, 9))]
)
def test_reordered_or_lost_rows_are_detected(monkeypatch: pytest.MonkeyPatch, kept: Sequence[int]) -> None:
    streamed = rendering._stream

    def disturbed(*given: Any) -> Iterator[pa.RecordBatch]:
        yield from (batch.take(list(kept)) for batch in streamed(*given))

    monkeypatch.setattr(rendering, "_stream", disturbed)
    with pytest.raises(WarehouseError, match="order"):
        rows_of(delta({"a": pa.array(range(9))}), typed(a="integer"))
