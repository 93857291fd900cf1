"""Cuts a stream of rendered rows into chunks, the rows of one request, without handling single rows in
Python.

The renderer's record batches have these columns:

key   text
operation   text: the operation's JSON and a comma, `{…},`; null when the row has nothing to send
extra       list of texts, usually null: further operations of the same row, in the same form, none null
rows        optional: how many rows of the delta the row stands for, one after the other; else each is one
members     with `rows`: for the operation and each further one, the keys of the delta's rows in it
apart       with `rows`, of a batch's first row: `APART` where a call must begin with it, `CONTINUES` where
            its key is also that of the row before it

and arrive in the order of the delta's pages. Text may be any of Arrow's string types. An operation's length
is a difference of two Arrow offsets and a body is a join of slices of Arrow's own buffers, so that a chunk
costs the same whether it has ten rows or ten thousand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.kinds.kind import ARRAY, CONTINUES

MAX_BODY_BYTES = 8 * 1024 * 1024
"""[U] Batch documents no limit; our own choice."""

TEXT: Final = pa.large_string()
"""All texts are converted to this type (only offsets are copied): one buffer layout, no limit of 2 GiB."""

TEXTS: Final = pa.large_list(TEXT)


@dataclass(frozen=True, eq=False)
class Chunk:
    """The operations of one request, and how far the delta is settled once this chunk and all before it are.

    Attributes:
        number: From 1, without gaps.
        rows: Delta rows that this chunk settles, including rows with nothing to send; 0 while all are carried
            over.
        sent: Rows whose first operation is in this chunk; with `members`, all its rows.
        reached: Delta rows with an operation in this chunk or an earlier one, and all rows before them: what
            may be in Batch once it is sent.
        oversized: Keys of rows whose single operation is over the size limit, and which are never sent.
        operations: JSON texts, each with a comma. No two have the same `key`.
        keys: Keys of the operations, in the same order.
        members: For each operation, the keys of its delta rows; None: the operation's own key.
        follows: A key of this chunk is in an earlier chunk, which must be settled first.
    """

    number: int
    rows: int
    sent: int
    reached: int
    oversized: tuple[str, ...] = field(repr=False)
    operations: Any = field(repr=False)  # pa.ChunkedArray of large_string
    keys: Any = field(repr=False)
    members: Any = field(default=None, repr=False)  # pa.ChunkedArray of lists of large_string
    follows: bool = False
    envelope: tuple[bytes, bytes] = field(default=ARRAY, repr=False)

    def __len__(self) -> int:
        return len(self.operations)

    def body(self, start: int = 0, stop: int | None = None) -> bytes:
        """The body with the operations from `start` up to, but not including, `stop`, in one copy."""
        stop = len(self) if stop is None else stop
        texts: list[memoryview] = []
        for piece in self.operations.slice(start, stop - start).chunks:
            if len(piece):
                offsets = _offsets(piece)
                texts.append(memoryview(piece.buffers()[2])[offsets[0] : offsets[-1]])
        if texts:
            texts[-1] = texts[-1][:-1]  # without the last comma
        return b"".join((self.envelope[0], *texts, self.envelope[1]))

    def rows_of(self, index: int) -> list[str]:
        """The keys of the delta rows in the operation with a 0-based index in the body."""
        return _listed((self.keys if self.members is None else self.members)[index])

    def count(self, start: int, stop: int) -> int:
        """The number of delta rows in the operations from `start` up to, but not including, `stop`."""
        return stop - start if self.members is None else _items(self.members.slice(start, stop - start))


def chunk_rows(
    batches: Iterable[pa.RecordBatch],
    max_operations: int,
    max_bytes: int = MAX_BODY_BYTES,
    envelope: tuple[bytes, bytes] = ARRAY,
) -> Iterator[Chunk]:
    """Chunks of at most `max_operations` and a body of `max_bytes`. Each operation is in exactly one.

    Rows stay in order. A row's further operations go to the front of the following chunks, one per chunk. The
    chunks' `rows` add up to all rows; the last one may have no operations. Holds one chunk and one batch.
    """
    cutter = _Cutter(max_operations, max_bytes, envelope)
    for batch in batches:
        if not batch.num_rows:
            continue
        strip = _source_strip(batch, cutter.read)
        apart = batch.column("apart")[0].as_py() if strip.has_members else 0
        if apart:
            while not cutter.is_empty:
                yield cutter.cut()
            cutter.follows = apart == CONTINUES
        while not cutter.take(strip):
            yield cutter.cut()
        if cutter.is_full:
            yield cutter.cut()
    while cutter.settled < cutter.read:
        yield cutter.cut()


class _Strip:
    """Operations in row order, from which chunks take the first ones: those of a record batch, or carried
    ones.

    Columns are `key`, `operation` and `rows_before`, the number of delta rows before the row. If a row has
    further operations: `extra`. If a row stands for several delta rows: `members` of each operation and
    `more`, those of further ones. `end` is the number of rows before the next strip.
    """

    def __init__(self, entries: pa.RecordBatch, end: int, is_source: bool) -> None:
        self.entries = entries
        self.is_source = is_source
        self.has_members = "members" in entries.schema.names
        self.taken = 0
        self._end = end
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

    def rows_of(self, index: int) -> list[str]:
        """The keys of the delta rows in an operation."""
        return _listed(self.entries.column("members" if self.has_members else "key")[index])

    def reached(self) -> int:
        """The number of rows before the row of the next operation; all rows after the last one.

        So rows with nothing to send are passed as soon as the rows before them are taken.
        """
        if self.taken == len(self):
            return self._end
        return int(self.entries.column("rows_before")[self.taken].as_py())


class _Cutter:
    """Fills a chunk, starting with carried operations. It takes no new row before all of them.

    `read` rows are in this chunk or an earlier one, `settled` are those that earlier chunks settle.
    """

    def __init__(self, max_operations: int, max_bytes: int, envelope: tuple[bytes, bytes]) -> None:
        self._max_operations = max_operations
        self._max_bytes = max_bytes
        self._envelope = envelope
        self._least = len(b"".join(envelope)) - 1  # without the last comma
        self._number = self.settled = self.read = 0
        self._begin([])

    def _begin(self, carried: Iterable[_Strip]) -> None:
        self._parts: list[tuple[_Strip, int, int]] = []
        self._oversized: list[str] = []
        self._count, self._size = 0, self._least
        self._waiting = deque(carried)
        # Parts of one row may come in any order, unless an operation contains several rows.
        self.follows = any(strip.has_members for strip in self._waiting)
        while self._waiting and self._fill(self._waiting[0]):
            self._waiting.popleft()

    @property
    def is_empty(self) -> bool:
        return not (self._count or self._waiting or self._oversized)

    @property
    def is_full(self) -> bool:
        return self._count >= self._max_operations

    def take(self, strip: _Strip) -> bool:
        """Takes what fits from the front of a record batch's strip. Returns whether the strip is used up."""
        is_used_up = not self._waiting and self._fill(strip)
        self.read = strip.reached()
        return is_used_up

    def _fill(self, strip: _Strip) -> bool:
        while strip.taken < len(strip):
            start = strip.taken
            stop = strip.fitting(self._max_operations - self._count, self._max_bytes - self._size)
            if stop > start:
                self._parts.append((strip, start, stop))
                self._count += stop - start
                self._size += strip.size(start, stop)
                strip.taken = stop
            elif not self.is_full and strip.size(start, start + 1) + self._least > self._max_bytes:
                self._oversized += strip.rows_of(start)
                strip.taken = start + 1
            else:
                return False
        return True

    def cut(self) -> Chunk:
        """The finished chunk. The next one begins with the operations that this one leaves behind."""
        # Carried rows stay in order: those taken just now come before those that are still waiting.
        again = [strip for part in self._parts if (strip := _carry(*part)) is not None]
        left = [*again, *self._waiting]
        has_members = any(strip.has_members for strip, *_ in self._parts)
        members = self._column("members", TEXTS) if has_members else None
        sources = sum(stop - start for strip, start, stop in self._parts if strip.is_source)
        rows = (left[0].reached() if left else self.read) - self.settled
        self._number += 1
        self.settled += rows
        chunk = Chunk(
            number=self._number,
            rows=rows,
            sent=sources if members is None else _items(members),
            reached=self.read,
            oversized=tuple(self._oversized),
            operations=self._column("operation", TEXT),
            keys=self._column("key", TEXT),
            members=members,
            follows=self.follows,
            envelope=self._envelope,
        )
        self._begin(left)
        return chunk

    def _column(self, name: str, kind: Any) -> Any:
        pieces = [strip.entries.column(name).slice(start, stop - start) for strip, start, stop in self._parts]
        return pa.chunked_array(pieces, type=kind)


