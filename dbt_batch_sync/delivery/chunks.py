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

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.delivery.strips import TEXT, TEXTS, Strip, carry, source_strip, text_bytes
from dbt_batch_sync.kinds.kind import ARRAY, CONTINUES

MAX_BODY_BYTES = 8 * 1024 * 1024
"""[U] Batch documents no limit; our own choice."""


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
        pieces = self.operations.slice(start, stop - start).chunks
        texts = [text_bytes(piece) for piece in pieces if len(piece)]
        if texts:
            texts[-1] = texts[-1][:-1]  # without the last comma
        return b"".join((self.envelope[0], *texts, self.envelope[1]))

    def rows_of(self, index: int) -> list[str]:
        """The keys of the delta rows in the operation with a 0-based index in the body."""
        cell = (self.keys if self.members is None else self.members)[index].as_py()
        return [cell] if isinstance(cell, str) else cell

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
    read = settled = 0
    filling = _Filling(max_operations, max_bytes, envelope)
    number = 0

    def close() -> Chunk:
        nonlocal number, settled, filling
        number += 1
        chunk, following = filling.close(number, settled, read)
        settled += chunk.rows
        filling = following
        return chunk

    for batch in batches:
        if not batch.num_rows:
            continue
        strip = source_strip(batch, read)
        if strip.apart:
            while not filling.is_empty:
                yield close()
            filling.follows = strip.apart == CONTINUES
        while not filling.take(strip):
            read = strip.reached()
            yield close()
        read = strip.reached()
        if filling.is_full:
            yield close()
    while settled < read:
        yield close()


class _Filling:
    """The chunk being filled, starting with carried operations. It takes no new row before all of them."""

    def __init__(
        self,
        max_operations: int,
        max_bytes: int,
        envelope: tuple[bytes, bytes],
        carried: Iterable[Strip] = (),
    ) -> None:
        self._max_operations = max_operations
        self._max_bytes = max_bytes
        self._envelope = envelope
        self._parts: list[tuple[Strip, int, int]] = []
        self._oversized: list[str] = []
        self._count = 0
        self._size = self._least = len(b"".join(envelope)) - 1  # without the last comma
        self._waiting: deque[Strip] = deque(carried)
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

    def take(self, strip: Strip) -> bool:
        """Takes what fits from the front of a record batch's strip. Returns whether the strip is used up."""
        return not self._waiting and self._fill(strip)

    def _fill(self, strip: Strip) -> bool:
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

    def close(self, number: int, settled: int, read: int) -> tuple[Chunk, _Filling]:
        """The finished chunk, and the next one with the operations that this one leaves behind. Earlier
        chunks settle `settled` rows; `read` rows are in this one or an earlier one.
        """
        # Carried rows stay in order: those taken just now come before those that are still waiting.
        again = [strip for part in self._parts if (strip := carry(*part)) is not None]
        left = [*again, *self._waiting]
        has_members = any(strip.has_members for strip, *_ in self._parts)
        members = self._column("members", TEXTS) if has_members else None
        sources = sum(stop - start for strip, start, stop in self._parts if strip.is_source)
        chunk = Chunk(
            number=number,
            rows=(left[0].reached() if left else read) - settled,
            sent=sources if members is None else _items(members),
            reached=read,
            oversized=tuple(self._oversized),
            operations=self._column("operation", TEXT),
            keys=self._column("key", TEXT),
            members=members,
            follows=self.follows,
            envelope=self._envelope,
        )
        return chunk, _Filling(self._max_operations, self._max_bytes, self._envelope, left)

    def _column(self, name: str, kind: Any) -> Any:
        pieces = [strip.column(name).slice(start, stop - start) for strip, start, stop in self._parts]
        return pa.chunked_array(pieces, type=kind)


def _items(lists: Any) -> int:
    return int(pc.sum(pc.list_value_length(lists)).as_py() or 0)
