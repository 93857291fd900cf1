"""How one attribute's column becomes JSON, and when it may not: DuckDB expressions made from the table of rules.

The checks are Batch's (attributes.py); the conversions are what a given `type` asks of a column of another type.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.attributes import MAX_ITEMS, AttributeType, TypedAttribute, Vocabulary
from dbt_batch_sync.vocabularies import words

_INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class Encoding:
    """`value` is null where there is nothing to send; `problem` a reason or null; `json` the text of a sendable value."""

    value: exp.Expression
    problem: exp.Expression
    json: exp.Expression


def encode(attribute: TypedAttribute, source: pa.DataType) -> Encoding:
    """The expressions for an attribute whose column, named like it, arrives with the Arrow type `source`."""
    column = exp.column(attribute.name, quoted=True)
    kind = attribute.type
    if kind is AttributeType.STRING_ARRAY:
        return _array(attribute, column, source)
    if pa.types.is_boolean(source) and attribute.rule.vocabulary is Vocabulary.SUBSCRIPTION:
        return Encoding(column, exp.null(), choose([(column, text('"subscribed"'))], text('"unsubscribed"')))
    if kind in (AttributeType.STRING, AttributeType.URL):
        return _text(attribute, column if is_text(source) else as_text(column))
    if kind is AttributeType.INTEGER:
        return _integer(attribute, column, source)
    if kind is AttributeType.FLOAT:
        return _float(attribute, column, source)
    if kind is AttributeType.BOOLEAN:
        return _boolean(attribute, column, source)
    return _date(attribute, column, source)


def _text(attribute: TypedAttribute, column: exp.Expression) -> Encoding:
    """Strings, urls and the standard texts. An empty one counts as null."""
    rule = attribute.rule
    value = call("nullif", column, text(""))
    problems: list[tuple[exp.Expression, exp.Expression]] = []
    if rule.max_length is not None:
        problems.append(
            (exp.GT(this=call("length", column), expression=number(rule.max_length)), text("too_long"))
        )
    if rule.pattern is not None:
        problems.append((exp.not_(call("regexp_full_match", column, text(rule.pattern))), text(rule.reason)))
    if rule.vocabulary is not None:
        listed = exp.In(this=column, expressions=[text(word) for word in words(rule.vocabulary)])
        problems.append((exp.not_(listed), text(rule.reason)))
    return Encoding(value, choose(problems) if problems else exp.null(), as_json(column))


def _integer(attribute: TypedAttribute, column: exp.Expression, source: pa.DataType) -> Encoding:
    """Signed 64 bit. A text, or a number with decimals, may be sent as an integer when it is one."""
    not_one = text(attribute.rule.reason)
    if is_text(source):
        value = trimmed(column)
        parsed = parse(value, "bigint", r"[+-]?[0-9]+")
        return Encoding(value, choose([(is_null(parsed), not_one)]), as_text(parsed))
    if pa.types.is_integer(source):
        return Encoding(column, exp.null(), as_text(column))
    problems = [
        (
            exp.not_(exp.Between(this=column, low=number(_INT64[0]), high=number(_INT64[1]))),
            text("out_of_range"),
        )
    ]
    if pa.types.is_floating(source):
        problems.insert(0, (exp.not_(call("isfinite", column)), text("not_finite")))
    if not (pa.types.is_decimal(source) and source.scale == 0):
        problems.append((exp.NEQ(this=column, expression=call("trunc", column)), not_one))
    return Encoding(column, choose(problems), as_text(exp.cast(column, "bigint", dialect="duckdb")))


def _float(attribute: TypedAttribute, column: exp.Expression, source: pa.DataType) -> Encoding:
    """Any finite number."""
    if is_text(source):
        value = trimmed(column)
        parsed = parse(value, "double", r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
        problems = [
            (is_null(parsed), text(attribute.rule.reason)),
            (exp.not_(call("isfinite", parsed)), text("not_finite")),
        ]
        return Encoding(value, choose(problems), as_json(parsed))
    if pa.types.is_floating(source):
        return Encoding(
            column, choose([(exp.not_(call("isfinite", column)), text("not_finite"))]), as_json(column)
        )
    return Encoding(column, exp.null(), as_text(column))


def _boolean(attribute: TypedAttribute, column: exp.Expression, source: pa.DataType) -> Encoding:
    if not is_text(source):
        return Encoding(column, exp.null(), choose([(column, text("true"))], text("false")))
    value = trimmed(column)
    parsed = exp.TryCast(this=value, to=exp.DataType.build("boolean", dialect="duckdb"))
    return Encoding(
        value,
        choose([(is_null(parsed), text(attribute.rule.reason))]),
        choose([(parsed, text("true"))], text("false")),
    )


def _date(attribute: TypedAttribute, column: exp.Expression, source: pa.DataType) -> Encoding:
    """Whole seconds in UTC. A time without a zone is UTC; the years of RFC 3339 are 0 to 9999, and Batch's SDKs know no year 0."""
    value: exp.Expression = column
    moment: exp.Expression = column
    problems: list[tuple[exp.Expression, exp.Expression]] = []
    if is_text(source):
        value = trimmed(column)
        zoned = parse(value, "timestamptz", r"[0-9]{4}-.*")
        moment = exp.AtTimeZone(this=zoned, zone=text("UTC"))
        problems.append((is_null(zoned), text(attribute.rule.reason)))
    elif pa.types.is_timestamp(source) and source.tz is not None:
        moment = exp.AtTimeZone(this=column, zone=text("UTC"))
    problems.append((exp.not_(call("isfinite", moment)), text("not_finite")))
    year = call("year", moment)
    problems.append(
        (exp.not_(exp.Between(this=year, low=number(1), high=number(9999))), text("out_of_range"))
    )
    return Encoding(value, choose(problems), call("strftime", moment, text('"%Y-%m-%dT%H:%M:%SZ"')))


