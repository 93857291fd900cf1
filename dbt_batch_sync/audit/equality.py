"""When an exported value equals the one that was sent. Both are JSON texts, compared by value:

integer, float   as numbers: 5 and 5.0 are the same
date             as instants, in any of the forms that Batch takes, in seconds or in milliseconds
string_array     as sets: neither order nor repetition counts
null             as absent, and so are an empty text and an empty array
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbt_batch_sync.kinds.attributes import AttributeType, TypedAttribute
from dbt_batch_sync.payload.expressions import ITEM, any_of, as_json, choose, matches


def mark(attributes: Sequence[TypedAttribute], side: Mapping[str, str]) -> str:
    """A hash of 64 bits, equal only for equal values; null for a profile without any. `side`: the column of
    each attribute.

    A date as a number that may be seconds or milliseconds can be equal with another hash.
    """
    cells = ", ".join(_compared(each.type, side[each.name]) for each in attributes)
    return choose([(any_of(f"{cell} is not null" for cell in side.values()), f"hash({cells})")])


def _compared(kind: AttributeType, json: str) -> str:
    value = _canonical(kind, json)
    if kind is AttributeType.DATE:
        return f"ltrim(regexp_replace({value}, '^#(-?[0-9]{{9,}})000$', '\\1'), '#')"
    return value


def difference(attribute: TypedAttribute, ours: str, theirs: str) -> str:
    """The kind of difference between two values; null if they are equal."""
    mine, other = _canonical(attribute.type, ours), _canonical(attribute.type, theirs)
    same = f"{mine} is not distinct from {other}"
    if attribute.type is AttributeType.DATE:
        # A number may be in seconds or in milliseconds.
        same = f"({same} or coalesce({other} in ('#' || {mine}, '#' || {mine} || '000'), false))"
    # Equal texts need no parsing.
    return choose(
        [
            (f"{ours} is not distinct from {theirs} or {same}", "null"),
            (f"{mine} is null", "'unexpected_value'"),
            (f"{other} is null", "'missing_value'"),
        ],
        "'other_value'",
    )


def _canonical(kind: AttributeType, json: str) -> str:
    """A text that is equal for equal values; null for none. Numbers and booleans may be texts."""
    value = f"json_extract_string({json}, '$')"
    if kind is AttributeType.INTEGER:
        digits = f"cast(try_cast(split_part({value}, '.', 1) as hugeint) as varchar)"
        power = (matches(value, _WITH_EXPONENT), f"coalesce({_whole(value)}, {value})")
        return choose([(matches(value, r"-?[0-9]+(\.0*)?"), f"coalesce({digits}, {value})"), power], value)
    if kind is AttributeType.FLOAT:
        return choose(
            [(matches(value, _NUMBER), f"cast(try_cast({value} as double) + 0.0 as varchar)")], value
        )
    if kind is AttributeType.BOOLEAN:
        return value
    if kind is AttributeType.DATE:
        moment = f"epoch_us(try_cast({value} as timestamptz))"
        whole = f"cast({moment} // 1000000 as varchar)"
        instant = f"case when {moment} % 1000000 = 0 then {whole} else {moment} || 'us' end"
        number = f"'#' || coalesce({_whole(value)}, {value})"
        return choose(
            [
                (matches(value, _NUMBER), number),
                (matches(value, "[0-9]{4}-.*"), f"coalesce({instant}, {value})"),
            ],
            f"'\"' || {value}",
        )
    if kind is AttributeType.STRING_ARRAY:
        listed = choose([(f"json_valid({value}) and json_type({value}) = 'ARRAY'", value)])
        parts = f"list_transform(try_cast({listed} as json[]), lambda {ITEM}: {_marked(ITEM)})"
        items = f"list_sort(list_distinct({parts}))"
        return f"case when len({items}) > 0 then {as_json(items)} when {listed} is null then {value} end"
    return _marked(json)


_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_WITH_EXPONENT = r"-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+"


def _whole(value: str) -> str:
    """The digits of a number without a fraction; null for others."""
    number = f"try_cast({value} as double)"
    return choose([(f"{number} = trunc({number})", f"cast(try_cast({number} as hugeint) as varchar)")])


def _marked(json: str) -> str:
    """A text behind a quote, so that it differs from a number, a boolean or a list of the same text."""
    is_text = f"json_type({json}) = 'VARCHAR'"
    return choose([(is_text, f"'\"' || json_extract_string({json}, '$')")], f"cast({json} as varchar)")
