"""The interface of a kind: everything that differs between the objects in Batch that a sync writes.

A kind is a frozen value in its own module; `mapping.mapping_reader` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt_batch_sync.batch_api.answers import Read
from dbt_batch_sync.kinds.attributes import PROFILE_RULES, AttributeType, Rules, TypedAttribute

if TYPE_CHECKING:
    from dbt_batch_sync.connections.outputs import Output
    from dbt_batch_sync.ledger.state import Built
    from dbt_batch_sync.mapping.mapping import Mapping as SyncMapping
    from dbt_batch_sync.mapping.validation import Spot
    from dbt_batch_sync.push.channels import Talk

APART, CONTINUES = 1, 2
"""Marks of rendered rows: a request must begin with this row; its key is also that of the row before it."""

AUTO = "auto"
"""The endpoint of a mapping that selects the route by the number of rows."""

ARRAY = (b"[", b"]")
"""A body that is a JSON array."""


@dataclass(frozen=True)
class Fragment:
    """How a row becomes a JSON object: `opening`, its key as JSON, `middle`, its members, `ending`.

    A row with more than `max_members` members, or `max_arrays` arrays, becomes several.

    Attributes:
        bare: What follows the key of a row without members. If set, rows are sent whole: all values and no
            nulls.
        removal: The text around the key of an exit, if that is another object.
    """

    opening: str
    middle: str
    ending: str
    max_members: int
    max_arrays: int
    bare: str | None = None
    removal: tuple[str, str] | None = None

    @property
    def whole(self) -> bool:
        return self.bare is not None

    def may_split(self, attributes: Sequence[TypedAttribute]) -> bool:
        """Whether a row with these attributes may exceed the limits of one fragment."""
        arrays = sum(attribute.type is AttributeType.STRING_ARRAY for attribute in attributes)
        return len(attributes) > self.max_members or arrays > self.max_arrays


@dataclass(frozen=True)
class Route:
    """An endpoint for rows. `path` follows the API's version, without a leading slash.

    `rate` is rows per second after a `burst`, `calls` requests per second; 0 means no such limit. `read`
    interprets the JSON object of a 2xx answer. `endpoint: auto` uses the route from so many rows on.
    """

    name: str
    path: str
    max_rows: int
    read: Read
    rate: int = 0
    calls: int = 0
    burst: int = 0
    max_in_flight: int | None = None
    from_rows: int = 0


@dataclass(frozen=True)
class Step:
    """A request to send before rows are sent, and a short description of it."""

    path: str
    document: Mapping[str, object]
    does: str


Document = Mapping[str, object]


@dataclass(frozen=True)
class Container:
    """The audience or the catalog that contains a sync's rows. Never replaced or removed.

    `path` is the endpoints' path before a slash, `rows` the key of the rows in a request, `size` that of
    their number in Batch's description. `adapt` says what must be done in Batch before rows can be sent,
    given the description; it raises Stopped if it needs a person. `replaceable`: others can replace all rows,
    which only the token of an earlier request may show.
    """

    path: str
    rows: str
    size: str
    adapt: Callable[[SyncMapping, Sequence[TypedAttribute], Document | None], Step | None]
    replaceable: bool = False

    def view(self, talk: Talk, mapping: SyncMapping, **query: str) -> Document | None:
        """Batch's description; None if it doesn't exist."""
        return talk.get(f"{self.path}/view", {"name": mapping.container, **query})

    def count(self, talk: Talk, mapping: SyncMapping) -> int | None:
        """The number of rows in Batch; None if it doesn't exist."""
        found = self.view(talk, mapping)
        count = found.get(self.size) if found else None
        return count if isinstance(count, int) else None


def no_guards(*about: object) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True)
class Kind:
    """A kind of sync.

    Attributes:
        noun: What a row is, for messages. The plural adds an s.
        form: The keys of its mapping, including `kind` (see `mapping.validation.read_form`).
        mapping: Completes the mapping with what a form has. Notes errors between its keys.
        repeatable: Whether a repeated request has the same effect as one.
        per_operation: For kinds that group rows by profile, the most rows of an operation; 0 if each row is
            one.
        held_back: `_batch_reason` of rows with attributes that the delta holds back, before a colon and their
            names. They are recorded as rejects.
        stops: Guards that `--force` does not skip, each as a sentence; `tripped` are those that it skips.
        erases: Whether it erases people. Each is recorded before the request. `--limit`, `resend` and
            unmapped columns are rejected.
        container: The object that contains its rows; created before a push and polled after it.
        max_targets: The most different targets that an output may have.
        on_resend: What `resend --all` does not do, as a sentence.
    """

    name: str
    noun: str
    key: str
    form: type[object]
    mapping: Callable[[Any, Spot, SyncMapping], SyncMapping]
    fragment: Fragment
    routes: tuple[Route, ...]
    repeatable: bool
    rules: Rules = PROFILE_RULES
    held_back: str = ""
    stops: Callable[[SyncMapping, Built, Output], Iterator[str]] = no_guards
    tripped: Callable[[SyncMapping, Built], Iterator[str]] = no_guards
    erases: bool = False
    container: Container | None = None
    per_operation: int = 0
    max_targets: int | None = None
    on_resend: str = ""

    def route(self, endpoint: str, rows: int) -> Route:
        """The route for a mapping; `auto` depends on the number of rows."""
        if endpoint == AUTO:
            fitting = (each for each in self.routes if each.from_rows <= rows)
            return max(fitting, key=lambda each: each.from_rows)
        return next(each for each in self.routes if each.name == endpoint)

    def envelope(self, mapping: SyncMapping) -> tuple[bytes, bytes]:
        """The text before and after the fragments of a body, which are separated by commas."""
        if self.container is None:
            return (b"", b"") if self.erases else ARRAY
        opening = f'{{"name":{json.dumps(mapping.container)},"{self.container.rows}":['
        return opening.encode(), b"]}"
