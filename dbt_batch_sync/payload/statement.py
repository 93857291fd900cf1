"""The rendering statement: a delta row in, its operation and its rejections out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.kinds.attributes import AttributeType, TypedAttribute
from dbt_batch_sync.kinds.kind import KEY, Fragment
from dbt_batch_sync.payload.encoding import Encoding, encode
from dbt_batch_sync.payload.expressions import (
    any_of,
    as_json,
    as_text,
    call,
    choose,
    column,
    differs,
    exceeds,
    is_present,
    item,
    number,
    of_item,
    text,
)
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
    removed: exp.Expr | None = None

    @property
    def live(self) -> exp.Expr:
        """Whether there is a value to send."""
        present = self.encoding.present
        if self.removed is not None:
            return exp.and_(exp.not_(self.removed.copy()), present)
        return present if self.inserts else exp.and_(self._named(SENT), present)

    @property
    def nulled(self) -> exp.Expr:
        """Whether there is none, and a null is sent."""
        absent = exp.not_(call("coalesce", self.encoding.present, exp.false()))
        return choose([(self._named(CLEARED), absent)], exp.false())

    def _named(self, mask: str) -> exp.Expr:
        which, bit = divmod(self.number, NAMES_PER_MASK)
        bits = exp.BitwiseAnd(this=column(f"{mask}{which}"), expression=number(1 << bit))
        return differs(exp.Paren(this=bits), number(0))

    def column(self, state: str) -> exp.Expr:
        """One of the computed columns: live, null, rejected or sent."""
        return column(f"_batch_{state}_{self.number}")

    @property
    def sent(self) -> exp.Expr:
        """The column that tells whether its value is sent."""
        return self.column("sent" if self.encoding.problems else "live")

    def compute(self, state: str, expression: exp.Expr) -> exp.Expr:
        """The expression as that column."""
        return exp.alias_(expression, f"_batch_{state}_{self.number}", quoted=True)

    @property
    def has_member(self) -> exp.Expr:
        """Whether the operation has a member for it."""
        return self.sent if self.inserts else any_of([self.sent, self.column("null")])

    @property
    def member(self) -> exp.Expr:
        """Its member of the operation; null if it has none."""
        return self._either(call("concat", self.encoding.first, *self.encoding.rest), text(self._missing))

    @property
    def pieces(self) -> Iterator[exp.Expr]:
        """The texts of its member, with a comma before it unless it is the first; nulls if it has none."""
        leads = exp.EQ(this=column(_FIRST), expression=number(self.number))
        value = choose([(leads, self.encoding.first)], self.encoding.following)
        yield self._either(value, choose([(leads, text(self._missing))], text("," + self._missing)))
        yield from (choose([(self.sent, piece)]) for piece in self.encoding.rest)

    @property
    def _missing(self) -> str:
        """The member that clears it: a null has the plain name."""
        return f'"{self.typed.plain_name}":null'

    def _either(self, value: exp.Expr, missing: exp.Expr) -> exp.Expr:
        return choose([(self.sent, value), *([] if self.inserts else [(self.column("null"), missing)])])

    @property
    def note(self) -> exp.Expr:
        """`name:reason` if it is rejected, otherwise null."""
        *cases, (_, otherwise) = self.encoding.problems
        named = exp.DPipe(this=text(f"{self.typed.name}:"), expression=choose(cases, otherwise))
        return choose([(self.column("rejected"), named)])


def rendering(
    attributes: Sequence[TypedAttribute], schema: pa.Schema, fragment: Fragment, *, inserts: bool = False
) -> exp.Select:
    """The select from `DELTA`, which has the schema of a `DeltaSource` with the same `inserts`.

    Each layer computes what the next one uses several times, because DuckDB would compute it each time.
    """
    removed = exp.EQ(this=column(REMOVED), expression=number(1)) if fragment.whole and not inserts else None
    known, below = computed(attributes, schema, inserts=inserts or fragment.whole, removed=removed)
    return exp.select(*_result(known, fragment, removed)).from_(below, copy=False)


def computed(
    attributes: Sequence[TypedAttribute], schema: pa.Schema, *, inserts: bool, removed: exp.Expr | None = None
) -> tuple[list[_Attribute], exp.Subquery]:
    """The attributes and their computed columns, for the result's `from`."""
    known = [
        _Attribute(place, typed, encode(typed, schema.field(typed.name).type), inserts, removed)
        for place, typed in enumerate(attributes)
    ]
    checked = [each for each in known if each.encoding.problems]
    live = exp.select("*", *_states(known)).from_(exp.to_identifier(DELTA))
    rejected = _above(live, (each.compute("rejected", _rejected(each)) for each in checked))
    sent = _above(rejected, (each.compute("sent", _sent(each)) for each in checked))
    first = _above(sent, [exp.alias_(_first(known), _FIRST)])
    return known, first.subquery("below", copy=False)


