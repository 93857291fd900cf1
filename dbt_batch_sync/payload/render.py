"""The rendering of a delta: pages in, one JSON operation a row out, rejected values beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.kinds.attributes import KEY, TypedAttribute
from dbt_batch_sync.kinds.kind import Fragment
from dbt_batch_sync.payload.source import DELTA, POSITION, DeltaSource, row_bytes
from dbt_batch_sync.payload.statement import ARRAYS, HEAD, OPERATION, OTHERS, REJECTED, rendering

CHANGE, CHANGED = "_batch_change", "_batch_changed"
"""What a row that may be known has to bring beside its key and its attributes; both are text."""

MAX_BATCH_ROWS = 8_192
"""Rows of a batch that comes out; fewer where the first rows are wide."""

BATCH_BYTES = 16_000_000
"""What such a batch may have of operations, each of them guessed to be twice as long as its row."""


@dataclass(frozen=True)
class RejectedValue:
    """An attribute that Batch would reject: the rest of its row goes; or the row (no attribute). Never the
    value.

    `position` is its row's among those that are rendered, from 1.
    """

    position: int
    key: str
    attribute: str | None
    reason: str


@dataclass(frozen=True)
class Rendered:
    """Some rows of the delta in their order.

    `rows` has the columns that `delivery` takes: `key`, `operation` (a JSON object and a comma; null
    where nothing is to be sent) and `extra` (further operations of the row, in other requests).
    """

    rows: pa.RecordBatch
    rejected: tuple[RejectedValue, ...]


def render(
    batches: Iterable[pa.RecordBatch],
    attributes: Sequence[TypedAttribute],
    fragment: Fragment,
    *,
    batch_rows: int = MAX_BATCH_ROWS,
    memory_limit: str = "200MB",
) -> Generator[Rendered, None, None]:
    """Renders delta rows as they come; holds a few batches, whatever their number.

    A batch has `KEY`, a column per attribute, named like it, and `CHANGE` and `CHANGED`. Without the
    last two its rows are all inserts, which takes a smaller statement. An error of `batches` is raised as it
    is.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    batch_rows = max(1, min(batch_rows, BATCH_BYTES // (2 * row_bytes(first))))
    position = 0
    with engine(memory_limit) as connection:
        for schema, part in groupby(chain([first], batches), lambda batch: batch.schema):
            names, inserts = [each.name for each in attributes], CHANGE not in schema.names
            source = DeltaSource(schema, names, position, inserts=inserts, whole=fragment.whole)
            query = rendering(attributes, source.schema, fragment, inserts=inserts)
            connection.register(DELTA, source.reader(part))
            for batch in run(connection, query, source, batch_rows):
                yield _rendered(batch, fragment)
            position = source.position


def run(
    connection: duckdb.DuckDBPyConnection, query: str, source: DeltaSource, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The statement's result, whose rows must be in the order in which they went in."""
    position = source.position
    try:
        for batch in _stream(connection, query, batch_rows):
            position = _checked(batch.column(POSITION), position)
            yield batch
    except Exception:  # DuckDB's while it plans, Arrow's while the result is read
        if source.failure is not None:
            raise source.failure from None
        raise
    if position != source.position:
        raise WarehouseError(_DISORDER)


_DISORDER = "the rows were not rendered in the order of the delta's pages: nothing more was sent"


def _checked(positions: pa.Array, after: int) -> int:
    """The position of the last row. What is settled is told by a number of rows: one out of place is lost."""
    in_steps = pc.all(pc.equal(pc.pairwise_diff(positions), 1), min_count=0).as_py()
    if len(positions) and (positions[0].as_py() != after + 1 or not in_steps):
        raise WarehouseError(_DISORDER)
    return after + len(positions)


def _rendered(batch: pa.RecordBatch, fragment: Fragment) -> Rendered:
    operations, extra = batch.column(OPERATION), pa.nulls(batch.num_rows, pa.list_(pa.string()))
    if HEAD in batch.schema.names and batch.column(HEAD).null_count < batch.num_rows:
        operations, extra = _split_rows(batch, fragment)
    columns = [batch.column(KEY), operations, extra]
    rows = pa.RecordBatch.from_arrays(columns, ["key", "operation", "extra"])
    return Rendered(rows, tuple(read_notes(batch)))


def read_notes(batch: pa.RecordBatch) -> Iterator[RejectedValue]:
    """What of the attributes is rejected."""
    notes = batch.column(REJECTED)
    if notes.null_count == len(notes):
        return
    noted = notes.is_valid()
    columns = (batch.column(POSITION), batch.column(KEY), notes)
    for position, key, listed in zip(*(column.filter(noted).to_pylist() for column in columns), strict=True):
        for note in listed.split(","):
            attribute, reason = note.split(":", 1)
            yield RejectedValue(position, key, attribute, reason)


def _split_rows(batch: pa.RecordBatch, fragment: Fragment) -> tuple[pa.Array, pa.Array]:
    """Gives each row over a limit several operations; there are few of them, so each is taken by itself."""
    operations = batch.column(OPERATION).to_pylist()
    extra: list[list[str] | None] = [None] * batch.num_rows
    heads, arrays, others = (batch.column(name) for name in (HEAD, ARRAYS, OTHERS))
    for row in pc.indices_nonzero(heads.is_valid()).to_pylist():
        head, ending = heads[row].as_py(), f"{fragment.ending},"
        groups = split(arrays[row].as_py(), others[row].as_py(), fragment)
        operations[row], *extra[row] = [head + ",".join(group) + ending for group in groups]
    return pa.array(operations, pa.string()), pa.array(extra, pa.list_(pa.string()))


def split(arrays: Sequence[str], others: Sequence[str], fragment: Fragment) -> list[list[str]]:
    """The fewest groups of members within the fragment's limits."""
    groups: list[list[str]] = []
    while arrays or others:
        first, arrays = arrays[: fragment.max_arrays], arrays[fragment.max_arrays :]
        room = fragment.max_members - len(first)
        groups.append([*first, *others[:room]])
        others = others[room:]
    return groups


@contextmanager
def engine(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
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
