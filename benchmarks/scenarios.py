"""The scenarios that can be measured. Both sides of a ratio are measured alternately, in the same rounds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import Arrived, Sink
from benchmarks.audits import audited
from benchmarks.contestants import BARE, CONTESTANTS, OURS, Contestant
from benchmarks.databases import PostgresServer
from benchmarks.environments import Environment
from benchmarks.findings import Figures
from benchmarks.measure import Command, Usage
from benchmarks.project import Project, write
from benchmarks.setting import OURS_ON_POSTGRES, Setting, sampled

HERE = Path(__file__).parent
EMPTY_RUN = "dbt run, three empty models"
SCAN, DELTA, PUSH = "bare scan of both tables", "delta statement", "push of 1 %"
IDLE, HELP, VERSION = "push, nothing to do", "--help", "--version"
FIRST = "first push"
ENDPOINTS = ("update", "mass-update")
PEOPLE, EVENTS = "people", "as many events"
ORDERS_A_DAY = 100_000
BUILD, MERGE = "dbt run before a first push", "dbt run after a first push"


@dataclass(frozen=True)
class Found:
    """Figures, and the versions of the measured tools."""

    figures: Figures
    versions: dict[str, str]


@dataclass(frozen=True)
class Round:
    """A project in the state before a push, and the arrivals expected from the push."""

    project: Project
    sink: Sink
    state: str
    expected: Arrived
    every: int

    def push(self, contestant: Contestant, environment: Environment) -> Usage:
        """Restore the state, push, and check what arrived. Raises WrongArrivals."""
        self.project.database.restore(self.state)
        self.sink.reset()
        usage = contestant.push(environment, self.project, self.sink.url)
        self.sink.check(self.expected, self.every, contestant.name)
        return usage


def first_push(setting: Setting) -> Found:
    """The first push by each contestant, and `dbt run` of three empty models."""
    project, figures = _before_first_push(setting, setting.rows), Figures()
    present = _present(setting, CONTESTANTS)
    empty = _empty_project(setting)
    with Sink() as sink:
        first = Round(project, sink, "first", project.expected(setting.every), setting.every)
        for _ in range(setting.rounds):
            for contestant, environment in present:
                figures.add(contestant.name, first.push(contestant, environment))
            figures.add(EMPTY_RUN, empty.dbt_run())
    return Found(figures, _versions(present))


def growth(setting: Setting) -> Found:
    """The first push of increasing numbers of people, compared with the bare pipeline."""
    figures, present = Figures(), _present(setting, (OURS, BARE))
    with Sink() as sink:
        sizes = {}
        for rows in setting.growth:
            project, every = _before_first_push(setting, rows), sampled(rows)
            sizes[rows] = Round(project, sink, "first", project.expected(every), every)
        for _ in range(setting.rounds):
            for rows, first in sizes.items():
                for contestant, environment in present:
                    usage = first.push(contestant, environment)
                    figures.add(grown(contestant.name, rows), usage, rate=rows / usage.wall)
        sink.reset()
    return Found(figures, _versions(present))


def grown(name: str, rows: int) -> str:
    """The name of a side of the scenario growth."""
    return f"{name}, {rows:,}"


def one_percent(setting: Setting) -> Found:
    """After a change of 1 %: the delta's statement compared with a bare scan of both tables, and the push."""
    project, figures = _before_first_push(setting, setting.rows), Figures()
    with Sink() as sink:
        _one_percent(project, setting, sink, figures)
    return Found(figures, _versions([(OURS, setting.ours)]))


def postgres(setting: Setting) -> Found:
    """The first push and a push of 1 %, from PostgreSQL."""
    environment, figures = setting.ours_on_postgres, Figures()
    setting.work.mkdir(parents=True, exist_ok=True)
    with PostgresServer(environment, setting.work) as server, Sink() as sink:
        project = setting.postgres_project("postgres", server)
        project.create(setting.rows, like=_earlier(setting))
        project.dbt_run()
        project.database.keep("first")
        first = Round(project, sink, "first", project.expected(setting.every), setting.every)
        for _ in range(setting.rounds):
            usage = first.push(OURS, environment)
            figures.add(FIRST, usage, rate=setting.rows / usage.wall)
        _one_percent(project, setting, sink, figures)
    return Found(figures, environment.versions(OURS_ON_POSTGRES))


