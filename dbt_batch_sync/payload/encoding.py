"""DuckDB expressions, built from the rules, that convert a column to JSON and check it.

The checks are Batch's rules (attributes.py); conversions apply when `type` differs from the column's type.
DuckDB may evaluate an expression for rows that it is not meant for, so no expression may fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.kinds.attributes import (
    CUSTOM_RULES,
    AttributeType,
    Rule,
    TypedAttribute,
    Vocabulary,
)
from dbt_batch_sync.kinds.vocabularies import words
from dbt_batch_sync.payload.expressions import (
    Case,
    any_item,
    any_of,
    as_json,
    as_text,
    attempt,
    call,
    choose,
    column,
    differs,
    exceeds,
    is_null,
    is_one_of,
    is_present,
    item,
    literal_of,
    matches,
    number,
    text,
)
from dbt_batch_sync.payload.objects import REFUSED

_INTEGER = r"[+-]?[0-9]+"
_FLOAT = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-.*"
"""Patterns, because DuckDB would also read `12.7` as the integer 13, `1_000` as a number and `epoch` as a
date.
"""


_NESTED = exp.DPipe(this=call("chr", number(0)), expression=text("[]"))
"""Mark of a nested array from PostgreSQL's driver. No text there contains a NUL."""


@dataclass(frozen=True)
class Encoding:
    """The expressions for the values of one attribute.

    Attributes:
        present: Whether there is something to send; false or null if the value counts as null. The others
            apply to present values.
        problems: Conditions for rejecting a value, each with its reason, in order of precedence. Null is no
            problem.
        first: Followed by the texts of `rest`: the member `"name":value` of an operation.
        suspect: True if any problem is; cheaper to evaluate than all of them.
    """

    present: exp.Expr
    problems: tuple[Case, ...]
    first: exp.Expr
    following: exp.Expr
    rest: tuple[exp.Expr, ...] = ()
    suspect: exp.Expr | None = None


def encode(attribute: TypedAttribute, source: pa.DataType) -> Encoding:
    """The expressions for an attribute whose column has its name and the Arrow type `source`.

    Timestamps are in UTC microseconds, without a zone, as warehouses return them.
    """
    if pa.types.is_dictionary(source):
        source = source.value_type
    cell = column(attribute.name)
    kind = attribute.type
    if pa.types.is_boolean(source) and attribute.rule.vocabulary is Vocabulary.SUBSCRIPTION:
        return _either(attribute, cell, '"subscribed"', '"unsubscribed"')
    if kind is AttributeType.OBJECT:
        return _object(attribute, cell)
    if kind is AttributeType.STRING_ARRAY:
        return _array(attribute, cell, source)
    if kind in (AttributeType.STRING, AttributeType.URL):
        return _text(attribute, cell if is_text(source) else as_text(cell))
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


def _text(attribute: TypedAttribute, cell: exp.Expr) -> Encoding:
    """Strings, URLs and standard texts. An empty one counts as null."""
    rule = attribute.rule
    problems = too_long = _too_long(rule, cell)
    suspect = None
    if rule.pattern is not None:
        problems += ((exp.not_(matches(cell, rule.pattern)), text(rule.reason)),)
    if rule.plausible is not None:  # one match for a good value; all checks for others
        impossible = exp.not_(matches(cell, rule.plausible))
        problems += ((impossible, text(rule.impossible)),)
        suspect = any_of([impossible, *(condition for condition, _ in too_long)])
    if rule.vocabulary is not None:
        problems += ((exp.not_(is_one_of(cell, words(rule.vocabulary))), text(rule.reason)),)
        # Words need no escapes, only quotes.
        name = _names(attribute, '"')
        return Encoding(differs(cell, text("")), problems, *name, (cell, text('"')))
    return Encoding(differs(cell, text("")), problems, *_member(attribute, as_json(cell)), suspect=suspect)


def _too_long(rule: Rule, cell: exp.Expr) -> tuple[Case, ...]:
    """Characters are only counted if there are too many bytes."""
    if rule.max_length is None:
        return ()
    longest = number(rule.max_length)
    counted = exceeds(call("length", cell), longest)
    return ((choose([(exceeds(call("strlen", cell), longest), counted)], exp.false()), text("too_long")),)


