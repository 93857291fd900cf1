"""`python -m benchmarks.scans`: bytes that `dbt run` and a push read and write according to the engine, and
query plans.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.arrivals import Sink
from benchmarks.databases import PostgresServer
from benchmarks.project import Project
from benchmarks.setting import Setting

HEAD = "| engine | rows | statement | MB read | MB written | MB spilled |\n|---|---|---|---|---|---|"

MERGED = """
delete from main.people_sent_snapshot where custom_id in (
    select d.custom_id from main.people_delta as d where d._batch_change <> 'invalid' and d._batch_page <= 9
)
"""
"""How a merge finds the rows that it replaces."""


def main() -> None:
    """Print a table, then the plans of the largest size. One row in a hundred has changed since the first
    push.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scans", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="sizes of the sync")
    sizes = parser.parse_args().rows
    plans: dict[str, list[str]] = {}
    print(HEAD)
    with tempfile.TemporaryDirectory() as work:
        setting = Setting(Path(work), Path(work), installed=True)
        for rows in sizes:
            project = _changed(setting.project(f"duckdb-{rows}"), rows)
            _show("DuckDB", rows, "delta of 1 %", project.explain())
            plans |= {"DuckDB, delta": project.plan(), "DuckDB, merge": project.plan(MERGED)}
        for rows in sizes:
            with PostgresServer(setting.ours_on_postgres, setting.work) as server:
                project = _changed(setting.postgres_project(f"postgres-{rows}", server), rows)
                _show("PostgreSQL", rows, "delta of 1 %", project.explain())
                _show("PostgreSQL", rows, "push of 1 %", _pushed(project, server))
                plans |= _postgres_plans(project, server)
    for what, lines in plans.items():
        print("\n".join(["", what, *(f"  {line}" for line in lines)]))


def _postgres_plans(project: Project, server: PostgresServer) -> dict[str, list[str]]:
    server.do("execute", "shop", "vacuum analyze")
    return {"PostgreSQL, delta": project.plan(), "PostgreSQL, merge": project.plan(MERGED)}


def _changed(project: Project, rows: int) -> Project:
    """Push a project, change it and build it."""
    with Sink() as sink:
        project.create(rows)
        project.outputs(sink.url)
        project.dbt_run()
        project.push()
        project.dbt_run()  # merges the push
        project.change()
        project.dbt_run()
    return project


def _pushed(project: Project, server: PostgresServer) -> dict[str, int]:
    with Sink() as sink:
        project.outputs(sink.url)
        before = _counters(project, server)
        project.push()
        after = _counters(project, server)
    return {name: after[name] - before[name] for name in after}


def _counters(project: Project, server: PostgresServer) -> dict[str, int]:
    output = project.directory / "counters.json"
    server.do("counters", "shop", output)
    return dict(json.loads(output.read_text()))


def _show(engine: str, rows: int, what: str, found: dict[str, int]) -> None:
    cells = [f"{found[name] / 1e6:,.1f}" if name in found else "" for name in ("read", "written", "spilled")]
    print(f"| {engine} | {rows:,} | {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
