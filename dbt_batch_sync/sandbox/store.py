"""All profiles of the sandbox, in memory and, if requested, in a file."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from dbt_batch_sync.sandbox.history import Entry, History
from dbt_batch_sync.sandbox.operations import Operation
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.profile_file import ProfileFile
from dbt_batch_sync.sandbox.search import Search
from dbt_batch_sync.sandbox.values import Refusal, TypedValue

# The number of profiles read before another request may run.
_CHUNK = 5_000


class ProfileStore:
    """Applies one request at a time, as a whole. With `keep` off, operations are validated and discarded."""

    def __init__(self, path: Path | None = None, *, keep: bool = True, keep_history: int = 0) -> None:
        """Raises ConfigurationError for a file that is not a store, or is in use."""
        self._lock = threading.Lock()
        self._keep = keep
        self._era = 0
        self.history = History(keep_history)
        self._file = ProfileFile(path) if path is not None else None
        self._profiles = {profile.custom_id: profile for profile in self._file.read()} if self._file else {}

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Live profiles by custom_id, oldest first. While the sandbox is being written to, use `snapshot`."""
        return MappingProxyType(self._profiles)

    def snapshot(self) -> dict[str, Profile]:
        """Copies, taken between two requests."""
        with self._lock:
            return {custom_id: _copy(profile) for custom_id, profile in self._profiles.items()}

    def profile(self, custom_id: str) -> Profile | None:
        """A copy of one profile."""
        with self._lock:
            found = self._profiles.get(custom_id)
            return _copy(found) if found else None

    def page(self, limit: int, offset: int = 0, sought: Search | None = None) -> tuple[list[Profile], int]:
        """Copies of up to `limit` matching profiles, oldest first, and the total."""
        if sought is None or not sought.terms:
            with self._lock:
                found = islice(self._profiles.values(), offset, offset + limit)
                return [_copy(profile) for profile in found], len(self._profiles)
        matching = [
            custom_id
            for chunk in self.chunks(_CHUNK)
            for custom_id, attributes in chunk
            if sought.matches(custom_id, attributes)
        ]
        copies = map(self.profile, matching[offset : offset + limit])
        return [copy for copy in copies if copy is not None], len(matching)

    @property
    def era(self) -> int:
        """How often the store was cleared."""
        return self._era

    def apply(
        self, operations: Sequence[tuple[int, Operation]], now: str, era: int | None = None, number: int = 0
    ) -> list[tuple[int, Refusal]]:
        """Applies a request's operations in order. Returns the errors that depend on profiles' states, by
        bulk index.

        `number` is the request's, for the history. Operations for an installation have no profile here. A
        request of an earlier `era` arrives too late and changes nothing.
        """
        refused: list[tuple[int, Refusal]] = []
        changed: dict[str, Profile] = {}
        with self._lock:
            if era not in (None, self._era):
                return []
            for index, operation in operations:
                if operation.custom_id is None or not self._keep:
                    continue
                profile = self._profiles.get(operation.custom_id)
                if profile is None:
                    profile = self._profiles[operation.custom_id] = Profile(
                        operation.custom_id, created_at=now
                    )
                before = _written(operation, profile) if self.history.keeps else {}
                refused += [(index, refusal) for refusal in profile.apply(operation, now)]
                if self.history.keeps:
                    after = _written(operation, profile)
                    self.history.add(profile.custom_id, Entry(number, now, before, after))
                changed[operation.custom_id] = profile
            if self._file:
                self._file.write(changed.values())
        return refused

    def chunks(self, size: int) -> Iterator[list[tuple[str, dict[str, TypedValue]]]]:
        """Every profile's attributes in chunks, each as it is when it is read."""
        with self._lock:
            custom_ids = list(self._profiles)
        for start in range(0, len(custom_ids), size):
            with self._lock:
                found = [self._profiles.get(custom_id) for custom_id in custom_ids[start : start + size]]
                chunk = [(each.custom_id, dict(each.attributes)) for each in found if each is not None]
            yield chunk

    def remove(self, custom_id: str) -> bool:
        """Whether there was such a profile."""
        with self._lock:
            if self._file:
                self._file.remove(custom_id)
            return self._profiles.pop(custom_id, None) is not None

    def clear(self) -> None:
        with self._lock:
            self._era += 1
            self._profiles.clear()
            self.history.clear()
            if self._file:
                self._file.clear()

    def close(self) -> None:
        """Closes the file. The profiles stay readable."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


def _copy(profile: Profile) -> Profile:
    copied = copy.copy(profile)
    copied.attributes = dict(profile.attributes)
    return copied


def _written(operation: Operation, profile: Profile) -> dict[str, TypedValue]:
    """The profile's values of the attributes that an operation names."""
    held = profile.attributes
    return {name: held[name] for name in operation.writes if name in held} if held else {}
