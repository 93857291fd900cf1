"""Measures where the time of a push goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dbt_batch_sync.ledger.records import PHASES, Phase

_Item = TypeVar("_Item")


class Phases:
    """A stopwatch for each phase. At most one runs: a nested phase stops the outer one.

    `now` is a monotonic clock in seconds. For the push's thread only; senders' work doesn't count.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._spent: dict[Phase, float] = dict.fromkeys(PHASES, 0.0)
        self._running: list[Phase] = []
        self._since = 0.0

    @property
    def seconds(self) -> dict[str, Any]:
        """The time of each phase so far, with the names of a run's columns."""
        return {f"{phase}_seconds": round(spent, 3) for phase, spent in self._spent.items()}

    @contextmanager
    def spent_on(self, phase: Phase) -> Iterator[None]:
        """Measures this block, without nested phases."""
        self._charge()
        self._running.append(phase)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def pulled(self, phase: Phase, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items of an iterator. Waiting for each counts, using it doesn't."""
        source = iter(items)
        while True:
            with self.spent_on(phase):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def _charge(self) -> None:
        now = self._now()
        if self._running:
            self._spent[self._running[-1]] += now - self._since
        self._since = now
