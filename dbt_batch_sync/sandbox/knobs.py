"""The settings that can be changed while the sandbox runs, and their JSON forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dbt_batch_sync.sandbox.settings import SandboxSettings

_MOST = 10**9

_ACCEPTED = {
    "switch": "true or false",
    "number": "a number, 0 or more",
    "whole number": "a whole number, 1 or more",
    "texts": "an array of strings",
    "text": "text",
}


class BadSettingError(ValueError):
    """The message says what is accepted."""


@dataclass(frozen=True)
class Knob:
    """A setting; `hint` is its type."""

    name: str
    group: str
    help: str
    hint: Any

    @property
    def kind(self) -> Literal["switch", "number", "whole number", "choice", "texts", "text"]:
        if self.choices:
            return "choice"
        kinds: dict[Any, Literal["switch", "whole number", "texts", "text"]] = {
            bool: "switch",
            int: "whole number",
            frozenset[str]: "texts",
            str: "text",
        }
        return kinds.get(self.hint, "number")

    @property
    def choices(self) -> tuple[str, ...]:
        """A closed list, or empty."""
        return get_args(self.hint) if get_origin(self.hint) is Literal else ()

    @property
    def accepted(self) -> str:
        """What is accepted, for an error."""
        accepted = f"one of {', '.join(self.choices)}" if self.choices else _ACCEPTED[self.kind]
        return accepted + (", or null" if self.nullable else "")

    @property
    def nullable(self) -> bool:
        return type(None) in get_args(self.hint)

    def read(self, value: object) -> Any:
        """The setting's value. Raises BadSettingError."""
        kind = self.kind
        if value is None and self.nullable:
            return None
        if kind == "number" and type(value) in (int, float) and 0 <= value <= _MOST:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        if kind == "texts" and isinstance(value, list) and all(isinstance(each, str) for each in value):
            return frozenset(value)
        if (
            (kind == "switch" and isinstance(value, bool))
            or (kind == "whole number" and type(value) is int and 1 <= value <= _MOST)
            or (kind == "text" and isinstance(value, str) and value)
            or value in self.choices
        ):
            return value
        raise BadSettingError(f"`{self.name}`: {self.accepted}")

    def parse(self, text: str) -> Any:
        """The setting's value from a command line; commas separate several. Raises BadSettingError."""
        if self.kind in ("choice", "text"):
            return self.read(text)
        if self.kind == "texts":
            return self.read([each for each in text.split(",") if each])
        try:
            return self.read(json.loads(text))
        except ValueError:
            raise BadSettingError(f"`{self.name}`: {self.accepted}") from None


_HINTS = get_type_hints(SandboxSettings)

KNOBS: Mapping[str, Knob] = {
    each.name: Knob(each.name, **each.metadata, hint=_HINTS[each.name])
    for each in fields(SandboxSettings)
    if each.metadata
}


def _knob(name: str) -> Knob:
    if name not in KNOBS:
        raise BadSettingError(f"`{name}` can't be set; these can: {', '.join(KNOBS)}")
    return KNOBS[name]


def read_settings(document: object) -> dict[str, Any]:
    """The settings in an object. Raises BadSettingError."""
    if not isinstance(document, dict):
        raise BadSettingError("an object of settings")
    return {name: _knob(name).read(value) for name, value in document.items()}


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """The settings on a command line: `latency=0.5`, `reject_ids=C-1,C-2`. Raises BadSettingError."""
    texts = dict(assignment.partition("=")[::2] for assignment in assignments)
    return {name: _knob(name).parse(text) for name, text in texts.items()}


def changeable(settings: SandboxSettings) -> dict[str, Any]:
    """The current values, in JSON's form."""
    values = {name: getattr(settings, name) for name in KNOBS}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
