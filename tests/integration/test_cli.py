"""The command line: its output streams, exit codes and secrets."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.databases import Row
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

from dbt_batch_sync import __version__
from dbt_batch_sync.cli.app import app
from dbt_batch_sync.scaffold.demo import copy_example

VERBS = [str(command.callback.__name__) for command in app.registered_commands if command.callback]
COLUMNS = {"id": "varchar", "email": "varchar", "name": "varchar", "points": "bigint"}
MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["name", "points"],
}
SECRETS = {"BATCH_KEY": "k3y-of-the-company", "BATCH_PROJECT": "project_sandbox"}


def person(who: str, **changes: object) -> Row:
    return {"id": who, "email": f"{who}@example.com", "name": f"Name of {who}", "points": 1, **changes}


def ready(project: Project, *names: str, build: bool = True) -> None:
    """Write a sync of these people and build its delta."""
    project.map(MAPPING)
    project.set_rows(COLUMNS, [person(name) for name in names])
    if build:
        project.build()


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Parse the output, which must be one JSON object."""
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


# Exit codes and output streams


@pytest.mark.forbidden("unauthorized")
def test_exit_codes_and_a_clean_standard_output(project: Project) -> None:
    """In separate processes, to see the real streams and exit codes."""
    ready(project, "a", "b", "c")
    accepted = project.cli("push", "--limit", "1")
    assert (accepted.returncode, accepted.stderr) == (0, "people: sending 1 row to update\n")
    assert "2 rows not sent yet. Run: dbt-batch-sync push" in accepted.stdout

    project.outputs(sandbox={"rest_api_key": "wrong"})
    failed = project.cli("push", "--json")
    assert (failed.returncode, document(failed)["status"]) == (1, "failed")
    project.outputs()

    usage = project.cli("push", "--limit", "0")
    assert (usage.returncode, usage.stdout) == (2, "")
    assert "--limit" in usage.stderr

    project.execute("insert into raw.people values (null, null, null, 1)")
    project.build()
    partial = project.cli("push")
    assert (partial.returncode, partial.stderr) == (3, "people: sending 2 rows to update\n")
    assert re.search(r"people +partial +0 +2 +0 +2 +1 row ", partial.stdout)
    assert "1 row invalid. Reasons: dbt-batch-sync rejects" in partial.stdout
    assert "\x1b" not in partial.stdout


def test_progress_bar_only_on_a_terminal(project: Project) -> None:
    ready(project, "a", "b", "c")
    command = [sys.executable, "-m", "dbt_batch_sync", "push", "--json"]
    seen = {}
    for arguments in (command[:-1], command):
        reader, terminal = pty.openpty()
        environ = {key: value for key, value in project.environ.items() if key != "NO_COLOR"} | {
            "TERM": "xterm"
        }
        with subprocess.Popen(
            arguments,
            cwd=project.directory,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=terminal,
            stdin=terminal,
        ) as process:
            os.close(terminal)
            shown = _read(reader)
            printed = process.stdout.read() if process.stdout else b""
        seen[arguments[-1]] = (shown, printed)
    bar, summary = seen["push"]
    assert "people" in bar
    assert "3/3" in bar
    assert b"3/3" not in summary
    quiet, printed = seen["--json"]
    assert "people" not in quiet, "no progress bar with --json"
    assert json.loads(printed)["status"] == "succeeded"


def test_an_unwritable_standard_output(project: Project) -> None:
    """The push is already done, so its exit code counts, and a message replaces the traceback."""
    ready(project, "a")
    command = [sys.executable, "-m", "dbt_batch_sync", "push", "--json"]
    for redirection, code, said in ((">&-", 0, ""), (">/dev/full", 1, "No space left on device")):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", *command],
            cwd=project.directory,
            env=project.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert said in done.stderr
    assert set(project.profiles()) == {"a"}


def test_a_narrow_terminal_truncates_nothing(project: Project) -> None:
    ready(project, "a")
    project.push()
    reader, terminal = pty.openpty()
    command = [sys.executable, "-m", "dbt_batch_sync", "status"]
    environ = {**project.environ, "TERM": "xterm", "COLUMNS": "60"}
    with subprocess.Popen(command, cwd=project.directory, env=environ, stdout=terminal, stdin=terminal):
        os.close(terminal)
        shown = _read(reader)
    assert "succeeded" in shown
    assert "Inserts" in shown, "one record per run"
    assert "…" not in shown


def _read(terminal: int) -> str:
    """Everything written to a terminal until its last writer closed it."""
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return shown.decode()


