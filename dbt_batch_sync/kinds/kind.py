"""What a kind is: all that differs between the things in Batch that a sync can keep equal.

A kind is a frozen value in a module of its own; `mapping.mapping_reader` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dbt_batch_sync.batch_api.answers import Read
from dbt_batch_sync.kinds.attributes import PROFILE_RULES, AttributeType, Rules, TypedAttribute

if TYPE_CHECKING:
    from dbt_batch_sync.connections.outputs import Output
    from dbt_batch_sync.ledger.state import Built
    from dbt_batch_sync.mapping.mapping import Location
    from dbt_batch_sync.mapping.mapping import Mapping as SyncMapping
    from dbt_batch_sync.mapping.validation import Spot

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

    Attributes:
        bare: What is behind the key of a row without members. With it, a row that sends anything is sent
            whole: all its values and no nulls.
        removal: What stands around the key of an exit, where that is another object.
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
        """Whether rows are sent whole."""
        return self.bare is not None

    def may_split(self, attributes: Sequence[TypedAttribute]) -> bool:
        """Whether a row of these can be over a limit of one fragment."""
        arrays = sum(attribute.type is AttributeType.STRING_ARRAY for attribute in attributes)
        return len(attributes) > self.max_members or arrays > self.max_arrays


@dataclass(frozen=True)
class Route:
    """An endpoint that rows are written to: `path` is behind the API's version, without a leading slash.

    Attributes:
        max_rows: Of one call; one more rejects the whole call.
        read: What the JSON object of a 2xx answer says.
        rate: Rows a second; 0 where only calls are counted.
        calls: Calls a second; 0 where only rows are counted.
        burst: Rows that may go at once before the rate counts; 0 is "no burst".
        max_in_flight: Calls at once; None: as many as the output allows.
        from_rows: Rows of a delta from which `endpoint: auto` takes this route.
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


class Talk(Protocol):
    """Calls that are not about rows, at the pace of those that are, and repeated like them.

    They raise DeliveryError when Batch can't be reached or rejects the credentials.
    """

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, object] | None:
        """The answer's document; None where Batch knows no such thing."""


@dataclass(frozen=True)
class Step:
    """A call to make before rows are sent, and what it does in a few words."""

    path: str
    document: Mapping[str, object]
    does: str


@dataclass(frozen=True)
class Difference:
    """What has to be done before rows can be sent, and what a person has to do something about."""

    steps: tuple[Step, ...] = ()
    stops: tuple[str, ...] = ()


class Container(Protocol):
    """The audience or the catalog that a sync's rows are in."""

    def compare(
        self,
        talk: Talk,
        mapping: SyncMapping,
        attributes: Sequence[TypedAttribute],
        *,
        begun: bool,
    ) -> Difference:
        """Holds Batch against the mapping. `begun`: by the snapshot, Batch has rows in it."""

    def is_applied(self, talk: Talk, mapping: SyncMapping, token: str) -> bool:
        """Whether Batch has applied the call with this token. Raises Stopped when it never will."""

    def size(self, talk: Talk, mapping: SyncMapping) -> int | None:
        """How many rows Batch has in it; None where there is none."""


def array_envelope(mapping: SyncMapping) -> tuple[bytes, bytes]:
    """A body that is a JSON array."""
    return ARRAY


def nothing_against(mapping: SyncMapping, built: Built) -> Iterator[str]:
    """No guard."""
    yield from ()


@dataclass(frozen=True)
class Kind:
    """A kind of sync.

    Attributes:
        name: `kind` in the mapping.
        noun: What a row is about, for messages; plural with an s.
        key: The relations' column of what identifies a row in Batch.
        form: The keys of its mapping (see `mapping.validation.read_form`), `kind` among them.
        mapping: The mapping that a form says; what is wrong between its keys is noted at the spot.
        repeatable: Whether a call that is made twice does what it does once.
        per_operation: Of kinds whose rows are put together by profile, how many rows of one an operation may
            have; 0: each row is one.
        rules: What its attributes may be.
        envelope: What stands before and behind the fragments of a body, which commas separate.
        held_back: `_batch_reason` of rows with attributes that the delta does not send, before a colon and
            their names; recorded as rejects of these attributes.
        stops: Guards of its own, each as a sentence; `--force` does not skip them.
        tripped: Those that `--force` skips.
        erases: Of a kind whose rows are people to erase: its guards, which `--force` does not skip. Each
            person is recorded before the request; `--limit` and `resend` are refused, and columns that are
            not mapped.
        container: What its rows are in, and what is created before and waited for after a push.
        max_targets: How many different targets an output may have.
        on_resend: What `resend --all` does not do, as a sentence.
    """

    name: str
    noun: str
    key: str
    form: type[object]
    mapping: Callable[[object, Spot, str, Location], SyncMapping]
    fragment: Fragment
    routes: tuple[Route, ...]
    repeatable: bool
    rules: Rules = PROFILE_RULES
    envelope: Callable[[SyncMapping], tuple[bytes, bytes]] = array_envelope
    held_back: str = ""
    stops: Callable[[SyncMapping, Built], Iterator[str]] = nothing_against
    tripped: Callable[[SyncMapping, Built], Iterator[str]] = nothing_against
    erases: Callable[[SyncMapping, Built, Output], Iterator[str]] | None = None
    container: Container | None = None
    per_operation: int = 0
    max_targets: int | None = None
    on_resend: str = ""

    def route(self, endpoint: str, rows: int) -> Route:
        """The route that a mapping asks for; `auto` decides by the number of rows."""
        if endpoint == AUTO:
            fitting = (each for each in self.routes if each.from_rows <= rows)
            return max(fitting, key=lambda each: each.from_rows)
        return next(each for each in self.routes if each.name == endpoint)
