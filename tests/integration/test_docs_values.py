"""The tables in docs/mapping.md, built by dbt, pushed to the sandbox and compared with what arrived."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
from harness.markdown import codes, read
from harness.project import Project

from dbt_batch_sync.kinds.attributes import CUSTOM_RULES, STANDARD_RULES

MAPPING = read("docs/mapping.md")
LONG = "…"
"""Ends a shortened value in the docs."""

Cells = tuple[str, ...]


def test_identifiers(project: Project) -> None:
    cells = MAPPING.table("identifiers")
    by_type: dict[str, list[tuple[str, str]]] = {}
    for column, outcome in ((codes(row[0])[0], codes(row[1])[0]) for row in cells):
        kind = "VARCHAR" if column == "null" else value_of(f"typeof({column})")
        by_type.setdefault(kind, []).append((column, outcome))
    for number, rows in enumerate(by_type.values()):
        sql = " union all ".join(f"select {column} as id, 'x' as name" for column, _ in rows)
        project.map({"identifier": "id", "custom": ["name"]}, f"ids_{number}", sql=sql)
    project.build()
    for number, rows in enumerate(by_type.values()):
        changes = project.changes(f"ids_{number}")
        for column, outcome in rows:
            custom_id = value_of(f"cast({column} as varchar)")
            sent = (
                custom_id.startswith(outcome.removesuffix(LONG))
                if outcome.endswith(LONG)
                else custom_id == outcome
            )
            assert changes[custom_id] == (("insert", "name") if sent else ("invalid", outcome)), column


def test_standard_attributes(project: Project) -> None:
    cells = MAPPING.table("standard")
    groups: list[dict[str, Cells]] = []
    for row in cells:
        name = codes(row[0])[0]
        group = next((each for each in groups if name not in each), None)
        if group is None:
            groups.append(group := {})
        group[name] = row
    for number, group in enumerate(groups):
        columns = ", ".join(f"{codes(row[1])[0]} as {name}" for name, row in group.items())
        mapping = {"identifier": "id", "standard": {name: name for name in group}}
        project.map(mapping, f"group_{number}", sql=f"select 'p' as id, {columns}")
    project.build()
    wrong: list[str] = []
    for number, group in enumerate(groups):
        project.push(select=[f"group_{number}"])
        rejects = project.rejects(f"group_{number}")
        for name, row in group.items():
            wrong += difference(row, f"${name}", sent(project), rejects.get(("p", f"batch__{name}")))
    assert wrong == []


def test_custom_attributes(project: Project) -> None:
    cells = MAPPING.table("custom")
    names = [f"x{number}" for number in range(len(cells))]
    custom = [
        {"column": name, **({"type": codes(row[0])[0]} if row[0] else {})}
        for name, row in zip(names, cells, strict=True)
    ]
    columns = ", ".join(f"{codes(row[1])[0]} as {name}" for name, row in zip(names, cells, strict=True))
    project.map({"identifier": "id", "custom": custom}, sql=f"select 'p' as id, {columns}")
    project.sync()
    wrong: list[str] = []
    for name, row in zip(names, cells, strict=True):
        wrong += difference(row, name, sent(project), project.rejects().get(("p", name)))
    assert wrong == []


def test_every_reason_is_in_a_table() -> None:
    """Every reason for which validation rejects a value is shown with an example."""
    shown = {
        codes(row[-1])[0]
        for mark in ("standard", "custom", "identifiers")
        for row in MAPPING.table(mark)
        if codes(row[-1])
    }
    rules = {rule.reason for rule in (*CUSTOM_RULES.values(), *STANDARD_RULES.values())}
    others = {"too_long", "not_finite", "out_of_range", "too_many_items", "empty_item", "not_a_string"}
    # A string can't have another type: the warehouse casts every value mapped to one.
    assert (rules | others) - shown == set()


def test_one_profile_day_by_day(project: Project) -> None:
    """Three syncs of the same rows with different `on_exit`."""
    policies = {"ignore": 2, "clear": 3, "flag": 4}
    for policy in policies:
        mapping = {
            "identifier": "id",
            "custom": ["points", {"column": "nickname", "on_null": "keep"}],
            "on_exit": policy,
            "membership": "is_member" if policy == "flag" else None,
        }
        project.map(mapping, policy, sql="select * from raw.people")
    for row in MAPPING.table("days"):
        set_people(project, codes(row[1]))
        project.build()
        for policy, column in policies.items():
            project.push(select=[policy])
            expected = object_of(row[column]) if codes(row[column]) else {}
            assert sent(project) == expected, f"{policy}, day {row[0]}"


def test_types_of_columns(project: Project) -> None:
    """A column's default type, the types it can be given, and the error for every other type."""
    accepted: dict[str, tuple[str, str | None, str]] = {}
    refused: list[str] = []
    for row in MAPPING.table("types"):
        for column in codes(row[0]):
            for given in (None, *CUSTOM_RULES):
                wanted = codes(row[1] if given is None else row[2])
                name = f"a{len(accepted) + len(refused)}"
                if (given is None and wanted) or (given is not None and given.value in wanted):
                    accepted[name] = (SQL_TYPES.get(column, column), given and given.value, (*wanted, "")[0])
                elif column in ONE_OF_EACH:
                    refused.append(name)
                    entry = {"column": "a", "name": "a", **({"type": given.value} if given else {})}
                    sql = f"select 1 as id, cast(null as {SQL_TYPES.get(column, column)}) as a"
                    project.map({"identifier": "id", "custom": [entry]}, f"refused_{name}", sql=sql)
    columns = ", ".join(f"cast(null as {sql}) as {name}" for name, (sql, _, _) in accepted.items())
    custom = [
        {"column": name, **({"type": given} if given else {})} for name, (_, given, _) in accepted.items()
    ]
    # A table, because DuckDB 1.5 can't keep a view with an inline enum.
    sql = f"select 1 as id, {columns}"
    project.map({"identifier": "id", "custom": custom}, "accepted", sql=sql, materialized="table")
    built = project.dbt("run", fails=True)
    (row,) = project.query(
        "select attribute_types from batch_sync_journal where sync = 'accepted' and event = 'built'"
    )
    types = dict(pair.split(":") for pair in str(row["attribute_types"]).split(","))
    assert types == {name: given or alone for name, (_, given, alone) in accepted.items()}
    assert {
        name for name in refused if f"batch_sync mapping of `refused_{name}`" not in built.messages
    } == set()


