"""Cutting rows into chunks: limits, rows with nothing to send, further operations, and coverage."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows

Row = tuple[str, str | None, list[str] | None]  # key, operation, further operations


def op(text: str) -> str:
    return json.dumps({"id": text}, ensure_ascii=False) + ","


def batch(rows: list[Row], text: pa.DataType | None = None) -> pa.RecordBatch:
    text = text or pa.string()
    keys, operations, extra = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.RecordBatch.from_pydict(
        {
            "key": pa.array(keys, text),
            "operation": pa.array(operations, text),
            "extra": pa.array(extra, pa.list_(pa.string())),
        }
    )


def rows(keys: str) -> list[Row]:
    """One row per letter; capitals have nothing to send."""
    return [(key, None if key.isupper() else op(key), None) for key in keys]


def ids(chunk: Chunk) -> list[str]:
    return [entry["id"] for entry in json.loads(chunk.body())]


def seen(chunks: list[Chunk]) -> list[tuple[str, int]]:
    return [("".join(ids(chunk)), chunk.rows) for chunk in chunks]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", []),
        ("a", [("a", 1)]),
        ("abc", [("abc", 3)]),
        ("abcd", [("abc", 3), ("d", 1)]),
        ("abcdef", [("abc", 3), ("def", 3)]),
        ("ABC", [("", 3)]),
        ("aBcD", [("ac", 4)]),
        ("AbcdEFg", [("bcd", 6), ("g", 1)]),
        ("abcDEF", [("abc", 6)]),
        ("AbCdEfGhI", [("bdf", 7), ("h", 2)]),
    ],
)
def test_chunks_are_limited_by_rows(keys: str, expected: list[tuple[str, int]]) -> None:
    assert seen(list(chunk_rows([batch(rows(keys))], 3))) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("keys", ["abcdefgh", "AbCdEfGhI", "ABCDEF", "abcDEFghiJ"])
def test_record_batches_of_any_size_give_the_same_operations(keys: str, size: int) -> None:
    parts = [batch(rows(keys[at : at + size])) for at in range(0, len(keys), size)]
    chunks = list(chunk_rows([batch([]), *parts, batch([])], 3))
    whole = list(chunk_rows([batch(rows(keys))], 3))
    # A full chunk doesn't wait for rows with nothing to send, so only the number of covered rows may differ.
    assert "".join("".join(ids(chunk)) for chunk in chunks) == "".join("".join(ids(chunk)) for chunk in whole)
    assert sum(chunk.rows for chunk in chunks) == len(keys)
    assert chunks[-1].reached == len(keys)
    assert [chunk.number for chunk in chunks] == list(range(1, len(chunks) + 1))


def test_a_full_chunk_does_not_wait_for_the_next_record_batch() -> None:
    read: list[int] = []

    def source() -> Any:
        for number in range(3):
            read.append(number)
            yield batch(rows("abc"))

    chunks = chunk_rows(source(), 3)
    next(chunks)
    assert read == [0]


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_every_arrow_string_type_and_slices(text: pa.DataType) -> None:
    content = "aBç𝄞e\u2028fGh"
    sliced = batch(rows("xx" + content + "yy"), text).slice(2, len(content))
    chunks = list(chunk_rows([sliced], 4))
    assert "".join("".join(ids(chunk)) for chunk in chunks) == "aç𝄞e\u2028fh"
    assert [chunk.rows_of(0)[0] for chunk in chunks] == ["a", "\u2028"]
    assert [chunk.rows for chunk in chunks] == [5, 4]


@pytest.mark.parametrize(
    ("slack", "expected"), [(0, ["ab", "cd"]), (-1, ["a", "b", "c", "d"]), (1, ["ab", "cd"])]
)
def test_chunks_are_limited_by_body_size(slack: int, expected: list[str]) -> None:
    limit = len(f"[{op('a')}{op('b')}") + slack  # the closing bracket replaces the last comma
    chunks = list(chunk_rows([batch(rows("abcd"))], 100, limit))
    assert ["".join(ids(chunk)) for chunk in chunks] == expected
    assert all(len(chunk.body()) <= limit for chunk in chunks)


def test_an_oversized_operation_is_listed_and_never_sent() -> None:
    big = op("x" * 100)
    data: list[Row] = [("a", op("a"), None), ("b", big, [op("b2")]), ("c", op("c"), None), ("d", big, None)]
    chunks = list(chunk_rows([batch(data)], 2, 50))
    assert [("".join(ids(chunk)), chunk.oversized) for chunk in chunks] == [("ac", ("b",)), ("", ("d",))]
    assert sum(chunk.rows for chunk in chunks) == 4


def test_an_operation_may_be_as_large_as_a_body() -> None:
    (chunk,) = chunk_rows([batch(rows("a"))], 2, len(f"[{op('a')}"))
    assert (ids(chunk), chunk.oversized) == (["a"], ())


def test_only_oversized_operations() -> None:
    chunks = list(chunk_rows([batch([("a", op("x" * 100), None)])], 2, 50))
    assert [(len(chunk), chunk.oversized, chunk.rows, chunk.body()) for chunk in chunks] == [
        (0, ("a",), 1, b"[]")
    ]


def test_further_operations_are_sent_in_later_chunks() -> None:
    data: list[Row] = [
        ("a", op("a"), None),
        ("b", op("b"), [op("b2"), op("b3")]),
        ("c", op("c"), [op("c2")]),
        ("d", op("d"), None),
        ("e", op("e"), []),
        ("f", op("f"), None),
    ]
    chunks = list(chunk_rows([batch(data)], 3))
    assert [ids(chunk) for chunk in chunks] == [["a", "b", "c"], ["b2", "c2", "d"], ["b3", "e", "f"]]
    assert [(chunk.rows, chunk.reached, chunk.sent) for chunk in chunks] == [
        (1, 3, 3),
        (0, 4, 1),
        (5, 6, 2),
    ]


def test_a_first_row_with_further_operations_is_not_settled_yet() -> None:
    chunks = list(chunk_rows([batch([("a", op("a"), [op("a2")])])], 3))
    assert [(ids(chunk), chunk.rows, chunk.reached) for chunk in chunks] == [(["a"], 0, 1), (["a2"], 1, 1)]


def test_more_further_operations_than_a_chunk_holds() -> None:
    big = op("y" * 30)
    data: list[Row] = [(key, op(key), [big]) for key in "abcd"]
    chunks = list(chunk_rows([batch(data)], 4, 100))
    assert [len(chunk) for chunk in chunks] == [4, 2, 2]
    assert [chunk.keys.to_pylist() for chunk in chunks] == [list("abcd"), list("ab"), list("cd")]
    assert [(chunk.rows, chunk.reached) for chunk in chunks] == [(0, 4), (2, 4), (2, 4)]


def test_rows_before_a_carried_one_may_be_in_an_earlier_record_batch() -> None:
    first = batch([("a", op("a"), None), ("b", None, None)])
    second = batch([("c", op("c"), [op("c2")]), ("d", op("d"), None)])
    chunks = list(chunk_rows([first, second], 3))
    assert [(ids(chunk), chunk.rows, chunk.reached) for chunk in chunks] == [
        (["a", "c", "d"], 2, 4),
        (["c2"], 2, 4),
    ]


def test_the_body_of_a_part() -> None:
    chunk = next(chunk_rows([batch(rows("aBc")), batch(rows("de"))], 10))
    assert json.loads(chunk.body(1, 3)) == [{"id": "c"}, {"id": "d"}]
    assert json.loads(chunk.body(3, 4)) == [{"id": "e"}]
    assert chunk.body(2, 2) == b"[]"
    assert chunk.count(1, 3) == 2


def test_a_chunk_shows_no_data() -> None:
    big: list[Row] = [("jane@example.com", op("x" * 100), None), ("joe@example.com", op("Joe"), None)]
    assert "example" not in repr(next(chunk_rows([batch(big)], 5, 50)))