def test_version_and_help(project: Project) -> None:
    assert project.cli("--version").stdout == f"dbt-batch-sync {__version__}\n"
    assert project.call("--version").stdout == f"dbt-batch-sync {__version__}\n"
    listed = project.call("--help").stdout
    for verb in VERBS:
        assert f" {verb} " in listed
        shown = project.call(verb, "--help")
        assert shown.returncode == 0
        last = shown.stdout.rstrip().splitlines()[-1]
        assert last.strip().startswith("Example: "), "each verb's help should end with an example"
        assert f"dbt-batch-sync {verb}" in last
    assert project.call("pull").returncode == 2


def complete(project: Project, *words: str) -> list[str]:
    """The completions that bash offers for the last word."""
    environ = {
        "COMP_WORDS": " ".join(["dbt-batch-sync", *words]),
        "COMP_CWORD": str(len(words)),
        "_DBT_BATCH_SYNC_COMPLETE": "complete_bash",
    }
    done = in_a_shell(project, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def in_a_shell(
    project: Project, *arguments: str, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the installed program: completion depends on its name."""
    return subprocess.run(
        [Path(sys.executable).parent / "dbt-batch-sync", *arguments],
        cwd=project.directory,
        env={**project.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_shell_completes_verbs_options_and_syncs(project: Project) -> None:
    project.map(MAPPING)
    project.map(MAPPING, "pets")
    project.map(MAPPING, "other")
    project.dbt("parse")
    assert complete(project, "st") == ["status"]
    assert complete(project, "push", "--req") == ["--require-tests"]
    assert complete(project, "push", "--select", "pe") == ["people", "pets"]
    assert complete(project, "plan", "--exclude", "o") == ["other"]
    assert complete(project, "plan", "--project-dir", "/", "--select", "p") == []


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/dbt-batch-sync.sh"),
        ("fish", ".config/fish/completions/dbt-batch-sync.fish"),
    ],
)
def test_completion_is_installed(project: Project, tmp_path: Path, shell: str, file: str) -> None:
    environ = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = in_a_shell(project, "--show-completion", shell, environ=environ)
    assert "_DBT_BATCH_SYNC_COMPLETE=complete_" in shown.stdout
    assert not any(tmp_path.iterdir())
    assert in_a_shell(project, "--install-completion", shell, environ=environ).returncode == 0
    assert (tmp_path / file).read_text().strip() == shown.stdout.strip()


def test_dbt_s_flags_around_the_verb_and_its_variables(project: Project, tmp_path: Path) -> None:
    """From another directory: a relative path in the profile starts at the project, as in dbt."""
    ready(project, "a")
    project.map(MAPPING, "other")
    project.set_rows(COLUMNS, [person("o")], "other")
    project.build()
    profiles = project.directory / "profiles.yml"
    profiles.write_text(profiles.read_text().replace(str(project.database), project.database.name))
    environ = {"DBT_ENGINE_PROJECT_DIR": str(project.directory), "DBT_TARGET": "nowhere"}
    words = ["--target", "prod", "--log-level", "debug", "push", "--dry-run", "--json", "--threads", "2"]
    done = project.cli(*words, "--select", "other", "people", env=environ, cwd=tmp_path)
    assert [each["sync"] for each in document(done)["syncs"]] == ["other", "people"], done.stderr
    assert not project.sandbox.requests


# Read-only verbs


def test_plan(project: Project) -> None:
    project.map(MAPPING)
    project.set_rows(COLUMNS, [person(name) for name in ("anna", "bert", "carl")])
    project.sync()
    changed = [
        person("anna", email="changed@example.com"),
        person("bert", name=None),
        person("dora", points=None),
    ]
    project.set_rows(COLUMNS, [*changed, person("twin"), person("twin"), {}])
    project.build()
    before = project.query("from batch_sync_journal")
    done = project.call("plan", "--json")
    (planned,) = document(done)["syncs"]
    samples = planned.pop("samples")
    assert planned == {
        "sync": "people",
        "kind": "profiles",
        "delta_id": project.delta()[0]["_batch_delta_id"],
        "output": "sandbox",
        "endpoint": "update",
        **{"inserts": 1, "updates": 2, "exits": 1, "invalid": 3, "parked": 0},
        "invalid_reasons": {"duplicate_identifier": 2, "null_identifier": 1},
        "resubscriptions": 0,
        "attributes": planned["attributes"],
        "requests": 1,
        "seconds": 0.0,
        "mapping": planned["mapping"],
        "stops": [],
        "guards": [],
        "flapping": [],
        "steps": [],
    }
    assert planned["attributes"] == {"batch__email_address": 2, "name": 2}
    assert {(each["change"], each["attribute"]) for each in samples} >= {
        ("update", "batch__email_address"),
        ("update", "name"),
        ("insert", "batch__email_address"),
    }
    assert all(each.keys() == {"key", "change", "attribute", "old", "new"} for each in samples)
    text = project.call("plan")
    assert text.returncode == 0
    assert "1 insert · 2 updates · 1 exit  →  1 request to update" in text.stdout
    assert "3 rows invalid (2 duplicate_identifier" in text.stdout
    for printed in (done.stdout, text.stdout):
        assert not re.search(r"anna|bert|dora|changed@|example\.com|Name of", printed), (
            "samples must be masked"
        )
    assert project.query("from batch_sync_journal") == before
    assert not project.sent.requests
    project.push()
    left = project.call("plan").stdout
    assert "0 inserts · 0 updates · 0 exits  →  nothing to send\n" in left


def test_plan_counts_equal_what_the_push_sends(project: Project) -> None:
    """Without values that validation rejects, because a plan can't know them."""
    project.map(MAPPING)
    rows = [person(f"p{n}", name=None if n % 3 else "x", points=None if n % 2 else n) for n in range(450)]
    project.set_rows(COLUMNS, rows)
    project.build()
    (planned,) = document(project.call("plan", "--json"))["syncs"]
    assert project.push_one().requests == planned["requests"] == 3
    sent: dict[str, int] = {}
    for _, attributes in project.sent.operations:
        for name in attributes:
            sent[name] = sent.get(name, 0) + 1
    assert planned["attributes"] == {name.replace("$", "batch__"): count for name, count in sent.items()}


def test_a_plan_reports_flapping(project: Project) -> None:
    """Attributes that change again for the rows of the last push flap; new attributes and ordinary changes
    don't.
    """
    names = [f"p{number:02}" for number in range(12)]

    def day(mapping: dict[str, object], rows: list[Row]) -> tuple[list[dict[str, object]], str]:
        project.map(mapping)
        project.set_rows(COLUMNS, rows)
        project.build()
        (planned,) = document(project.call("plan", "--json"))["syncs"]
        shown = project.call("plan").stdout + project.call("plan", "--markdown").stdout
        project.push()
        return planned["flapping"], shown

    narrow = {**MAPPING, "custom": ["points"]}
    assert day(narrow, [person(name) for name in names])[0] == []
    assert day(MAPPING, [person(name) for name in names])[0] == [], "`name` is new, so it can't flap"
    assert day(MAPPING, [person(name, points=2 if name < "p03" else 1) for name in names])[0] == []
    day(MAPPING, [person(name, points=3) for name in names])
    found, shown = day(MAPPING, [person(name, points=4 if name < "p06" else 3) for name in names])
    assert found == [{"attribute": "points", "again": 6, "sent": 12}]
    assert "`points` flaps: it changes again for 6 of the 12 rows of the last push." in shown
    assert "> &#96;points&#96; flaps" in shown


def test_a_plan_as_a_comment(project: Project) -> None:
    project.map({**MAPPING, "guards": {"max_change_ratio": 0.5}})
    project.set_rows(COLUMNS, [person(name) for name in ("anna", "bert")])
    project.sync()
    project.set_rows(COLUMNS, [person("anna", name="|*new*"), person("bert", name="<b>new"), {}])
    project.build()
    done = project.call("plan", "--markdown")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["### What `dbt-batch-sync push` would do", ""]
    assert "| `people` | 0 | 2 | 0 | 1 | 0 | 1 | about a second |" in lines
    assert "| `null_identifier` | 1 |" in lines
    assert "| `name` | 2 |" in lines
    (guard,) = [line for line in lines if "A guard would stop the push" in line]
    assert "2 profiles would change, 100.0% of the 2 known ones" in guard
    assert lines[lines.index(guard) - 1] == "> [!WARNING]"
    samples = [line for line in lines if "| update |" in line]
    assert sorted(line.split(" | ")[4][:6] for line in samples) == ["&#124;", "&#60;•"], (
        "samples should be escaped and masked"
    )
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert not re.search(r"anna|bert|\*new|b>new", done.stdout)
    assert "A guard would stop the push: 2 profiles" in project.call("plan").stdout
    assert project.call("plan", "--markdown", "--json").returncode == 2
    project.map(MAPPING, "empty")
    project.set_rows(COLUMNS, [], "empty")
    project.build()
    assert "| `empty` | 0 | 0 | 0 | 0 | 0 | 0 |  |" in project.call("plan", "--markdown").stdout.splitlines()


def test_a_push_is_held_to_its_plan(project: Project, tmp_path: Path) -> None:
    ready(project, "a", "b")
    plan = str(tmp_path / "plan.json")
    planned = project.call("plan", "--out", plan)
    assert "2 inserts" in planned.stdout
    assert json.loads(Path(plan).read_text()) == document(project.call("plan", "--json"))

    project.build()
    other = project.call("push", "--plan", plan)
    assert other.returncode == 1
    assert re.search(r"differs from its plan.*delta_id [-\w]+, now [-\w]+\. Make a new plan", other.stdout)
    assert project.call("push", "--dry-run", "--plan", plan).returncode == 1
    assert not project.sandbox.requests

    project.call("plan", "--out", plan)
    assert project.call("push", "--plan", plan, "--dry-run").returncode == 0
    assert project.call("push", "--plan", plan, "--limit", "1").returncode == 0
    assert len(project.profiles()) == 1
    assert project.call("push", "--plan", plan).returncode == 0, "the rest of the same plan should pass"
    assert len(project.profiles()) == 2

    project.build()
    emptied = project.call("push", "--plan", plan)
    assert (emptied.returncode, "now None" in emptied.stdout) == (1, True), (
        "an empty delta is not the planned one"
    )
    project.call("plan", "--out", plan)
    assert project.call("push", "--plan", plan).returncode == 0
    project.map(MAPPING, "new")
    project.set_rows(COLUMNS, [person("n")], "new")
    project.build()
    unknown = project.call("push", "--plan", plan)
    assert "the plan does not contain the sync `new`" in unknown.stdout
    assert project.call("push", "--plan", plan, "--select", "people").returncode == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "can't be read: No such file or directory"),
        ("{", "is not a plan"),
        ("[]", "is not a plan"),
        ('{"syncs": [{"sync": "people"}]}', "is not a plan"),
        ('{"syncs": [1]}', "is not a plan"),
    ],
)
def test_invalid_plan_files(project: Project, tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    done = project.call("push", "--plan", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "write it with `dbt-batch-sync plan --out`" in done.stderr


def test_an_unwritable_plan_file(project: Project, tmp_path: Path) -> None:
    ready(project, "a")
    nowhere = project.call("plan", "--out", str(tmp_path / "no" / "plan.json"))
    assert (nowhere.returncode, "--out: " in nowhere.stderr) == (2, True)


def test_a_delay_is_reported_once(project: Project) -> None:
    ready(project, "a")
    busy = Fault(FaultKind.STATUS, When(nth=(1, 2)), status=503, retry_after=0)
    project.sandbox.faults.set([busy])
    done = project.call("push", "--json")
    assert (done.returncode, document(done)["syncs"][0]["retries"]) == (0, 2)
    assert done.stderr.count("people: Batch can't take calls now (HTTP 503") == 1
    assert done.stderr.count("Trying again.") == 1


def test_status(project: Project) -> None:
    ready(project, "a", "b", "c")
    never = project.call("status")
    assert (never.returncode, "never pushed. Run: dbt-batch-sync push" in never.stdout) == (0, True)
    for _ in range(2):
        project.push(limit=1)
    project.sandbox.faults.set([Fault(FaultKind.STATUS, status=401)])
    project.push()
    runs = document(project.call("status", "--json"))["syncs"][0]["runs"]
    assert [run["status"] for run in runs] == ["failed", "succeeded", "succeeded"]
    assert [run["inserts"] for run in runs] == [1, 2, 3]
    assert all(re.fullmatch(r"[-0-9]+T[:0-9]+Z", run["started_at"]) for run in runs)
    text = project.call("status").stdout
    assert "Rows per push, oldest first  █▆▃  3 2 1\n" in text
    assert "rows parked" not in text
    text = project.call("status", "--limit", "1", "--select", "people").stdout
    assert text.count("failed") == 1
    assert "succeeded" not in text
    assert f"Last error: {runs[0]['error']}" in text


def test_status_with_parked_rows(project: Project) -> None:
    ready(project, "a", "b", "c")
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("a", "c"))])
    project.push()
    project.sandbox.faults.set([])
    project.sync()
    (sync,) = document(project.call("status", "--json"))["syncs"]
    assert (sync["parked"], sync["runs"][0]["parked"]) == (2, 2)
    assert "2 rows parked: rejected as a whole" in project.call("status").stdout
    assert project.call("resend", "--rejected").returncode == 0
    project.sync()
    assert "rows parked" not in project.call("status").stdout


