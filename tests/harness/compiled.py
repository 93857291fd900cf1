"""`dbt run` of one delta in milliseconds: dbt compiles it once, DuckDB runs it as often as a test likes.

For tests that build hundreds of deltas of one mapping. What a delta is depends on its mapping, the columns of
the sync and of the snapshot, and the rows; only the rows may change between two runs of one
`CompiledDelta`. A new mapping or another column needs a new one. What a dead push left in doubt is taken in
by dbt itself: then `run` is a `dbt run`.
"""

from __future__ import annotations

import json
import uuid

from harness.project import PEOPLE, Project


class CompiledDelta:
    """Builds the sync, its snapshot and its delta with dbt; `run` builds the delta anew.

    After `run` everything is as after `dbt run`: a table, with an id of its own.
    """

    def __init__(self, project: Project, sync: str = PEOPLE) -> None:
        project.build("--select", sync, f"{sync}_sent_snapshot", f"{sync}_delta")
        target = project.directory / "target"
        compiled = (target / "compiled" / "shop" / "models" / f"{sync}_delta.sql").read_text(encoding="utf-8")
        self._invocation = str(
            json.loads((target / "manifest.json").read_text())["metadata"]["invocation_id"]
        )
        assert self._invocation in compiled, "the delta's id is dbt's invocation id"
        self._compiled = compiled
        self._project = project
        self._sync = sync

    def run(self) -> None:
        """Replaces the delta by what differs now."""
        if self._left_open():
            self._project.build("--select", f"{self._sync}_delta")
            return
        rebuilt = self._compiled.replace(self._invocation, str(uuid.uuid4()))
        self._project.execute(f'create or replace table "{self._sync}_delta" as {rebuilt}')

    def _left_open(self) -> bool:
        """Whether a push of this delta may have sent more than it committed; sooner yes than no."""
        if not self._project.has_table("batch_sync_runs"):
            return False
        query = f"""
            select count(*) as found from batch_sync_runs
            where sync = $sync
                and (status = 'running' or coalesce(intent_position, 0) > coalesce(committed_position, 0))
                and delta_id in (select _batch_delta_id from "{self._sync}_delta")
        """
        return bool(self._project.query(query, sync=self._sync)[0]["found"])
