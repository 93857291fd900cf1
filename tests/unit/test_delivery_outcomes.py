"""Assignment of rejections to rows."""

from __future__ import annotations

import pyarrow as pa

from dbt_batch_sync.batch_api.answers import PartialError
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.sender import rejects_of
from dbt_batch_sync.ledger.records import Reject


def chunk(*keys: str, big: str = "") -> Chunk:
    operations = [f'{{"id":"{key * 60 if key == big else key}"}},' for key in keys]
    columns = {"key": keys, "operation": operations}
    arrays = {name: pa.array(list(values)) for name, values in columns.items()}
    batch = pa.RecordBatch.from_pydict(arrays | {"extra": pa.nulls(len(keys), pa.list_(pa.string()))})
    return next(chunk_rows([batch], 100, 60))


def test_everything_accepted() -> None:
    assert rejects_of(chunk("a", "b"), []) == ()


def test_rejections_are_assigned_to_their_rows() -> None:
    errors = (
        PartialError(0, "points", "INVALID_ATTRIBUTE", "too long"),
        PartialError(2, None, "INVALID_IDENTIFIER", "reserved"),
        PartialError(1, "$region", "", ""),
        PartialError(3, None, "MALFORMED", "malformed"),
    )
    assert rejects_of(chunk("a", "b", "c", "d"), errors) == (
        Reject("c", None, "reserved", "batch"),
        Reject("d", None, "malformed", "batch"),
        Reject("a", "points", "too long", "batch"),
        Reject("b", "$region", "rejected", "batch"),
    )


def test_repeated_errors_count_once_and_row_errors_override_attribute_errors() -> None:
    errors = (
        PartialError(0, "points", "A", ""),
        PartialError(0, "points", "B", ""),
        PartialError(1, "points", "A", ""),
        PartialError(1, None, "C", ""),
        PartialError(1, None, "D", ""),
    )
    assert rejects_of(chunk("a", "b"), errors) == (
        Reject("b", None, "C", "batch"),
        Reject("a", "points", "A", "batch"),
    )


def test_an_oversized_operation_is_rejected_by_the_runner() -> None:
    found = chunk("a", "b", "c", big="b")
    assert len(found) == 2
    assert rejects_of(found, []) == (Reject("b", None, "too_large", "validation"),)


def test_no_repr_contains_an_identifier() -> None:
    errors = (PartialError(0, "points", "A", ""), PartialError(1, None, "C", ""))
    assert "zzz" not in repr(rejects_of(chunk("zzz1", "zzz2"), errors))
