"""What the sandbox received: counts, and the last requests."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum

MAX_EXAMPLES = 50


class Violation(str, Enum):
    """Errors that a client that follows the documentation never makes.

    Rate limits and rejections by settings are not among them.
    """

    UNAUTHORIZED = "unauthorized"
    WRONG_PROJECT = "wrong_project"
    UNKNOWN_ROUTE = "unknown_route"
    WRONG_CONTENT = "wrong_content"  # another content type, or an encoding
    TOO_LARGE = "body_too_large"
    MALFORMED = "malformed_body"
    EMPTY_CALL = "empty_call"
    TOO_MANY_OPERATIONS = "too_many_operations"
    REFUSED_CALL = "refused_call"  # a rule for the whole body
    REFUSED_OPERATION = "refused_operation"
    REFUSED_ATTRIBUTE = "refused_attribute"
    REFUSED_EVENT = "refused_event"
    UNTIMELY_EVENT = "untimely_event"  # too old, or in the future
    DUPLICATE_IDENTIFIER = "duplicate_identifier"  # the same custom_id or item twice in a request
    EMPTY_OPERATION = "empty_operation"  # no attributes or events, which wastes the rate limit
    KEY_ON_A_LINK = "key_on_a_link"  # the key sent to the host of files, which is not Batch's API


@dataclass(frozen=True)
class RecordedRequest:
    """One request. `status` is 0 if the connection was closed without an answer.

    `size` is the body's in bytes. `body` and `answer` (its body) are kept for the last few requests. `errors`
    counts the partial errors in the answer.
    """

    number: int
    at: str
    method: str
    path: str
    status: int
    seconds: float
    size: int = 0
    operations: int = 0
    errors: int = 0
    body: bytes | None = None
    answer: bytes | None = None


@dataclass
class Stats:
    """Counts since the start or the last reset.

    - `operations`: in well-formed calls; `applied`: those that reached a profile.
    - `statuses`: answers by status, 0 for none. `throttled`: 429 of the rate limit.
    - `violations` by kind, with up to 50 `examples` (`kind: reason`, never a value).
    - `events`: applied ones. `attributes`: applied writes by key as sent. `custom_ids`: applied operations
      by custom_id.
    - `broken_uploads`: connections that ended before the whole body had arrived.
    """

    requests: int = 0
    operations: int = 0
    applied: int = 0
    events: int = 0
    bytes: int = 0
    throttled: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    broken_uploads: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    attributes: Counter[str] = field(default_factory=Counter)
    custom_ids: Counter[str] = field(default_factory=Counter)


@dataclass
class Tally:
    """What one request adds to the counts. `address` is the URL up to the version, as the client wrote it.
    `arrived` is the time by the rates' clock; None: it is not known.
    """

    number: int = 0
    arrived: float | None = None
    address: str = ""
    size: int = 0
    operations: int = 0
    applied: int = 0
    events: int = 0
    errors: int = 0
    throttled: bool = False
    broken_upload: bool = False
    violations: list[tuple[Violation, str]] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    custom_ids: list[str] = field(default_factory=list)
    body: bytes | None = None
    answer: bytes | None = None
    era: int = 0  # the number of resets when it arrived

    def violate(self, violation: Violation, reason: str = "") -> None:
        self.violations.append((violation, reason))


class Recorder:
    """For several threads."""

    def __init__(self, keep_requests: int, keep_bodies: int) -> None:
        self._lock = threading.Lock()
        self._keep_bodies = keep_bodies
        self._number = 0
        self._era = 0
        self._stats = Stats()
        self._requests: deque[RecordedRequest] = deque(maxlen=keep_requests)

    def begin(self) -> Tally:
        """Counts an arriving request."""
        with self._lock:
            self._stats.in_flight += 1
            self._stats.max_in_flight = max(self._stats.max_in_flight, self._stats.in_flight)
            self._number += 1
            return Tally(number=self._number, era=self._era)

    def finish(self, tally: Tally, *, at: str, method: str, path: str, status: int, seconds: float) -> None:
        """Records an answer, or status 0 for a closed connection. Ignored if the counts were reset since it
        arrived.
        """
        with self._lock:
            if tally.era != self._era:
                return
            self._count(tally, status)
            self._requests.append(
                RecordedRequest(
                    number=tally.number,
                    at=at,
                    method=method,
                    path=path,
                    status=status,
                    seconds=seconds,
                    size=tally.size,
                    operations=tally.operations,
                    errors=tally.errors,
                    body=tally.body if self._keep_bodies else None,
                    answer=tally.answer if self._keep_bodies else None,
                )
            )
            self._forget_bodies()

    def _count(self, tally: Tally, status: int) -> None:
        stats = self._stats
        stats.in_flight -= 1
        stats.requests += 1
        stats.operations += tally.operations
        stats.applied += tally.applied
        stats.events += tally.events
        stats.bytes += tally.size
        stats.throttled += tally.throttled
        stats.broken_uploads += tally.broken_upload
        stats.statuses[status] += 1
        stats.attributes.update(tally.attributes)
        stats.custom_ids.update(tally.custom_ids)
        stats.violations.update(violation.value for violation, _ in tally.violations)
        room = max(0, MAX_EXAMPLES - len(stats.examples))
        stats.examples += [
            f"{violation.value}: {reason}".removesuffix(": ") for violation, reason in tally.violations[:room]
        ]

    def _forget_bodies(self) -> None:
        older = len(self._requests) - self._keep_bodies - 1
        if older >= 0 and self._keep_bodies:
            self._requests[older] = dataclasses.replace(self._requests[older], body=None, answer=None)

    def stats(self, *, custom_ids: bool = True) -> Stats:
        """A copy; with `custom_ids`, of which there may be many, on request only."""
        with self._lock:
            stats = self._stats
            return dataclasses.replace(
                stats,
                examples=list(stats.examples),
                statuses=Counter(stats.statuses),
                violations=Counter(stats.violations),
                attributes=Counter(stats.attributes),
                custom_ids=Counter(stats.custom_ids) if custom_ids else Counter(),
            )

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The last requests, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def clear(self) -> None:
        """Deletes everything, including requests in flight."""
        with self._lock:
            self._era += 1
            self._stats = Stats()
            self._requests.clear()
