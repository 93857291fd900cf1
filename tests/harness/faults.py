"""Faults on demand: what goes wrong with which calls of the profile routes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FaultKind(str, Enum):
    """All but the last five end the call; `applied` says whether its operations were applied before."""

    STATUS = "status"  # answers `status`, with Retry-After if `retry_after` is set
    CUT_BEFORE = "cut_before"  # closes the connection without an answer, nothing applied
    CUT_AFTER = "cut_after"  # closes the connection without an answer, all applied
    TRUNCATE = "truncate"  # the answer's head and half of its body, then closes the connection
    GARBAGE = "garbage"  # `status` (202) with a body that is no JSON
    REDIRECT = "redirect"  # 307 to `location`
    HUGE = "huge"  # a right answer with `size` bytes of padding, without a length
    DRIP = "drip"  # a right answer, a byte every `seconds`
    SLOW = "slow"  # `seconds` before the answer; applied before the wait, unless `applied` is false
    STORM = "storm"  # once it begins: 429 to every call for `seconds`, or for `requests` calls
    REFUSE_ROWS = "refuse_rows"  # partial errors without attribute for `custom_ids` (none given: for all)
    REFUSE_ATTRIBUTE = "refuse_attribute"  # partial errors for `attributes`, of `custom_ids` or of all
    REJECT_CALL = "reject_call_if_contains"  # 400 for the whole call if one of `custom_ids` is in it


ENDING = frozenset(FaultKind) - {
    FaultKind.SLOW,
    FaultKind.STORM,
    FaultKind.REFUSE_ROWS,
    FaultKind.REFUSE_ATTRIBUTE,
    FaultKind.REJECT_CALL,
}
_APPLIED_FIRST = frozenset(
    (
        FaultKind.CUT_AFTER,
        FaultKind.TRUNCATE,
        FaultKind.GARBAGE,
        FaultKind.HUGE,
        FaultKind.DRIP,
        FaultKind.SLOW,
    )
)


@dataclass(frozen=True)
class When:
    """Which calls: those that meet every condition given; with none given, all.

    Calls are well-formed calls with the right key, counted from 1 since the faults were set: those of
    `endpoint` (`update`, `audiences/update`, …), or all that write.
    - `nth`: these calls. `every`: each so many-th. `probability`: by chance, drawn from `seed` call by call.
    - `custom_ids`: calls that contain one of them. `times`: no more often than that.
    """

    nth: tuple[int, ...] = ()
    every: int | None = None
    probability: float | None = None
    seed: int = 0
    custom_ids: tuple[str, ...] = ()
    endpoint: str | None = None
    times: int | None = None


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when. Each kind says which other fields it reads; `reset` cuts with a TCP reset."""

    kind: FaultKind
    when: When = When()
    status: int | None = None
    retry_after: int | None = None
    retry_after_date: bool = False
    seconds: float = 0.0
    requests: int = 0
    size: int = 64 * 1024 * 1024
    location: str = "http://127.0.0.1:9/elsewhere"
    custom_ids: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    reason: str = "refused on demand"
    category: str = "FAULT"
    reset: bool = False
    applied: bool | None = None

    @property
    def applies_first(self) -> bool:
        """Whether the call's operations are applied before the fault shows."""
        return self.applied if self.applied is not None else self.kind in _APPLIED_FIRST
