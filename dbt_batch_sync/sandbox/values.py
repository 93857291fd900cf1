"""What an attribute can be once it has been accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

AttributeType = Literal["string", "integer", "float", "boolean", "date", "url", "string_array"]
Scalar = str | int | float | bool


class TypedValue(NamedTuple):
    """A value and its type. The type is part of it: 1, 1.0 and true are three different values."""

    type: AttributeType
    value: Scalar | tuple[str, ...]


@dataclass(frozen=True)
class ArrayChange:
    """Items to add to and to remove from an array of strings, whatever it holds."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def applied_to(self, current: TypedValue | None) -> tuple[str, ...]:
        """The array after the change. A value of another type counts as an empty array."""
        held = current.value if current is not None and isinstance(current.value, tuple) else ()
        kept = [item for item in held if item not in self.remove]
        return (*kept, *dict.fromkeys(item for item in self.add if item not in kept))


# What one key of an operation does: a new value, a change of an array, or (None) the attribute's end.
Write = TypedValue | ArrayChange | None


class Refusal(NamedTuple):
    """One entry of the answer's partial errors. Without `attribute`, the operation as a whole was refused."""

    attribute: str | None
    category: str
    reason: str


class BrokenRuleError(Exception):
    """A name, a value or an operation breaks a documented rule. Never carries a value."""

    def __init__(self, category: str, reason: str) -> None:
        super().__init__(reason)
        self.category = category
        self.reason = reason

    def refusal(self, attribute: str | None = None) -> Refusal:
        return Refusal(attribute, self.category, self.reason)