def test_resend(project: Project) -> None:
    ready(project, "a", "b")
    project.push()
    for wrong in ((), ("--all", "--rejected")):
        done = project.call("resend", *wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert "give either --all or --rejected" in done.stderr
    done = project.call("resend", "--all", "--json", "--select", "people")
    assert done.returncode == 0, done.stderr
    asked = document(done)
    ((request,), (build, plan, push)) = asked["syncs"], asked["next"]
    assert (asked["request"], request["sync"], request["request"]) == ("all", "people", "all")
    assert build == "dbt run --select people people_delta people_sent_snapshot"
    assert (plan, push) == tuple(f"dbt-batch-sync {verb} --select people" for verb in ("plan", "push"))
    assert not project.sent.requests
    (sync,) = document(project.call("status", "--json"))["syncs"]
    assert [each["id"] for each in sync["requests"]] == [request["id"]]
    assert "resend --all requested" in project.call("status").stdout
    assert "0 updates" in project.call("plan").stdout, "nothing changes before dbt has run"

    project.dbt(*build.split()[1:])
    assert document(project.call("status", "--json"))["syncs"][0]["requests"] == []
    project.push()
    assert sorted(project.sent.attributes) == ["a", "b"]
    project.build()
    assert "nothing to send" in project.call("plan").stdout, "once"


def test_rejects(project: Project) -> None:
    ready(project, "a", "b")
    nothing = document(project.call("rejects", "--json"))
    assert nothing["syncs"][0]["rejects"] == []
    project.execute("update raw.people set email = 'no address', name = repeat('x', 301) where id = 'a'")
    project.sync()
    (sync,) = document(project.call("rejects", "--json"))["syncs"]
    found = {
        (each["attribute"], each["reason"], each["count"], each["rejected_by"]) for each in sync["rejects"]
    }
    assert found == {
        ("batch__email_address", "invalid_email", 1, "validation"),
        ("name", "too_long", 1, "validation"),
    }
    text = project.call("rejects").stdout
    assert "invalid_email" in text
    assert "no address" not in text


def test_validate(project: Project) -> None:
    ready(project, "a")
    assert document(project.call("validate", "--json")) == {
        "valid": True,
        "syncs": ["people"],
        "unchecked": ["people"],
        "online": False,
        "steps": [],
        "problems": [],
    }
    online = project.call("validate", "--online")
    assert (online.returncode, "the warehouse and Batch are reachable" in online.stdout) == (0, True)
    assert [request.path for request in project.sandbox.requests] == ["/2.11/audiences/list"]

    project.map({"identifer": "id", "custom": ["name", {"column": "X Y"}], "on_exit": "flag"})
    project.map({"identifier": "id", "standard": {"email": "email"}}, "second")
    project.dbt("parse")
    wrong = project.call("validate", "--json")
    assert wrong.returncode == 2
    assert document(wrong)["valid"] is False
    for verb in ("validate", "generate", "push"):
        text = project.call(verb)
        assert (text.returncode, text.stdout) == (2, "")
        for part in (
            "models/people.yml:6: people: batch_sync.identifer",
            "`identifier`",
            "x_y",
            "models/second.yml:8: second: batch_sync.standard.email",
            "`email_address`",
            "membership",
        ):
            assert part in text.stderr, (verb, part)
    for problem in document(wrong)["problems"]:
        assert problem.keys() == {"file", "line", "model", "key", "message"}
    assert "::error" not in text.stderr
    annotated = project.call("validate", env={"GITHUB_ACTIONS": "true"})
    assert annotated.returncode == 2
    first = "::error file=models/people.yml,line=6,title=people%3A batch_sync.identifer::"
    assert annotated.stderr.startswith(first)
    repository = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project.directory.parent)}
    below = f"::error file={project.directory.name}/models/people.yml,line=6,"
    assert project.call("validate", env=repository).stderr.startswith(below), "a project in a subdirectory"
    assert annotated.stderr.count("::error file=") == len(document(wrong)["problems"])
    assert project.call("push").returncode == 2


