"""A strip: operations in row order, of which chunks take from the front.

A record batch makes one, carried operations another.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

TEXT: Final = pa.large_string()
"""Everything is brought to it first (only offsets are copied): one layout of buffers, no limit of 2 GiB."""


@dataclass(frozen=True)
class Mark:
    """A place between two rows of the delta: how many rows are before it, and the last of them."""

    rows: int
    key: str | None
    position: int | None


START: Final = Mark(0, None, None)


class Strip:
    """Operations with their keys.

    Args:
        entries: Columns `custom_id` and `operation`, and, if any row has further operations, `extra`,
            `rows_before`, `key_before` and `position_before` (the mark before the row).
        is_source: Whether these are first operations, not carried ones.
    """

    def __init__(self, entries: pa.RecordBatch, is_source: bool) -> None:
        self.entries = entries
        self.is_source = is_source
        self.taken = 0
        self._offsets = _offsets(entries.column("operation"))

    def __len__(self) -> int:
        return int(self.entries.num_rows)

    def size(self, start: int, stop: int) -> int:
        """Bytes of the operations from `start` to `stop`, their commas included."""
        return self._offsets[stop] - self._offsets[start]

    def fitting(self, operations: int, size: int) -> int:
        """Up to where the next operations are at most so many, and at most so many bytes."""
        most = min(self.taken + operations, len(self))
        return bisect_right(self._offsets, self._offsets[self.taken] + size, self.taken, most + 1) - 1

    def custom_id(self, index: int) -> str:
        return str(self.entries.column("custom_id")[index].as_py())

    def reached(self) -> Mark:
        """The mark before the row of the next operation, of which there must be one."""
        columns = (self.entries.column(name) for name in ("rows_before", "key_before", "position_before"))
        return Mark(*(column[self.taken].as_py() for column in columns))


class SourceStrip(Strip):
    """The first operations of a record batch; rows with nothing to send lie between them."""

    def __init__(self, batch: pa.RecordBatch, before: Mark, entries: pa.RecordBatch, rows: Any) -> None:
        super().__init__(entries, is_source=True)
        self._batch = batch
        self._before = before
        self._rows = rows  # of each entry, its row in the batch; None: the same

    def reached(self) -> Mark:
        """The mark before the row of the next operation, or after the batch's last row.

        So rows with nothing to send are passed as soon as what is before them is taken.
        """
        if self.taken == len(self):
            return self._mark_at(self._batch.num_rows)
        return self._mark_at(self.taken if self._rows is None else self._rows[self.taken].as_py())

    def _mark_at(self, row: int) -> Mark:
        if row == 0:
            return self._before
        key = self._batch.column("custom_id")[row - 1].as_py()
        return Mark(self._before.rows + row, key, self._batch.column("position")[row - 1].as_py())


def source_strip(batch: pa.RecordBatch, before: Mark) -> SourceStrip:
    """The strip of a non-empty record batch, `before` being the mark before its first row."""
    columns = {"custom_id": _text(batch.column("custom_id")), "operation": _text(batch.column("operation"))}
    extra = batch.column("extra")
    if extra.null_count < len(extra):
        columns |= {"extra": _texts(extra)} | _marks_before(batch, columns["custom_id"], before)
    entries = pa.RecordBatch.from_pydict(columns)
    if not columns["operation"].null_count:
        return SourceStrip(batch, before, entries, None)
    sent = columns["operation"].is_valid()
    return SourceStrip(batch, before, entries.filter(sent), pc.indices_nonzero(sent))


def carry(strip: Strip, start: int, stop: int) -> Strip | None:
    """The next operation of those rows from `start` to `stop` that have one; None when none has."""
    if "extra" not in strip.entries.schema.names:
        return None
    part = strip.entries.slice(start, stop - start)
    part = part.filter(pc.greater(pc.list_value_length(part.column("extra")), 0))  # null is no
    if not part.num_rows:
        return None
    extra = part.column("extra")
    columns = {name: part.column(name) for name in part.schema.names}
    columns |= {"operation": pc.list_element(extra, 0), "extra": pc.list_slice(extra, 1)}
    return Strip(pa.RecordBatch.from_pydict(columns), is_source=False)


def text_bytes(texts: Any) -> memoryview:
    """The bytes of a `large_string` array's values, one after the other, where they lie. No nulls."""
    offsets = _offsets(texts)
    data = texts.buffers()[2]
    return memoryview(b"") if data is None else memoryview(data)[offsets[0] : offsets[-1]]


def _offsets(texts: Any) -> memoryview:
    """One more than there are values, in bytes from the start of the data buffer; respects a slice."""
    if not len(texts):
        return memoryview(bytes(8)).cast("q")
    start, stop = texts.offset, texts.offset + len(texts) + 1
    return memoryview(texts.buffers()[1]).cast("B")[8 * start : 8 * stop].cast("q")


def _text(column: Any) -> Any:
    return column if column.type == TEXT else column.cast(TEXT)


def _texts(column: Any) -> Any:
    wanted = pa.large_list(TEXT)
    column = column if column.type == wanted else column.cast(wanted)
    if pc.list_flatten(column).null_count:
        raise ValueError("an operation in `extra` is null")
    return column


def _marks_before(batch: pa.RecordBatch, keys: Any, before: Mark) -> dict[str, Any]:
    rows = batch.num_rows
    positions = batch.column("position")
    ordinals = pc.indices_nonzero(pa.repeat(pa.scalar(True), rows)).cast(pa.int64())
    return {
        "rows_before": pc.add(ordinals, before.rows),
        "key_before": pa.concat_arrays([pa.array([before.key], TEXT), keys.slice(0, rows - 1)]),
        "position_before": pa.concat_arrays(
            [pa.array([before.position], positions.type), positions.slice(0, rows - 1)]
        ),
    }
