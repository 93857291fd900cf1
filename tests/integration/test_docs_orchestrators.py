"""Runs the scripts in docs/orchestrators.md as written. The tests of the orchestrators run its Python."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from harness.markdown import codes, read
from harness.orchestrated import DOCS, GOOD, WRONG, example, prepare
from harness.project import Project


@pytest.fixture
def script(project: Project, tmp_path: Path) -> Path:
    """`sync.sh`, installed."""
    path = project.directory / "sync.sh"
    path.write_text(example("shell script", project), encoding="utf-8")
    path.chmod(0o755)
    return path


def run(command: str, project: Project, path: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in bash with the programs in `path`."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=project.directory,
        env={**project.environ, "PATH": path, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **environ},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_the_script_pushes(project: Project, script: Path, path: str) -> None:
    prepare(project, GOOD, build=False)
    done = run(str(script), project, path)
    assert done.returncode == 0, done.stderr
    document = json.loads((project.directory / "push.json").read_text(encoding="utf-8"))
    assert (document["status"], document["syncs"][0]["accepted"]) == ("succeeded", 1)
    assert len(project.profiles()) == 1


def test_the_script_shows_what_was_rejected(project: Project, script: Path, path: str) -> None:
    prepare(project, GOOD, WRONG, build=False)
    done = run(str(script), project, path)
    assert done.returncode == 0, done.stderr
    assert "some rows or attributes were rejected" in done.stderr
    assert "email_address" in done.stderr


def test_the_script_fails_with_the_push(project: Project, script: Path, path: str) -> None:
    prepare(project, GOOD, guards={"min_rows": 5}, build=False)
    done = run(str(script), project, path)
    assert done.returncode == 1
    assert "min_rows" in done.stderr
    assert project.profiles() == {}


def test_the_script_ends_when_dbt_fails(project: Project, script: Path, path: str) -> None:
    prepare(project, GOOD, build=False)
    project.map({"identifier": "id", "standard": {"email_address": "email"}}, sql="select nothing")
    assert run(str(script), project, path).returncode == 1
    assert project.profiles() == {}


def test_the_crontab(project: Project, script: Path, path: str, tmp_path: Path) -> None:
    """A run is skipped while another holds the lock."""
    prepare(project, GOOD, build=False)
    *fields, command = example("crontab", project).strip().split(maxsplit=5)
    assert len(fields) == 5
    lock = tmp_path / "lock"
    command = command.replace("/tmp/batch-sync.lock", str(lock))
    assert run(f"exec 9> {lock}; flock 9; {command}", project, path).returncode == 1
    assert project.profiles() == {}
    assert run(command, project, path).returncode == 0
    assert len(project.profiles()) == 1


@pytest.mark.parametrize(("email", "code"), [(GOOD, 0), (WRONG, 3)])
def test_the_workflow(project: Project, path: str, email: str, code: int) -> None:
    prepare(project, GOOD, email, build=False)
    workflow = yaml.safe_load(example("yaml workflow", project))
    step = workflow["jobs"]["push"]["steps"][-1]
    secrets = {"BATCH_REST_API_KEY": "sandbox", "BATCH_PROJECT_KEY": "project_sandbox"}
    assert step["env"] == {name: f"${{{{ secrets.{name} }}}}" for name in secrets}
    project.outputs(
        sandbox={key.removeprefix("BATCH_").lower(): f"{{{{ env_var('{key}') }}}}" for key in secrets}
    )
    done = run(step["run"], project, path, **secrets)
    assert done.returncode == code, done.stdout + done.stderr
    (lenient,) = [each for each in codes(read(DOCS).section("GitHub Actions").prose) if each.startswith("||")]
    *_, push = step["run"].splitlines()
    assert run(f"{push} {lenient}", project, path, **secrets).returncode == 0