@pytest.mark.forbidden("unauthorized")
def test_validate_online_reports_failing_connections(project: Project) -> None:
    ready(project, "a", build=False)
    project.dbt("parse")
    missing = project.call("validate", "--online")
    assert (missing.returncode, "in the warehouse yet. Run: dbt run" in missing.stderr) == (2, True), missing
    project.build()
    project.outputs(sandbox={"rest_api_key": "wrong"})
    refused = project.call("validate", "--online")
    assert refused.returncode == 1
    assert "401" in refused.stderr


def test_validate_reads_compiled_sql_and_the_catalog(project: Project) -> None:
    """Columns are unknown before `dbt compile`. A source's columns are unknown before `dbt docs generate`."""
    project.set_rows(COLUMNS, [person("a")])
    yaml = {"sources": [{"name": "raw", "schema": "raw", "tables": [{"name": "people"}]}]}
    mapping = {**MAPPING, "custom": ["name", "emial"]}
    project.map(mapping, sql="with a as (select * from {{ source('raw', 'people') }}) select * from a")
    (project.directory / "models" / "sources.yml").write_text(json.dumps(yaml))
    (project.directory / "target" / "catalog.json").unlink(missing_ok=True)
    project.dbt("parse")
    assert project.call("validate").returncode == 0
    project.dbt("run", "--select", "people")
    assert project.call("validate").returncode == 0, "the source's columns should be unknown"
    project.dbt("docs", "generate", "--exclude", "people_delta", "people_sent_snapshot")
    done = project.call("validate", "--json")
    found = {problem["key"]: problem for problem in document(done)["problems"]}
    (project.directory / "target" / "catalog.json").unlink()
    assert found.keys() == {"batch_sync.custom[1]"}, found
    assert "no column `emial` (did you mean `email`?)" in found["batch_sync.custom[1]"]["message"]
    assert found["batch_sync.custom[1]"]["line"] == 11
    assert done.returncode == 2


