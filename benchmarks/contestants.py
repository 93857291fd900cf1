"""Who sends the people of a project to a URL, each in its own environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import MASS_UPDATE
from benchmarks.environments import Environment
from benchmarks.measure import Usage, run
from benchmarks.project import Project, write

PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Contestant:
    """One way to send everybody. `environment` is its key in `environments.REQUIREMENTS`."""

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
        command = [environment.python, PEERS / script, project.database, url + MASS_UPDATE]
        command += [scratch] if script == "dlt_arrow.py" else []
        environ = {"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(scratch)}
        return run(command, cwd=scratch, log=project.directory / "last.log", environ=environ)

    return push


def _drt(environment: Environment, project: Project, url: str) -> Usage:
    scratch = _scratch(project)
    shutil.copytree(PEERS / "drt", scratch, dirs_exist_ok=True)
    profile = f'benchmark: {{type: duckdb, database: "{project.database}"}}\n'
    write(scratch / ".drt" / "profiles.yml", profile)
    environ = {"HOME": str(scratch), "BENCHMARK_URL": url + MASS_UPDATE}
    command = [environment.program("drt"), "run", "--quiet"]
    return run(command, cwd=scratch, log=project.directory / "last.log", environ=environ)


def _scratch(project: Project) -> Path:
    directory = project.directory / "scratch"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


OURS = Contestant("dbt-batch-sync", "ours", ("dbt-batch-sync", "dbt-duckdb", "duckdb"), _ours)
BARE = Contestant("bare pipeline", "script", ("duckdb", "requests"), _peer("bare_duckdb.py"))
SCRIPT = Contestant("orjson script", "script", ("duckdb", "orjson", "requests"), _peer("orjson_script.py"))
PANDAS = Contestant("pandas + requests", "pandas", ("pandas", "requests"), _peer("pandas_requests.py"))
DLT = Contestant("dlt, Arrow", "dlt", ("dlt", "pyarrow"), _peer("dlt_arrow.py"))
DRT = Contestant("drt", "drt", ("drt-core",), _drt)

CONTESTANTS = (OURS, BARE, SCRIPT, PANDAS, DLT, DRT)
