"""The databases of measured projects: a DuckDB file, or a PostgreSQL server started for the purpose."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from benchmarks.environments import Environment
from benchmarks.measure import Command, run

HERE = Path(__file__).parent
PROGRAM = HERE / "postgres.py"


class Database(Protocol):
    """A database that can be restored to an earlier state."""

    @property
    def target(self) -> str:
        """The target in dbt's profile."""

    def load(self, people: Path) -> None:
        """Load the people from a DuckDB file."""

    def keep(self, state: str) -> None:
        """Save a copy of everything under a name."""

    def restore(self, state: str) -> None:
        """Restore a saved state."""

    @property
    def timing(self) -> Command:
        """A Python program that times a statement. Arguments: result file, `scan` or `delta`, and the delta's
        SQL.
        """


@dataclass(frozen=True)
class DuckDbFile:
    """The file in which the people are generated."""

    path: Path

    @property
    def target(self) -> str:
        return f'{{type: duckdb, path: "{self.path}", threads: 1}}'

    def load(self, people: Path) -> None:
        assert people == self.path

    def keep(self, state: str) -> None:
        shutil.copyfile(self.path, self._kept(state))

    def restore(self, state: str) -> None:
        self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
        shutil.copyfile(self._kept(state), self.path)

    @property
    def timing(self) -> Command:
        return [HERE / "statement.py", self.path]

    def _kept(self, state: str) -> Path:
        return self.path.with_name(f"{state}.kept")


class PostgresServer:
    """A server's process, as a context manager."""

    def __init__(self, environment: Environment, work: Path) -> None:
        self.environment = environment
        self._work = work

    def __enter__(self) -> PostgresServer:
        command: Command = [self.environment.python, PROGRAM, "serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.host = self._process.stdout.readline().strip()
        if not self.host:
            raise RuntimeError("PostgreSQL did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It exits when its input closes.
        self._process.communicate()

    def do(self, verb: str, database: str, *arguments: str | Path) -> None:
        """Run the program's verb `execute` or `load`."""
        command = [self.environment.python, PROGRAM, verb, self.host, database, *arguments]
        run(command, cwd=self._work, log=self._work / "postgres.log")


@dataclass(frozen=True)
class PostgresDatabase:
    """A database on a server. Its states are template databases."""

    server: PostgresServer
    name: str = "shop"

    @property
    def target(self) -> str:
        where = f"host: {self.server.host}, port: 5432, user: postgres, password: unused"
        return f"{{type: postgres, {where}, dbname: {self.name}, schema: main, threads: 1}}"

    def load(self, people: Path) -> None:
        self.server.do("load", self.name, people)

    def create(self) -> None:
        """Create it, empty."""
        self.server.do("execute", "postgres", f"create database {self.name}")

    def keep(self, state: str) -> None:
        self.server.do("execute", self.name, "vacuum analyze")
        self._copy(self.name, f"{self.name}_{state}")

    def restore(self, state: str) -> None:
        self._copy(f"{self.name}_{state}", self.name)

    @property
    def timing(self) -> Command:
        return [PROGRAM, "time", self.server.host, self.name]

    def _copy(self, source: str, target: str) -> None:
        # Copied as files, so that the copy is on disk before anything is measured.
        dropped = f"drop database if exists {target} with (force)"
        copied = f"create database {target} template {source} strategy file_copy"
        self.server.do("execute", "postgres", dropped, copied)
