"""The rendering of a delta: Arrow batches in, one JSON operation a row out, refusals beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dbt_batch_sync.attributes import MAX_ARRAYS, MAX_ATTRIBUTES, AttributeType, TypedAttribute
from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.payload.encoding import as_json, call, choose, encode, is_null, text

POSITION = "_batch_position"
NAMES = "_batch_names"
"""Columns of our own stand beside the attributes', so they begin as no attribute's name may."""

DELTA_COLUMNS = ("custom_id", "_batch_change", "_batch_changed", "_batch_parked")
"""What a row has to bring beside its attributes; all are text, and every name is in lower case. `_batch_parked` is the hash
of the operation for which Batch refused the row, null for nearly all."""


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

    `rows` has the columns that `delivery` takes: `custom_id`, `operation` (a JSON object and a comma; null where nothing
    is to be sent), `extra` (further operations of the row, in other requests) and `position` (1-based in the delta).
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
    batch_rows: int = 20_000,
    memory_limit: str = "200MB",
) -> Iterator[Rendered]:
    """Renders delta rows as they come; holds a few batches, whatever their number.

    `schema` is that of every batch: `DELTA_COLUMNS` and a column per attribute, named like it. `after` is the number of
    the delta's rows before the first one. An error of `batches` is raised as it is.
    """
    query = operations(attributes, schema).sql(dialect="duckdb")
    failures: list[BaseException] = []
    numbered = schema.append(pa.field(POSITION, pa.int64()))
    with _engine(memory_limit) as connection:
        source = pa.RecordBatchReader.from_batches(numbered, _numbering(batches, numbered, after, failures))
        connection.register("delta", source)
        try:
            position = after
            for batch in _stream(connection, query, batch_rows):
                _check_order(batch.column(POSITION), position)
                yield _rendered(batch)
                position += batch.num_rows
        except duckdb.Error:
            if failures:
                raise failures[0] from None
            raise


def operations(attributes: Sequence[TypedAttribute], schema: pa.Schema) -> exp.Select:
    """The select from `delta` that renders: custom_id, operation, arrays and others (for rows over the limits), withheld."""
    checked = exp.select("*").from_("delta")
    fragments: list[exp.Expression] = []
    notes: list[exp.Expression] = []
    for number, attribute in enumerate(attributes):
        encoding = encode(attribute, schema.field(attribute.name).type)
        chosen, problem = exp.column(f"_batch_chosen_{number}"), exp.column(f"_batch_problem_{number}")
        checked = checked.select(
            choose(
                [(_is_insert(), exp.not_(is_null(encoding.value)))],
                call("contains", exp.column(NAMES), text(f",{attribute.name},")),
            ).as_(chosen.name),
            # A null has no problem, and what counts as null has none: an empty text would break its pattern.
            choose([(exp.not_(is_null(encoding.value)), encoding.problem)]).as_(problem.name),
            copy=False,  # of all that was selected before, for each attribute
        )
        missing, sendable = text(f'"{attribute.plain_name}":null'), exp.and_(chosen, is_null(problem))
        present = exp.DPipe(this=text(f'"{attribute.wire_name}":'), expression=encoding.json)
        fragments.append(choose([(sendable, choose([(is_null(encoding.value), missing)], present))]))
        notes.append(choose([(chosen, exp.DPipe(this=text(f"{attribute.name}:"), expression=problem))]))
    named = exp.select("*", _names()).from_("delta")
    inner = checked.from_(named.subquery("delta"))
    return _assemble(attributes, fragments, notes).from_(inner.subquery("checked"))


def _assemble(
    attributes: Sequence[TypedAttribute], fragments: list[exp.Expression], notes: list[exp.Expression]
) -> exp.Select:
    """One operation where the mapping can't exceed a limit; else the pieces too, of the rows that do."""
    arrays = [f for a, f in zip(attributes, fragments, strict=True) if a.type is AttributeType.STRING_ARRAY]
    others = [
        f for a, f in zip(attributes, fragments, strict=True) if a.type is not AttributeType.STRING_ARRAY
    ]
    head = exp.DPipe(this=text('{"identifiers":{"custom_id":'), expression=as_json(exp.column("custom_id")))
    opening = exp.DPipe(this=head, expression=text('},"attributes":{'))
    joined = call("nullif", call("concat_ws", text(","), *fragments), text(""))
    operation: exp.Expression = exp.DPipe(
        this=exp.DPipe(this=opening, expression=joined), expression=text("}},")
    )
    columns: list[exp.Expression] = [exp.column("custom_id"), exp.column(POSITION)]
    if len(attributes) > MAX_ATTRIBUTES or len(arrays) > MAX_ARRAYS:
        parts = {"arrays": _present(arrays), "others": _present(others)}
        size = {name: call("len", part) for name, part in parts.items()}
        over = exp.or_(
            exp.GT(
                this=exp.Add(this=size["arrays"], expression=size["others"]),
                expression=exp.Literal.number(MAX_ATTRIBUTES),
            ),
            exp.GT(this=size["arrays"], expression=exp.Literal.number(MAX_ARRAYS)),
        )
        operation = choose([(exp.not_(over), operation)])
        columns += [exp.alias_(choose([(over, part)]), name) for name, part in parts.items()]
    withheld = call("nullif", call("concat_ws", text(","), *notes), text(""))
    parked = exp.column("_batch_parked")
    columns += [exp.alias_(operation, "operation"), exp.alias_(withheld, "withheld"), parked]
    return exp.select(*columns)


