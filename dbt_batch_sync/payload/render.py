"""The rendering of a delta: Arrow batches in, one JSON operation a row out, refusals beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.attributes import MAX_ARRAYS, MAX_ATTRIBUTES, TypedAttribute
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.payload.source import DELTA, PARKED, POSITION, DeltaSource, only_inserts, row_bytes
from dbt_batch_sync.payload.statement import ARRAYS, ENDING, HEAD, OPERATION, OTHERS, WITHHELD, rendering

DELTA_COLUMNS = ("custom_id", "_batch_change", "_batch_changed", "_batch_parked")
"""What a row has to bring beside its attributes; all are text, and every name is in lower case.
`_batch_parked` is the hash of the operation for which Batch refused the row, null for nearly all."""


_DISORDER = "the rows were not rendered in the order of the delta's keys: nothing more was sent"


MAX_BATCH_ROWS = 8_192
"""Rows of a batch that comes out; fewer where the first rows are wide."""

BATCH_BYTES = 16_000_000
"""What such a batch may have of operations, each of them guessed to be twice as long as its row."""


@dataclass(frozen=True)
class Withheld:
    """An attribute that Batch would refuse: the rest of its row goes. Never the value."""

    position: int
    custom_id: str
    attribute: str
    reason: str


@dataclass(frozen=True)
class Parked:
    """A row that Batch refused as it is now: it is skipped, and not committed."""

    position: int
    custom_id: str
    sent_hash: str


@dataclass(frozen=True)
class Rendered:
    """Some rows of the delta in the order of its keys.

    `rows` has the columns that `delivery` takes: `custom_id`, `operation` (a JSON object and a comma; null
    where nothing is to be sent), `extra` (further operations of the row, in other requests) and `position`
    (1-based in the delta).
    """

    rows: pa.RecordBatch
    withheld: tuple[Withheld, ...]
    parked: tuple[Parked, ...]


def sent_hash(operation: str | bytes) -> str:
    """What a refused row is parked by: a hash of the operation as it was sent, its comma included."""
    sent = operation.encode() if isinstance(operation, str) else operation
    return hashlib.md5(sent, usedforsecurity=False).hexdigest()


def render(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    attributes: Sequence[TypedAttribute],
    *,
    after: int = 0,
    batch_rows: int = MAX_BATCH_ROWS,
    memory_limit: str = "200MB",
) -> Generator[Rendered, None, None]:
    """Renders delta rows as they come; holds a few batches, whatever their number.

    `schema` is that of every batch: `DELTA_COLUMNS` and a column per attribute, named like it. `after` is the
    number of the delta's rows before the first one. An error of `batches` is raised as it is.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    batch_rows = max(1, min(batch_rows, BATCH_BYTES // (2 * row_bytes(first))))
    with _engine(memory_limit) as connection:
        for inserts, part in _parts(chain([first], batches)):
            source = DeltaSource(schema, attributes, after, inserts=inserts)
            query = rendering(attributes, source.schema, inserts=inserts).sql(dialect="duckdb")
            connection.register(DELTA, source.reader(part))
            yield from _run(connection, query, source, batch_rows)
            after = source.position


def _parts(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[bool, Iterator[pa.RecordBatch]]]:
    """The leading batches that have inserts alone, which take a smaller statement, and all the others."""
    leading = True

    def leads(batch: pa.RecordBatch) -> bool:
        nonlocal leading
        leading = leading and only_inserts(batch)
        return leading

    return groupby(batches, leads)


def _run(
    connection: duckdb.DuckDBPyConnection, query: str, source: DeltaSource, batch_rows: int
) -> Iterator[Rendered]:
    position = source.position
    try:
        for batch in _stream(connection, query, batch_rows):
            _check_order(batch.column(POSITION), position)
            yield _rendered(batch)
            position += batch.num_rows
    except Exception:  # DuckDB's while it plans, Arrow's while the result is read
        if source.failure is not None:
            raise source.failure from None
        raise
    if position != source.position:
        raise WarehouseError(_DISORDER)


