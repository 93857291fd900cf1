"""`python -m benchmarks.plans`: how DuckDB and PostgreSQL do a delta and a commit, by their `explain`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.databases import PostgresServer
from benchmarks.project import Project
from benchmarks.scans import changed
from benchmarks.setting import Setting

COMMIT = """
delete from main.people_sent_snapshot where custom_id in (
    select custom_id from main.people_delta where custom_id > 'C000010000' and custom_id <= 'C000010500'
)
"""
"""What a commit does to find the rows that it replaces, in a range of keys."""

INDEX = "create unique index by_key on main.people_sent_snapshot (custom_id)"


def main() -> None:
    """Prints the plans. One of a hundred rows has changed since the first push."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="size of the segment")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as work:
        setting = Setting(Path(work), Path(work), installed=True)
        project = changed(setting.project("duckdb"), rows)
        _show("DuckDB, delta", project)
        _show("DuckDB, commit", project, COMMIT)
        with PostgresServer(setting.ours_on_postgres, setting.work) as server:
            project = changed(setting.postgres_project("postgres", server), rows)
            server.do("execute", "shop", "vacuum analyze")
            _show("PostgreSQL, delta", project)
            _show("PostgreSQL, commit", project, COMMIT)
            server.do("execute", "shop", INDEX, "analyze")
            _show("PostgreSQL, commit, with an index on the key", project, COMMIT)


def _show(what: str, project: Project, sql: str | None = None) -> None:
    print("\n".join([what, *(f"  {line}" for line in project.plan(sql)), ""]))


if __name__ == "__main__":
    main()
