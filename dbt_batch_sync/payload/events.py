"""Renders events: delta rows in; out, operations with several events of a profile each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.kinds.attributes import ATTRIBUTE_NAME, CUSTOM_ID, KEY, AttributeType, TypedAttribute
from dbt_batch_sync.kinds.kind import APART, CONTINUES, Fragment
from dbt_batch_sync.payload.expressions import as_json, choose, matches, text
from dbt_batch_sync.payload.objects import checked_objects
from dbt_batch_sync.payload.render import (
    BATCH_BYTES,
    RejectedValue,
    Rendered,
    engine,
    read_notes,
    run,
)
from dbt_batch_sync.payload.source import DELTA, POSITION, DeltaSource, row_bytes
from dbt_batch_sync.payload.statement import OPERATION, REJECTED, computed, concat, members, rejected_values

NAME, TIME = "batch__name", "batch__time"
PAGE = "_batch_page"

_REASON, _HEAD = "_batch_reason", "_batch_head"

MAX_EVENT_BYTES = 25_000
"""The maximum for one event [Q]."""

AGE = timedelta(hours=24) - timedelta(minutes=1)
"""The maximum age of an event when it is rendered. Batch rejects a time older than 24 hours [Q]."""

_BATCH_ROWS = 8_192
"""The most events per rendered batch. Their age is checked at once, so they must be sent within a minute."""

_TIMED = r'^(\{"name":"[^"]*"),"time":"[^"]*"'
"""The beginning of an event, with and without its time."""

TOO_OLD, TOO_LARGE = "too_old", "too_large"


@dataclass(frozen=True)
class Grouping:
    """How events are grouped into operations.

    Attributes:
        most: The most events of one operation.
        now: The current time, in UTC without a zone.
        undated: Send events that are too old without their time, instead of rejecting them.
        window: Requests begin at pages, after at least this many rows; None: they end when they are full.
    """

    most: int
    now: Callable[[], datetime]
    undated: bool = False
    window: int | None = None


def render_events(
    batches: Iterable[pa.RecordBatch],
    attributes: Sequence[TypedAttribute],
    fragment: Fragment,
    grouping: Grouping,
    *,
    batch_rows: int = _BATCH_ROWS,
    memory_limit: str = "200MB",
) -> Generator[Rendered, None, None]:
    """Renders delta rows, which are in the order of pages, profiles and times.

    A batch has `KEY`, `PAGE`, and a column for each attribute, with its name.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    batch_rows = max(1, min(batch_rows, BATCH_BYTES // (2 * row_bytes(first))))
    own = [each for each in attributes if each.name not in (CUSTOM_ID, NAME, TIME)]
    objects = [each.name for each in own if each.type is AttributeType.OBJECT]
    prepared = (_prepared(batch, objects) for batch in chain([first], batches))
    with engine(memory_limit) as connection:
        before = next(prepared)
        source = DeltaSource(
            before.schema, [name for name in before.schema.names if name != KEY], 0, inserts=True
        )
        query = event_statement(own, source.schema, fragment)
        connection.register(DELTA, source.reader(chain([before], prepared)))
        rows = run(connection, query, source, batch_rows)
        rows = _whole_profiles(rows) if grouping.window is None else _windows(rows, grouping.window)
        last: str | None = None
        for batch in rows:
            rendered, last = _rendered(batch, fragment, grouping, last)
            yield rendered


def _prepared(batch: pa.RecordBatch, objects: Iterable[str]) -> pa.RecordBatch:
    """The batch with checked objects."""
    for name in objects:
        place = batch.schema.get_field_index(name)
        batch = batch.set_column(place, name, checked_objects(batch.column(name)))
    return batch


def event_statement(attributes: Sequence[TypedAttribute], schema: pa.Schema, fragment: Fragment) -> str:
    """The select from `DELTA`: for each row its event, the reason if it has none, the start of its operation,
    and its time.
    """
    known, below = computed(attributes, schema, inserts=True)
    reasons = [(f"not coalesce({matches(NAME, ATTRIBUTE_NAME)}, false)", text("invalid_name"))]
    time = f'strftime({TIME}, \',"time":"%Y-%m-%dT%H:%M:%SZ"\')'
    event = concat(
        text('{"name":"'),
        NAME,
        text('"'),
        time,
        text(',"attributes":{'),
        *members(known),
        text("}}"),
    )
    return f"""
        select {KEY}, {POSITION}, {CUSTOM_ID}, {PAGE}, {TIME}, {choose(reasons)} as {_REASON},
            {choose([(f"{choose(reasons)} is null", event)])} as {OPERATION},
            {concat(text(fragment.opening), as_json(CUSTOM_ID), text(fragment.middle))} as {_HEAD},
            {rejected_values(known)} as {REJECTED}
        from {below}
    """


def _windows(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows, in batches that end at pages and have at least this many rows, except for the last."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        held = _joined(waiting)
        pages = held.column(PAGE)
        ends = pc.indices_nonzero(pc.not_equal(pages[:-1], pages[1:])).to_pylist()
        start = 0
        for end in ends:
            if end + 1 - start >= rows:
                yield held.slice(start, end + 1 - start)
                start = end + 1
        waiting = [held.slice(start)] if start < held.num_rows else []
    yield from waiting


def _whole_profiles(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, in batches that end at a profile's last event, unless one profile fills a batch: a
    profile in two batches would need two operations, and a request for each.
    """
    left: pa.RecordBatch | None = None
    for batch in batches:
        held = batch if left is None else _joined([left, batch])
        profiles = held.column(CUSTOM_ID)
        ends = pc.indices_nonzero(pc.not_equal(profiles[:-1], profiles[1:]))
        end = ends[-1].as_py() + 1 if len(ends) else held.num_rows
        yield held.slice(0, end)
        left = held.slice(end) if end < held.num_rows else None
    if left is not None:
        yield left


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _rendered(
    batch: pa.RecordBatch, fragment: Fragment, grouping: Grouping, last: str | None
) -> tuple[Rendered, str | None]:
    """The operations of a batch, and the profile of its last event."""
    batch = _aged(batch, grouping)
    events, reasons = batch.column(OPERATION), batch.column(_REASON)
    large = pc.fill_null(pc.greater(pc.binary_length(events), MAX_EVENT_BYTES), False)
    reasons = pc.coalesce(reasons, pc.if_else(large, TOO_LARGE, None))
    sent = pc.is_null(reasons)
    kept = batch if reasons.null_count == len(reasons) else batch.filter(sent)
    rejected = [
        RejectedValue(position, key, None, reason)
        for position, key, reason in zip(
            *(
                each.filter(pc.invert(sent)).to_pylist()
                for each in (batch.column(POSITION), batch.column(KEY), reasons)
            ),
            strict=True,
        )
    ]
    rejected += read_notes(kept)
    places = pc.indices_nonzero(sent).cast(pa.int64())
    if not len(places):
        nothing = {
            "key": [None],
            "operation": [None],
            "extra": [None],
            "members": [None],
            "rows": [batch.num_rows],
            "apart": [0],
        }
        return Rendered(pa.RecordBatch.from_pydict(nothing, _SCHEMA), tuple(rejected)), last
    profiles = kept.column(CUSTOM_ID)
    continues = profiles[0].as_py() == last
    apart = CONTINUES if continues else APART if grouping.window is not None else 0
    rows = _grouped(kept, places, batch.num_rows, fragment.ending, grouping.most, apart)
    return Rendered(rows, tuple(rejected)), profiles[-1].as_py()


def _aged(batch: pa.RecordBatch, grouping: Grouping) -> pa.RecordBatch:
    """The batch as of now: events that are too old are rejected, or lose their time. Checked late, as DuckDB
    renders ahead.
    """
    late = pc.less(batch.column(TIME), pa.scalar(grouping.now() - AGE, pa.timestamp("us")))
    if not pc.any(late).as_py():
        return batch
    if grouping.undated:
        name, events = OPERATION, batch.column(OPERATION)
        cells = pc.if_else(late, pc.replace_substring_regex(events, _TIMED, r"\1"), events)
    else:
        name = _REASON
        cells = pc.coalesce(batch.column(_REASON), pc.if_else(late, TOO_OLD, None))
    return batch.set_column(batch.schema.get_field_index(name), name, cells)


def _grouped(
    batch: pa.RecordBatch, places: pa.Array, rows: int, ending: str, most: int, apart: int
) -> pa.RecordBatch:
    """One row per profile: neighboring events share an operation, up to `most` of them.

    `places` are the events' indexes among all `rows`, some of which have no event. Texts that are adjacent in
    memory become one operation by new offsets alone.
    """
    profiles, count = batch.column(CUSTOM_ID), batch.num_rows
    numbers = pc.indices_nonzero(pa.repeat(True, count)).cast(pa.int64())
    begins = pa.concat_arrays([pa.array([True]), pc.not_equal(profiles[1:], profiles[:-1])])
    firsts = numbers.filter(begins)
    nth = pc.subtract(numbers, firsts.take(pc.subtract(pc.cumulative_sum(begins.cast(pa.int64())), 1)))
    opens = pc.equal(pc.subtract(nth, pc.multiply(pc.divide(nth, most), most)), 0)
    closes = pa.concat_arrays([opens[1:], pa.array([True])])
    texts = pc.binary_join_element_wise(
        pc.if_else(opens, batch.column(_HEAD), ","),
        batch.column(OPERATION),
        pc.if_else(closes, f"{ending},", ""),
        "",
    ).cast(pa.large_string())
    starts = numbers.filter(opens)
    offsets = pa.concat_arrays([starts, pa.array([count], pa.int64())])
    joined = pa.LargeStringArray.from_buffers(
        len(starts), _offsets_at(texts, offsets).buffers()[1], texts.buffers()[2]
    )
    ids = pa.LargeListArray.from_arrays(offsets, batch.column(KEY).cast(pa.large_string()))
    # For each profile, its first operation, and their number.
    leads = pc.indices_nonzero(begins.filter(opens)).cast(pa.int64())
    ends = pa.concat_arrays([leads, pa.array([len(starts)], pa.int64())])
    several = len(leads) < len(starts)
    extra = (
        pc.list_slice(pa.LargeListArray.from_arrays(ends, joined), 1)
        if several
        else pa.nulls(len(leads), _TEXTS)
    )
    reached = places.take(firsts)
    before = pa.concat_arrays([pa.array([0], pa.int64()), reached[1:], pa.array([rows], pa.int64())])
    return pa.RecordBatch.from_arrays(
        [
            profiles.cast(pa.large_string()).take(firsts),
            joined.take(leads) if several else joined,
            extra,
            pa.LargeListArray.from_arrays(ends, ids),
            pc.subtract(before[1:], before[:-1]),
            pa.array([apart] * len(leads), pa.int8()),
        ],
        schema=_SCHEMA,
    )


def _offsets_at(texts: pa.Array, places: pa.Array) -> pa.Array:
    """Where the texts at these indexes begin in the buffer."""
    offsets = pa.Array.from_buffers(
        pa.int64(), len(texts) + 1, [None, texts.buffers()[1]], offset=texts.offset
    )
    return offsets.take(places)


_TEXTS = pa.large_list(pa.large_string())
_SCHEMA = pa.schema(
    {
        "key": pa.large_string(),
        "operation": pa.large_string(),
        "extra": _TEXTS,
        "members": pa.large_list(_TEXTS),
        "rows": pa.int64(),
        "apart": pa.int8(),
    }
)