def test_generate_prints_the_mapping_of_a_cloud_sync_table(project: Project) -> None:
    """It writes nothing, because the model's YAML is the user's."""
    sql = "select '1' as custom_id, 'a@example.com' as batch__email_address, 1 as points, 2 as date__points"
    project.map({"identifier": "custom_id", "custom": ["points"]}, sql=sql, models=())
    project.dbt("compile")
    before = files(project.directory)
    done = project.call("generate", "--from-cloud-sync", "people")
    assert (done.returncode, files(project.directory)) == (0, before)
    (found,) = yaml.safe_load(done.stdout)["models"]
    expected = {"email_address": "batch__email_address"}, ["points"]
    mapping = found["config"]["meta"]["batch_sync"]
    assert (mapping["standard"], mapping["custom"]) == expected
    assert "another column is the attribute points: date__points" in done.stdout
    missing = project.call("generate", "--from-cloud-sync", "person")
    assert (missing.returncode, "no model `person`" in missing.stderr) == (2, True)


def test_validate_reports_all_errors_at_once(project: Project) -> None:
    """An unreadable mapping doesn't hide the errors of other mappings."""
    sql = "select 'a' as id, 'a@example.com' as email, 1 as points"
    project.map({**MAPPING, "custom": ["emial"]}, sql=sql, models=())
    project.map({"identifer": "id", "custom": ["points"]}, "second", sql=sql, models=())
    project.map({**MAPPING, "custom": ["points"]}, "third", sql=sql, models=())
    project.dbt("compile")
    said = project.call("validate", "--select", "second").stderr
    for part in ("second: batch_sync.identifer:", "no column `emial`", "`$email_address`: written by"):
        assert part in said, said