def _integer(attribute: TypedAttribute, cell: exp.Expr, source: pa.DataType) -> Encoding:
    """Signed, 64-bit. A text or a decimal may be sent as an integer if it is one."""
    not_one = text(attribute.rule.reason)
    if is_text(source):
        cell = call("trim", cell)
    parsed = attempt(cell, "bigint")
    out_of_range = (is_null(parsed), text("out_of_range"))
    member = _member(attribute, as_text(parsed))
    if is_text(source):
        problems: tuple[Case, ...] = ((exp.not_(matches(cell, _INTEGER)), not_one), out_of_range)
        return Encoding(differs(cell, text("")), problems, *member)
    if pa.types.is_integer(source):
        problems = (out_of_range,) if pa.types.is_uint64(source) else ()
    else:
        problems = (out_of_range,)
        if pa.types.is_floating(source):
            problems = (_not_finite(cell), out_of_range)
        elif source.precision - source.scale < 19:
            problems = ()
        if pa.types.is_floating(source) or source.scale:
            problems += ((differs(cell, call("trunc", cell)), not_one),)
    return Encoding(is_present(cell), problems, *member)


def _float(attribute: TypedAttribute, cell: exp.Expr, source: pa.DataType) -> Encoding:
    """Any finite number, always with a decimal point or an exponent: Batch would read `12` as an integer."""
    if is_text(source):
        cell = call("trim", cell)
        parsed = choose([(matches(cell, _FLOAT), attempt(cell, "double"))])
        problems = ((is_null(parsed), text(attribute.rule.reason)), _not_finite(parsed))
        return Encoding(differs(cell, text("")), problems, *_member(attribute, as_json(parsed)))
    if pa.types.is_floating(source):
        return Encoding(is_present(cell), (_not_finite(cell),), *_member(attribute, as_json(cell)))
    digits = as_text(cell)
    if pa.types.is_decimal(source) and source.scale > 0:
        if source.scale == source.precision:  # DuckDB writes `-.5`, which is not valid JSON.
            digits = call("regexp_replace", digits, text(r"^(-?)\."), text(r"\10."))
        return Encoding(is_present(cell), (), *_member(attribute, digits))
    return Encoding(is_present(cell), (), *_member(attribute, digits, text(".0")))


def _not_finite(cell: exp.Expr) -> Case:
    return exp.not_(call("isfinite", cell)), text("not_finite")


def _boolean(attribute: TypedAttribute, cell: exp.Expr, source: pa.DataType) -> Encoding:
    """True and false, or DuckDB's words for them: `true`, `t`, `yes`, `y`, `1` and so on."""
    if not is_text(source):
        return _either(attribute, cell, "true", "false")
    cell = call("trim", cell)
    parsed = attempt(cell, "boolean")
    either = _either(attribute, parsed, "true", "false")
    problems = ((is_null(parsed), text(attribute.rule.reason)),)
    return replace(either, present=differs(cell, text("")), problems=problems)


def _either(attribute: TypedAttribute, cell: exp.Expr, yes: str, no: str) -> Encoding:
    names = zip(_names(attribute, yes), _names(attribute, no), strict=True)
    first, following = (choose([(cell, one)], other) for one, other in names)
    return Encoding(is_present(cell), (), first, following)


def _date(attribute: TypedAttribute, cell: exp.Expr, source: pa.DataType) -> Encoding:
    """Whole seconds in UTC; a time without a zone is UTC. RFC 3339 allows years 0 to 9999, Batch's SDKs not
    0.
    """
    moment, present = cell, is_present(cell)
    problems: tuple[Case, ...] = ()
    if not pa.types.is_temporal(source):
        cell = call("trim", cell if is_text(source) else as_text(cell))
        present = differs(cell, text(""))
        zoned = choose([(matches(cell, _DATE), attempt(cell, "timestamptz"))])
        moment = exp.AtTimeZone(this=zoned, zone=text("UTC"))
        problems = ((is_null(zoned), text(attribute.rule.reason)),)
    earliest, latest = "0001-01-01", "9999-12-31"
    kind = "date" if pa.types.is_date(source) else "timestamp"
    if kind == "timestamp":
        latest += " 23:59:59.999999"
    limits = literal_of(kind, earliest), literal_of(kind, latest)
    in_range = exp.Between(this=moment.copy(), low=limits[0], high=limits[1])
    problems += (_not_finite(moment), (exp.not_(in_range), text("out_of_range")))
    if pa.types.is_date(source):  # takes half as long as `strftime`
        return Encoding(present, problems, *_names(attribute, '"'), (as_text(cell), text('T00:00:00Z"')))
    first, following = (call("strftime", moment, form) for form in _names(attribute, '"%Y-%m-%dT%H:%M:%SZ"'))
    return Encoding(present, problems, first, following)


