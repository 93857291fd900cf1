"""Databricks SQL that Sail lacks, rewritten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

Ask = Callable[[str], pa.Table]

_COMMENT = re.compile(r"^\s*/\*.*?\*/", re.DOTALL)
_CLUSTER = re.compile(r"\bcluster\s+by\s*\(.*?\)", re.IGNORECASE)
_AS_JSON = re.compile(r"\s*describe\s+table\s+extended\s+(\S+)\s+as\s+json\s*$", re.IGNORECASE)
_TABLES = re.compile(r"`system`\.`information_schema`\.`tables`.*table_schema = '(\w+)'", re.DOTALL)
_NOTHING = re.compile(r"`information_schema`\.`(row_filters|column_masks|table_tags|column_tags)`")
_ADD = re.compile(r"(alter\s+table\s+\S+\s+add\s+columns)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)
_CREATE = re.compile(r"create\s+(or\s+replace\s+)?table\b", re.IGNORECASE)

_STATES = {
    "TABLE_OR_VIEW_NOT_FOUND": "42P01",
    "SCHEMA_NOT_FOUND": "42704",
    "DELTA_CONCURRENT_APPEND": "2D521",
    "CAST_INVALID_INPUT": "22018",
    "PARSE_SYNTAX_ERROR": "42601",
}


def bound(statement: str, given: Mapping[str, tuple[str, str | None]]) -> str:
    """The statement with its parameters as typed literals."""
    if not given:
        return statement

    def filled(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        kind, text = given[str(node.this)]
        if text is None:
            return exp.null()
        literal = exp.Literal.string(text)
        return (
            literal if kind == "STRING" else exp.cast(literal, exp.DataType.build(kind, dialect="databricks"))
        )

    return sqlglot.parse_one(statement, dialect="databricks").transform(filled).sql(dialect="databricks")


def as_sail(statement: str, ask: Ask) -> str | pa.Table:
    """The statement in a form that Sail accepts, or its result if Sail has no equivalent."""
    text = _COMMENT.sub("", statement)
    if found := _AS_JSON.match(text):
        return _described(found[1], ask)
    if found := _TABLES.search(text):
        return _tables(found[1], ask)
    if found := _NOTHING.search(text):
        return pa.table({"table_name": pa.array([], pa.string())})
    if found := _ADD.search(text):
        return f"{found[1]} {found[2]}"
    if _CREATE.search(text):
        return _CLUSTER.sub("", text)
    return text


def _described(table: str, ask: Ask) -> pa.Table:
    rows = ask(f"describe table {table}").to_pylist()
    columns = [{"name": row["col_name"], "type": _json_type(row["data_type"])} for row in rows]
    return pa.table({"json_metadata": [json.dumps({"columns": columns})]})


def _json_type(name: str) -> dict[str, Any]:
    """A type in the format of `describe … as json`; nested types name their parts."""
    if found := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", name):
        return {"name": "decimal", "precision": int(found[1]), "scale": int(found[2])}
    if found := re.fullmatch(r"(varchar|char)\((\d+)\)", name):
        return {"name": found[1], "length": int(found[2])}
    if found := re.fullmatch(r"array<(.*)>", name):
        return {"name": "array", "element_type": _json_type(found[1])}
    return {"name": "timestamp_ltz" if name == "timestamp" else name}


def _tables(schema: str, ask: Ask) -> pa.Table:
    tables = ask(f"show tables in {schema}").column("tableName").to_pylist()
    views = set(ask(f"show views in {schema}").column("tableName").to_pylist())
    names = sorted({*tables, *views})
    return pa.table(
        {
            "table_name": pa.array(names, pa.string()),
            "table_type": pa.array(["view" if name in views else "table" for name in names], pa.string()),
            "file_format": pa.array([None if name in views else "delta" for name in names], pa.string()),
            "table_owner": pa.array(["someone"] * len(names), pa.string()),
            "databricks_table_type": pa.array(
                [None if name in views else "managed" for name in names], pa.string()
            ),
        }
    )


def as_error(message: str) -> str:
    """An error in Databricks' format: condition, text and SQLSTATE."""
    found = re.search(r"\[([A-Z_]+)\]", message)
    if found:
        condition = found[1]
    elif "found" in message and "expected" in message:
        condition = "PARSE_SYNTAX_ERROR"
    else:
        condition = "CAST_INVALID_INPUT" if "ast" in message else "INTERNAL_ERROR"
    text = message[found.end() :] if found else message
    return f"[{condition}] {text.strip()} SQLSTATE: {_STATES.get(condition, 'XXKD0')}"