def _one_percent(project: Project, setting: Setting, sink: Sink, figures: Figures) -> None:
    """Measures from the state before the first push."""
    project.database.restore("first")
    project.outputs(sink.url)
    project.push()
    project.dbt_run()  # merges the push
    project.change()
    project.database.keep("changed")
    project.dbt_run()
    project.database.keep("delta")
    expected = project.expected(setting.every, changed=True)
    push = Round(project, sink, "delta", expected, setting.every)
    for _ in range(setting.rounds):
        for side, what in ((SCAN, "scan"), (DELTA, "delta")):
            project.database.restore("changed")
            figures.add(side, project.statement(what))
        figures.add(PUSH, push.push(OURS, project.environment))


def cycle(setting: Setting) -> Found:
    """A complete first push: the `dbt run` before it, the push, and the `dbt run` that merges it."""
    project, figures = setting.project("cycle"), Figures()
    project.create(setting.rows, like=_earlier(setting))
    project.database.keep("raw")
    with Sink() as sink:
        project.outputs(sink.url)
        for _ in range(setting.rounds):
            project.database.restore("raw")
            sink.reset()
            for side, run in ((BUILD, project.dbt_run), (FIRST, project.push), (MERGE, project.dbt_run)):
                figures.add(side, run())
    return Found(figures, _versions([(OURS, setting.ours)]))


def events(setting: Setting) -> Found:
    """The first push of people by each endpoint, compared with as many events of 200,000 profiles with as
    many attributes.
    """
    figures, projects = Figures(), {}
    for endpoint in ENDPOINTS:
        visits = setting.project(f"events-{endpoint}")
        visits.create_events(setting.rows, endpoint)
        visits.dbt_run()
        visits.database.keep("first")
        projects[sent_by(PEOPLE, endpoint)] = _before_first_push(setting, setting.rows, endpoint)
        projects[sent_by(EVENTS, endpoint)] = visits
    with Sink() as sink:
        for project in projects.values():
            project.outputs(sink.url)
        for _ in range(setting.rounds):
            for side, project in projects.items():
                sink.reset()
                project.database.restore("first")
                figures.add(side, project.push("--force"))
    return Found(figures, _versions([(OURS, setting.ours)]))


def sent_by(what: str, endpoint: str) -> str:
    """The name of a side of the scenario events."""
    return f"{what}, {endpoint}"


