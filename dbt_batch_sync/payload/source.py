"""The rows of a delta as the statement reads them: numbered, with changed attributes as bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.kinds.attributes import KEY

DELTA = "delta"
"""The name of the rows in the statement."""

POSITION = "_batch_position"

SENT, CLEARED = "_batch_send_", "_batch_clear_"
"""Masks with a bit per attribute: to send if it has a value, and to send if it has none. There are as many of
each as needed, numbered from 0.
"""

NAMES_PER_MASK = 62
"""Bits used per mask; the sign is left out."""

REMOVED = "_batch_removed"
"""1 for an exit, if rows are sent whole."""

AT_ONCE_BYTES = 4_000_000
"""Rows per piece: DuckDB processes up to 2,048 rows at a time, and holds about ten times their size."""

_ALL = -1


class DeltaSource:
    """Feeds record batches to DuckDB.

    `inserts`: all rows are inserts, so no masks are needed. `whole`: rows are sent whole, so only exits are
    marked. `position` is that of the last row so far. `failure` is the exception of the batches, which DuckDB
    would replace by its own.
    """

    def __init__(
        self,
        schema: pa.Schema,
        names: Sequence[str],
        after: int,
        *,
        inserts: bool = False,
        whole: bool = False,
    ) -> None:
        self.inserts = inserts
        self._whole = whole
        self.position = after
        self.failure: BaseException | None = None
        self._names = list(names)
        self._kept = [KEY, *self._names]
        self._counting = pa.array([], pa.int64())
        fields = [schema.field(name) for name in self._kept]
        numbers = [pa.field(name, pa.int64()) for name in (POSITION, *self._mask_names())]
        self.schema = pa.schema([*fields, *numbers])

    def reader(self, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
        """The rows, read once."""
        return pa.RecordBatchReader.from_batches(self.schema, self._read(batches))

    def _read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                for piece in _pieces(batch):
                    yield self._prepared(piece)
        except BaseException as failure:
            self.failure = failure
            raise

    def _prepared(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [batch.column(name) for name in self._kept]
        numbers = self._numbers(batch.num_rows)
        masks = self._masks(batch)
        return pa.RecordBatch.from_arrays([*columns, numbers, *masks], schema=self.schema)

    def _numbers(self, count: int) -> pa.Array:
        if count > len(self._counting):
            self._counting = pa.array(range(1, count + 1), pa.int64())
        numbers = pc.add(self._counting.slice(0, count), self.position)
        self.position += count
        return numbers

    def _mask_names(self) -> list[str]:
        if self._whole:
            return [] if self.inserts else [REMOVED]
        groups = range(0, 0 if self.inserts else len(self._names), NAMES_PER_MASK)
        return [f"{mask}{number}" for number in range(len(groups)) for mask in (SENT, CLEARED)]

    def _masks(self, batch: pa.RecordBatch) -> Iterator[pa.Array]:
        """An insert sends every value and no null; other rows send what has changed.

        Many rows share few combinations of names.
        """
        if self.inserts:
            return
        if self._whole:
            yield pc.cast(_is_change(batch, "exit"), pa.int64())
            return
        inserts = _is_change(batch, "insert")
        changed = pc.if_else(inserts, None, _plain_text(batch.column("_batch_changed"))).dictionary_encode()
        listed = [(names or "").split(",") for names in changed.dictionary.to_pylist()]
        for start in range(0, len(self._names), NAMES_PER_MASK):
            bits = {name: 1 << bit for bit, name in enumerate(self._names[start : start + NAMES_PER_MASK])}
            found = [sum({bits.get(name, 0) for name in names}) for names in listed]
            mask = pa.array(found, pa.int64()).take(changed.indices)
            yield pc.if_else(inserts, _ALL, mask)
            yield pc.if_else(inserts, 0, mask)


def row_bytes(batch: pa.RecordBatch) -> int:
    """The average size of a row; at least one byte."""
    return max(1, int(batch.nbytes // max(1, batch.num_rows)))


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    step = max(1, AT_ONCE_BYTES // row_bytes(batch))
    return (batch.slice(start, step) for start in range(0, batch.num_rows, step))


def _is_change(batch: pa.RecordBatch, change: str) -> pa.Array:
    return pc.equal(_plain_text(batch.column("_batch_change")), change)


def _plain_text(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())