def _source_strip(batch: pa.RecordBatch, before: int) -> _Strip:
    """The first operations of a non-empty record batch, given the number of delta rows before it."""
    is_grouped = "rows" in batch.schema.names
    counts = batch.column("rows") if is_grouped else pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)
    ends = pc.cumulative_sum(counts, start=before)
    operations = batch.column("operation").cast(TEXT)
    columns = {"key": batch.column("key").cast(TEXT), "operation": operations}
    columns["rows_before"] = pc.subtract(ends, counts)
    if is_grouped:
        members = batch.column("members").cast(pa.large_list(TEXTS))
        columns |= {"members": pc.list_element(members, 0), "more": pc.list_slice(members, 1)}
    extra = batch.column("extra")
    if extra.null_count < len(extra):
        columns["extra"] = extra.cast(TEXTS)
    entries = pa.RecordBatch.from_pydict(columns)
    if operations.null_count:
        entries = entries.filter(operations.is_valid())
    return _Strip(entries, ends[-1].as_py(), is_source=True)


def _carry(strip: _Strip, start: int, stop: int) -> _Strip | None:
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
    return _Strip(pa.RecordBatch.from_pydict(columns), 0, is_source=False)


def _offsets(texts: Any) -> memoryview:
    """Value offsets from the start of the data buffer, one more than there are values. Respects slices."""
    if not len(texts):
        return memoryview(bytes(8)).cast("q")
    start, stop = texts.offset, texts.offset + len(texts) + 1
    return memoryview(texts.buffers()[1]).cast("B")[8 * start : 8 * stop].cast("q")


def _listed(keys: pa.Scalar) -> list[str]:
    cell = keys.as_py()
    return [cell] if isinstance(cell, str) else cell


def _items(lists: Any) -> int:
    return int(pc.sum(pc.list_value_length(lists)).as_py() or 0)
