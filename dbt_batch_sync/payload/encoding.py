"""How one attribute's column becomes JSON, and when it may not: DuckDB expressions made from the rules.

The checks are Batch's (attributes.py); the conversions are what a given `type` asks of a column of another
type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from dbt_batch_sync.kinds.attributes import (
    CUSTOM_RULES,
    AttributeType,
    Rule,
    TypedAttribute,
)
from dbt_batch_sync.kinds.vocabularies import Vocabulary, words
from dbt_batch_sync.payload.expressions import (
    ITEM,
    Case,
    any_item,
    any_of,
    as_json,
    choose,
    column,
    is_one_of,
    matches,
    text,
)
from dbt_batch_sync.payload.objects import REJECTION

_INTEGER = r"[+-]?[0-9]+"
_FLOAT = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-.*"
"""Patterns, because DuckDB would also read `12.7` as the integer 13, `1_000` as a number and `epoch` as a
date.
"""

_NESTED = "(chr(0) || '[]')"
"""Mark of a nested array from PostgreSQL's driver. No text there contains a NUL."""


@dataclass(frozen=True)
class Encoding:
    """What there is to know about the values of one attribute, as expressions.

    Attributes:
        present: Whether there is something to send; false or null if the value counts as null. The others
            apply to present values.
        problems: Conditions for rejecting a value, each with its reason, in order of precedence. Null is no
            problem.
        first: Followed by the texts of `rest`: the member `"name":value` of an operation.
        suspect: True if any problem is; cheaper to evaluate than all of them.
    """

    present: str
    problems: tuple[Case, ...]
    first: str
    following: str
    rest: tuple[str, ...] = ()
    suspect: str | None = None


def encode(attribute: TypedAttribute, source: pa.DataType) -> Encoding:
    """The expressions for an attribute whose column has its name and the Arrow type `source`.

    Timestamps are in UTC microseconds, without a zone, as warehouses return them.
    """
    if pa.types.is_dictionary(source):
        source = source.value_type
    cell, kind = column(attribute.name), attribute.type
    if pa.types.is_boolean(source) and attribute.rule.vocabulary is Vocabulary.SUBSCRIPTION:
        return _either(attribute, cell, '"subscribed"', '"unsubscribed"')
    if kind is AttributeType.OBJECT:
        return _object(attribute, cell)
    if kind is AttributeType.STRING_ARRAY:
        return _array(attribute, cell, source)
    if kind in (AttributeType.STRING, AttributeType.URL):
        return _text(attribute, cell if is_text(source) else f"cast({cell} as varchar)")
    if kind is AttributeType.INTEGER:
        return _integer(attribute, cell, source)
    if kind is AttributeType.FLOAT:
        return _float(attribute, cell, source)
    if kind is AttributeType.BOOLEAN:
        return _boolean(attribute, cell, source)
    return _date(attribute, cell, source)


def is_text(source: pa.DataType) -> bool:
    """Whether a column is text."""
    return bool(
        pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source)
    )


def _text(attribute: TypedAttribute, cell: str) -> Encoding:
    """Strings, URLs and standard texts. An empty one counts as null."""
    rule, present = attribute.rule, f"{cell} <> ''"
    problems = too_long = _too_long(rule, cell)
    suspect = None
    if rule.pattern is not None:
        problems += ((f"not {matches(cell, rule.pattern)}", text(rule.reason)),)
    if rule.plausible is not None:  # one match for a good value; all checks for others
        impossible = f"not {matches(cell, rule.plausible)}"
        problems += ((impossible, text(rule.impossible)),)
        suspect = any_of([impossible, *(condition for condition, _ in too_long)])
    if rule.vocabulary is not None:
        problems += ((f"not {is_one_of(cell, words(rule.vocabulary))}", text(rule.reason)),)
        # Words need no escapes, only quotes.
        return Encoding(present, problems, *_names(attribute, '"'), (cell, text('"')))
    return Encoding(present, problems, *_names(attribute), (as_json(cell),), suspect)


