"""Events: each sent once, by the endpoints of profiles, with a limit per profile and request."""
# Limits are marked as in docs/batch-api.md: [Q] unless a comment says otherwise.

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbt_batch_sync.kinds.attributes import (
    ATTRIBUTE_NAME,
    CUSTOM_RULES,
    STANDARD_PREFIX,
    AttributeType,
    Rule,
    Rules,
    propose_name,
)
from dbt_batch_sync.kinds.kind import Fragment, Kind
from dbt_batch_sync.kinds.listing import Entry, attributes, check_number, column, read_output
from dbt_batch_sync.kinds.profiles import MASS_UPDATE, UPDATE
from dbt_batch_sync.mapping.mapping import Attribute, Guards, Mapping, OnNull, guards_field
from dbt_batch_sync.mapping.validation import Spot, choice, optional, read_by, read_form, shown, text, whole

if TYPE_CHECKING:
    from dbt_batch_sync.ledger.state import Built

NAME = "events"

EVENT_ID = "event_id"

MAX_EVENTS = 15
"""The most events of one profile in a request."""

MAX_ATTRIBUTES = 20
"""The most attributes of an event, including `$label` and `$tags` [C]."""

FIRST = "first"
"""The request in a delta whose push needs confirmation, because it is not known what was sent before."""

RULES = Rules(
    types={**CUSTOM_RULES, AttributeType.OBJECT: Rule(AttributeType.OBJECT, "not_an_object")},
    standard={
        "name": Rule(AttributeType.STRING, "invalid_name", pattern=ATTRIBUTE_NAME),
        "time": Rule(AttributeType.DATE, "not_a_date"),
        "label": Rule(AttributeType.STRING, "not_a_string", max_length=200),  # [C], and so is the next one
        "tags": Rule(AttributeType.STRING_ARRAY, "not_an_array", max_length=64, max_items=10),
    },
)


@dataclass(frozen=True)
class _Entry(Entry):
    type: AttributeType | None = read_by(optional(choice(AttributeType)), None)


@dataclass(frozen=True)
class _Fixed:
    """The `name` of all events."""

    value: str = read_by(text("an event's name"), "", required="the events' name")


def _read_name(value: object, spot: Spot) -> str | _Fixed:
    if not isinstance(value, dict):
        return column(value, spot)
    fixed = read_form(_Fixed, value, spot)
    if fixed.value and not re.fullmatch(ATTRIBUTE_NAME, fixed.value):
        wrong = f"`{shown(fixed.value)}` is not a valid event name (1 to 30 of a-z, 0-9 and _)"
        spot.at("value").refuse(f"{wrong}; for example `{propose_name(fixed.value)}`")
    return fixed


@dataclass(frozen=True)
class Settings:
    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column with the `custom_id` of the events' profiles")
    event_id: str = read_by(column, "", required="the column that identifies an event")
    name: str | _Fixed = read_by(
        _read_name, "", required="the column of the events' names, or `{value: …}` for all"
    )
    time: str = read_by(column, "", required="the column of the events' times")
    label: str | None = read_by(optional(column), None)
    tags: str | None = read_by(optional(column), None)
    attributes: tuple[Attribute, ...] = read_by(attributes(_Entry), ())
    # An event that Batch may have accepted is sent again, or never.
    on_doubt: bool = read_by(choice({"resend": False, "skip": True}), False)
    # An event that is too old is rejected, or sent without its time, as of its arrival.
    too_old: bool = read_by(choice({"reject": False, "now": True}), False)
    memory_days: int = read_by(whole(2, 90), 7)
    endpoint: str = read_by(choice((UPDATE.name, MASS_UPDATE.name)), UPDATE.name)
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(Guards(max_rows=100_000), "max_rows")


def _mapping(written: Settings, spot: Spot, mapping: Mapping) -> Mapping:
    special = sum(each is not None for each in (written.label, written.tags))
    check_number(written.attributes, MAX_ATTRIBUTES - special, spot.at("attributes"))
    return replace(
        mapping,
        attributes=tuple(_attributes(written)),
        shared=True,  # an event overwrites nothing
        at_most_once=written.on_doubt,
        undated=written.too_old,
    )


def _attributes(written: Settings) -> Iterable[Attribute]:
    for key in ("event_id", "name", "time", "label", "tags"):
        source = getattr(written, key)
        if isinstance(source, str) and source:
            name = EVENT_ID if key == "event_id" else STANDARD_PREFIX + key
            yield Attribute(source, name, None, OnNull.CLEAR, key)
    yield from written.attributes


def _tripped(mapping: Mapping, built: Built) -> Iterator[str]:
    """Stops a first push, and too many events at once."""
    events, most = built.inserts, mapping.guards.max_rows
    if built.request == FIRST and events:
        yield (
            f"{events:,} events of the last 24 hours would be sent. This is the first push of "
            f"`{mapping.sync}`, or the record of what it sent is lost; events can start messages to people. "
            f"To start from now, run: dbt-batch-sync adopt --select {mapping.sync}"
        )
    if most is not None and events > most:
        yield f"{events:,} events would be sent, and `max_rows` is {most:,}"


EVENTS = Kind(
    name=NAME,
    noun="event",
    key=EVENT_ID,
    form=Settings,
    mapping=_mapping,
    fragment=Fragment(
        opening='{"identifiers":{"custom_id":',
        middle='},"events":[',
        ending="]}",
        max_members=MAX_ATTRIBUTES,
        max_arrays=MAX_ATTRIBUTES,
    ),
    routes=(UPDATE, MASS_UPDATE),
    repeatable=False,
    rules=RULES,
    per_operation=MAX_EVENTS,
    tripped=_tripped,
)
