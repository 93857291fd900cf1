"""Rendering of events: several of a profile in one operation, in order, and rejections with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dbt_batch_sync.batch_api.answers import Broken, BrokenKind, Busy
from dbt_batch_sync.batch_api.retry import Retry, RetryPolicy, decide
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.kinds.events import EVENTS, RULES
from dbt_batch_sync.payload.events import Grouping, render_events
from dbt_batch_sync.payload.render import Rendered

NOW = datetime(2026, 3, 1, 12)
TYPES = (
    "custom_id:string,batch__name:string,batch__time:date,batch__label:string,batch__tags:string_array,amount:float,"
    "items:object,site:url"
)


def row(key: str, customer: str, **cells: Any) -> dict[str, Any]:
    return {
        "_batch_key": key, "_batch_page": 0, "custom_id": customer, "batch__name": "bought",
        "batch__time": NOW - timedelta(hours=2), "batch__label": None, "batch__tags": None, "amount": None, "items": None,
        "site": None, **cells,
    }  # fmt: skip


def render(rows: list[dict[str, Any]], batch: int = 1000, **options: Any) -> list[Rendered]:
    return list(rendering(rows, batch, lambda: NOW, **options))


def rendering(
    rows: list[dict[str, Any]], batch: int, now: Callable[[], datetime], **options: Any
) -> Iterator[Rendered]:
    schema = pa.schema(
        {
            **dict.fromkeys(rows[0], pa.string()), "_batch_page": pa.int64(), "batch__time": pa.timestamp("us"),
            "batch__tags": pa.list_(pa.string()), "amount": pa.float64(),
        }
    )  # fmt: skip
    batches = pa.Table.from_pylist(rows, schema).to_batches(max_chunksize=batch)
    grouping = Grouping(15, now, **options)
    return render_events(batches, parse_types(TYPES, RULES), EVENTS.fragment, grouping)


def chunks(rendered: list[Rendered], size: int) -> list[Chunk]:
    return list(chunk_rows((each.rows for each in rendered), size))


def bodies(found: list[Chunk]) -> list[list[tuple[str, int]]]:
    return [
        [(each["identifiers"]["custom_id"], len(each["events"])) for each in json.loads(chunk.body())]
        for chunk in found
    ]


def test_an_event_on_the_wire() -> None:
    cells = {
        "batch__label": 'a "b"',
        "batch__tags": ["x"],
        "amount": 3.5,
        "items": '[{"sku": "é"}]',
        "site": "https://a.example/b",
    }
    (chunk,) = chunks(render([row("1", 'q"1', **cells)]), 10)
    assert json.loads(chunk.body()) == [
        {
            "identifiers": {"custom_id": 'q"1'},
            "events": [
                {
                    "name": "bought",
                    "time": "2026-03-01T10:00:00Z",
                    "attributes": {
                        "$label": 'a "b"', "$tags": ["x"], "amount": 3.5, "items": [{"sku": "é"}], "url(site)": "https://a.example/b",
                    },
                }
            ],
        }
    ]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_profile_once_per_call_and_every_row_once(batch: int) -> None:
    rows = [
        row(f"{name}{n}", name)
        for name, count in (("a", 1), ("b", 40), ("c", 16), ("d", 2))
        for n in range(count)
    ]
    found = chunks(render(rows, batch), 3)
    assert sum(chunk.rows for chunk in found) == sum(chunk.sent for chunk in found) == len(rows)
    keys = [key for chunk in found for index in range(len(chunk)) for key in chunk.rows_of(index)]
    assert sorted(keys) == sorted(each["_batch_key"] for each in rows)
    for name in "abcd":
        of_name = [key for key in keys if key.startswith(name)]
        assert of_name == [f"{name}{n}" for n in range(len(of_name))], "events should be ordered by time"
    seen: set[str] = set()
    for chunk, body in zip(found, bodies(found), strict=True):
        names = [name for name, _ in body]
        assert len(set(names)) == len(names)
        assert chunk.follows or not seen & set(names), (
            "a profile's later call should wait for its earlier one"
        )
        seen |= set(names)


def test_a_profile_is_not_split_between_batches() -> None:
    rows = [row(f"{n:05}", f"p{n // 5:05}") for n in range(20_000)]
    (chunk,) = chunks(render(rows, 1_000), 10_000)
    assert bodies([chunk]) == [[(f"p{n:05}", 5) for n in range(4_000)]]
    assert chunk.count(10, 12) == 10


@pytest.mark.parametrize("window", [5, 6, 8])
def test_windows_contain_whole_pages(window: int) -> None:
    rows = [row(f"{n:02}", f"p{n // 3}", _batch_page=n // 4) for n in range(22)]
    found = chunks(render(rows, window=window), 100)
    assert [chunk.rows for chunk in found] == [8, 8, 6]
    assert [chunk.reached for chunk in found] == [8, 16, 22]
    assert [chunk.follows for chunk in found] == [False, True, True]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"batch__name": "Not a name"}, "invalid_name"),
        ({"batch__name": None}, "invalid_name"),
        ({"batch__time": NOW - timedelta(hours=24)}, "too_old"),
        ({"items": json.dumps([{f"a{n}": "x" * 300 for n in range(20)} for _ in range(5)])}, "too_large"),
    ],
)
def test_a_rejected_event_does_not_affect_others(cells: dict[str, Any], reason: str) -> None:
    rendered = render([row("1", "a"), row("2", "a", **cells), row("3", "b", **cells), row("4", "b")])
    notes = [
        (each.position, each.key, each.attribute, each.reason) for part in rendered for each in part.rejected
    ]
    assert notes == [(2, "2", None, reason), (3, "3", None, reason)]
    (chunk,) = chunks(rendered, 10)
    assert (chunk.rows, chunk.sent, bodies([chunk])) == (4, 2, [[("a", 1), ("b", 1)]])


def test_only_rejected_events() -> None:
    (chunk,) = chunks(render([row("1", "a", batch__name="X"), row("2", "b", batch__name="Y")]), 10)
    assert (chunk.rows, chunk.sent, len(chunk)) == (2, 0, 0)


def test_too_old_without_a_time() -> None:
    (chunk,) = chunks(render([row("1", "a", batch__time=NOW - timedelta(days=2))], undated=True), 10)
    assert json.loads(chunk.body())[0]["events"] == [{"name": "bought", "attributes": {}}]


def test_no_event_becomes_too_old_while_it_waits_for_its_request() -> None:
    rows = [row(str(n), str(n), batch__time=NOW - timedelta(hours=24, seconds=-90)) for n in range(30_000)]
    seconds = 0.0

    def now() -> datetime:
        return NOW + timedelta(seconds=seconds)

    rejected = 0
    for part in rendering(rows, len(rows), now):
        rejected += len(part.rejected)
        for sent in pc.is_valid(part.rows.column("operation")).to_pylist():
            assert not sent or seconds < 90
            seconds += sent / 300
    assert rejected > 3_000


def test_a_bad_attribute_is_left_out() -> None:
    (part,) = render([row("1", "a", items="3", amount=1.0, batch__label="x" * 201, batch__tags=["t"] * 11)])
    assert {(each.attribute, each.reason) for each in part.rejected} == {
        ("items", "not_an_object"), ("batch__label", "too_long"), ("batch__tags", "too_many_items"),
    }  # fmt: skip
    (chunk,) = chunks([part], 10)
    assert json.loads(chunk.body())[0]["events"][0]["attributes"] == {"amount": 1.0}


@pytest.mark.parametrize(
    ("answer", "repeated"),
    [
        (Busy(429), True),
        (Busy(503), True),
        (Broken(BrokenKind.CONNECT), True),
        (Busy(500), False),
        (Busy(502), False),
        (Busy(408), False),
        (Broken(BrokenKind.TIMEOUT), False),
        (Broken(BrokenKind.CUT), False),
        (Broken(BrokenKind.ANSWER), False),
    ],
)
def test_at_most_once_repeats_only_unsent_calls(answer: Any, repeated: bool) -> None:
    decision = decide(answer, 1, RetryPolicy(repeatable=False), 0.5)
    assert isinstance(decision, Retry if repeated else str)