def _too_long(rule: Rule, cell: str) -> tuple[Case, ...]:
    """Characters are only counted if there are too many bytes."""
    if rule.max_length is None:
        return ()
    most = rule.max_length
    return ((choose([(f"strlen({cell}) > {most}", f"length({cell}) > {most}")], "false"), text("too_long")),)


def _integer(attribute: TypedAttribute, cell: str, source: pa.DataType) -> Encoding:
    """Signed, 64-bit. A text or a decimal may be sent as an integer if it is one."""
    not_one = text(attribute.rule.reason)
    if is_text(source):
        cell = f"trim({cell})"
    parsed = f"try_cast({cell} as bigint)"
    out_of_range = (f"{parsed} is null", text("out_of_range"))
    member = (*_names(attribute), (f"cast({parsed} as varchar)",))
    if is_text(source):
        problems: tuple[Case, ...] = ((f"not {matches(cell, _INTEGER)}", not_one), out_of_range)
        return Encoding(f"{cell} <> ''", problems, *member)
    if pa.types.is_integer(source):
        problems = (out_of_range,) if pa.types.is_uint64(source) else ()
    else:
        problems = (out_of_range,)
        if pa.types.is_floating(source):
            problems = (_not_finite(cell), out_of_range)
        elif source.precision - source.scale < 19:
            problems = ()
        if pa.types.is_floating(source) or source.scale:
            problems += ((f"{cell} <> trunc({cell})", not_one),)
    return Encoding(f"{cell} is not null", problems, *member)


def _float(attribute: TypedAttribute, cell: str, source: pa.DataType) -> Encoding:
    """Any finite number, always with a decimal point or an exponent: Batch would read `12` as an integer."""
    names, present = _names(attribute), f"{cell} is not null"
    if is_text(source):
        cell = f"trim({cell})"
        parsed = choose([(matches(cell, _FLOAT), f"try_cast({cell} as double)")])
        problems = ((f"{parsed} is null", text(attribute.rule.reason)), _not_finite(parsed))
        return Encoding(f"{cell} <> ''", problems, *names, (as_json(parsed),))
    if pa.types.is_floating(source):
        return Encoding(present, (_not_finite(cell),), *names, (as_json(cell),))
    digits = f"cast({cell} as varchar)"
    if pa.types.is_decimal(source) and source.scale > 0:
        if source.scale == source.precision:  # DuckDB writes `-.5`, which is not valid JSON.
            digits = rf"regexp_replace({digits}, '^(-?)\.', '\10.')"
        return Encoding(present, (), *names, (digits,))
    return Encoding(present, (), *names, (digits, text(".0")))


def _not_finite(cell: str) -> Case:
    return f"not isfinite({cell})", text("not_finite")


def _boolean(attribute: TypedAttribute, cell: str, source: pa.DataType) -> Encoding:
    """True and false, or DuckDB's words for them: `true`, `t`, `yes`, `y`, `1` and so on."""
    if not is_text(source):
        return _either(attribute, cell, "true", "false")
    parsed = f"try_cast(trim({cell}) as boolean)"
    problems = ((f"{parsed} is null", text(attribute.rule.reason)),)
    either = _either(attribute, parsed, "true", "false")
    return replace(either, present=f"trim({cell}) <> ''", problems=problems)


def _either(attribute: TypedAttribute, cell: str, yes: str, no: str) -> Encoding:
    names = zip(_names(attribute, yes), _names(attribute, no), strict=True)
    first, following = (choose([(cell, one)], other) for one, other in names)
    return Encoding(f"{cell} is not null", (), first, following)


