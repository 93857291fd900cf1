"""Faults for selected calls of the profile routes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FaultKind(str, Enum):
    """All but the last five determine the answer. `Fault.applied` overrides whether operations are applied."""

    STATUS = "status"  # answers with `status`, and with Retry-After if `retry_after` is set
    CUT_BEFORE = "cut_before"  # closes the connection without an answer; nothing is applied
    CUT_AFTER = "cut_after"  # closes the connection without an answer; everything is applied
    TRUNCATE = "truncate"  # sends the head and half of the body, then closes the connection
    GARBAGE = "garbage"  # answers `status` (202) with a body that is not JSON
    REDIRECT = "redirect"  # 307 to `location`
    HUGE = "huge"  # a correct answer with `size` bytes of padding and no length
    DRIP = "drip"  # a correct answer, one byte every `seconds`
    SLOW = "slow"  # answers after `seconds`; applied before the delay unless `applied` is false
    STORM = "storm"  # once started: 429 for every call, for `seconds` or for `requests` calls
    REFUSE_ROWS = "refuse_rows"  # row errors for `custom_ids`; if empty, for all
    REFUSE_ATTRIBUTE = "refuse_attribute"  # attribute errors for `attributes`, of `custom_ids` or of all
    REJECT_CALL = "reject_call_if_contains"  # answers 400 to a call that contains one of `custom_ids`


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
    """Selects calls: those that meet all given conditions; without conditions, every call.

    Only well-formed calls with the right key count, from 1 since the faults were set: those to `endpoint`
    (`update`, `audiences/update`, …), or all that write.
    - `nth`: these calls. `every`: every n-th call. `probability`: at random, drawn from `seed` for each call.
    - `custom_ids`: calls that contain one of them. `times`: at most this often.
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
    """A fault and when it applies. Each kind documents the other fields that it reads; `reset` uses a TCP
    reset to cut.
    """

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
        """Whether the call's operations are applied before the fault takes effect."""
        return self.applied if self.applied is not None else self.kind in _APPLIED_FIRST