def minutes(setting: Setting) -> Found:
    """A `dbt run` and a push every minute, with event histories of several lengths."""
    figures = Figures()
    with Sink() as sink:
        for rows in setting.histories:
            project = setting.project(f"orders-{rows}")
            project.create_orders(rows, ORDERS_A_DAY)
            project.outputs(sink.url)
            project.dbt_run()
            project.adopt()
            for _ in range(setting.rounds):
                project.order(ORDERS_A_DAY // 1440)
                figures.add(minute_of("dbt run", rows), project.dbt_run())
                figures.add(minute_of("push", rows), project.push())
    return Found(figures, _versions([(OURS, setting.ours)]))


def minute_of(what: str, rows: int) -> str:
    """The name of a side of the scenario minutes."""
    return f"{what} with {rows:,} events"


def nothing_to_do(setting: Setting) -> Found:
    """A push without changes; `--help` and `--version`."""
    project, figures = _before_first_push(setting, setting.rows), Figures()
    with Sink() as sink:
        project.outputs(sink.url)
        project.push()
    project.dbt_run()
    program = project.environment.program("dbt-batch-sync")
    for _ in range(setting.rounds):
        figures.add(IDLE, project.push())
        figures.add(HELP, project.run([program, "--help"]))
        figures.add(VERSION, project.run([program, "--version"]))
    return Found(figures, _versions([(OURS, setting.ours)]))


def many_syncs(setting: Setting) -> Found:
    """A push of many syncs without changes."""
    project, figures = setting.project("many"), Figures()
    project.create_many(setting.syncs, 100, like=_earlier(setting))
    with Sink() as sink:
        project.dbt_run()
        project.outputs(sink.url)
        project.push()
        project.dbt_run()
    for _ in range(setting.rounds):
        figures.add(idle_syncs(setting.syncs), project.push())
    return Found(figures, _versions([(OURS, setting.ours)]))


def idle_syncs(syncs: int) -> str:
    """The name of the side of the scenario many-syncs."""
    return f"push of {syncs} syncs, nothing to do"


def paced(setting: Setting) -> Found:
    """Batch's rates, against a strict sandbox with latency; one round."""
    figures = Figures()
    for endpoint, rows in zip(("mass-update", "update"), setting.paced, strict=True):
        _paced(_before_first_push(setting, rows, endpoint), endpoint, figures)
    for kind, rows in zip(("audience", "catalog"), setting.paced_kinds, strict=True):
        project = setting.project(f"kind-{kind}")
        project.create_kind(kind, rows)
        project.dbt_run()
        project.database.keep("first")
        _paced(project, kind, figures)
    return Found(figures, _versions([(OURS, setting.ours)]))


def _paced(project: Project, side: str, figures: Figures) -> None:
    """Measures from the state `first`, with each latency."""
    for latency in (0.05, 0.5):
        project.database.restore("first")
        result = project.directory / "strict.json"
        with _strict_sandbox(project.environment, result, latency) as url:
            project.outputs(url, paced=True)
            usage = project.push()
        figures.add(paced_at(side, latency), usage, **json.loads(result.read_text()))


def audits(setting: Setting) -> Found:
    """An audit of each number of people; one round."""
    figures = Figures()
    for rows in setting.audited:
        usage, disk = audited(setting.project(f"audited-{rows}"), rows)
        figures.add(audit_of(rows), usage, disk=disk)
    return Found(figures, _versions([(OURS, setting.ours)]))


def audit_of(rows: int) -> str:
    """The name of a side of the scenario audits."""
    return f"audit of {rows:,} profiles"


def paced_at(endpoint: str, latency: float) -> str:
    """The name of a side of the scenario paced."""
    return f"{endpoint}, {latency * 1000:.0f} ms"


SCENARIOS: dict[str, Callable[[Setting], Found]] = {
    "first-push": first_push,
    "cycle": cycle,
    "growth": growth,
    "one-percent": one_percent,
    "postgres": postgres,
    "nothing-to-do": nothing_to_do,
    "many-syncs": many_syncs,
    "paced": paced,
    "events": events,
    "minutes": minutes,
    "audits": audits,
}


@contextmanager
def _strict_sandbox(environment: Environment, result: Path, latency: float) -> Iterator[str]:
    """Yields the sandbox's URL. Its result is written when it ends."""
    command: Command = [environment.python, HERE / "strict.py", result, str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _before_first_push(setting: Setting, rows: int, endpoint: str = "auto") -> Project:
    """A DuckDB project in the state `first`, created once per run."""
    project = setting.project(f"people-{endpoint}-{rows}")
    if not project.directory.exists():
        project.create(rows, endpoint, like=_earlier(setting))
        project.dbt_run()
        project.database.keep("first")
    project.database.restore("first")
    return project


def _earlier(setting: Setting) -> Project | None:
    """Any DuckDB project of this run."""
    names = [path.name for path in setting.work.glob("people-*") if path.is_dir()]
    return setting.project(names[0]) if names else None


def _empty_project(setting: Setting) -> Project:
    """A project of three empty models, parsed once."""
    project = setting.project("empty")
    project.begin()
    for number in range(3):
        write(project.directory / "models" / f"empty_{number}.sql", "select 1 as nothing where 1 = 0")
    project.dbt_run()
    return project


def _present(setting: Setting, contestants: tuple[Contestant, ...]) -> list[tuple[Contestant, Environment]]:
    found = [(each, setting.environment(each.environment, each.packages)) for each in contestants]
    return [(contestant, environment) for contestant, environment in found if environment is not None]


def _versions(present: list[tuple[Contestant, Environment]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for contestant, environment in present:
        found |= environment.versions(contestant.packages)
    return found
