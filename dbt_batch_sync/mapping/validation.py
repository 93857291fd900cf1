"""Reads YAML or JSON into frozen dataclasses whose fields are the accepted keys.

A form is a dataclass with `read_by()` fields: the field's name is the accepted key, and its reader checks the
value. Keys are listed nowhere else. Readers never raise. They note a finding at their spot and return a value
of the right type, so that one pass finds every error. The caller checks the findings before using the values.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

from dbt_batch_sync.errors import printable

T = TypeVar("T")
F = TypeVar("F")

MAX_TEXT = 300
"""The longest name or column, longer than in any warehouse (BigQuery: 300)."""

MAX_SHOWN = 60
"""The most characters of foreign text in a message."""


@dataclass(frozen=True)
class Finding:
    """An error: the key's path, and what is accepted there."""

    key: str
    message: str


class Spot:
    """A place in a document. Findings at it and below it go to one list."""

    def __init__(self, path: str, found: list[Finding] | None = None) -> None:
        self.path = path
        self.found: list[Finding] = [] if found is None else found

    def at(self, key: str | int) -> Spot:
        """The place of a key, or of a list entry (from 0), below this one."""
        return Spot(f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}", self.found)

    def refuse(self, message: str) -> None:
        self.found.append(Finding(self.path, message))

    def refused(self, key: str, *, below: bool = True) -> bool:
        """Whether there is an error at this key or, by default, below it."""
        path = f"{self.path}.{key}"
        inner = (f"{path}.", f"{path}[") if below else ()
        return any(each.key == path or each.key.startswith(inner) for each in self.found)


Reader = Callable[[object, Spot], T]


def read_by(reader: Reader[object], default: Any, *, required: str = "", hidden: bool = False) -> Any:
    """A field of a form: what reads its value, and what it has without one. `required` says what a missing
    key is for; a `hidden` one is in no `repr`.
    """
    return field(default=default, repr=not hidden, metadata={"reader": reader, "required": required})


def read_form(form: type[F], raw: object, spot: Spot, accepted: Iterable[str] = ()) -> F:
    """Reads a mapping of keys: all of the form, or the `accepted` ones. Missing and rejected keys get the
    field's default.
    """
    accepted = tuple(accepted) or names_of(form)
    if not isinstance(raw, dict):
        spot.refuse(f"must be a mapping of keys, not {kind(raw)}; accepted keys: {listed(accepted)}")
        return form()
    refuse_unknown(raw, accepted, spot)
    values: dict[str, Any] = {}
    for declared in (each for each in fields(form) if each.name in accepted):  # type: ignore[arg-type]
        if declared.name in raw:
            values[declared.name] = declared.metadata["reader"](raw[declared.name], spot.at(declared.name))
        elif declared.metadata["required"]:
            spot.at(declared.name).refuse(f"is required: {declared.metadata['required']}")
    return form(**values)


def names_of(form: type[object]) -> tuple[str, ...]:
    """The keys that a form accepts, in the order of their declaration."""
    return tuple(declared.name for declared in fields(form) if declared.metadata)  # type: ignore[arg-type]


def refuse_unknown(raw: dict[Any, object], accepted: Iterable[str], spot: Spot) -> None:
    """Notes every unknown key, with the nearest known one."""
    accepted = tuple(accepted)
    for name in raw:
        if name not in accepted:
            spot.at(shown(name)).refuse(
                f"unknown key{did_you_mean(name, accepted)}; accepted keys: {listed(accepted)}"
            )


def did_you_mean(name: object, accepted: Iterable[str]) -> str:
    """` (did you mean …?)` for a probable typo, otherwise empty."""
    if not isinstance(name, str) or len(name) > MAX_SHOWN:
        return ""
    plain = name.lower().replace("-", "_").replace(" ", "_")
    # `mass-update` contains a hyphen: both forms are compared, and the accepted one is shown.
    by_form = {entry.lower().replace("-", "_"): entry for entry in accepted}
    nearest = get_close_matches(plain, by_form, n=1, cutoff=0.5)
    return f" (did you mean `{by_form[nearest[0]]}`?)" if nearest else ""


