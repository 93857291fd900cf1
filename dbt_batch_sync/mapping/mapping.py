"""A sync's `batch_sync` meta, validated: which column becomes which attribute, and by which rules.

`mapping_reader.parse_mapping` creates it; `Mapping.resolve` applies it to the sync's columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.kinds.attributes import AttributeType, name_refusal, propose_name
from dbt_batch_sync.kinds.kind import AUTO, Kind
from dbt_batch_sync.mapping.validation import (
    Spot,
    boolean,
    did_you_mean,
    listed,
    number,
    optional,
    read_by,
    read_form,
    shown,
    whole,
)

ALL = "all"
"""The value of `custom` for all columns."""

MAX_LISTED = 20
"""The most columns listed in a message."""


class OnNull(str, Enum):
    """What a null does: delete the attribute in Batch, or nothing."""

    CLEAR = "clear"
    KEEP = "keep"


class OnExit(str, Enum):
    """What happens to profiles that leave the sync."""

    IGNORE = "ignore"
    CLEAR = "clear"
    FLAG = "flag"


@dataclass(frozen=True)
class Attribute:
    """A column and the attribute it becomes.

    `name` is the column in our relations (`batch__email_address`, `website`), `key` its place in the mapping.
    Without a `type`, the column's or the standard attribute's counts. A membership has an empty `column`.
    """

    column: str
    name: str
    type: AttributeType | None
    on_null: OnNull
    key: str = field(default="custom", compare=False)


_RATIO = optional(number(0, 1, above=True))


@dataclass(frozen=True)
class Guards:
    """Limits that stop a push before it sends: rows of the sync, and shares of the snapshot's rows."""

    min_rows: int = read_by(whole(0), 1)
    max_change_ratio: float | None = read_by(_RATIO, None)
    max_exit_ratio: float | None = read_by(_RATIO, None)
    never_resubscribe: bool = read_by(boolean, True)
    max_rows: int | None = read_by(whole(1), None)


def guards_field(default: Guards, *accepted: str) -> Any:
    """A field of a form for those guards which a kind has."""

    def read(value: object, spot: Spot) -> Guards:
        given = {} if value is None else value
        found = read_form(Guards, given, spot, accepted)
        names = given if isinstance(given, dict) and not spot.found else ()
        return replace(default, **{name: getattr(found, name) for name in names})

    return read_by(read, default)


@dataclass(frozen=True)
class Mapping:
    """A sync's mapping, from a `file`. `attributes` are the standard ones, then the listed custom ones.

    `container` names the audience or the catalog. `at_most_once`: what may have been sent is not sent again.
    `undated`: an event that has become too old is sent without its time.

    With `all_columns`, the custom attributes are only known with the sync's columns: see `resolve`. `hash`
    tells whether two mappings send the same; dbt records it when it builds a delta.
    """

    sync: str
    kind: Kind
    identifier: str
    attributes: tuple[Attribute, ...]
    output: str | None
    guards: Guards
    file: str = field(compare=False)
    all_columns: bool = False
    exclude: tuple[str, ...] = ()
    on_null: OnNull = OnNull.CLEAR
    on_exit: OnExit = OnExit.IGNORE
    membership: str | None = None
    endpoint: str = AUTO
    shared: bool = False
    container: str = ""
    display_name: str | None = None
    at_most_once: bool = False
    undated: bool = False
    hash: str = field(default="", compare=False)

    @property
    def target(self) -> str:
        """The written object, unless it is the project's profiles; different in all syncs of an output."""
        own = self.kind.container is not None or self.kind.erases
        return f"{self.kind.name} {self.container}".strip() if own else ""

    def project_hash(self, of_output: str) -> str:
        """The journal's identity of the destination: the Batch project, and the target in it."""
        return f"{of_output}/{self.target}" if self.target else of_output

    def problem(self, key: str, message: str) -> Problem:
        return Problem(self.file, self.sync, f"batch_sync.{key}", message)

    def resolve(self, columns: Sequence[str]) -> tuple[Attribute, ...]:
        """All attributes of a sync with these columns: standard, custom, membership.

        Columns match regardless of case and keep the sync's spelling. Those of `custom: all` are in the
        sync's order, and their attributes have lower-case names. Raises MappingError: a column is missing or
        ambiguous, or its name is not valid for an attribute.
        """
        return _Resolution(self, columns).attributes()


