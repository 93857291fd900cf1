"""What became of a chunk. Frozen values; `settle` is a pure function of the answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from dbt_batch_sync.delivery.chunks import Chunk
from dbt_batch_sync.delivery.halving import Verdict

TOO_LARGE: Final = "too_large"
"""Reason of a row whose operation alone is over the limit of a body."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that Batch does not have.

    Attributes:
        category: Batch's code for it, or `""`.
        reason: Redacted words, or `""`; never a value.
        by: Who refused it: Batch, or the runner before sending.
    """

    custom_id: str = field(repr=False)
    category: str
    reason: str
    by: Literal["batch", "runner"]


@dataclass(frozen=True, slots=True)
class RefusedAttribute:
    """An attribute that Batch dropped, while it took the rest of the row.

    `attribute` is the wire name without a wrapper.
    """

    custom_id: str = field(repr=False)
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
        accepted: Operations that Batch took, those with a refused attribute included.
    """

    accepted: int
    refused_rows: tuple[RefusedRow, ...]
    refused_attributes: tuple[RefusedAttribute, ...]
    tally: Tally


@dataclass(frozen=True)
class Settled:
    """A chunk with all chunks before it settled: the delta may be committed up to `chunk.last_key`."""

    chunk: Chunk
    outcome: Outcome


def settle(chunk: Chunk, verdict: Verdict, tally: Tally) -> Outcome:
    """Gives refusals their rows.

    The same thing refused twice counts once; a refused row hides its refused attributes.
    """
    rows: dict[int, RefusedRow] = {}
    for index, refused in verdict.refused:
        rows.setdefault(index, RefusedRow(chunk.custom_id(index), refused.code, refused.message, "batch"))
    for error in verdict.errors:
        if error.attribute is None and error.index not in rows:
            rows[error.index] = RefusedRow(
                chunk.custom_id(error.index), error.category, error.reason, "batch"
            )
    attributes: dict[tuple[int, str], RefusedAttribute] = {}
    for error in verdict.errors:
        name = error.attribute
        if name is not None and error.index not in rows and (error.index, name) not in attributes:
            custom_id = chunk.custom_id(error.index)
            attributes[error.index, name] = RefusedAttribute(custom_id, name, error.category, error.reason)
    oversized = (RefusedRow(custom_id, "", TOO_LARGE, "runner") for custom_id in chunk.oversized)
    return Outcome(
        accepted=len(chunk) - len(rows),
        refused_rows=(*rows.values(), *oversized),
        refused_attributes=tuple(attributes.values()),
        tally=tally,
    )
