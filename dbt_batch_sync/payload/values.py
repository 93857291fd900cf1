"""The values of a row as they are sent, one by one: what Batch holds once it has accepted them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from dbt_batch_sync.kinds.attributes import KEY, TypedAttribute
from dbt_batch_sync.payload.encoding import encode
from dbt_batch_sync.payload.expressions import any_of, choose, column, text

REJECTED = "_batch_rejected"
"""The names of attributes that are never sent, each between commas."""


def sent_values(attributes: Sequence[TypedAttribute], rows: pa.Schema, source: str) -> str:
    """The select from `source` of all its columns, with `KEY` as text and of each attribute the JSON of its
    value, null where nothing is sent; and of `REJECTED`.
    """
    values, names = [f"cast({KEY} as varchar) as {KEY}"], []
    for each in attributes:
        encoding = encode(each, rows.field(each.name).type)
        wrong_value = f"coalesce({any_of(condition for condition, _ in encoding.problems)}, false)"
        member = f"concat({', '.join((encoding.first, *encoding.rest))})"
        value = f"substr({member}, {len(each.wire_name) + 4})"  # what is behind its name, quotes and a colon
        sent = choose([(f"{encoding.present} and not {wrong_value}", value)])
        values.append(f"{sent} as {column(each.name)}")
        if encoding.problems:
            wrong = f"{encoding.present} and {wrong_value}"
            names.append(choose([(wrong, text(f",{each.name},"))], "''"))
    listed = f"nullif(concat({', '.join(names)}), '')" if names else "cast(null as varchar)"
    return f"select * replace ({', '.join(values)}), {listed} as {REJECTED} from {source}"
