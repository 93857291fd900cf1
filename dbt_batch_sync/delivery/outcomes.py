"""What became of a chunk. Frozen values; `settle` is a pure function of the answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from dbt_batch_sync.batch_api.reasons import clean_reason
from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import Verdict

TOO_LARGE: Final = "too_large"
"""Reason of a row whose operation alone is over the limit of a body."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that Batch does not have.

    Attributes:
        category: Batch's code for it, or `""`.
        reason: Batch's words, or `""`; never a value.
        by: Who rejected it: Batch, or the runner before sending.
    """

    key: str = field(repr=False)
    category: str
    reason: str
    by: Literal["batch", "validation"]


@dataclass(frozen=True, slots=True)
class RejectedAttribute:
    """An attribute that Batch dropped, while it took the rest of the row.

    `attribute` is the wire name without a wrapper.
    """

    key: str = field(repr=False)
    attribute: str
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What settling cost.

    Attributes:
        requests: Calls made, retries included.
        retries: Calls that repeated the one before with the same body.
        bytes: Of all bodies, retries included.
        seconds: From when a sender took the chunk to its last answer, waiting included.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A settled chunk: every operation is accepted, or listed here.

    Attributes:
        accepted: Operations that Batch took, those with a rejected attribute included.
    """

    accepted: int
    rejected_rows: tuple[RejectedRow, ...]
    rejected_attributes: tuple[RejectedAttribute, ...]
    tally: Tally


@dataclass(frozen=True)
class Settled:
    """A chunk with all chunks before it settled: the delta is settled as far as their rows."""

    chunk: Chunk
    outcome: Outcome


def settle(chunk: Chunk, verdict: Verdict, tally: Tally) -> Outcome:
    """Gives rejections their rows.

    The same thing rejected twice counts once; a rejected row hides its rejected attributes.
    """
    rows: dict[int, RejectedRow] = {}
    for index, rejected in verdict.rejected:
        reason = _reason(chunk, index, rejected.message)
        rows.setdefault(index, RejectedRow(chunk.key(index), rejected.code, reason, "batch"))
    for error in verdict.errors:
        if error.attribute is None and error.index not in rows:
            reason = _reason(chunk, error.index, error.reason)
            rows[error.index] = RejectedRow(chunk.key(error.index), error.category, reason, "batch")
    attributes: dict[tuple[int, str], RejectedAttribute] = {}
    for error in verdict.errors:
        name = error.attribute
        if name is not None and error.index not in rows and (error.index, name) not in attributes:
            key, reason = chunk.key(error.index), _reason(chunk, error.index, error.reason)
            attributes[error.index, name] = RejectedAttribute(key, name, error.category, reason)
    oversized = (RejectedRow(key, "", TOO_LARGE, "validation") for key in chunk.oversized)
    return Outcome(
        accepted=len(chunk) - len(rows),
        rejected_rows=(*rows.values(), *oversized),
        rejected_attributes=tuple(attributes.values()),
        tally=tally,
    )


def _reason(chunk: Chunk, index: int, text: str) -> str:
    return clean_reason(text, str(chunk.operations[index].as_py()))
