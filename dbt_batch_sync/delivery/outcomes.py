"""The outcome of a chunk. `settle` is a pure function of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

from dbt_batch_sync.batch_api.reasons import clean_reason
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import Verdict
from dbt_batch_sync.ledger.records import Reject

TOO_LARGE: Final = "too_large"
"""Reason for a row whose single operation is over the size limit."""


@dataclass(frozen=True)
class Outcome:
    """A settled chunk: every operation is accepted, or is in `rejects`.

    Attributes:
        accepted: Operations that Batch accepted, including those with a rejected attribute.
        rejects: Rows first. An attribute has its wire name without a wrapper; a reason is Batch's text or
            code, never a value.
        requests: Requests sent; `retries` of them repeated the same body.
        unsure: Rows of requests that were repeated although Batch may have accepted them before.
    """

    accepted: int
    rejects: tuple[Reject, ...]
    requests: int = 0
    retries: int = 0
    unsure: int = 0


@dataclass(frozen=True)
class Settled:
    """A chunk whose earlier chunks are all settled, so the delta is settled up to its rows."""

    chunk: Chunk
    outcome: Outcome


def settle(chunk: Chunk, verdict: Verdict, requests: int = 0, retries: int = 0, unsure: int = 0) -> Outcome:
    """Assigns rejections to rows.

    A repeated rejection counts once, and a rejected row hides its rejected attributes.
    """
    found = [(index, each.message, each.code) for index, each in verdict.rejected]
    of_rows = (each for each in verdict.errors if each.attribute is None)
    found += ((each.index, each.reason, each.category) for each in of_rows)
    rows: dict[int, list[Reject]] = {}
    for index, said, code in found:
        if index not in rows:
            rows[index] = _rejects(chunk, index, None, said, code)
    attributes: dict[tuple[int, str], list[Reject]] = {}
    for each in verdict.errors:
        place, name = each.index, each.attribute
        if name is not None and place not in rows and (place, name) not in attributes:
            attributes[place, name] = _rejects(chunk, place, name, each.reason, each.category)
    oversized = [Reject(key, None, TOO_LARGE, "validation") for key in chunk.oversized]
    rejects = (*chain(*rows.values()), *oversized, *chain(*attributes.values()))
    return Outcome(len(chunk) - len(rows), rejects, requests, retries, unsure)


def _rejects(chunk: Chunk, index: int, attribute: str | None, said: str, code: str) -> list[Reject]:
    """If an operation contains several rows, the answer doesn't tell which one is meant, so all are."""
    reason = clean_reason(said, str(chunk.operations[index].as_py())) or code or "rejected"
    return [Reject(key, attribute, reason, "batch") for key in chunk.rows_of(index)]
