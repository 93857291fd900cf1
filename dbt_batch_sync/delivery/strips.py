"""A strip: operations in row order, from which chunks take the first ones.

A record batch becomes one strip, carried operations another.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

TEXT: Final = pa.large_string()
"""All texts are converted to this type (only offsets are copied): one buffer layout, no limit of 2 GiB."""

TEXTS: Final = pa.large_list(TEXT)


class Strip:
    """Operations with their keys: columns `key` and `operation`. If a row has further operations: `extra`,
    and `rows_before`, the number of delta rows before the row. If a row stands for several delta rows:
    `members` of each operation and `more`, those of further ones. `is_source`: these are not carried ones.
    """

    apart = 0

    def __init__(self, entries: pa.RecordBatch, is_source: bool) -> None:
        self.entries = entries
        self.is_source = is_source
        self.has_members = "members" in entries.schema.names
        self.taken = 0
        self._offsets = _offsets(entries.column("operation"))

    def __len__(self) -> int:
        return int(self.entries.num_rows)

    def size(self, start: int, stop: int) -> int:
        """The size of the operations from `start` to `stop`, including commas."""
        return self._offsets[stop] - self._offsets[start]

    def fitting(self, operations: int, size: int) -> int:
        """The end of the next operations that fit a number and a size."""
        most = min(self.taken + operations, len(self))
        return bisect_right(self._offsets, self._offsets[self.taken] + size, self.taken, most + 1) - 1

    def column(self, name: str) -> Any:
        return self.entries.column(name)

    def rows_of(self, index: int) -> list[str]:
        """The keys of the delta rows in an operation."""
        cell = self.column("members" if self.has_members else "key")[index].as_py()
        return [cell] if isinstance(cell, str) else cell

    def reached(self) -> int:
        """The number of rows before the row of the next operation, which must exist."""
        return int(self.column("rows_before")[self.taken].as_py())


class SourceStrip(Strip):
    """The first operations of a record batch, between rows with nothing to send."""

    def __init__(self, entries: pa.RecordBatch, before: int, rows: int, places: Any, apart: int = 0) -> None:
        super().__init__(entries, is_source=True)
        self.apart = apart
        self._before = before
        self._rows = rows
        self._places = places  # for each entry, the number of the batch's rows before it; None: its index

    def reached(self) -> int:
        """The number of rows before the row of the next operation; all rows of the batch after the last one.

        So rows with nothing to send are passed as soon as the rows before them are taken.
        """
        if self.taken == len(self):
            return self._before + self._rows
        return self._before + (self.taken if self._places is None else self._places[self.taken].as_py())


def source_strip(batch: pa.RecordBatch, before: int) -> SourceStrip:
    """The strip of a non-empty record batch, given the number of delta rows before it."""
    places, rows, apart = None, batch.num_rows, 0
    columns = {"key": _text(batch.column("key")), "operation": _text(batch.column("operation"))}
    if "rows" in batch.schema.names:
        counts = batch.column("rows")
        places = pc.subtract(pc.cumulative_sum(counts), counts)
        rows, apart = pc.sum(counts).as_py(), batch.column("apart")[0].as_py()
        members = batch.column("members").cast(pa.large_list(TEXTS))
        columns |= {"members": pc.list_element(members, 0), "more": pc.list_slice(members, 1)}
    extra = batch.column("extra")
    if extra.null_count < len(extra):
        counted = pa.array(range(batch.num_rows), pa.int64()) if places is None else places
        columns |= {"extra": _texts(extra), "rows_before": pc.add(counted, before)}
    entries = pa.RecordBatch.from_pydict(columns)
    if columns["operation"].null_count:
        sent = columns["operation"].is_valid()
        entries = entries.filter(sent)
        places = pc.indices_nonzero(sent) if places is None else places.filter(sent)
    return SourceStrip(entries, before, rows, places, apart)


def carry(strip: Strip, start: int, stop: int) -> Strip | None:
    """The next operation of the rows from `start` to `stop` that have one; None if none has."""
    if "extra" not in strip.entries.schema.names:
        return None
    part = strip.entries.slice(start, stop - start)
    part = part.filter(pc.greater(pc.list_value_length(part.column("extra")), 0))  # null is no
    if not part.num_rows:
        return None
    columns = {name: part.column(name) for name in part.schema.names}
    for name, rest in (("operation", "extra"), ("members", "more")):
        if rest in columns:
            listed = columns[rest]
            columns |= {name: pc.list_element(listed, 0), rest: pc.list_slice(listed, 1)}
    return Strip(pa.RecordBatch.from_pydict(columns), is_source=False)


def text_bytes(texts: Any) -> memoryview:
    """The bytes of a `large_string` array's values, without copying. No nulls."""
    offsets = _offsets(texts)
    data = texts.buffers()[2]
    return memoryview(b"") if data is None else memoryview(data)[offsets[0] : offsets[-1]]


def _offsets(texts: Any) -> memoryview:
    """Value offsets from the start of the data buffer, one more than there are values. Respects slices."""
    if not len(texts):
        return memoryview(bytes(8)).cast("q")
    start, stop = texts.offset, texts.offset + len(texts) + 1
    return memoryview(texts.buffers()[1]).cast("B")[8 * start : 8 * stop].cast("q")


def _text(column: Any) -> Any:
    return column if column.type == TEXT else column.cast(TEXT)


def _texts(column: Any) -> Any:
    column = column if column.type == TEXTS else column.cast(TEXTS)
    if pc.list_flatten(column).null_count:
        raise ValueError("an operation in `extra` is null")
    return column
