"""One profile, and the effect of an operation on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbt_batch_sync.sandbox.operations import Operation
from dbt_batch_sync.sandbox.values import TypedValue


@dataclass(slots=True)
class Profile:
    """What Batch would hold. Attributes are keyed by name without wrapper (`birthdate`, `$email_address`).

    `operations` counts applied operations. Times are ISO 8601 in UTC.
    """

    custom_id: str
    attributes: dict[str, TypedValue] = field(default_factory=dict)
    operations: int = 0
    created_at: str = ""
    updated_at: str = ""

    def apply(self, operation: Operation, now: str) -> None:
        """Upserts values and deletes nulls."""
        for name, value in operation.writes.items():
            if value is None:
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = value
        self.operations += 1
        self.updated_at = now