def members(known: Iterable[_Attribute]) -> Iterator[exp.Expr]:
    """The texts of the members with commas between them; nulls for attributes without one."""
    return (piece for each in known for piece in each.pieces)


def _above(query: exp.Select, columns: Iterable[exp.Expr]) -> exp.Select:
    return exp.select("*", *columns).from_(query.subquery("below", copy=False), copy=False)


def _states(known: Iterable[_Attribute]) -> Iterator[exp.Expr]:
    for each in known:
        yield each.compute("live", each.live)
        if not each.inserts:
            yield each.compute("null", each.nulled)


def _rejected(each: _Attribute) -> exp.Expr:
    """Checks only values that would be sent: checks take longer than everything else."""
    none = exp.false()
    rejected = choose([(condition, exp.true()) for condition, _ in each.encoding.problems], none)
    if each.encoding.suspect is not None:
        rejected = choose([(each.encoding.suspect, rejected)], none)
    return choose([(each.column("live"), rejected)], none)


def _sent(each: _Attribute) -> exp.Expr:
    return exp.and_(each.column("live"), exp.not_(each.column("rejected")))


def _first(known: Iterable[_Attribute]) -> exp.Expr:
    """The number of the first attribute with a member, which has no leading comma; null if there is none."""
    return choose((each.has_member, number(each.number)) for each in known)


def _result(known: Sequence[_Attribute], fragment: Fragment, removed: exp.Expr | None) -> Iterator[exp.Expr]:
    head = (text(fragment.opening), as_json(column(KEY)), text(fragment.middle))
    ending = text(f"{fragment.ending},")
    # `concat` skips nulls and copies each text once; operations are long, so copies are expensive.
    operation = call("concat", *head, *members(known), ending)
    present = is_present(column(_FIRST))
    yield from (column(name) for name in (KEY, POSITION))
    arrays = [each for each in known if each.typed.type is AttributeType.STRING_ARRAY]
    if fragment.may_split([each.typed for each in known]):
        limits = ((known, fragment.max_members), (arrays, fragment.max_arrays))
        over = any_of(exceeds(_count(some), number(limit)) for some, limit in limits if len(some) > limit)
        others = [each for each in known if each.typed.type is not AttributeType.STRING_ARRAY]
        present = exp.and_(present, exp.not_(over))
        for name, part in ((HEAD, call("concat", *head)), (ARRAYS, _list(arrays)), (OTHERS, _list(others))):
            yield exp.alias_(choose([(over, part)]), name)
    cases = [(present, operation)]
    if removed is not None and fragment.removal is not None:
        before, behind = fragment.removal
        cases.insert(0, (removed, call("concat", text(before), as_json(column(KEY)), text(f"{behind},"))))
    bare = None
    if fragment.bare is not None:
        bare = call("concat", *head[:2], text(f"{fragment.bare},"))
    yield exp.alias_(choose(cases, bare), OPERATION)
    yield exp.alias_(rejected_values(known), REJECTED)


def rejected_values(known: Iterable[_Attribute]) -> exp.Expr:
    """`name:reason` of the rejected attributes, separated by commas; only built for rows that have any."""
    checked = [each for each in known if each.encoding.problems]
    if not checked:
        return as_text(exp.null())
    notes = call("concat_ws", text(","), *(each.note for each in checked))
    return choose([(any_of(each.column("rejected") for each in checked), notes)])


def _count(known: Iterable[_Attribute]) -> exp.Expr:
    """How many of some attributes have a member. A sum of hundreds would be too deep for DuckDB's parser."""
    return call("strlen", call("concat", *(choose([(each.has_member, text("."))]) for each in known)))


def _list(known: Iterable[_Attribute]) -> exp.Expr:
    """The members of some attributes as a list, without commas."""
    listed = exp.cast(exp.Array(expressions=[each.member for each in known]), "varchar[]", dialect="duckdb")
    return call("list_filter", listed, of_item(is_present(item())))
