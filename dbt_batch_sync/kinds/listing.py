"""Lists of columns in a mapping, shared by all kinds: names, or entries with options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dbt_batch_sync.kinds.attributes import CUSTOM_RULES, AttributeType, name_refusal, propose_name
from dbt_batch_sync.mapping.mapping import Attribute, OnNull
from dbt_batch_sync.mapping.validation import (
    Reader,
    Spot,
    choice,
    kind,
    many,
    optional,
    read_by,
    read_form,
    shown,
    text,
)
from dbt_batch_sync.mapping.validation import listed as listed_names

column = text("a column's name")


read_output = optional(text("the name of an output of the `dbt_batch_sync` profile"))


@dataclass(frozen=True)
class Entry:
    """A column with options."""

    column: str = read_by(column, "", required="the column to send")
    name: str | None = read_by(optional(text("an attribute's name")), None)
    type: AttributeType | None = read_by(optional(choice(CUSTOM_RULES)), None)


E = TypeVar("E", bound=Entry)
Listed = tuple[tuple[Spot, E], ...]


def entries(form: Callable[..., E], what: str = "columns") -> Reader[Listed[E]]:
    """Reads a list of column names, or entries with options. A rejected part becomes empty."""

    def read(value: object, spot: Spot) -> tuple[Spot, E]:
        if isinstance(value, dict):
            return spot, read_form(form, value, spot)  # type: ignore[arg-type]
        if isinstance(value, str):
            return spot, form(column(value, spot))
        spot.refuse(f"must be a column's name or `{{column: …, name: …}}`, not {kind(value)}")
        return spot, form()

    return many(read, what)


def name_of(entry: Entry) -> str:
    """The attribute's name: the given one, or the column's in lower case. Empty if it was rejected."""
    return entry.column.lower() if entry.name is None else entry.name


def check_names(listed: Sequence[tuple[Spot, Entry]]) -> dict[str, str]:
    """Notes names that are invalid or used twice. Returns the columns by name."""
    owners: dict[str, str] = {}
    for place, entry in listed:
        name = name_of(entry)
        refusal = name_refusal(name) if name else None
        if refusal and entry.name:
            place.at("name").refuse(f"`{shown(name)}` {refusal}; for example `{propose_name(name)}`")
        elif refusal:
            proposal = f"{{column: {shown(entry.column)}, name: {propose_name(entry.column)}}}"
            wrong = f"the column `{shown(entry.column)}` {refusal}"
            place.refuse(f"{wrong}: give it a `name`, for example `{proposal}`")
        elif name in owners and owners[name].lower() == entry.column.lower():
            place.refuse(f"the column `{shown(entry.column)}` is already listed as `{name}`")
        elif name in owners:
            place.refuse(f"the name `{name}` is already that of the column `{shown(owners[name])}`")
        elif name:
            owners[name] = entry.column
    return owners


def check_types(listed: Listed[Entry], accepted: Sequence[AttributeType], spot: Spot, most: int) -> None:
    """Notes types that the kind doesn't have, and too many entries."""
    check_names(listed)
    if len(listed) > most:
        spot.refuse(f"lists {len(listed)} columns; Batch takes at most {most}")
    for place, entry in listed:
        if entry.type is not None and entry.type not in accepted:
            names = listed_names(each.value for each in accepted)
            place.at("type").refuse(f"must be one of {names}, not `{entry.type.value}`")


def attributes_of(listed: Listed[Entry], key: str) -> tuple[Attribute, ...]:
    """The attributes of a list under `key`."""
    return tuple(
        Attribute(entry.column, name_of(entry), entry.type, OnNull.CLEAR, f"{key}[{place}]")
        for place, (_, entry) in enumerate(listed)
    )