def _date(attribute: TypedAttribute, cell: str, source: pa.DataType) -> Encoding:
    """Whole seconds in UTC; a time without a zone is UTC. RFC 3339 allows years 0 to 9999, Batch's SDKs not
    0.
    """
    moment, present = cell, f"{cell} is not null"
    problems: tuple[Case, ...] = ()
    if not pa.types.is_temporal(source):
        cell = f"trim({cell if is_text(source) else f'cast({cell} as varchar)'})"
        present = f"{cell} <> ''"
        zoned = choose([(matches(cell, _DATE), f"try_cast({cell} as timestamptz)")])
        moment = f"({zoned} at time zone 'UTC')"
        problems = ((f"{zoned} is null", text(attribute.rule.reason)),)
    limits = "date '0001-01-01' and date '9999-12-31'"
    if not pa.types.is_date(source):
        limits = "timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'"
    problems += (_not_finite(moment), (f"not {moment} between {limits}", text("out_of_range")))
    if pa.types.is_date(source):  # takes half as long as `strftime`
        rest = (f"cast({cell} as varchar)", text('T00:00:00Z"'))
        return Encoding(present, problems, *_names(attribute, '"'), rest)
    first, following = (f"strftime({moment}, {form})" for form in _names(attribute, '"%Y-%m-%dT%H:%M:%SZ"'))
    return Encoding(present, problems, first, following)


def _object(attribute: TypedAttribute, cell: str) -> Encoding:
    """JSON from `objects.checked_objects`."""
    problems = ((f"starts_with({cell}, {text(REJECTION)})", f"substr({cell}, {len(REJECTION) + 1})"),)
    return Encoding(f"{cell} is not null", problems, *_names(attribute), (cell,))


def _array(attribute: TypedAttribute, cell: str, source: pa.DataType) -> Encoding:
    """1 to 25 texts. An empty array counts as null. A text is JSON, for warehouses without text arrays."""
    if is_text(source):
        return _json_array(attribute, f"trim({cell})")
    if not (pa.types.is_list(source) and is_text(source.value_type)):
        cell = f"try_cast({cell} as varchar[])"
    too_many, *odd_items = _array_problems(attribute, cell)
    return Encoding(
        f"len({cell}) > 0",
        (too_many, *((any_item(cell, condition), reason) for condition, reason in odd_items)),
        *_names(attribute),
        (as_json(cell),),
        suspect=any_of([too_many[0], any_item(cell, any_of(condition for condition, _ in odd_items))]),
    )


def _json_array(attribute: TypedAttribute, cell: str) -> Encoding:
    """A value that is not an array is present and rejected. JSON's null is a null."""
    document = choose([(f"json_valid({cell})", cell)], "'null'")
    listed = f"json_type({document}) = 'ARRAY'"
    array = f"cast({choose([(listed, document)], text('[]'))} as json)"
    parts, items = f"try_cast({array} as json[])", f"try_cast({array} as varchar[])"
    too_many, *odd_items = _array_problems(attribute, items)
    problems = (
        (f"not {listed}", text(CUSTOM_RULES[AttributeType.STRING_ARRAY].reason)),
        (any_item(parts, f"json_type({ITEM}) not in ('VARCHAR', 'NULL')"), text("not_a_string")),
        too_many,
        *((any_item(items, condition), reason) for condition, reason in odd_items),
    )
    nothing = any_of([f"{cell} in ('', 'null')", f"({listed} and len({items}) = 0)"])
    return Encoding(f"not {nothing}", problems, *_names(attribute), (as_json(items),))


def _array_problems(attribute: TypedAttribute, items: str) -> tuple[Case, ...]:
    """The problems of the array, then those of its items."""
    rule = attribute.rule
    problems: list[Case] = [
        (f"len({items}) > {rule.max_items or attribute.rules.max_items}", text("too_many_items")),
        (f"{ITEM} = {_NESTED}", text("nested_array")),
        (f"({ITEM} is null or {ITEM} = '')", text("empty_item")),
        *_too_long(rule, ITEM),
    ]
    if rule.pattern is not None:
        problems.append((f"not {matches(ITEM, rule.pattern)}", text(rule.reason)))
    return tuple(problems)


def _names(attribute: TypedAttribute, value: str = "") -> tuple[str, str]:
    """The beginning of its member, up to a part of the value, without and with a leading comma."""
    name = f'"{attribute.wire_name}":{value}'
    return text(name), text("," + name)