def test_validate_rejects_two_syncs_writing_the_same_attributes(project: Project) -> None:
    ready(project, "a")
    project.map(MAPPING, "other")
    project.set_rows(COLUMNS, [person("o")], "other")
    project.build()
    refused = project.call("validate")
    assert refused.returncode == 2
    assert "`$email_address`, `name`, `points`: written by the sync `other` too" in refused.stderr
    assert project.push().status == "succeeded", "only `validate` should fail"
    project.map({**MAPPING, "shared": True}, "other")
    project.dbt("parse")
    assert project.call("validate", "--online").returncode == 0, "`shared` must not change the mapping's hash"


# Missing prerequisites, and what to run next


def test_no_project(project: Project, tmp_path: Path) -> None:
    done = project.cli("push", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no dbt_project.yml" in done.stderr
    assert "--project-dir" in done.stderr


def test_no_manifest(project: Project) -> None:
    (project.directory / "target" / "manifest.json").unlink(missing_ok=True)
    done = project.call("push")
    assert done.returncode == 2
    assert "Run: dbt parse" in done.stderr or "`dbt parse`" in done.stderr


def test_no_mapping(project: Project) -> None:
    (project.directory / "models").mkdir()
    project.dbt("parse")
    done = project.call("push")
    assert done.returncode == 2
    assert "`dbt-batch-sync init` prints what to add" in done.stderr


def test_no_models_for_a_sync(project: Project) -> None:
    project.map(MAPPING, models=())
    project.set_rows(COLUMNS, [])
    project.dbt("parse")
    done = project.call("push")
    assert done.returncode in (1, 2)
    assert "Run: dbt-batch-sync generate, then dbt run --select people" in done.stderr + done.stdout


def test_no_relations_yet(project: Project) -> None:
    ready(project, "a", build=False)
    project.dbt("parse")
    for verb in ("push", "plan"):
        done = project.call(verb)
        assert done.returncode in (1, 2), verb
        said = done.stderr + done.stdout
        assert "in the warehouse yet. Run: dbt run" in said, verb


def test_no_database(project: Project) -> None:
    ready(project, "a")
    project.database.unlink()
    done = project.call("push")
    assert done.returncode == 1
    assert "Build it first: dbt run" in done.stderr
    assert not project.database.exists(), "a push must not create the file"


OUTPUT = {"type": "batch", "project_key": "p", "rest_api_key": "k"}


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (None, "has no profile `dbt_batch_sync`. Add it:\n\ndbt_batch_sync:\n  target: prod"),
        ({"target": "prod", "outputs": {"s": OUTPUT}}, "dbt_batch_sync.target: names none"),
        ({"target": "s", "outputs": {"s": {"type": "batch"}}}, "s.rest_api_key: is required"),
        (
            {"target": "s", "outputs": {"s": {**OUTPUT, "rest_api_key": "{{ env_var('NO') }}"}}},
            "needs the environment variable `NO`, which is not set",
        ),
        (
            {"target": "s", "outputs": {"s": {**OUTPUT, "api_url": "http://example.com"}}},
            "s.api_url: must begin with `https://`",
        ),
        ({"target": "s", "outputs": {"s": {**OUTPUT, "timout": 3}}}, "`timeout`"),
    ],
    ids=["profile", "target", "keys", "variable", "http", "typo"],
)
def test_invalid_outputs(project: Project, profile: object, said: str) -> None:
    project.map(MAPPING)
    project.dbt("parse")
    path = project.directory / "profiles.yml"
    profiles = {**yaml.safe_load(path.read_text()), "dbt_batch_sync": profile}
    path.write_text(yaml.safe_dump({name: each for name, each in profiles.items() if each}))
    done = project.call("push")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_selection_without_matches(project: Project) -> None:
    ready(project, "a")
    done = project.call("push", "--select", "peple")
    assert (done.returncode, done.stdout) == (2, "")
    assert "matches no sync; there are: `people`" in done.stderr


