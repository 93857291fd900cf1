"""One profile, and the effect of an operation on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbt_batch_sync.sandbox.operations import Operation
from dbt_batch_sync.sandbox.rules import MAX_ITEMS
from dbt_batch_sync.sandbox.values import ArrayChange, Refusal, TypedValue, Write


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

    def apply(self, operation: Operation, now: str) -> list[Refusal]:
        """Upserts values and deletes nulls. Returns errors that depend on the profile's state."""
        refused: list[Refusal] = []
        if operation.only_values:
            self.attributes.update(operation.writes)  # type: ignore[arg-type]  # only values, as the flag says
        else:
            for name, write in operation.writes.items():
                refused += self._write(name, write)
        self.operations += 1
        self.updated_at = now
        return refused

    def _write(self, name: str, write: Write) -> list[Refusal]:
        if isinstance(write, ArrayChange):
            items = write.applied_to(self.attributes.get(name))
            if len(items) > MAX_ITEMS:
                return [Refusal(name, "TOO_MANY_ITEMS", f"the array would have more than {MAX_ITEMS} items")]
            write = TypedValue("string_array", items) if items else None
        if write is None:
            self.attributes.pop(name, None)
        else:
            self.attributes[name] = write
        return []
