"""`push --require-tests` and `--max-age`, with dbt's own artifacts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from harness.project import PEOPLE, Project

COLUMNS = {"id": "varchar", "points": "bigint"}


@pytest.fixture
def tested(project: Project) -> Project:
    """A sync with a test: no negative points."""
    project.map({"identifier": "id", "custom": ["points"]})
    project.set_rows(COLUMNS, [{"id": "a", "points": 1}])
    test = project.directory / "tests" / "no_debts.sql"
    test.parent.mkdir(exist_ok=True)
    test.write_text("select 1 from {{ ref('people') }} where points < 0")
    return project


def test_only_what_was_built_and_tested_is_pushed(tested: Project) -> None:
    tested.dbt("build")
    assert tested.push_one(require_tests=True).accepted == 1

    tested.set_rows(COLUMNS, [{"id": "a", "points": -1}])
    tested.dbt("build", fails=True)
    held = tested.push_one(require_tests=True)
    assert held.status == "failed"
    assert "tests failed: no_debts (fail)" in str(held.error)
    assert not tested.sent.attributes
    done = tested.call("push", "--require-tests")
    assert done.returncode == 1
    assert "\nfailed: 1 sync in " in done.stdout

    tested.dbt("run", "--select", PEOPLE)
    assert "did not build people_delta" in str(tested.push_one(require_tests=True).error)
    tested.set_rows(COLUMNS, [{"id": "a", "points": 2}])
    tested.dbt("build")
    tested.dbt("compile")
    assert "(`dbt compile`) did not build this delta" in str(tested.push_one(require_tests=True).error)
    assert not tested.sent.attributes
    tested.dbt("build")
    assert tested.push_one(require_tests=True).accepted == 1


def test_a_delta_of_another_target_is_not_pushed(tested: Project) -> None:
    """The manifest is the other target's, with its relations."""
    tested.dbt("build", "--target", "prod")
    held = tested.push_one()
    why = "dbt built the delta of `people` with target `prod`, and the target of this command is `dev`"
    assert why in str(held.error)
    for command in ("resend --all", "audit --repair", "rejects", "report", "status --wait", "profile a"):
        done = tested.call(*command.split())
        assert (done.returncode, why in done.stderr) == (1, True), command
    assert not tested.sent.requests
    assert tested.push_one(target="prod").accepted == 1


def test_skipped_tests_do_not_count_as_passed(tested: Project) -> None:
    tested.dbt("run")
    held = tested.push_one(require_tests=True)
    assert held.status == "failed"
    assert "no_debts" in str(held.error)
    assert not tested.sent.requests


def test_the_output_can_require_tests(tested: Project) -> None:
    tested.outputs(sandbox={"require_tests": True})
    tested.dbt("run")
    (tested.directory / "target" / "run_results.json").unlink()
    assert "dbt has left no target/run_results.json" in str(tested.push_one().error)
    tested.dbt("build")
    assert tested.push_one().accepted == 1


def test_age(tested: Project) -> None:
    tested.dbt("build")
    assert "and `--max-age` is 0 s" in str(tested.push_one(max_age=timedelta(0)).error)
    assert tested.push_one(max_age=timedelta(hours=1)).accepted == 1
    done = tested.call("push", "--max-age", "soon")
    assert (done.returncode, "--max-age: must be a number" in done.stderr) == (2, True)