# Secrets


@pytest.mark.forbidden("unauthorized")
def test_keys_and_values_are_never_printed(project: Project) -> None:
    keys = {"rest_api_key": "{{ env_var('BATCH_KEY') }}", "project_key": "{{ env_var('BATCH_PROJECT') }}"}
    project.outputs(sandbox=keys)
    ready(project, "anna")
    project.execute("update raw.people set email = 'secret address', name = repeat('secret', 60)")
    project.build()
    said = ""
    for line in ("push", "push --json", "plan", "validate --online", "status --json"):
        done = (project.cli if line == "push" else project.call)(*line.split(), env=SECRETS)
        said += done.stdout + done.stderr
    for line in ("push --limit 1", "plan", "status", "status --json", "rejects", "rejects --json"):
        done = project.call(*line.split(), env={**SECRETS, "BATCH_KEY": "sandbox"})
        said += done.stdout + done.stderr
    assert project.rejects().keys() == {("anna", "batch__email_address"), ("anna", "name")}
    tables = ("batch_sync_runs", "batch_sync_rejects")
    written = "".join(str(project.query(f"from {table}")) for table in tables)
    logs = "".join(path.read_text() for path in project.directory.glob("**/*.log"))
    for secret in (*SECRETS.values(), "secret address", "secretsecret", "anna@example.com"):
        assert secret not in said
        assert secret not in written
        assert secret not in logs


# init and generate, in a user's own project


@pytest.fixture
def fresh(tmp_path: Path, batch: FaultyServer) -> Project:
    """A project without the package."""
    project = Project(tmp_path / "own", batch)
    batch.reset()
    (project.directory / "dbt_packages" / "dbt_batch_sync").unlink()
    (project.directory / "dbt_packages").rmdir()
    (project.directory / "packages.yml").unlink()
    return project


