"""The values of a row as they are sent, one by one: what Batch holds once it has accepted them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.kinds.attributes import TypedAttribute
from dbt_batch_sync.kinds.kind import KEY
from dbt_batch_sync.payload.encoding import encode
from dbt_batch_sync.payload.expressions import (
    Case,
    any_of,
    as_text,
    call,
    choose,
    column,
    number,
    text,
)

REJECTED = "_batch_rejected"
"""The names of attributes that are never sent, each between commas."""


def sent_values(attributes: Sequence[TypedAttribute], rows: pa.Schema, source: str) -> exp.Select:
    """The select from `source`, with columns of these types: `KEY`, the JSON of each attribute's value (null
    if nothing is sent), and `REJECTED`.
    """
    values, names = [], []
    for each in attributes:
        encoding = encode(each, rows.field(each.name).type)
        refused = (
            any_of(condition for condition, _ in encoding.problems) if encoding.problems else exp.false()
        )
        refused = call("coalesce", refused, exp.false())
        member = call("concat", encoding.first, *encoding.rest)
        value = call("substr", member, number(len(f'"{each.wire_name}":') + 1))
        sent: Case = (exp.and_(encoding.present.copy(), exp.not_(refused.copy())), value)
        values.append(exp.alias_(choose([sent]), each.name, quoted=True))
        if encoding.problems:
            wrong: Case = (exp.and_(encoding.present.copy(), refused), text(f",{each.name},"))
            names.append(choose([wrong], text("")))
    listed = call("concat", *names) if names else text("")
    key = exp.alias_(as_text(column(KEY)), KEY, quoted=True)
    rejected = exp.alias_(call("nullif", listed, text("")), REJECTED, quoted=True)
    return exp.select(key, *values, rejected).from_(exp.to_identifier(source))
