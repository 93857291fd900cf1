"""Decides for each call which of the active faults apply."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from harness.faults import ENDING, Fault, FaultKind

from dbt_batch_sync.sandbox.operations import Operation
from dbt_batch_sync.sandbox.values import Refusal

READS = ("/list", "/view", "/download", "{token}")


@dataclass(frozen=True)
class Decision:
    """The faults of one call. `ending` determines the answer; the others may apply as well."""

    ending: Fault | None = None
    waits: tuple[Fault, ...] = ()
    rejecting: Fault | None = None
    refusing: tuple[Fault, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds of all faults of this call."""
        struck = (self.ending, *self.waits, self.rejecting, *self.refusing)
        return tuple(fault.kind.value for fault in struck if fault is not None)

    def seconds(self, *, applied: bool) -> float:
        """Delay before (False) or after (True) the operations are applied."""
        return sum(fault.seconds for fault in self.waits if fault.applies_first is applied)

    def refusals(self, operation: Operation) -> tuple[Refusal | None, list[Refusal]]:
        """The rejection of the whole operation, if any, and of single attributes, which are then not written."""
        attributes: list[Refusal] = []
        for fault in self.refusing:
            if fault.custom_ids and operation.custom_id not in fault.custom_ids:
                continue
            if fault.kind is FaultKind.REFUSE_ROWS:
                return Refusal(None, fault.category, fault.reason), []
            attributes += (
                Refusal(key, fault.category, fault.reason) for key in operation.take_out(fault.attributes)
            )
        return None, attributes


class _Rule:
    """A fault and its state."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._random = random.Random(fault.when.seed)
        self._seen = 0
        self._struck = 0
        self._storm_ends_at: float | None = None
        self._storm_calls = 0

    def strikes(self, endpoint: str, custom_ids: Callable[[], Collection[str]], now: float) -> bool:
        when = self.fault.when
        if when.endpoint != endpoint and (when.endpoint is not None or endpoint.endswith(READS)):
            return False
        self._seen += 1
        if self._in_storm(now):
            return True
        drawn = when.probability is None or self._random.random() < when.probability
        met = (
            drawn
            and (not when.nth or self._seen in when.nth)
            and (when.every is None or self._seen % when.every == 0)
            and (self._times is None or self._struck < self._times)
            and (not when.custom_ids or not set(when.custom_ids).isdisjoint(custom_ids()))
        )
        if met:
            self._struck += 1
            self._begin_storm(now)
        return met

    @property
    def _times(self) -> int | None:
        # A storm without any condition would never end.
        storm = self.fault.kind is FaultKind.STORM
        return 1 if storm and self.fault.when.times is None else self.fault.when.times

    def _in_storm(self, now: float) -> bool:
        if self._storm_calls:
            self._storm_calls -= 1
            return True
        return self._storm_ends_at is not None and now < self._storm_ends_at

    def _begin_storm(self, now: float) -> None:
        if self.fault.kind is FaultKind.STORM:
            self._storm_calls = max(0, self.fault.requests - 1)
            self._storm_ends_at = now + self.fault.seconds if self.fault.seconds else None


class FaultPlan:
    """The active faults. Setting them resets their counters and random generators."""

    def __init__(self, faults: Sequence[Fault], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in faults]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(rule.fault for rule in self._rules)

    def set(self, faults: Sequence[Fault]) -> None:
        """Replace the active faults."""
        with self._lock:
            self._rules = [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        self.set(())

    def decide(self, endpoint: str, custom_ids: Callable[[], Collection[str]]) -> Decision:
        """Decide which faults apply. If several would determine the answer, a storm wins, then the first in
        the list.
        """
        with self._lock:
            now = self._clock()
            struck = [rule.fault for rule in self._rules if rule.strikes(endpoint, custom_ids, now)]
        storms = [fault for fault in struck if fault.kind is FaultKind.STORM]
        endings = [fault for fault in struck if fault.kind in ENDING]
        rejecting = [fault for fault in struck if fault.kind is FaultKind.REJECT_CALL]
        if rejecting:
            present = set(custom_ids())
            rejecting = [fault for fault in rejecting if not present.isdisjoint(fault.custom_ids)]
        return Decision(
            ending=next(iter(storms + endings), None),
            waits=tuple(fault for fault in struck if fault.kind is FaultKind.SLOW),
            rejecting=rejecting[0] if rejecting else None,
            refusing=tuple(
                fault for fault in struck if fault.kind in (FaultKind.REFUSE_ROWS, FaultKind.REFUSE_ATTRIBUTE)
            ),
        )