def _rendered(batch: pa.RecordBatch) -> Rendered:
    """Numbers the rows, splits those over a limit, skips those that are parked, and reads the few notes."""
    operations_, extra = batch.column(OPERATION), pa.nulls(batch.num_rows, pa.list_(pa.string()))
    if ARRAYS in batch.schema.names:
        operations_, extra = _split_rows(batch)
    parked: tuple[Parked, ...] = ()
    if batch.column(PARKED).null_count < batch.num_rows:
        operations_, extra, parked = _skip_parked(batch, operations_, extra)
    columns = [batch.column("custom_id"), operations_, extra, batch.column(POSITION)]
    rows = pa.RecordBatch.from_arrays(columns, ["custom_id", "operation", "extra", "position"])
    skipped = {row.position for row in parked}
    withheld = tuple(note for note in _read_notes(batch) if note.position not in skipped)
    return Rendered(rows, withheld, parked)


def _read_notes(batch: pa.RecordBatch) -> Iterator[Withheld]:
    notes = batch.column(WITHHELD)
    if notes.null_count == len(notes):
        return
    noted = notes.is_valid()
    columns = (batch.column(POSITION), batch.column("custom_id"), notes)
    for position, custom_id, listed in zip(
        *(column.filter(noted).to_pylist() for column in columns), strict=True
    ):
        for note in listed.split(","):
            attribute, reason = note.split(":", 1)
            yield Withheld(position, custom_id, attribute, reason)


def _skip_parked(
    batch: pa.RecordBatch, operations_: pa.Array, extra: pa.Array
) -> tuple[pa.Array, pa.Array, tuple[Parked, ...]]:
    """Takes away the operations of the rows that Batch refused for one of them, as long as it is the same."""
    skipped: dict[int, Parked] = {}
    hashes = batch.column(PARKED)
    for row in _valid_rows(hashes):
        known = hashes[row].as_py()
        own = [operations_[row].as_py(), *(extra[row].as_py() or ())]
        if known in {sent_hash(operation) for operation in own if operation is not None}:
            skipped[row] = Parked(
                batch.column(POSITION)[row].as_py(), batch.column("custom_id")[row].as_py(), known
            )
    kept = pa.array([row not in skipped for row in range(batch.num_rows)])
    nothing = (pa.scalar(None, operations_.type), pa.scalar(None, extra.type))
    return (
        pc.if_else(kept, operations_, nothing[0]),
        pc.if_else(kept, extra, nothing[1]),
        tuple(skipped.values()),
    )


def _valid_rows(column: pa.Array) -> list[int]:
    return [row for row, valid in enumerate(column.is_valid().to_pylist()) if valid]


def _split_rows(batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
    """Gives each row over a limit several operations; there are few of them, so each is taken by itself."""
    operations_ = batch.column(OPERATION).to_pylist()
    extra: list[list[str] | None] = [None] * batch.num_rows
    heads, arrays, others = (batch.column(name) for name in (HEAD, ARRAYS, OTHERS))
    for row in _valid_rows(heads):
        groups = split(arrays[row].as_py(), others[row].as_py())
        operations_[row], *extra[row] = [heads[row].as_py() + ",".join(group) + ENDING for group in groups]
    return pa.array(operations_, pa.string()), pa.array(extra, pa.list_(pa.string()))


def split(arrays: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """The fewest groups of at most 50 fragments, 15 of them arrays."""
    groups: list[list[str]] = []
    while arrays or others:
        room = MAX_ATTRIBUTES - len(arrays[:MAX_ARRAYS])
        groups.append([*arrays[:MAX_ARRAYS], *others[:room]])
        arrays, others = arrays[MAX_ARRAYS:], others[room:]
    return groups


def _check_order(positions: pa.Array, after: int) -> None:
    """Holds the rendering to the order of its rows.

    What is committed is a range of keys: a row out of place is a row lost.
    """
    steps = pc.pairwise_diff(positions)
    in_steps = pc.all(pc.equal(steps, 1), min_count=0).as_py()
    if len(positions) and (positions[0].as_py() != after + 1 or not in_steps):
        raise WarehouseError(_DISORDER)


@contextmanager
def _engine(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private DuckDB that knows no zone but UTC. With more threads it does not keep the order of rows."""
    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit, "threads": 1}
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _stream(connection: duckdb.DuckDBPyConnection, query: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """A result as it is made. DuckDB 2 streams a relation and holds a cursor's result; 1.x the opposite."""
    relation = connection.sql(query)
    read: Callable[[int], pa.RecordBatchReader] = (
        getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    )
    yield from read(batch_rows)
