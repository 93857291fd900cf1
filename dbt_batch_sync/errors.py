"""All errors that this project raises on purpose.

BatchSyncError                  exit 1: the run failed, or something stopped it
├── ConfigurationError          exit 2: usage or configuration
│   ├── ManifestError           no manifest, or not one that can be read
│   ├── MappingError            one or more mappings are wrong; carries every problem
│   ├── ProfileError            profiles.yml, dbt_project.yml, an output
│   └── UnsupportedWarehouse    the adapter can't keep the promises, or is not installed
├── WarehouseError              the warehouse rejected a statement, went away, or is locked
│   └── Conflict                a temporary conflict: retried within the driver
├── DeliveryError               Batch rejected the call, or can't be reached
└── Stopped                     a guard, a gate, another push, or a delta that is not the mapping's

A message says what, where, and what is accepted or which command to run next; never a value, a key or an
e-mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class BatchSyncError(Exception):
    """The root of all errors. `exit_code` is the command line's exit code."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(BatchSyncError):
    """Usage or configuration. Neither the warehouse nor Batch was contacted."""

    exit_code = 2


class ManifestError(ConfigurationError):
    """There is no `manifest.json`, or it can't be read."""


@dataclass(frozen=True)
class Problem:
    """One error in a mapping: its place, and what is accepted there. `line` counts from 1; None if it was not
    searched or the mapping is not in the file.
    """

    file: str
    model: str
    key: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return printable(f"{place}: {self.model}: {self.key}: {self.message}")


class MappingError(ConfigurationError):
    """One or more mappings are invalid. `problems` has all errors, and the text one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'' if count == 1 else 's'} with `batch_sync` mappings:"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


class ProfileError(ConfigurationError):
    """`profiles.yml`, `dbt_project.yml` or an output in them is missing or wrong."""


class UnsupportedWarehouse(ConfigurationError):
    """The adapter is not installed, or its tables' rows can't be changed."""


class WarehouseError(BatchSyncError):
    """The warehouse rejected a statement, closed the connection, or is locked by another process."""


class Conflict(WarehouseError):
    """A temporary conflict, for example with another transaction. Nothing was done, so it may be retried."""


class DeliveryError(BatchSyncError):
    """Batch rejected a request as a whole, or could not be reached within the retries."""


class Stopped(BatchSyncError):
    """A push stopped on purpose, before or while sending: a guard, a gate, another push, or a stale delta."""


def printable(text: str) -> str:
    """Escapes whatever could move a terminal's cursor, break a line or fail to encode."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
