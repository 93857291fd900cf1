"""Statements as BigQuery takes them: one SQL text, a script if they are several, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa
from google.cloud import bigquery
from sqlglot import exp

from dbt_batch_sync.warehouse.port import Load, Statement, Value

Parameter: TypeAlias = "bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter"

_SCALARS: Mapping[type, str] = {
    str: "STRING",
    bool: "BOOL",
    int: "INT64",
    float: "FLOAT64",
    datetime: "DATETIME",
    type(None): "STRING",
}

_ARROW: Mapping[pa.DataType, str] = {
    pa.string(): "STRING",
    pa.bool_(): "BOOL",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
    pa.timestamp("us"): "DATETIME",
}


def single(statement: Statement) -> tuple[str, list[Parameter]]:
    """A statement by itself."""
    return statement.tree.sql(dialect="bigquery"), list(_scalars(statement.parameters))


def script(steps: Sequence[Statement | Load], ahead: Mapping[int, exp.Table]) -> tuple[str, list[Parameter]]:
    """The steps as one transaction, each with parameters of its own; rows are a parameter too, unless
    `ahead` has the table that those of a step are in already.

    One statement is atomic by itself, and DDL, which comes alone, is not allowed in a transaction.
    """
    trees: list[exp.Expr] = []
    parameters: list[Parameter] = []
    for number, step in enumerate(steps):
        if isinstance(step, Load):
            rows = f"rows_{number}"
            trees.append(_insert(step, ahead.get(number), rows))
            parameters += [] if number in ahead else [_array(rows, step.rows)]
            continue
        tree = step.tree.copy()
        for placeholder in tree.find_all(exp.Placeholder):
            placeholder.set("this", f"{placeholder.this}_{number}")
        trees.append(tree)
        parameters += _scalars(step.parameters, f"_{number}")
    if len(trees) > 1:
        trees = [exp.Transaction(), *trees, exp.Commit()]
    return ";\n".join(tree.sql(dialect="bigquery") for tree in trees), parameters


def fields_of(rows: pa.Table) -> list[bigquery.SchemaField]:
    """The columns of a table that rows are loaded into."""
    return [bigquery.SchemaField(field.name, _ARROW[field.type]) for field in rows.schema]


def json_rows(rows: pa.Table) -> list[dict[str, object]]:
    """Rows as a load job takes them."""
    return [
        {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in row.items()}
        for row in rows.to_pylist()
    ]


def _insert(step: Load, table: exp.Table | None, parameter: str) -> exp.Expr:
    names = [exp.to_identifier(name, quoted=True) for name in step.rows.column_names]
    source: exp.Expr
    if table is None:
        alias = exp.TableAlias(columns=[exp.to_identifier("loaded")])
        source = exp.Unnest(expressions=[exp.Placeholder(this=parameter)], alias=alias)
    else:
        source = exp.alias_(table, "loaded", table=True)
    rows = exp.select(*(exp.column(name.copy(), "loaded") for name in names)).from_(source)
    return exp.Insert(this=exp.Schema(this=step.table.copy(), expressions=names), expression=rows)


def _scalars(values: Mapping[str, Value], suffix: str = "") -> Iterator[Parameter]:
    for name, cell in values.items():
        yield bigquery.ScalarQueryParameter(name + suffix, _SCALARS[type(cell)], cell)


def _array(name: str, rows: pa.Table) -> Parameter:
    kinds: dict[str, Any] = {field.name: _ARROW[field.type] for field in rows.schema}
    structs = [
        bigquery.StructQueryParameter(
            None, *(bigquery.ScalarQueryParameter(key, kinds[key], cell) for key, cell in row.items())
        )
        for row in rows.to_pylist()
    ]
    fields = [bigquery.ScalarQueryParameterType(kind, name=key) for key, kind in kinds.items()]
    return bigquery.ArrayQueryParameter(name, bigquery.StructQueryParameterType(*fields), structs)
