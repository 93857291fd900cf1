"""The settings that can be changed while the sandbox runs, with descriptions and JSON forms."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dbt_batch_sync.sandbox.settings import SandboxSettings

_MOST = 10**9


class BadSettingError(ValueError):
    """The message says what is accepted."""


@dataclass(frozen=True)
class Knob:
    """`choices` is a closed list, or empty."""

    name: str
    group: str
    help: str

    @property
    def kind(self) -> Literal["switch", "number", "whole number", "choice", "texts", "text"]:
        hint = _hints()[self.name]
        if get_origin(hint) is Literal:
            return "choice"
        if get_origin(hint) is frozenset:
            return "texts"
        kinds: dict[Any, Literal["switch", "whole number", "text"]] = {
            bool: "switch",
            int: "whole number",
            str: "text",
        }
        return kinds.get(hint, "number")

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(_hints()[self.name]) if self.kind == "choice" else ()

    @property
    def accepted(self) -> str:
        """What is accepted, for an error."""
        return {
            "choice": f"one of {', '.join(self.choices)}",
            "switch": "true or false",
            "number": "a number, 0 or more",
            "whole number": "a whole number, 1 or more",
            "texts": "an array of strings",
            "text": "text",
        }[self.kind] + (", or null" if self.nullable else "")

    @property
    def nullable(self) -> bool:
        return type(None) in get_args(_hints()[self.name])

    def read(self, value: object) -> Any:
        """The setting's value. Raises BadSettingError."""
        kind = self.kind
        if value is None and self.nullable:
            return None
        if kind == "switch" and isinstance(value, bool):
            return value
        if kind == "number" and type(value) in (int, float) and math.isfinite(value) and 0 <= value <= _MOST:  # type: ignore[arg-type,operator]
            return float(value)  # type: ignore[arg-type]
        if kind == "whole number" and type(value) is int and 1 <= value <= _MOST:
            return value
        if kind == "texts" and isinstance(value, list) and all(isinstance(each, str) for each in value):
            return frozenset(value)
        if value in self.choices or (kind == "text" and isinstance(value, str) and value):
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


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(SandboxSettings)


def _group(group: str, **helps: str) -> list[Knob]:
    return [Knob(name, group, text) for name, text in helps.items()]


KNOBS: Mapping[str, Knob] = {
    knob.name: knob
    for knob in [
        *_group(
            "Calls",
            rate_limits="Answer 429 above Batch's rates",
            retry_after="Form of the Retry-After header of a 429",
            latency="Seconds before each answer",
            time_ahead="Seconds to move the sandbox's clock ahead, to see links and blocks expire",
            share_rate="Exports count towards the rate of audiences",
        ),
        *_group(
            "Rejections",
            reject_ids="Ids of profiles, members or items to reject",
            reject_attributes="Attributes to reject, by plain name",
            reject_events="Events to reject, by name",
            bad_row="An invalid operation: a partial error, or a 400 for the call",
            error_attribute="How a partial error names date(birthdate): as sent, or plain",
            event_errors="How a partial error names an event: not at all, by name, or as events[0]",
            event_skew="Seconds of tolerance for events that are too old or in the future",
        ),
        *_group(
            "Audiences and catalogs",
            indexing_delay="Seconds until a write is applied",
            on_existing="Creating one that exists: an error with this status, or accepted",
            on_missing="Writing to one that does not exist: an error with this status, or accepted",
            second_write="Adding a member or an item again: replace its attributes, or merge them",
            max_items="Most items in a catalog",
        ),
        *_group(
            "Deletions",
            deletion_delay="Seconds until a person is erased",
            deletion_token="Name of the token in the answer",  # noqa: S106  # a name
            deletion_days="Days until the status of a request is no longer available",
            blacklist_days="Days during which an erased person's data is accepted and discarded",
            erase_members="Remove an erased person from audiences, too",
        ),
        *_group(
            "Exports",
            export_seconds="Seconds until an export is ready",
            export_result="How an export ends",
            export_file_profiles="Most profiles in a file",
            export_link_seconds="Seconds until a link to a file expires",
            exports_per_hour="Exports an hour; empty: no limit",
            export_dates="Form of a date",
            export_names="Names of dates and URLs: plain, or wrapped as in date(birthdate)",
            export_arrays="Form of an array",
            export_scalars="Numbers and booleans as themselves, or as text",
            export_nulls="Attributes without a value: left out, or null",
        ),
    ]
}


def read_settings(document: object) -> dict[str, Any]:
    """The settings in an object. Raises BadSettingError."""
    if not isinstance(document, dict):
        raise BadSettingError("an object of settings")
    if unknown := document.keys() - KNOBS.keys():
        raise BadSettingError(f"`{min(unknown)}` can't be set; these can: {', '.join(KNOBS)}")
    return {name: KNOBS[name].read(value) for name, value in document.items()}


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """The settings on a command line: `latency=0.5`, `reject_ids=C-1,C-2`. Raises BadSettingError."""
    read: dict[str, Any] = {}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in KNOBS:
            raise BadSettingError(f"`{name}` can't be set; these can: {', '.join(KNOBS)}")
        read[name] = KNOBS[name].parse(text)
    return read


def changeable(settings: SandboxSettings) -> dict[str, Any]:
    """The current values, in JSON's form."""
    values = {name: getattr(settings, name) for name in KNOBS}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
