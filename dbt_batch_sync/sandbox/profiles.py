"""The routes that write profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from dbt_batch_sync.sandbox.deletions import ERASED
from dbt_batch_sync.sandbox.events import EventLog, StoredEvent, UntimelyEventError
from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.limits import MAX_OPERATIONS, RATES, Rate
from dbt_batch_sync.sandbox.operations import Operation, read_operation
from dbt_batch_sync.sandbox.record import Violation
from dbt_batch_sync.sandbox.replies import Reply, success
from dbt_batch_sync.sandbox.routes import Call, Route, World
from dbt_batch_sync.sandbox.rules import plain_name
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import BrokenRuleError, Refusal

Operations = list[tuple[int, Operation]]
Refusals = list[tuple[int, Refusal]]

_ON_DEMAND = ("REJECTED", "rejected on demand")


@dataclass
class Profiles:
    """`reject` removes what the settings reject; `discards` tells whether Batch discards a person's data."""

    world: World
    store: ProfileStore
    reject: Callable[[Operations, Refusals, Call], Operations]
    discards: Callable[[str], bool]
    events: EventLog

    def routes(self) -> list[Route]:
        return [self._route(endpoint) for endpoint in MAX_OPERATIONS]

    def _route(self, endpoint: str) -> Route:
        def cost(operations: list[object]) -> Mapping[Rate, float]:
            return {RATES[endpoint]: len(operations)}

        read = partial(_read_body, MAX_OPERATIONS[endpoint])
        return Route("POST", f"profiles/{endpoint}", read, self.settle, cost)

    def settle(self, call: Call) -> Reply:
        """Checks and applies the operations. Raises RefusedCallError if an invalid one rejects the whole
        request.
        """
        call.tally.operations = len(call.read)
        refusals: Refusals = []
        read = self._read(call, refusals)
        read = self.reject(read, refusals, call)
        read = self._without_erased(read, refusals)
        self._reject_events(read, refusals)
        now = self.world.now().isoformat()
        refusals += self.store.apply(read, now, call.era, call.tally.number)
        if call.era == self.store.era:
            self._remember_events(read, now, call.tally.number)
        refusals.sort(key=lambda entry: entry[0])
        self._count(read, refusals, call)
        return success(self._named(refusals))

    def _read(self, call: Call, refusals: Refusals) -> Operations:
        """The valid operations, by bulk index."""
        read: Operations = []
        tally, now = call.tally, self.world.now()
        for index, raw in enumerate(call.read):
            try:
                operation = read_operation(raw, now, self.world.settings.event_skew)
            except BrokenRuleError as broken:
                tally.violate(Violation.REFUSED_OPERATION, broken.reason)
                if self.world.settings.bad_row == "400":
                    raise refuse(400, broken.category, f"operation {index}: {broken.reason}") from None
                refusals.append((index, broken.refusal()))
                continue
            for refusal in operation.refused:
                tally.violate(Violation.REFUSED_ATTRIBUTE, f"{refusal.attribute}: {refusal.reason}")
                refusals.append((index, refusal))
            for event in operation.refused_events:
                untimely = isinstance(event.broken, UntimelyEventError)
                violation = Violation.UNTIMELY_EVENT if untimely else Violation.REFUSED_EVENT
                tally.violate(violation, event.broken.reason)
                refusals.append((index, event.broken.refusal(self._event_name(event.place, event.name))))
            if not (raw.get("attributes") or raw.get("events")):
                tally.violate(Violation.EMPTY_OPERATION)
            read.append((index, operation))
        times = Counter(operation.custom_id for _, operation in read if operation.custom_id is not None)
        tally.violations += [(Violation.DUPLICATE_IDENTIFIER, "")] * (times.total() - len(times))
        return read

    def _without_erased(self, read: Operations, refusals: Refusals) -> Operations:
        kept = [entry for entry in read if not self.discards(entry[1].custom_id or "")]
        if len(kept) < len(read) and self.world.settings.blacklisted == "reject":
            left = {index for index, _ in kept}
            refusals += [(index, Refusal(None, *ERASED)) for index, _ in read if index not in left]
        return kept

    def _event_name(self, place: int, name: str) -> str | None:
        form = self.world.settings.event_errors
        return {"none": None, "name": name or None, "place": f"events[{place}]"}[form]

    def _reject_events(self, read: Operations, refusals: Refusals) -> None:
        rejected = self.world.settings.reject_events
        for index, operation in read if rejected else ():
            for place, event in enumerate(operation.events):
                if event.name in rejected:
                    refusals.append((index, Refusal(self._event_name(place, event.name), *_ON_DEMAND)))
            operation.events = [event for event in operation.events if event.name not in rejected]

    def _remember_events(self, read: Operations, now: str, number: int) -> None:
        for _, operation in read:
            if operation.custom_id is None:
                continue
            for event in operation.events:
                self.events.add(StoredEvent(number, now, operation.custom_id, event))

    def _count(self, read: Operations, refusals: Refusals, call: Call) -> None:
        tally = call.tally
        tally.applied = len(read)
        tally.errors = len(refusals)
        for _, operation in read:
            tally.events += len(operation.events)
            tally.attributes += operation.keys
            if self.world.settings.count_custom_ids and operation.custom_id is not None:
                tally.custom_ids.append(operation.custom_id)

    def _named(self, refusals: Refusals) -> Refusals:
        if self.world.settings.error_attribute == "sent":
            return refusals
        return [
            (index, refusal._replace(attribute=refusal.attribute and plain_name(refusal.attribute)))
            for index, refusal in refusals
        ]


def _read_body(most: int, document: object) -> list[object]:
    if not isinstance(document, list):
        raise BrokenRuleError("MALFORMED_BODY", "the body must be an array of operations")
    if not document:
        raise BrokenRuleError("EMPTY_BODY", "the array has no operation")
    if len(document) > most:
        raise BrokenRuleError("TOO_MANY_OPERATIONS", f"at most {most} operations a call")
    return document


def reject_on_demand(world: World, read: Operations, refusals: Refusals) -> Operations:
    """The operations without those in `reject_ids` and `reject_attributes`.

    Removed ones are added to the rejections.
    """
    settings = world.settings
    if not (settings.reject_ids or settings.reject_attributes):
        return read
    left = []
    for index, operation in read:
        if operation.custom_id in settings.reject_ids:
            refusals.append((index, Refusal(None, *_ON_DEMAND)))
            continue
        for key in operation.take_out(settings.reject_attributes):
            refusals.append((index, Refusal(key, *_ON_DEMAND)))
        left.append((index, operation))
    return left
