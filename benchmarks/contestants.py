"""Tools that send the people of a project to a URL, each in its own environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import MASS_UPDATE
from benchmarks.environments import Environment
from benchmarks.measure import Command, Usage, run
from benchmarks.project import Project, write
from benchmarks.setting import OURS as PACKAGES

PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Contestant:
    """A way to send everybody. `environment`: its key in `environments.REQUIREMENTS`. `packages`: those it
    requires.
    """

    name: str
    environment: str
    packages: tuple[str, ...]
    push: Callable[[Environment, Project, str], Usage]


def _ours(environment: Environment, project: Project, url: str) -> Usage:
    project.outputs(url)
    return project.push()


def _peer(script: str) -> Callable[[Environment, Project, str], Usage]:
    def push(environment: Environment, project: Project, url: str) -> Usage:
        scratch = _scratch(project)
        command: Command = [environment.python, PEERS / script, project.people, url + MASS_UPDATE]
        command += [scratch] if script == "dlt_arrow.py" else []
        environ = {"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(scratch)}
        return run(command, cwd=scratch, log=project.directory / "last.log", environ=environ)

    return push


def _drt(environment: Environment, project: Project, url: str) -> Usage:
    scratch = _scratch(project)
    shutil.copytree(PEERS / "drt", scratch, dirs_exist_ok=True)
    profile = f'benchmark: {{type: duckdb, database: "{project.people}"}}\n'
    write(scratch / ".drt" / "profiles.yml", profile)
    environ = {"HOME": str(scratch), "BENCHMARK_URL": url + MASS_UPDATE}
    command: Command = [environment.program("drt"), "run", "--quiet"]
    return run(command, cwd=scratch, log=project.directory / "last.log", environ=environ)


def _scratch(project: Project) -> Path:
    directory = project.directory / "scratch"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


OURS = Contestant("dbt-batch-sync", "ours", PACKAGES, _ours)
BARE = Contestant("bare pipeline", "script", ("duckdb", "pyarrow", "requests"), _peer("bare_duckdb.py"))
SCRIPT = Contestant("orjson script", "script", ("duckdb", "orjson", "requests"), _peer("orjson_script.py"))
PANDAS = Contestant(
    "pandas + requests", "pandas", ("duckdb", "pandas", "requests"), _peer("pandas_requests.py")
)
DLT = Contestant(
    "dlt, Arrow", "dlt", ("dlt", "duckdb", "orjson", "pyarrow", "requests"), _peer("dlt_arrow.py")
)
DRT = Contestant("drt", "drt", ("drt-core", "duckdb"), _drt)

CONTESTANTS = (OURS, BARE, SCRIPT, PANDAS, DLT, DRT)
