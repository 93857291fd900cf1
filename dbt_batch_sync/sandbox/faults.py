"""Faults on demand: what goes wrong with which calls of the profile routes.

As JSON (`POST /_sandbox/faults`) a fault is an object of the fields below, `when` one of its own:
`[{"kind": "status", "status": 503, "retry_after": 2, "when": {"nth": 3}}]`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.sandbox.limits import ENDPOINTS, Endpoint

MAX_SECONDS = 3600
MAX_SIZE = 16 * 1024**3


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

    Calls are well-formed calls with the right key, counted from 1 since the faults were set (those of
    `endpoint`, if given).
    - `nth`: these calls. `every`: each so many-th. `probability`: by chance, drawn from `seed` call by call.
    - `custom_ids`: calls that contain one of them. `times`: no more often than that.
    """

    nth: tuple[int, ...] = ()
    every: int | None = None
    probability: float | None = None
    seed: int = 0
    custom_ids: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ConfigurationError("`probability` is between 0 and 1")
        if self.every is not None and self.every < 1:
            raise ConfigurationError("`every` is at least 1")
        if self.endpoint is not None and self.endpoint not in ENDPOINTS:
            raise ConfigurationError(f"`endpoint` is one of {', '.join(ENDPOINTS)}")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when. Each kind says which other fields it reads; `reset` cuts with a TCP reset.

    Raises ConfigurationError for a fault that could never be carried out.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _kind(self.kind))
        if self.status is not None and not 200 <= self.status <= 599:
            raise ConfigurationError("a fault's status is between 200 and 599")
        if not (0 <= self.seconds <= MAX_SECONDS and 0 <= self.size <= MAX_SIZE and self.requests >= 0):
            raise ConfigurationError(f"`seconds` are at most {MAX_SECONDS}, `size` at most {MAX_SIZE} bytes")
        if self.kind is FaultKind.STORM and not (self.seconds > 0 or self.requests > 0):
            raise ConfigurationError("a storm lasts `seconds` or `requests`: give one of them")
        if self.kind is FaultKind.REFUSE_ATTRIBUTE and not self.attributes:
            raise ConfigurationError("refuse_attribute needs `attributes`")
        if self.kind is FaultKind.REJECT_CALL and not self.custom_ids:
            raise ConfigurationError("reject_call_if_contains needs `custom_ids`")

    @property
    def applies_first(self) -> bool:
        """Whether the call's operations are applied before the fault shows."""
        return self.applied if self.applied is not None else self.kind in _APPLIED_FIRST


def _kind(kind: object) -> FaultKind:
    try:
        return FaultKind(kind)
    except ValueError:
        known = ", ".join(kind.value for kind in FaultKind)
        raise ConfigurationError(f"no such kind of fault; accepted: {known}") from None


_EXPECTED: Mapping[str, tuple[type, ...]] = {
    "nth": (int, list),
    "every": (int,),
    "probability": (int, float),
    "seed": (int,),
    "custom_ids": (list,),
    "endpoint": (str,),
    "times": (int,),
    "kind": (str,),
    "when": (dict,),
    "status": (int,),
    "retry_after": (int,),
    "retry_after_date": (bool,),
    "seconds": (int, float),
    "requests": (int,),
    "size": (int,),
    "location": (str,),
    "attributes": (list,),
    "reason": (str,),
    "category": (str,),
    "reset": (bool,),
    "applied": (bool,),
}


def read_faults(document: object) -> list[Fault]:
    """The faults in a JSON list. Raises ConfigurationError that names the key and what is accepted."""
    if not isinstance(document, list):
        raise ConfigurationError("faults are a list of objects")
    return [_read_fault(item) for item in document]


def _read_fault(document: object) -> Fault:
    fields = _checked(document, Fault, "a fault")
    when = _checked(fields.pop("when", {}), When, "`when`")
    if isinstance(when.get("nth"), int):
        when["nth"] = (when["nth"],)
    if "kind" not in fields:
        raise ConfigurationError("a fault needs a `kind`")
    return Fault(**fields, when=When(**when))  # type: ignore[arg-type]  # checked one by one


def _checked(document: object, shape: type[Fault | When], what: str) -> dict[str, object]:
    """A copy with only known keys, each of the right type, lists as tuples, without nulls."""
    if not isinstance(document, dict):
        raise ConfigurationError(f"{what} is an object")
    known = [field.name for field in dataclasses.fields(shape)]
    fields: dict[str, object] = {}
    for key, value in document.items():
        if key not in known:
            raise ConfigurationError(f"{what} has no `{key}`; accepted: {', '.join(known)}")
        if value is None:
            continue
        expected = _EXPECTED[key]
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            raise ConfigurationError(f"`{key}` must be {' or '.join(kind.__name__ for kind in expected)}")
        item = int if key == "nth" else str
        if isinstance(value, list) and not all(type(element) is item for element in value):
            raise ConfigurationError(f"`{key}` must be a list of {item.__name__}")
        fields[key] = tuple(value) if isinstance(value, list) else value
    return fields
