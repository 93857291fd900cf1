"""What a kind is: all that differs between the things in Batch that a sync can keep equal.

A kind is a frozen value in a module of its own; `mapping.mapping_reader` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbt_batch_sync.batch_api.answers import Read
from dbt_batch_sync.kinds.attributes import AttributeType, TypedAttribute

if TYPE_CHECKING:
    from dbt_batch_sync.mapping.mapping import Location, Mapping
    from dbt_batch_sync.mapping.validation import Spot

KEY = "_batch_key"
"""What the column of the key is called in rows that were read, of whatever kind. No attribute is."""

APART, CONTINUES = 1, 2
"""Of rendered rows: a call must begin with this one; and its key is also that of the row before it."""

AUTO = "auto"
"""The endpoint of a mapping that leaves the route to the number of rows."""

ARRAY = (b"[", b"]")
"""A body that is a JSON array."""


@dataclass(frozen=True)
class Fragment:
    """How a row becomes a JSON object: `opening`, its key as JSON, `middle`, its members, `ending`.

    A row with more members than `max_members`, or more arrays among them than `max_arrays`, becomes several.
    """

    opening: str
    middle: str
    ending: str
    max_members: int
    max_arrays: int

    def may_split(self, attributes: Sequence[TypedAttribute]) -> bool:
        """Whether a row of these can be over a limit of one fragment."""
        arrays = sum(attribute.type is AttributeType.STRING_ARRAY for attribute in attributes)
        return len(attributes) > self.max_members or arrays > self.max_arrays


@dataclass(frozen=True)
class Route:
    """An endpoint that rows are written to: `path` is behind the API's version, without a leading slash.

    Attributes:
        max_rows: Of one call; one more rejects the whole call.
        rate: Rows a second.
        burst: Rows that may go at once before the rate counts; 0 is "no burst".
        from_rows: Rows of a delta from which `endpoint: auto` takes this route.
        envelope: What stands before and behind the fragments of a body, which commas separate.
        read: What the JSON object of a 2xx answer says.
    """

    name: str
    path: str
    max_rows: int
    rate: int
    burst: int
    read: Read
    from_rows: int = 0
    envelope: tuple[bytes, bytes] = ARRAY


@dataclass(frozen=True)
class Kind:
    """A kind of sync.

    Attributes:
        name: `kind` in the mapping.
        key: The relations' column of what identifies a row in Batch.
        form: The keys of its mapping (see `mapping.validation.read_form`), `kind` among them.
        mapping: The mapping that a form says; what is wrong between its keys is noted at the spot.
        repeatable: Whether a call may be made again when nobody knows whether Batch took it.
        held_back: `_batch_reason` of rows with attributes that the delta does not send, before a colon and
            their names; recorded as rejects of these attributes.
    """

    name: str
    key: str
    form: type[object]
    mapping: Callable[[object, Spot, str, Location], Mapping]
    fragment: Fragment
    routes: tuple[Route, ...]
    repeatable: bool
    held_back: str

    def route(self, endpoint: str, rows: int) -> Route:
        """The route that a mapping asks for; `auto` decides by the number of rows."""
        if endpoint == AUTO:
            fitting = (each for each in self.routes if each.from_rows <= rows)
            return max(fitting, key=lambda each: each.from_rows)
        return next(each for each in self.routes if each.name == endpoint)