def files(directory: Path) -> Mapping[str, bytes]:
    """The files of a directory, by path."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_init_deps_generate_run_push(fresh: Project) -> None:
    packages = fresh.directory / "packages.yml"
    listed = "# ours\npackages:\n  - local: ../else # kept\n\nother: 1\n"
    packages.write_text(listed)
    profiles = fresh.directory / "profiles.yml"
    given = profiles.read_text()
    profiles.write_text(yaml.safe_dump({"shop": yaml.safe_load(given)["shop"]}))
    first = fresh.call("init")
    assert first.returncode == 0, first.stderr
    assert "dbt_batch_sync:\n" in first.stdout, "it should print the entry for profiles.yml"
    profiles.write_text(given)
    assert "identifier: customer_id" in first.stdout, "it should print the entry for a model's meta"
    added = "  - local: packages/dbt_batch_sync\n"
    assert packages.read_text() == listed.replace("packages:\n", f"packages:\n{added}", 1)
    before = files(fresh.directory)
    again = fresh.call("init")
    assert (again.returncode, files(fresh.directory)) == (0, before)
    assert "already lists them" in again.stdout
    assert "profiles.yml has `dbt_batch_sync` already" in again.stdout

    fresh.map(MAPPING, models=())
    fresh.set_rows(COLUMNS, [person("a")])
    packages.unlink()
    fresh.dbt("parse")
    assert "If they are not installed: dbt-batch-sync init && dbt deps" in fresh.call("generate").stdout
    shutil.rmtree(fresh.directory / "models" / "batch_sync")

    packages.write_text(f"packages:\n{added}")
    fresh.dbt("deps")
    fresh.dbt("parse")
    check = fresh.call("generate", "--check")
    assert check.returncode == 1
    assert check.stdout.count("would create") == 4
    assert not (fresh.directory / "models" / "batch_sync").exists()
    written = fresh.call("generate")
    assert (written.returncode, written.stdout.count("created")) == (0, 4)
    assert "not installed" not in written.stdout
    assert fresh.call("generate", "--check").returncode == 0

    fresh.build()
    assert fresh.push_one().accepted == 1
    listing = fresh.dbt("ls", "--resource-type", "source", "exposure")
    assert listing.ok
    fresh.dbt("parse")
    assert fresh.call("generate", "--check").returncode == 0


def test_the_example_contains_everything_that_generate_writes(
    fresh: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "directory", tmp_path / "example")
    copy_example(fresh.directory)
    fresh.dbt("deps")
    fresh.dbt("parse")
    check = fresh.call("generate", "--check", env={"DBT_PROFILES_DIR": "."})
    assert (check.returncode, check.stdout) == (0, "up to date\n")
    assert fresh.call("validate", env={"DBT_PROFILES_DIR": "."}).returncode == 0


def test_generate_and_prune_leave_user_files_alone(fresh: Project) -> None:
    fresh.call("init")
    fresh.dbt("deps")
    fresh.map(MAPPING, models=())
    fresh.map(MAPPING, "second", models=())
    fresh.dbt("parse")
    assert fresh.call("generate").returncode == 0
    models = fresh.directory / "models" / "batch_sync"
    own = models / "people_delta.sql"
    own.write_text("{{ config(tags=['mine']) }}\n" + own.read_text())
    kept = own.read_text()
    (models / "second_notes_delta.sql").write_text("select 1 as mine")
    assert fresh.call("generate").stdout == "up to date\n"

    for suffix in (".sql", ".yml"):
        (fresh.directory / "models" / f"second{suffix}").unlink()
    check = fresh.call("generate", "--prune", "--check")
    assert (check.returncode, check.stdout.count("would remove")) == (1, 3)
    pruned = fresh.call("generate", "--prune")
    assert (pruned.returncode, pruned.stdout.count("removed")) == (0, 3)
    left = {path.name for path in models.iterdir()}
    assert left == {
        "people.yml",
        "people_delta.sql",
        "people_sent_snapshot.sql",
        "second_notes_delta.sql",
        "_batch_sync.yml",
    }
    assert "batch_second" not in (models / "_batch_sync.yml").read_text()
    assert own.read_text() == kept
    assert fresh.call("generate", "--prune", "--check").returncode == 0
    fresh.dbt("parse")


def test_init_with_git_and_with_a_list_of_a_template(fresh: Project) -> None:
    packages = fresh.directory / "packages.yml"
    assert fresh.call("init", "--git", "https://git.example/dbt-batch-sync.git").returncode == 0
    assert packages.read_text() == (
        f"packages:\n  - git: https://git.example/dbt-batch-sync.git\n    revision: v{__version__}\n"
    )
    assert not (fresh.directory / "packages").exists()
    packages.write_text("packages: '{{ listed }}'\n")
    told = fresh.call("init")
    assert told.returncode == 0
    assert "- local: packages/dbt_batch_sync" in told.stdout
    assert packages.read_text() == "packages: '{{ listed }}'\n"