def _array(attribute: TypedAttribute, column: exp.Expression, source: pa.DataType) -> Encoding:
    """1 to 25 texts. An empty array counts as null; a text is read as JSON, for warehouses without arrays of text."""
    rule = attribute.rule
    problems: list[tuple[exp.Expression, exp.Expression]] = []
    items: exp.Expression = column
    value: exp.Expression = column
    if is_text(source):
        value = trimmed(column)
        kind = choose([(call("json_valid", value), call("json_type", value))], text("none"))
        listed = exp.EQ(this=kind, expression=text("ARRAY"))
        document = exp.cast(value.copy(), "json", dialect="duckdb")
        parts = exp.cast(document.copy(), "json[]", dialect="duckdb")
        odd = exp.not_(call("json_type", exp.column("item")).isin("VARCHAR", "NULL"))
        problems += [(exp.not_(listed), text(rule.reason)), (any_item(parts, odd), text("not_a_string"))]
        items = choose([(listed, exp.cast(document.copy(), "varchar[]", dialect="duckdb"))])
    item = exp.column("item")
    bad_items = [
        (any_item(items, exp.or_(is_null(item), exp.EQ(this=item, expression=text("")))), text("empty_item")),
        (
            any_item(items, exp.GT(this=call("length", item), expression=number(rule.max_length or 300))),
            text("too_long"),
        ),
    ]
    if rule.pattern is not None:
        refused = exp.not_(call("regexp_full_match", item, text(rule.pattern)))
        bad_items = [bad_items[0], (any_item(items, refused), text(rule.reason))]
    problems += [
        (exp.GT(this=call("len", items), expression=number(MAX_ITEMS)), text("too_many_items")),
        *bad_items,
    ]
    empty = exp.EQ(this=call("len", items), expression=number(0))
    return Encoding(choose([(empty, exp.null())], value), choose(problems), as_json(items))


def is_text(source: pa.DataType) -> bool:
    """Whether a column arrives as text."""
    return bool(
        pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source)
    )


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """A DuckDB function by its own name."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def text(value: str) -> exp.Expression:
    """A string literal of this project's own words."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expression:
    """An integer literal."""
    return exp.Literal.number(value)


def parse(value: exp.Expression, type_name: str, pattern: str) -> exp.Expression:
    """A text as another type, or null: DuckDB alone would also read `12.7` as the integer 13, and `1_000` as a number."""
    target = exp.DataType.build(type_name, dialect="duckdb")
    return choose(
        [(call("regexp_full_match", value, text(pattern)), exp.TryCast(this=value.copy(), to=target))]
    )


def is_null(operand: exp.Expression) -> exp.Expression:
    """`operand is null`."""
    return exp.Is(this=operand.copy(), expression=exp.null())


def choose(
    cases: list[tuple[exp.Expression, exp.Expression]], otherwise: exp.Expression | None = None
) -> exp.Case:
    """`case when … then … else … end`."""
    case = exp.Case()
    for condition, result in cases:
        case = case.when(condition.copy(), result.copy(), copy=False)
    return case.else_(otherwise.copy(), copy=False) if otherwise is not None else case


def as_text(operand: exp.Expression) -> exp.Expression:
    """`cast(operand as varchar)`."""
    return exp.cast(operand.copy(), "varchar", dialect="duckdb")


def as_json(operand: exp.Expression) -> exp.Expression:
    """The JSON text of a text, a finite number or a list of texts."""
    return as_text(call("to_json", operand))


def trimmed(operand: exp.Expression) -> exp.Expression:
    """A text without the blanks around it; null where nothing is left."""
    return call("nullif", call("trim", operand), text(""))


def any_item(items: exp.Expression, condition: exp.Expression) -> exp.Expression:
    """Whether a condition on `item` holds for one of a list's items."""
    mapper = exp.Lambda(this=condition.copy(), expressions=[exp.to_identifier("item")])
    return exp.GT(this=call("len", call("list_filter", items, mapper)), expression=number(0))