class _Resolution:
    """Applies a mapping to columns and collects the errors."""

    def __init__(self, mapping: Mapping, columns: Sequence[str]) -> None:
        self.mapping = mapping
        self.columns = tuple(columns)
        self.problems: list[Problem] = []

    def attributes(self) -> tuple[Attribute, ...]:
        identifier = self.find(self.mapping.identifier, "identifier")
        found = [replace(each, column=self.find(each.column, each.key)) for each in self.mapping.attributes]
        if self.mapping.all_columns:
            found += self.remaining({identifier, *(each.column for each in found)})
        if self.mapping.membership is not None:
            found.append(self.membership(self.mapping.membership, found))
        if self.mapping.kind.erases:
            self.refuse_others({identifier, *(each.column for each in found)})
        if not found and self.mapping.all_columns:
            self.refuse("custom", "`all` leaves no column to send")
        if self.problems:
            raise MappingError(self.problems)
        return tuple(found)

    def refuse_others(self, used: set[str]) -> None:
        """A model of people to erase must have no other columns, so no other model is mistaken for one."""
        others = [each for each in self.columns if each not in used]
        if others:
            self.refuse(
                "identifier",
                f"the model has columns that are not mapped: {listed(map(shown, others[:MAX_LISTED]))}. "
                f"Select {listed(map(shown, sorted(used)))} by name, and no others",
            )

    def membership(self, name: str, found: Iterable[Attribute]) -> Attribute:
        """The membership. An error if a column of `custom: all` has its name."""
        for each in found:
            if each.name == name:
                self.refuse(
                    "membership", f"the column `{shown(each.column)}` is called so: rename or `exclude` it"
                )
        return Attribute("", name, AttributeType.BOOLEAN, self.mapping.on_null)

    def remaining(self, used: set[str]) -> Iterator[Attribute]:
        """The attributes of `custom: all`: every column that is neither used nor excluded."""
        left_out = used | {
            self.find(column, f"exclude[{place}]") for place, column in enumerate(self.mapping.exclude)
        }
        owners: dict[str, str] = {}
        for column in self.columns:
            if column in left_out:
                continue
            name = column.lower()
            refusal = name_refusal(name)
            if refusal:
                entry = f"{{column: {shown(column)}, name: {propose_name(column)}}}"
                wrong = f"the column `{shown(column)}` {refusal}"
                self.refuse(
                    "custom", f"{wrong}: `exclude` it, or list the columns, with `{entry}` among them"
                )
            elif name in owners:
                both = listed((shown(owners[name]), shown(column)))
                self.refuse("custom", f"the columns {both} would be one attribute: `exclude` all but one")
            else:
                owners[name] = column
                yield Attribute(column, name, None, self.mapping.on_null)

    def find(self, column: str, key: str) -> str:
        """The column in the sync's spelling; the given name, with an error, if it is missing or ambiguous."""
        same = [each for each in self.columns if each.lower() == column.lower()]
        if column in same:
            return column
        if len(same) == 1:
            return same[0]
        if same:
            self.refuse(
                key, f"`{shown(column)}` could be {listed(map(shown, same))}: write one of them as it is"
            )
            return column
        rest = len(self.columns) - MAX_LISTED
        known = listed(map(shown, self.columns[:MAX_LISTED])) + (f" and {rest} more" if rest > 0 else "")
        hint = did_you_mean(column, self.columns)
        self.refuse(key, f"the sync has no column `{shown(column)}`{hint}; its columns: {known}")
        return column

    def refuse(self, key: str, message: str) -> None:
        self.problems.append(self.mapping.problem(key, message))
