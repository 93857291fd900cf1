"""`dbt run` of one delta in milliseconds: dbt builds it once, then its macros run on DuckDB without dbt.

For tests that build hundreds of deltas with one mapping. Only rows may change between two runs of a
`CompiledDelta`. A new mapping or column needs a new one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from harness.dbt_macros import Answered, Column, Macros, Relation, Result
from harness.project import PEOPLE, Project


class CompiledDelta:
    """Builds the sync, its snapshot and its delta with dbt; `run` rebuilds the delta.

    `run` has the effects of `dbt run`: the old delta is merged, the new one gets its own id, and the journal
    gets its rows.
    """

    def __init__(self, project: Project, sync: str = PEOPLE) -> None:
        project.build("--select", sync, f"{sync}_sent_snapshot", f"{sync}_delta")
        manifest = json.loads((project.directory / "target" / "manifest.json").read_text(encoding="utf-8"))
        self._nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
        self._project = project
        self._sync = sync

    def run(self) -> None:
        """Merge what was pushed and rebuild the delta."""
        macros = _Live(self._project, self._nodes)
        delta = macros.relation(f"{self._sync}_delta")
        macros.knowing(this=delta, invocation_id=str(uuid.uuid4()), target={"name": "dev"})
        macros.run("announce_build", self._sync)
        macros.run("merge_sent", self._sync)
        self._project.execute(f"create or replace table {delta} as {macros.delta(self._sync)}")
        macros.run("record_build", self._sync)


class _Live(Macros):
    """Macros that run on a project's DuckDB."""

    def __init__(self, project: Project, nodes: list[Mapping[str, Any]]) -> None:
        self._project = project
        self._places = {node["name"]: node for node in nodes}
        super().__init__("duckdb", nodes=nodes)

    def relation(self, identifier: str, type: str | None = "table") -> Relation:
        node = self._places[identifier]
        return Relation("duckdb", node["database"], node["schema"], node["alias"], type)

    def _execute(self, sql: str, **how: object) -> tuple[str, Result]:
        rows = self._project.query(sql)
        return "", Result([Answered.of(row) for row in rows])

    def _columns_of(self, relation: Relation) -> list[Column]:
        query = """
            select column_name, data_type from duckdb_columns()
            where database_name = $database and schema_name = $schema and table_name = $name order by column_index
        """
        place = {"database": relation.database, "schema": relation.schema, "name": relation.identifier}
        return [self._column(*row.values()) for row in self._project.query(query, **place)]

    def _get_relation(self, database: str | None, schema: str, identifier: str) -> Relation | None:
        found = Relation("duckdb", database, schema, identifier, "table")
        return found if self._columns_of(found) else None
