"""Renders a delta: pages in; one JSON operation per row and the rejections out."""

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
"""Columns that rows need beside the key and the attributes, unless all are inserts. Both are text."""

MAX_BATCH_ROWS = 8_192
"""Rows per rendered batch; fewer if the first rows are wide."""

BATCH_BYTES = 16_000_000
"""Bytes of operations per rendered batch, each estimated at twice its row."""


@dataclass(frozen=True)
class RejectedValue:
    """A rejected attribute, without which the rest of its row is sent, or a rejected row (no attribute).
    Without the value.

    `position` is the row's number among the rendered rows, from 1.
    """

    position: int
    key: str
    attribute: str | None
    reason: str


@dataclass(frozen=True)
class Rendered:
    """Some rows of the delta, in order.

    `rows` has the columns that `delivery` reads: `key`, `operation` (a JSON object and a comma; null if
    nothing is sent) and `extra` (further operations of the row, in other requests).
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
    """Renders delta rows and holds a few batches, however many there are.

    A batch has `KEY`, a column for each attribute, with its name, and `CHANGE` and `CHANGED`. Without the
    last two, all rows are inserts, which a smaller statement renders. Errors of `batches` are raised
    unchanged.
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
    """The statement's result, whose rows must be in their original order."""
    position = source.position
    try:
        for batch in _stream(connection, query, batch_rows):
            position = _checked(batch.column(POSITION), position)
            yield batch
    except Exception:  # an error of DuckDB while it plans, of Arrow while the result is read
        if source.failure is not None:
            raise source.failure from None
        raise
    if position != source.position:
        raise WarehouseError(_DISORDER)


_DISORDER = "the rows were not rendered in the order of the delta's pages: nothing more was sent"


def _checked(positions: pa.Array, after: int) -> int:
    """The position of the last row. Settled rows are counted, so a row out of order would be lost."""
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
    """The rejections of attributes."""
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
    """Splits each row over a limit into several operations. There are few, so they are handled one by one."""
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
    """A private DuckDB in UTC. With more threads, it would not keep the order of rows."""
    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit, "threads": 1}
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _stream(connection: duckdb.DuckDBPyConnection, query: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """A streamed result. DuckDB 2 streams a relation and materializes a cursor's result; 1.x does the
    opposite.
    """
    relation = connection.sql(query)
    read: Callable[[int], pa.RecordBatchReader] = (
        getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    )
    yield from read(batch_rows)
