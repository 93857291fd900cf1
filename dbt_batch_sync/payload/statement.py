"""The rendering statement: a delta row in, its operation and its rejections out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dbt_batch_sync.kinds.attributes import KEY, AttributeType, TypedAttribute
from dbt_batch_sync.kinds.kind import Fragment
from dbt_batch_sync.payload.encoding import Encoding, encode
from dbt_batch_sync.payload.expressions import ITEM, any_of, as_json, choose, text
from dbt_batch_sync.payload.source import CLEARED, DELTA, NAMES_PER_MASK, POSITION, REMOVED, SENT

OPERATION, HEAD, ARRAYS, OTHERS, REJECTED = (
    f"_batch_{name}" for name in ("operation", "head", "arrays", "others", "rejected_values")
)
"""The result's columns beside the identifier and POSITION. No attribute's name begins with `_batch_`.

HEAD, ARRAYS and OTHERS are the parts of an operation over a limit, if the mapping allows one.
"""

_FIRST = "_batch_first"


@dataclass(frozen=True)
class _Attribute:
    """An attribute with its encoding, and the columns that the statement computes for it, layer by layer.

    `inserts`: for rows that send each value and no null. `removed`: except for exits, which send none.
    """

    number: int
    typed: TypedAttribute
    encoding: Encoding
    inserts: bool
    removed: str | None = None

    @property
    def live(self) -> str:
        """Whether there is a value to send."""
        present = self.encoding.present
        if self.removed is not None:
            return f"not {self.removed} and {present}"
        return present if self.inserts else f"{self._named(SENT)} and {present}"

    @property
    def nulled(self) -> str:
        """Whether there is none, and a null is sent."""
        return choose([(self._named(CLEARED), f"not coalesce({self.encoding.present}, false)")], "false")

    def _named(self, mask: str) -> str:
        which, bit = divmod(self.number, NAMES_PER_MASK)
        return f"({mask}{which} & {1 << bit}) <> 0"

    def column(self, state: str) -> str:
        """One of the computed columns: live, null, rejected or sent."""
        return f"_batch_{state}_{self.number}"

    @property
    def sent(self) -> str:
        """The column that tells whether its value is sent."""
        return self.column("sent" if self.encoding.problems else "live")

    @property
    def has_member(self) -> str:
        """Whether the operation has a member for it."""
        return self.sent if self.inserts else any_of([self.sent, self.column("null")])

    @property
    def member(self) -> str:
        """Its member of the operation; null if it has none."""
        return self._either(concat(self.encoding.first, *self.encoding.rest), text(self._missing))

    @property
    def pieces(self) -> Iterator[str]:
        """The texts of its member, with a comma before it unless it is the first; nulls if it has none."""
        leads = f"{_FIRST} = {self.number}"
        value = choose([(leads, self.encoding.first)], self.encoding.following)
        yield self._either(value, choose([(leads, text(self._missing))], text("," + self._missing)))
        yield from (choose([(self.sent, piece)]) for piece in self.encoding.rest)

    @property
    def _missing(self) -> str:
        """The member that clears it: a null has the plain name."""
        return f'"{self.typed.plain_name}":null'

    def _either(self, value: str, missing: str) -> str:
        return choose([(self.sent, value), *([] if self.inserts else [(self.column("null"), missing)])])

    @property
    def note(self) -> str:
        """`name:reason` if it is rejected, otherwise null."""
        *cases, (_, otherwise) = self.encoding.problems
        return choose(
            [(self.column("rejected"), f"{text(f'{self.typed.name}:')} || {choose(cases, otherwise)}")]
        )


def rendering(
    attributes: Sequence[TypedAttribute], schema: pa.Schema, fragment: Fragment, *, inserts: bool = False
) -> str:
    """The select from `DELTA`, which has the schema of a `DeltaSource` with the same `inserts`.

    Each layer computes what the next one uses several times, because DuckDB would compute it each time.
    """
    removed = f"{REMOVED} = 1" if fragment.whole and not inserts else None
    known, below = computed(attributes, schema, inserts=inserts or fragment.whole, removed=removed)
    return f"select {', '.join(_result(known, fragment, removed))} from {below}"


def computed(
    attributes: Sequence[TypedAttribute], schema: pa.Schema, *, inserts: bool, removed: str | None = None
) -> tuple[list[_Attribute], str]:
    """The attributes and their computed columns, for the result's `from`."""
    known = [
        _Attribute(place, typed, encode(typed, schema.field(typed.name).type), inserts, removed)
        for place, typed in enumerate(attributes)
    ]
    checked = [each for each in known if each.encoding.problems]
    live = _above(DELTA, _states(known))
    rejected = _above(live, (f"{_rejected(each)} as {each.column('rejected')}" for each in checked))
    sent = _above(rejected, (f"{_sent(each)} as {each.column('sent')}" for each in checked))
    return known, _above(sent, [f"{_first(known)} as {_FIRST}"])


