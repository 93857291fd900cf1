"""dbt's flags before and after every verb, and dbt's variables."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
import typer
from dbt.cli.main import cli as dbt
from typer.testing import CliRunner

from dbt_batch_sync.cli.app import VERBS, app
from dbt_batch_sync.cli.options import (
    IGNORED_SWITCHES,
    IGNORED_VALUES,
    SEVERAL,
    SWITCHES,
    VALUES,
    DbtFlags,
    arrange,
    with_dbt_flags,
)

NAMES = {"push": True, "profile": True, "sandbox": False}


@pytest.mark.parametrize(
    ("given", "arranged"),
    [
        ("push", "push"),
        ("--target prod push", "push --target prod"),
        ("--target=prod push", "push --target=prod"),
        ("-t push push", "push -t push"),
        ("--project-dir p --no-use-colors push --json", "push --project-dir p --no-use-colors --json"),
        ("push --select a b --json", "push --select a --select b --json"),
        ("push -s a b -m c --exclude d e", "push --select a --select b --select c --exclude d --exclude e"),
        ("push --select=a b", "push --select a b"),
        ("--select a push", "push --select a"),
        ("push --select", "push --select"),
        (
            "push --threads 4 --defer --state s -q -x --log-level=debug --no-version-check --json",
            "push --json",
        ),
        ("--debug --log-format json push --limit 3", "push --limit 3"),
        ("profile KEY --select a", "profile --select a KEY"),
        ("profile -- --target", "profile -- --target"),
        ("--target prod sandbox --vars {} --port 1", "sandbox --port 1"),
        ("--version", "--version"),
        ("--target prod --help", "--help"),
        ("pull --target x", "pull"),
        ("push --full-refresh", "push --full-refresh"),
        ("", ""),
    ],
)
def test_dbt_flags_before_and_after_the_verb(given: str, arranged: str) -> None:
    assert " ".join(arrange(given.split(), NAMES)) == arranged.strip()


def flags(*arguments: str, **environ: str) -> DbtFlags:
    seen: list[DbtFlags] = []

    def verb(dbt: DbtFlags, force: bool = False) -> None:
        seen.append(dbt)

    program = typer.Typer()
    program.command()(with_dbt_flags(verb))
    done = CliRunner().invoke(program, arguments, env=environ)
    assert done.exit_code == 0, done.output
    return seen[0]


@pytest.mark.parametrize("name", ["project_dir", "profiles_dir", "profile", "target", "target_path"])
def test_dbt_variables_and_their_precedence(name: str) -> None:
    flag, variable = f"--{name.replace('_', '-')}", name.upper()
    kind = Path if name.endswith(("dir", "path")) else str
    assert getattr(flags(), name) is None
    assert getattr(flags(**{f"DBT_{variable}": "old"}), name) == kind("old")
    both = {f"DBT_{variable}": "old", f"DBT_ENGINE_{variable}": "new"}
    assert getattr(flags(**both), name) == kind("new")
    assert getattr(flags(flag, "given", **both), name) == kind("given")


def test_values_of_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    given = flags(
        "--select", "a b", "--select", "c", "--exclude", "d", "--vars", "{x: 1}", "--target-path", "t"
    )
    assert (given.selection.select, given.selection.exclude) == (("a b", "c"), ("d",))
    assert flags("--select", "").selection.select == ("",), "not every sync"
    assert (given.options.variables, given.options.target_path) == ({"x": 1}, Path("t"))


@pytest.mark.parametrize(
    ("project", "given", "plain"),
    [
        ("name: shop", (), False),
        ("flags: {use_colors: false}", (), True),
        ("flags: {use_colors: false}", ("--use-colors",), False),
        ("name: shop", ("--no-use-colors",), True),
        ("flags: [", (), False),
    ],
)
def test_colors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: str, given: tuple[str, ...], plain: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dbt_project.yml").write_text(project)
    flags(*given)
    assert (os.environ["NO_COLOR"] == "1") is plain


def test_every_verb_with_a_project_takes_the_flags() -> None:
    without = {verb.__name__ for verb in VERBS if "dbt" not in verb.__annotations__}
    assert without == {"sandbox", "demo"}
    assert CliRunner().invoke(app, ["push", "--help"]).exit_code == 0


def test_every_global_flag_of_dbt_is_known() -> None:
    known = {*SWITCHES, *VALUES, *IGNORED_SWITCHES, *IGNORED_VALUES, *SEVERAL, "--version", "-v", "-V"}
    found = [each for each in dbt.params if isinstance(each, click.Option) and not each.hidden]
    for each in found:
        if str(each.name).startswith("deprecated_"):  # they only hold dbt's old variables
            continue
        assert {*each.opts, *each.secondary_opts} <= known, each.name
        ignored = IGNORED_SWITCHES if each.is_flag else IGNORED_VALUES
        assert not {*each.opts} & (IGNORED_SWITCHES | IGNORED_VALUES) - ignored, f"{each.name}: value or not"
    assert len(found) > 20