def not_one_of(value: object, accepted: Iterable[str]) -> str:
    """The error of a value that is not one of these words."""
    given = f"`{shown(value)}`{did_you_mean(value, accepted)}" if isinstance(value, str) else kind(value)
    return f"must be one of {listed(accepted)}, not {given}"


def shown(value: object) -> str:
    """A foreign name for a message: short and without control characters."""
    if not isinstance(value, str):
        return kind(value)
    return printable(value[:MAX_SHOWN]) + ("…" if len(value) > MAX_SHOWN else "")


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_KINDS = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def kind(value: object) -> str:
    """The kind of a value in YAML's words, without the value."""
    return _KINDS.get(type(value), "a value of another type")


def text(what: str) -> Reader[str]:
    """Reads a text of 1 to 300 characters, without control, format and surrogate characters."""

    def read(value: object, spot: Spot) -> str:
        if not isinstance(value, str):
            spot.refuse(f"must be {what} (text), not {kind(value)}")
        elif (
            not 0 < len(value) <= MAX_TEXT
            or value.isspace()
            or any(unicodedata.category(char)[0] == "C" for char in value)
        ):
            spot.refuse(f"must be {what} (text), 1 to {MAX_TEXT} characters, no control characters")
        else:
            return value
        return ""

    return read


def word(what: str, pattern: str, rule: str) -> Reader[str]:
    """Reads a text of this form; `rule` says it in words."""

    def read(value: object, spot: Spot) -> str:
        name = text(what)(value, spot)
        if name and not re.fullmatch(pattern, name):
            spot.refuse(f"`{shown(name)}` is not {what} ({rule})")
        return name

    return read


def choice(choices: Mapping[str, Any] | Iterable[Any]) -> Reader[Any]:
    """Reads one of these words, a member of an enum by its value, or what a word stands for."""
    given = (
        choices.items() if isinstance(choices, Mapping) else ((getattr(c, "value", c), c) for c in choices)
    )
    by_value = dict(given)

    def read(value: object, spot: Spot) -> Any:
        if isinstance(value, str) and value in by_value:
            return by_value[value]
        spot.refuse(not_one_of(value, by_value))
        return next(iter(by_value.values()))

    return read


def boolean(value: object, spot: Spot) -> bool:
    if not isinstance(value, bool):
        spot.refuse(f"must be true or false, not {kind(value)}")
    return value is True


def whole(low: int, high: int | None = None) -> Reader[int]:
    """Reads a whole number from `low` to `high`, both included."""

    def read(value: object, spot: Spot) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (high or value):
            return value
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        spot.refuse(f"must be a whole number {bounds}{_not_number(value)}")
        return low

    return read


def number(low: float, high: float, *, above: bool = False) -> Reader[float]:
    """Reads a finite number from `low` (included, unless `above`) to `high` (included)."""

    def read(value: object, spot: Spot) -> float:
        given = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        # nan fails both comparisons; an int too large for a float is compared unchanged
        if low <= given <= high and not (above and given == low):
            return float(given)
        bounds = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
        spot.refuse(f"must be a number {bounds}{_not_number(value)}")
        return high

    return read


def _not_number(value: object) -> str:
    if isinstance(value, str):
        return ", not text: leave the quotes out, or end the template with `| as_number`"
    return "" if isinstance(value, int | float) and not isinstance(value, bool) else f", not {kind(value)}"


def optional(reader: Reader[T]) -> Reader[T | None]:
    """Reads null as None, and everything else with the reader."""

    def read(value: object, spot: Spot) -> T | None:
        return None if value is None else reader(value, spot)

    return read


def many(reader: Reader[T], what: str, empty: str = "") -> Reader[tuple[T, ...]]:
    """Reads a list, with a reader for each entry. Null (a key with nothing below it) is an empty list, which
    may be an error: `empty`.
    """

    def read(value: object, spot: Spot) -> tuple[T, ...]:
        if empty and value in (None, []):
            spot.refuse(empty)
        if value is None:
            return ()
        if not isinstance(value, list):
            spot.refuse(f"must be a list of {what}, not {kind(value)}")
            return ()
        return tuple(reader(entry, spot.at(index)) for index, entry in enumerate(value))

    return read