def _object(attribute: TypedAttribute, cell: exp.Expr) -> Encoding:
    """JSON from `objects.checked_objects`."""
    refused = call("starts_with", cell, text(REFUSED))
    problems = ((refused, call("substr", cell, number(len(REFUSED) + 1))),)
    return Encoding(is_present(cell), problems, *_member(attribute, cell))


def _array(attribute: TypedAttribute, cell: exp.Expr, source: pa.DataType) -> Encoding:
    """1 to 25 texts. An empty array counts as null. A text is JSON, for warehouses without text arrays."""
    if is_text(source):
        return _json_array(attribute, call("trim", cell))
    if not (pa.types.is_list(source) and is_text(source.value_type)):
        cell = attempt(cell, "varchar[]")
    count = call("len", cell)
    too_many, *odd_items = _array_problems(attribute, cell)
    return Encoding(
        exceeds(count, number(0)),
        (too_many, *((any_item(cell, condition), reason) for condition, reason in odd_items)),
        *_member(attribute, as_json(cell)),
        suspect=any_of([too_many[0], any_item(cell, any_of(condition for condition, _ in odd_items))]),
    )


def _json_array(attribute: TypedAttribute, cell: exp.Expr) -> Encoding:
    """A value that is not an array is present and rejected. JSON's null is a null."""
    document = choose([(call("json_valid", cell), cell)], text("null"))
    listed = exp.EQ(this=call("json_type", document), expression=text("ARRAY"))
    array = exp.cast(choose([(listed, document)], text("[]")), "json", dialect="duckdb")
    parts = attempt(array, "json[]")
    items = attempt(array, "varchar[]")
    odd = exp.not_(call("json_type", item()).isin("VARCHAR", "NULL"))
    too_many, *odd_items = _array_problems(attribute, items)
    problems = (
        (exp.not_(listed), text(CUSTOM_RULES[AttributeType.STRING_ARRAY].reason)),
        (any_item(parts, odd), text("not_a_string")),
        too_many,
        *((any_item(items, condition), reason) for condition, reason in odd_items),
    )
    empty = exp.and_(listed, exp.EQ(this=call("len", items), expression=number(0)))
    nothing = any_of([cell.isin("", "null"), empty])
    return Encoding(exp.not_(nothing), problems, *_member(attribute, as_json(items)))


def _array_problems(attribute: TypedAttribute, items: exp.Expr) -> tuple[Case, ...]:
    """The problems of the array, then those of its items."""
    rule = attribute.rule
    max_items = rule.max_items or attribute.rules.max_items
    empty = any_of([is_null(item()), exp.EQ(this=item(), expression=text(""))])
    problems: list[Case] = [
        (exceeds(call("len", items), number(max_items)), text("too_many_items")),
        (exp.EQ(this=item(), expression=_NESTED.copy()), text("not_a_string")),
        (empty, text("empty_item")),
        *_too_long(rule, item()),
    ]
    if rule.pattern is not None:
        problems.append((exp.not_(matches(item(), rule.pattern)), text(rule.reason)))
    return tuple(problems)


def _member(attribute: TypedAttribute, *json: exp.Expr) -> tuple[exp.Expr, exp.Expr, tuple[exp.Expr, ...]]:
    return *_names(attribute), json


def _names(attribute: TypedAttribute, value: str = "") -> tuple[exp.Expr, exp.Expr]:
    """The beginning of its member, up to a part of the value, without and with a leading comma."""
    name = f'"{attribute.wire_name}":{value}'
    return text(name), text("," + name)