SQL_TYPES = {
    "enum": "enum('a', 'b')",
    "enum[]": "enum('a', 'b')[]",
    "decimal(p, 0)": "decimal(12, 0)",
    "decimal(p, s)": "decimal(12, 2)",
    "struct": "struct(a integer)",
    "map": "map(varchar, integer)",
}
"""SQL for types that the docs write differently."""

ONE_OF_EACH = ("bigint", "double", "boolean", "timestamp", "varchar[]", "json", "time", "struct", "integer[]")
"""One type per row of the table, for the rejected combinations: each costs two models."""


def set_people(project: Project, values: Sequence[str]) -> None:
    """Set a constant row, sent on the first day, and the table's row."""
    rows = ["('always', null, null)", *(f"({each})" for each in values)]
    project.execute("create schema if not exists raw")
    project.execute(
        "create or replace table raw.people as select id::varchar as id, points::integer as points, "
        f"nickname::varchar as nickname from (values {', '.join(rows)}) as t(id, points, nickname)"
    )


def sent(project: Project) -> dict[str, Any]:
    """What the last push sent for the table's profile."""
    found = project.sent.attributes
    return found.get("p") or found.get("1") or {}


def difference(row: Cells, name: str, arrived: dict[str, Any], reason: str | None) -> list[str]:
    """Compare a table row with the result: the value sent as `name`, or the reason of the rejection."""
    own = {key: value for key, value in arrived.items() if key.removesuffix(")").split("(")[-1] == name}
    outcome = codes(row[-1])
    if not outcome:
        same = (own, reason) == ({}, None)
    elif outcome[0].startswith('"'):
        ((key, value),) = object_of(row[-1]).items()
        wanted = key if key.startswith("$") else key.replace("x", name)
        same = reason is None and list(own) == [wanted] and like(own[wanted], value)
    else:
        same = (own, reason) == ({}, outcome[0])
    return [] if same else [f"{' | '.join(row)}: sent {own}, reason {reason}"]


def object_of(cell: str) -> dict[str, Any]:
    """The attributes in a cell, as JSON."""
    document: dict[str, Any] = json.loads("{" + codes(cell)[0] + "}")
    return document


def like(found: object, shown: object) -> bool:
    """Whether a value equals the shown one, or begins with it if shortened."""
    if isinstance(shown, str) and shown.endswith(LONG):
        return isinstance(found, str) and found.startswith(shown.removesuffix(LONG))
    return type(found) is type(shown) and found == shown


def value_of(expression: str) -> Any:
    """The value of an expression in DuckDB."""
    with duckdb.connect() as connection:
        rows: Iterable[tuple[Any, ...]] = connection.execute(f"select {expression}").fetchall()
    return next(iter(rows))[0]
