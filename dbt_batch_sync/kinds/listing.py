"""Lists of columns in a mapping, shared by all kinds: names, or entries with options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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

column = text("a column's name")
read_output = optional(text("the name of an output of the `dbt_batch_sync` profile"))


@dataclass(frozen=True)
class Entry:
    """A column with options. As read, `name` is the attribute's: by default the column's in lower case, and
    empty if it was rejected.
    """

    column: str = read_by(column, "", required="the column to send")
    name: str | None = read_by(optional(text("an attribute's name")), None)
    type: AttributeType | None = read_by(optional(choice(list(CUSTOM_RULES))), None)


E = TypeVar("E", bound=Entry)


def entries(form: Callable[..., E], what: str = "columns") -> Reader[tuple[E, ...]]:
    """Reads a list of column names, or entries with options. Notes names that are invalid or used twice."""

    def read_entry(value: object, spot: Spot) -> E:
        if isinstance(value, dict):
            return _named(read_form(form, value, spot), spot)  # type: ignore[arg-type]
        if isinstance(value, str):
            return _named(form(column(value, spot)), spot)
        spot.refuse(f"must be a column's name or `{{column: …, name: …}}`, not {kind(value)}")
        return form()

    def read(value: object, spot: Spot) -> tuple[E, ...]:
        listed = many(read_entry, what)(value, spot)
        owners: dict[str, str] = {}
        for place, entry in enumerate(listed):
            name, owner = entry.name or "", owners.get(entry.name or "", "")
            if owner and owner.lower() == entry.column.lower():
                spot.at(place).refuse(f"the column `{shown(entry.column)}` is already listed as `{name}`")
            elif owner:
                spot.at(place).refuse(f"the name `{name}` is already that of the column `{shown(owner)}`")
            elif name:
                owners[name] = entry.column
        return listed

    return read


def _named(entry: E, spot: Spot) -> E:
    name = entry.column.lower() if entry.name is None else entry.name
    refusal = name_refusal(name) if name else None
    if refusal and entry.name:
        spot.at("name").refuse(f"`{shown(name)}` {refusal}; for example `{propose_name(name)}`")
    elif refusal:
        proposal = f"{{column: {shown(entry.column)}, name: {propose_name(entry.column)}}}"
        wrong = f"the column `{shown(entry.column)}` {refusal}"
        spot.refuse(f"{wrong}: give it a `name`, for example `{proposal}`")
    return replace(entry, name="" if refusal else name)


def attributes(form: Callable[..., E]) -> Reader[tuple[Attribute, ...]]:
    """Reads the attributes of such a list."""

    def read(value: object, spot: Spot) -> tuple[Attribute, ...]:
        key = spot.path.rpartition(".")[2]
        return tuple(
            Attribute(entry.column, entry.name or "", entry.type, OnNull.CLEAR, f"{key}[{place}]")
            for place, entry in enumerate(entries(form)(value, spot))
        )

    return read


def check_number(listed: Sequence[Attribute], most: int, spot: Spot) -> None:
    if len(listed) > most:
        spot.refuse(f"lists {len(listed)} columns; Batch takes at most {most}")
