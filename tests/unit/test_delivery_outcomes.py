"""Conversion of rejections to outcomes."""

from __future__ import annotations

import pyarrow as pa

from dbt_batch_sync.batch_api.answers import PartialError, Rejected
from dbt_batch_sync.delivery.calls import Outcome, settle
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.halving import Verdict
from dbt_batch_sync.ledger.records import Reject


def chunk(*keys: str, big: str = "") -> Chunk:
    operations = [f'{{"id":"{key * 60 if key == big else key}"}},' for key in keys]
    columns = {"key": keys, "operation": operations}
    arrays = {name: pa.array(list(values)) for name, values in columns.items()}
    batch = pa.RecordBatch.from_pydict(arrays | {"extra": pa.nulls(len(keys), pa.list_(pa.string()))})
    return next(chunk_rows([batch], 100, 60))


def test_everything_accepted() -> None:
    assert settle(chunk("a", "b"), Verdict(), 1) == Outcome(2, (), 1)


def test_rejections_are_assigned_to_their_rows() -> None:
    verdict = Verdict(
        errors=(
            PartialError(0, "points", "INVALID_ATTRIBUTE", "too long"),
            PartialError(2, None, "INVALID_IDENTIFIER", "reserved"),
            PartialError(1, "$region", "", ""),
        ),
        rejected=((3, Rejected(400, "MALFORMED", "malformed")),),
    )
    assert settle(chunk("a", "b", "c", "d"), verdict) == Outcome(
        2,
        (
            Reject("d", None, "malformed", "batch"),
            Reject("c", None, "reserved", "batch"),
            Reject("a", "points", "too long", "batch"),
            Reject("b", "$region", "rejected", "batch"),
        ),
    )


def test_repeated_errors_count_once_and_row_errors_override_attribute_errors() -> None:
    errors = (
        PartialError(0, "points", "A", ""),
        PartialError(0, "points", "B", ""),
        PartialError(1, "points", "A", ""),
        PartialError(1, None, "C", ""),
        PartialError(1, None, "D", ""),
    )
    outcome = settle(chunk("a", "b"), Verdict(errors))
    assert outcome.accepted == 1
    assert outcome.rejects == (Reject("b", None, "C", "batch"), Reject("a", "points", "A", "batch"))


def test_an_oversized_operation_is_rejected_by_the_runner() -> None:
    outcome = settle(chunk("a", "b", "c", big="b"), Verdict())
    assert outcome.accepted == 2
    assert outcome.rejects == (Reject("b", None, "too_large", "validation"),)


def test_no_repr_contains_an_identifier() -> None:
    verdict = Verdict((PartialError(0, "points", "A", ""), PartialError(1, None, "C", "")))
    assert "zzz" not in repr(settle(chunk("zzz1", "zzz2"), verdict))
