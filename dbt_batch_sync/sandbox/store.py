"""All profiles that the sandbox holds: in memory, and in a file as well if one was asked for."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from dbt_batch_sync.sandbox.operations import Operation
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.profile_file import ProfileFile
from dbt_batch_sync.sandbox.values import Refusal


class ProfileStore:
    """Calls are applied one at a time, each whole. With `keep` off, operations are checked and forgotten."""

    def __init__(self, path: Path | None = None, *, keep: bool = True) -> None:
        """Raises ConfigurationError for a file that is not a store, or is in use."""
        self._lock = threading.Lock()
        self._keep = keep
        self._era = 0
        self._file = ProfileFile(path) if path is not None else None
        self._profiles = {profile.custom_id: profile for profile in self._file.read()} if self._file else {}

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """By custom_id, oldest first. Live: for a sandbox that is being written to, take a `snapshot`."""
        return MappingProxyType(self._profiles)

    def snapshot(self) -> dict[str, Profile]:
        """Copies, between two calls."""
        with self._lock:
            return {custom_id: _copy(profile) for custom_id, profile in self._profiles.items()}

    def profile(self, custom_id: str) -> Profile | None:
        """A copy of one profile."""
        with self._lock:
            found = self._profiles.get(custom_id)
            return _copy(found) if found else None

    def page(self, limit: int, offset: int = 0, containing: str = "") -> tuple[list[Profile], int]:
        """Copies of `limit` profiles whose custom_id contains a text, and how many there are in all."""
        with self._lock:
            found = [profile for profile in self._profiles.values() if containing in profile.custom_id]
            return [_copy(profile) for profile in found[offset : offset + limit]], len(found)

    @property
    def era(self) -> int:
        """How often the store was cleared."""
        return self._era

    def apply(
        self, operations: Sequence[tuple[int, Operation]], now: str, era: int | None = None
    ) -> list[tuple[int, Refusal]]:
        """Applies a call's operations in order; returns what the profiles' own state refuses, by bulk index.

        Operations for an installation have no profile here. A call of an earlier `era` comes too late, and
        changes nothing.
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
                refused += [(index, refusal) for refusal in profile.apply(operation, now)]
                changed[operation.custom_id] = profile
            if self._file:
                self._file.write(changed.values())
        return refused

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
            if self._file:
                self._file.clear()

    def close(self) -> None:
        """Gives the file free. The profiles stay readable."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


def _copy(profile: Profile) -> Profile:
    copied = copy.copy(profile)
    copied.attributes = dict(profile.attributes)
    return copied
