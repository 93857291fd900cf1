"""The values of accepted attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

AttributeType = Literal["string", "integer", "float", "boolean", "date", "url", "string_array"]
Scalar = str | int | float | bool


class TypedValue(NamedTuple):
    """A value and its type, so that 1, 1.0 and true are different values."""

    type: AttributeType
    value: Scalar | tuple[str, ...]


@dataclass(frozen=True)
class ArrayChange:
    """Items to add to and remove from an array of strings, whatever it contains."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def applied_to(self, current: TypedValue | None) -> tuple[str, ...]:
        """The changed array. A value of another type counts as an empty array."""
        held = current.value if current is not None and isinstance(current.value, tuple) else ()
        kept = [item for item in held if item not in self.remove]
        return (*kept, *dict.fromkeys(item for item in self.add if item not in kept))


# The effect of one key of an operation: a new value, a change of an array, or None to delete the attribute.
Write = TypedValue | ArrayChange | None


class Refusal(NamedTuple):
    """One entry of the answer's partial errors. Without `attribute`, the whole operation was rejected."""

    attribute: str | None
    category: str
    reason: str


class BrokenRuleError(Exception):
    """A name, a value or an operation breaks a documented rule. Contains no value."""

    def __init__(self, category: str, reason: str) -> None:
        super().__init__(reason)
        self.category = category
        self.reason = reason

    def refusal(self, attribute: str | None = None) -> Refusal:
        return Refusal(attribute, self.category, self.reason)