def concat(*texts: str) -> str:
    """Leaves nulls out, and copies each text once: an operation is long, and copying it costs."""
    return f"concat({', '.join(texts)})"


def members(known: Iterable[_Attribute]) -> Iterator[str]:
    """The texts of the members with commas between them; nulls for attributes without one."""
    return (piece for each in known for piece in each.pieces)


def _above(rows: str, columns: Iterable[str]) -> str:
    return f"(select {', '.join(['*', *columns])} from {rows} as below)"


def _states(known: Iterable[_Attribute]) -> Iterator[str]:
    for each in known:
        yield f"{each.live} as {each.column('live')}"
        if not each.inserts:
            yield f"{each.nulled} as {each.column('null')}"


def _rejected(each: _Attribute) -> str:
    """Checks only values that would be sent: checks take longer than everything else."""
    rejected = choose([(condition, "true") for condition, _ in each.encoding.problems], "false")
    if each.encoding.suspect is not None:
        rejected = choose([(each.encoding.suspect, rejected)], "false")
    return choose([(each.column("live"), rejected)], "false")


def _sent(each: _Attribute) -> str:
    return f"{each.column('live')} and not {each.column('rejected')}"


def _first(known: Iterable[_Attribute]) -> str:
    """The number of the first attribute with a member, which has no leading comma; null if there is none."""
    return choose((each.has_member, str(each.number)) for each in known)


def _result(known: Sequence[_Attribute], fragment: Fragment, removed: str | None) -> Iterator[str]:
    head = (text(fragment.opening), as_json(KEY), text(fragment.middle))
    operation = concat(*head, *members(known), text(f"{fragment.ending},"))
    present = f"{_FIRST} is not null"
    yield from (KEY, POSITION)
    arrays = [each for each in known if each.typed.type is AttributeType.STRING_ARRAY]
    if fragment.may_split([each.typed for each in known]):
        limits = ((known, fragment.max_members), (arrays, fragment.max_arrays))
        over = any_of(f"{_count(some)} > {limit}" for some, limit in limits if len(some) > limit)
        others = [each for each in known if each.typed.type is not AttributeType.STRING_ARRAY]
        present += f" and not {over}"
        for name, part in ((HEAD, concat(*head)), (ARRAYS, _list(arrays)), (OTHERS, _list(others))):
            yield f"{choose([(over, part)])} as {name}"
    cases = [(present, operation)]
    if removed is not None and fragment.removal is not None:
        before, behind = fragment.removal
        cases.insert(0, (removed, concat(text(before), as_json(KEY), text(f"{behind},"))))
    bare = "null" if fragment.bare is None else concat(*head[:2], text(f"{fragment.bare},"))
    yield f"{choose(cases, bare)} as {OPERATION}"
    yield f"{rejected_values(known)} as {REJECTED}"


def rejected_values(known: Iterable[_Attribute]) -> str:
    """`name:reason` of the rejected attributes, separated by commas; only built for rows that have any."""
    checked = [each for each in known if each.encoding.problems]
    if not checked:
        return "cast(null as varchar)"
    notes = f"concat_ws(',', {', '.join(each.note for each in checked)})"
    return choose([(any_of(each.column("rejected") for each in checked), notes)])


def _count(known: Iterable[_Attribute]) -> str:
    """How many of some attributes have a member. A sum of hundreds would be too deep for DuckDB's parser."""
    return f"strlen({concat(*(choose([(each.has_member, text('.'))]) for each in known))})"


def _list(known: Iterable[_Attribute]) -> str:
    """The members of some attributes as a list, without commas."""
    listed = f"cast([{', '.join(each.member for each in known)}] as varchar[])"
    return f"list_filter({listed}, lambda {ITEM}: {ITEM} is not null)"
