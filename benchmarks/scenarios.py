"""The named scenarios: what is measured, and against which goal. Both sides of a ratio take turns in the
same rounds.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.arrivals import Arrived, Sink
from benchmarks.contestants import BARE, CONTESTANTS, OURS, Contestant
from benchmarks.environments import Environment, prepare, this_one
from benchmarks.measure import Usage, median_usage
from benchmarks.project import Project, write

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Setting:
    """How big a run is. `installed`: ours is the one of this interpreter's environment."""

    work: Path
    cache: Path
    rows: int = 1_000_000
    rounds: int = 5
    growth: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    segments: int = 200
    paced: int = 120_000
    installed: bool = False

    def environment(self, name: str) -> Environment:
        """The environment of a contestant."""
        return this_one() if name == "ours" and self.installed else prepare(name, self.cache)

    def project(self, name: str) -> Project:
        """A project of this run."""
        return Project(self.work / name, self.environment("ours"))

    @property
    def every(self) -> int:
        """Which customers' values are compared: everybody's in a small run."""
        return 1 if self.rows <= 20_000 else 37


@dataclass
class Figures:
    """What a scenario found: the rounds of each side by its name, and plain figures beside them."""

    rounds: dict[str, list[Usage]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    def add(self, side: str, usage: Usage) -> None:
        """One more round of a side."""
        self.rounds.setdefault(side, []).append(usage)

    def medians(self) -> dict[str, Usage]:
        """The medians of each side."""
        return {side: median_usage(usages) for side, usages in self.rounds.items()}


def first_push(setting: Setting) -> Figures:
    """Everybody for the first time, by each contestant; and `dbt run` of three models without a row."""
    project, figures = setting.project("first"), Figures()
    project.create(setting.rows)
    project.dbt_run()
    project.keep("first")
    expected = project.expected(setting.rows, setting.every)
    environments = {each.name: setting.environment(each.environment) for each in CONTESTANTS}
    empty = empty_project(setting)
    with Sink() as sink:
        for _ in range(setting.rounds):
            for each in CONTESTANTS:
                usage, _ = _send(each, environments[each.name], project, sink, expected, setting.every)
                figures.add(each.name, usage)
            figures.add("dbt run, three empty models", empty.dbt_run())
    return figures


def growth(setting: Setting) -> Figures:
    """The first push of ever more people, and the bare pipeline."""
    figures = Figures()
    environments = {each.name: setting.environment(each.environment) for each in (OURS, BARE)}
    for rows in setting.growth:
        project = setting.project(f"growth-{rows}")
        project.create(rows)
        project.dbt_run()
        project.keep("first")
        every = 1 if rows <= 20_000 else 997
        expected = project.expected(rows, every)
        with Sink() as sink:
            for _ in range(min(setting.rounds, 3) if rows > 1_000_000 else setting.rounds):
                for each in (OURS, BARE):
                    environment = environments[each.name]
                    usage, _ = _send(each, environment, project, sink, expected, every)
                    figures.add(f"{each.name}, {rows}", usage)
        project.remove()
    return figures


def one_percent(setting: Setting) -> Figures:
    """One of a hundred has changed: the delta's statement beside a bare scan of both tables, and the push
    after it.
    """
    project, figures = setting.project("change"), Figures()
    _pushed_once(project, setting)
    project.sql("change")
    project.keep("changed")
    project.dbt_run()
    project.keep("delta")
    expected = project.expected(setting.rows, setting.every, changed=True)
    script = [project.environment.python, HERE / "statement.py", project.database]
    compiled = project.directory / "target/compiled/benchmark/models/batch_sync/people_delta.sql"
    with Sink() as sink:
        for _ in range(setting.rounds):
            for side, arguments in (("bare scan", ["scan"]), ("delta statement", ["delta", compiled])):
                project.restore("changed")
                output = project.directory / "statement.json"
                project.run([*script, output, *arguments])
                figures.add(side, Usage(**json.loads(output.read_text())))
            usage, _ = _send(OURS, project.environment, project, sink, expected, setting.every, "delta")
            figures.add("push of 1 %", usage)
    return figures


def nothing_to_do(setting: Setting) -> Figures:
    """A push when nothing has changed; `--help` and `--version`."""
    project, figures = setting.project("idle"), Figures()
    _pushed_once(project, setting)
    project.dbt_run()
    program = project.environment.program("dbt-batch-sync")
    for _ in range(setting.rounds):
        figures.add("push, nothing to do", project.push())
        figures.add("--help", project.run([program, "--help"]))
        figures.add("--version", project.run([program, "--version"]))
    return figures


def many_segments(setting: Setting) -> Figures:
    """A push of many mapped segments, none of which has changed."""
    project, figures = setting.project("many"), Figures()
    project.create_many(setting.segments, 100)
    with Sink() as sink:
        project.dbt_run()
        project.outputs(sink.url)
        project.push()
        project.dbt_run()
    for _ in range(setting.rounds):
        figures.add(f"push of {setting.segments} segments, nothing to do", project.push())
    return figures


def paced(setting: Setting) -> Figures:
    """Batch's own rates held against a strict sandbox that takes its time to answer."""
    figures = Figures()
    for endpoint, rows in (("mass-update", setting.paced), ("update", setting.paced // 30)):
        for latency in (0.05, 0.5):
            project = setting.project(f"paced-{endpoint}")
            project.create(rows, endpoint)
            project.dbt_run()
            command = [
                project.environment.python,
                HERE / "strict.py",
                project.directory / "strict.json",
                str(latency),
            ]
            server = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
            assert server.stdout is not None
            with server, server.stdout:
                project.outputs(server.stdout.readline().strip(), paced=True)
                side = f"{endpoint}, {latency * 1000:.0f} ms"
                figures.add(side, project.push())
                server.terminate()
                server.wait()
            found = json.loads((project.directory / "strict.json").read_text())
            figures.facts[f"{side}: profiles a second"] = found["rate"]
            figures.facts[f"{side}: answers of 429"] = found["throttled"]
    return figures


SCENARIOS: dict[str, Callable[[Setting], Figures]] = {
    "first-push": first_push,
    "growth": growth,
    "one-percent": one_percent,
    "nothing-to-do": nothing_to_do,
    "many-segments": many_segments,
    "paced": paced,
}


def empty_project(setting: Setting) -> Project:
    """A project of three models without a row, parsed once."""
    project = setting.project("empty")
    project.begin()
    for number in range(3):
        write(project.directory / "models" / f"empty_{number}.sql", "select 1 as nothing where 1 = 0")
    project.dbt_run()
    return project


def _pushed_once(project: Project, setting: Setting) -> None:
    project.create(setting.rows)
    project.dbt_run()
    with Sink() as sink:
        project.outputs(sink.url)
        project.push()


def _send(
    contestant: Contestant,
    environment: Environment,
    project: Project,
    sink: Sink,
    expected: Arrived,
    every: int,
    state: str = "first",
) -> tuple[Usage, Arrived]:
    project.restore(state)
    sink.reset()
    usage = contestant.push(environment, project, sink.url)
    return usage, sink.check(expected, every, contestant.name)
