"""The last changes of all profiles by request, in limited memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from dbt_batch_sync.sandbox.values import TypedValue


class Change(NamedTuple):
    """One attribute before and after; None means no value."""

    name: str
    old: TypedValue | None
    new: TypedValue | None


class Entry(NamedTuple):
    """What one request wrote to a profile. `request` is its number; 0 is a change by hand.

    `before` and `after` contain the attributes that it named and that have a value.
    """

    request: int
    at: str
    before: Mapping[str, TypedValue]
    after: Mapping[str, TypedValue]

    @property
    def changes(self) -> list[Change]:
        """Nothing for attributes that were written with the same value."""
        names = {**self.after, **self.before}
        pairs = [Change(name, self.before.get(name), self.after.get(name)) for name in names]
        return [change for change in pairs if change.old != change.new]


class History:
    """For several threads."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._order: deque[str] = deque()
        self._entries: dict[str, deque[Entry]] = {}

    @property
    def keeps(self) -> bool:
        return self._keep > 0

    def add(self, custom_id: str, entry: Entry) -> None:
        with self._lock:
            self._order.append(custom_id)
            self._entries.setdefault(custom_id, deque()).append(entry)
            if len(self._order) > self._keep:
                oldest = self._order.popleft()
                self._entries[oldest].popleft()
                if not self._entries[oldest]:
                    del self._entries[oldest]

    def of(self, custom_id: str) -> list[Entry]:
        """Newest first, as far as they are kept."""
        with self._lock:
            return list(reversed(self._entries.get(custom_id, ())))

    def clear(self) -> None:
        with self._lock:
            self._order.clear()
            self._entries.clear()
