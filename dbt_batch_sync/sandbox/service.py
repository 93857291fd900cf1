"""What Batch does with the body of a call of the profile routes, without the HTTP around it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from dbt_batch_sync.sandbox.gate import RefusedCallError, refuse
from dbt_batch_sync.sandbox.limits import ENDPOINTS, Endpoint, TokenBucket
from dbt_batch_sync.sandbox.operations import Operation, read_operation
from dbt_batch_sync.sandbox.record import Recorder, Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply, failure, retry_after_header, success
from dbt_batch_sync.sandbox.rules import plain_name
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import BrokenRuleError, Refusal
from dbt_batch_sync.sandbox.wire import MalformedBodyError, parse_body


@dataclass
class Admitted:
    """A call whose operations may be looked at, and what it adds to the counts."""

    operations: list[object]
    tally: Tally
    era: int  # of the store, when the call arrived
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)


_ON_DEMAND = ("REJECTED", "rejected on demand")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Sandbox:
    """The state behind the routes. Its methods may be called from several threads.

    `clock` (seconds, only differences count) drives rates and durations; `now` is the time of day,
    with a zone. `settings` may be replaced at any time; the store and what is kept of requests stay as they
    began.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.settings = settings
        self.clock, self.now = clock, now
        self.store = ProfileStore(settings.store, keep=settings.keep_profiles)
        self.recorder = Recorder(settings.keep_requests, settings.keep_bodies)
        self._buckets = self._full_buckets()

    def _full_buckets(self) -> dict[Endpoint, TokenBucket]:
        return {
            endpoint: TokenBucket(limits.profiles_per_second, limits.burst, self.clock)
            for endpoint, limits in ENDPOINTS.items()
        }

    def reset(self, *, profiles: bool = True, stats: bool = True) -> None:
        """Forgets profiles, counts and requests. The rates begin anew in any case.

        A call that arrived before is still answered, but neither applied nor counted afterwards.
        """
        self._buckets = self._full_buckets()
        if profiles:
            self.store.clear()
        if stats:
            self.recorder.clear()

    def admit(self, endpoint: Endpoint, body: bytes, tally: Tally) -> Admitted:
        """Everything that refuses a call before its operations are looked at. Raises RefusedCallError."""
        era = self.store.era
        operations = self.parse(endpoint, body, tally)
        self.pace(endpoint, len(operations), tally)
        return Admitted(operations, tally, era)

    def parse(self, endpoint: Endpoint, body: bytes, tally: Tally) -> list[object]:
        """The operations of a body. Raises RefusedCallError."""
        try:
            operations = parse_body(body)
        except MalformedBodyError as error:
            tally.violate(Violation.MALFORMED, str(error))
            raise refuse(400, "MALFORMED_BODY", str(error)) from None
        if not operations:
            tally.violate(Violation.EMPTY_CALL)
            raise refuse(400, "EMPTY_BODY", "the array has no operation")
        most = ENDPOINTS[endpoint].max_operations
        if len(operations) > most:
            tally.violate(Violation.TOO_MANY_OPERATIONS, f"{len(operations)} > {most}")
            raise refuse(400, "TOO_MANY_OPERATIONS", f"at most {most} operations a call")
        tally.operations = len(operations)
        return operations

    def pace(self, endpoint: Endpoint, profiles: int, tally: Tally) -> None:
        """Takes them from the endpoint's rate. Raises RefusedCallError: 429."""
        settings = self.settings
        wait = self._buckets[endpoint].take(profiles) if settings.rate_limits else 0.0
        if not wait:
            return
        tally.throttled = True
        header = None
        if settings.retry_after != "none":
            header = retry_after_header(wait, self.now(), as_date=settings.retry_after == "date")
        raise RefusedCallError(failure(429, "TOO_MANY_REQUESTS", "too many profiles a second", header))

    def settle(self, admitted: Admitted) -> Reply:
        """Checks and applies the operations. Raises RefusedCallError where one bad one refuses the call."""
        read = self._read(admitted)
        read = self.reject(read, admitted)
        refusals = admitted.refusals
        refusals += self.store.apply(read, self.now().isoformat(), admitted.era)
        refusals.sort(key=lambda entry: entry[0])
        self._count(read, admitted)
        return success(self._named(refusals))

    def reject(self, read: list[tuple[int, Operation]], admitted: Admitted) -> list[tuple[int, Operation]]:
        """Those that are left when `reject_ids` and `reject_attributes` have taken out theirs.

        What they take out is added to the call's refusals.
        """
        settings = self.settings
        if not (settings.reject_ids or settings.reject_attributes):
            return read
        left = []
        for index, operation in read:
            if operation.custom_id in settings.reject_ids:
                admitted.refusals.append((index, Refusal(None, *_ON_DEMAND)))
                continue
            for key in operation.take_out(settings.reject_attributes):
                admitted.refusals.append((index, Refusal(key, *_ON_DEMAND)))
            left.append((index, operation))
        return left

    def _read(self, admitted: Admitted) -> list[tuple[int, Operation]]:
        """The operations that are not refused as a whole, by bulk index."""
        read: list[tuple[int, Operation]] = []
        tally = admitted.tally
        for index, raw in enumerate(admitted.operations):
            try:
                operation = read_operation(raw)
            except BrokenRuleError as broken:
                tally.violate(Violation.REFUSED_OPERATION, broken.reason)
                if self.settings.bad_row == "400":
                    raise refuse(400, broken.category, f"operation {index}: {broken.reason}") from None
                admitted.refusals.append((index, broken.refusal()))
                continue
            for refusal in operation.refused:
                tally.violate(Violation.REFUSED_ATTRIBUTE, f"{refusal.attribute}: {refusal.reason}")
                admitted.refusals.append((index, refusal))
            if not (operation.keys or operation.refused):
                tally.violate(Violation.EMPTY_OPERATION)
            read.append((index, operation))
        times = Counter(operation.custom_id for _, operation in read if operation.custom_id is not None)
        tally.violations += [(Violation.DUPLICATE_IDENTIFIER, "")] * (times.total() - len(times))
        return read

    def _count(self, read: list[tuple[int, Operation]], admitted: Admitted) -> None:
        tally = admitted.tally
        tally.applied = len(read)
        tally.errors = len(admitted.refusals)
        for _, operation in read:
            tally.attributes += operation.keys
            if self.settings.count_custom_ids and operation.custom_id is not None:
                tally.custom_ids.append(operation.custom_id)

    def _named(self, refusals: list[tuple[int, Refusal]]) -> list[tuple[int, Refusal]]:
        if self.settings.error_attribute == "sent":
            return refusals
        return [
            (index, refusal._replace(attribute=refusal.attribute and plain_name(refusal.attribute)))
            for index, refusal in refusals
        ]
