"""Creates deltas, renders them, and parses the result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from dbt_batch_sync.kinds.attributes import KEY, AttributeType, TypedAttribute
from dbt_batch_sync.kinds.profiles import PROFILES
from dbt_batch_sync.payload.render import CHANGE, CHANGED, Rendered, render
from dbt_batch_sync.warehouse.rows import in_utc

ENDING = "}},"

Member = tuple[str, str]
"""An operation's attribute, and its value as JSON text."""


@dataclass(frozen=True)
class Row:
    """One rendered row of a delta."""

    custom_id: str
    operations: tuple[str, ...]
    rejected: Mapping[str, str] = field(default_factory=dict)

    @property
    def members(self) -> list[Member]:
        """The members of all operations, in order."""
        return [member for operation in self.operations for member in members(operation)]

    def outcome(self, name: str) -> str | None:
        """The result for a custom attribute: its JSON under the name `x`, a reason, or None."""
        keys = {name: "x", f"date({name})": "date(x)", f"url({name})": "url(x)"}
        sent = [f'"{keys[key]}":{value}' for key, value in self.members if key in keys]
        found = [*sent, *(reason for each, reason in self.rejected.items() if each == name)]
        assert len(found) < 2
        return found[0] if found else None


def typed(**types: str) -> tuple[TypedAttribute, ...]:
    """Attributes named like their columns."""
    return tuple(TypedAttribute(name, AttributeType(kind)) for name, kind in types.items())


def delta(
    columns: Mapping[str, pa.Array],
    *,
    ids: Sequence[str] | None = None,
    change: str | Sequence[str] = "insert",
    changed: str | Sequence[str] = "",
) -> pa.RecordBatch:
    """A delta as a record batch. `change` applies to all rows. A delta of inserts has no changed names."""
    count = len(next(iter(columns.values()))) if columns else len(ids or ())
    own: dict[str, Sequence[str | None]] = {
        KEY: [f"p{number}" for number in range(count)] if ids is None else ids
    }
    if change != "insert":
        own[CHANGE] = [change] * count if isinstance(change, str) else change
        own[CHANGED] = [changed] * count if isinstance(changed, str) else changed
    texts = {name: pa.array(values, pa.string()) for name, values in own.items()}
    return pa.RecordBatch.from_pydict({**texts, **columns})


def arrived(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with the Arrow types that a warehouse would return."""
    rows = in_utc(pa.Table.from_batches([batch]))
    return pa.RecordBatch.from_arrays([each.combine_chunks() for each in rows.columns], schema=rows.schema)


def rows_of(
    batches: pa.RecordBatch | Sequence[pa.RecordBatch], attributes: Sequence[TypedAttribute]
) -> list[Row]:
    """All rendered rows of a delta."""
    given = [batches] if isinstance(batches, pa.RecordBatch) else list(batches)
    many = [arrived(each) for each in given]
    found: list[Row] = []
    for part in render(many, attributes, PROFILES.fragment):
        found += _rows(part, len(found))
    return found


def _rows(part: Rendered, before: int) -> Iterator[Row]:
    assert all(before < note.position <= before + part.rows.num_rows for note in part.rejected)
    for position, row in enumerate(part.rows.to_pylist(), before + 1):
        notes = [note for note in part.rejected if note.position == position]
        assert {note.key for note in notes} <= {row["key"]}
        own = [row["operation"], *(row["extra"] or ())]
        operations = tuple(each for each in own if each is not None)
        rejected = {note.attribute: note.reason for note in notes}
        assert len(rejected) == len(notes)
        yield Row(row["key"], operations, rejected)


def members(operation: str) -> list[Member]:
    """An operation's attributes as texts. Asserts that there are no spaces outside of strings."""
    custom_id = json.loads(operation[:-1])["identifiers"]["custom_id"]
    assert operation.endswith(ENDING)
    decoder = json.JSONDecoder()
    begin = operation.index('},"attributes":{')
    head = '{"identifiers":{"custom_id":'
    assert decoder.raw_decode(operation, len(head)) == (custom_id, begin)
    assert operation.startswith(head)
    return list(_members(operation, begin + len('},"attributes":{'), decoder))


def _members(operation: str, at: int, decoder: json.JSONDecoder) -> Iterable[Member]:
    while True:
        key, end = decoder.raw_decode(operation, at)
        assert operation[end] == ":"
        _, stop = decoder.raw_decode(operation, end + 1)
        yield key, operation[end + 1 : stop]
        if operation[stop:] == ENDING:
            return
        assert operation[stop] == ","
        at = stop + 1