def _present(fragments: list[exp.Expression]) -> exp.Expression:
    item = exp.not_(is_null(exp.column("item")))
    mapper = exp.Lambda(this=item, expressions=[exp.to_identifier("item")])
    listed = exp.cast(exp.Array(expressions=[f.copy() for f in fragments]), "varchar[]", dialect="duckdb")
    return call("list_filter", listed, mapper)


def _is_insert() -> exp.Expression:
    return exp.EQ(this=exp.column("_batch_change"), expression=text("insert"))


def _names() -> exp.Expression:
    listed = exp.DPipe(this=text(","), expression=exp.column("_batch_changed"))
    return exp.alias_(exp.DPipe(this=listed, expression=text(",")), NAMES)


def _rendered(batch: pa.RecordBatch) -> Rendered:
    """Numbers the rows, splits those over a limit, skips those that are parked, and reads the few notes."""
    operations_, extra = batch.column("operation"), pa.nulls(batch.num_rows, pa.list_(pa.string()))
    if "arrays" in batch.schema.names:
        operations_, extra = _split_rows(batch)
    parked: tuple[Parked, ...] = ()
    if batch.column("_batch_parked").null_count < batch.num_rows:
        operations_, extra, parked = _skip_parked(batch, operations_, extra)
    columns = [batch.column("custom_id"), operations_, extra, batch.column(POSITION)]
    rows = pa.RecordBatch.from_arrays(columns, ["custom_id", "operation", "extra", "position"])
    skipped = {row.position for row in parked}
    withheld = tuple(note for note in _read_notes(batch) if note.position not in skipped)
    return Rendered(rows, withheld, parked)


def _read_notes(batch: pa.RecordBatch) -> Iterator[Withheld]:
    notes = batch.column("withheld")
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
    hashes = batch.column("_batch_parked")
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
    operations_ = batch.column("operation").to_pylist()
    extra: list[list[str] | None] = [None] * batch.num_rows
    arrays, others, ids = batch.column("arrays"), batch.column("others"), batch.column("custom_id")
    for row in _valid_rows(arrays):
        head = (
            '{"identifiers":{"custom_id":'
            + json.dumps(ids[row].as_py(), ensure_ascii=False)
            + '},"attributes":{'
        )
        parts = [head + ",".join(part) + "}}," for part in split(arrays[row].as_py(), others[row].as_py())]
        operations_[row], extra[row] = parts[0], parts[1:]
    return pa.array(operations_, pa.string()), pa.array(extra, pa.list_(pa.string()))


def split(arrays: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """The fewest groups of at most 50 fragments, 15 of them arrays."""
    groups: list[list[str]] = []
    while arrays or others:
        room = MAX_ATTRIBUTES - len(arrays[:MAX_ARRAYS])
        groups.append([*arrays[:MAX_ARRAYS], *others[:room]])
        arrays, others = arrays[MAX_ARRAYS:], others[room:]
    return groups


def _numbering(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, position: int, failures: list[BaseException]
) -> Iterator[pa.RecordBatch]:
    """Numbers the rows. DuckDB turns an error of its source into one of its own: the first one is kept."""
    try:
        for batch in batches:
            end = position + batch.num_rows
            numbers = pa.array(range(position + 1, end + 1), pa.int64())
            yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
            position = end
    except BaseException as error:
        failures.append(error)
        raise


def _check_order(positions: pa.Array, after: int) -> None:
    """Holds the rendering to the order of its rows: what is committed is a range of keys, so a row out of place is a row lost."""
    steps = pc.pairwise_diff(positions)
    in_steps = pc.all(pc.equal(steps, 1), min_count=0).as_py()
    if len(positions) and (positions[0].as_py() != after + 1 or not in_steps):
        raise WarehouseError(
            "the rows were not rendered in the order of the delta's keys: nothing more was sent"
        )


@contextmanager
def _engine(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private DuckDB that knows no other zone than UTC. With more than one thread it does not keep the order of rows."""
    settings: dict[str, str | int | bool] = {"memory_limit": memory_limit, "threads": 1}
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _stream(connection: duckdb.DuckDBPyConnection, query: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """A result as it is made. DuckDB 2 streams a relation and holds a cursor's result; 1.x does the opposite."""
    relation = connection.sql(query)
    read: Callable[[int], pa.RecordBatchReader] = (
        getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    )
    yield from read(batch_rows)
