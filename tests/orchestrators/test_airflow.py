"""Airflow with its own metadata database: the operator in real DAG runs."""

from __future__ import annotations

import json
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.orchestrated import (
    GOOD,
    WRONG,
    assert_interrupted,
    example,
    fail_once,
    interrupt,
    prepare,
    prepare_slow,
)
from harness.project import Project

# Airflow itself emits warnings.
pytestmark = [pytest.mark.orchestrated, pytest.mark.filterwarnings("ignore")]

DAG = """\
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from dbt_batch_sync.api import PushOptions
from dbt_batch_sync.orchestrators.airflow import BatchSyncOperator

with DAG("batch_sync", schedule=None) as dag:
    BatchSyncOperator(task_id="push", retry_delay=timedelta(0), {arguments})

if __name__ == "__main__":
    dag.test()
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The DAGs folder of an Airflow with a new SQLite database."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "false")
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        yield home / "dags"


@dataclass(frozen=True)
class Ended:
    """The task's final state and number of tries. `document`: its return value. `rendered`: its fields as
    shown.
    """

    state: str
    tries: int
    document: dict[str, Any] | None
    rendered: Any


def run(text: str, dags: Path) -> Ended:
    """Run this DAG and return the result of its task `push`."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    path = dags / "batch_sync.py"
    path.write_text(text, encoding="utf-8")
    task = runpy.run_path(str(path))["dag"].test().get_task_instance("push")
    rendered = RenderedTaskInstanceFields.get_templated_fields(task)
    return Ended(str(task.state), task.try_number, task.xcom_pull(task_ids="push"), rendered)


@pytest.fixture
def push(project: Project, dags: Path) -> Callable[..., Ended]:
    """Run a DAG that contains only the operator. Arguments are Python expressions."""

    def push(**arguments: str) -> Ended:
        return run(dag(project, **arguments), dags)

    return push


def dag(project: Project, **arguments: str) -> str:
    """The source of a DAG that contains only the operator. Arguments are Python expressions."""
    given = {"project_dir": f"Path({str(project.directory)!r})", **arguments}
    return DAG.format(arguments=", ".join(f"{name}={value}" for name, value in given.items()))


def test_a_successful_push(project: Project, push: Callable[..., Ended]) -> None:
    prepare(project, GOOD, GOOD)
    ended = push()
    assert ended.state == "success"
    assert ended.document is not None
    assert ended.document["status"] == "succeeded"
    assert ended.document["syncs"][0]["accepted"] == len(project.profiles()) == 2
    assert GOOD not in str(ended.document)


def test_a_partial_push_succeeds_with_a_warning(
    project: Project, push: Callable[..., Ended], capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(project, GOOD, WRONG)
    ended = push()
    assert ended.state == "success"
    assert ended.document is not None
    assert ended.document["status"] == "partial"
    (line,) = [each for each in capfd.readouterr().out.splitlines() if "people: partial" in each]
    assert "[warning" in line
    assert "0 rows and 1 attribute rejected" in line


def test_a_partial_push_can_be_a_failure(project: Project, push: Callable[..., Ended]) -> None:
    prepare(project, GOOD, WRONG)
    ended = push(fail_on_partial="True")
    assert (ended.state, ended.document) == ("failed", None)
    assert not project.push_one().requests, "accepted rows should be settled"


def test_failures_are_retried(project: Project, push: Callable[..., Ended]) -> None:
    prepare(project, GOOD)
    fail_once(project)
    ended = push(retries="2")
    assert (ended.state, ended.tries) == ("success", 2)
    assert len(project.profiles()) == 1


def test_a_guard_is_a_failure(
    project: Project, push: Callable[..., Ended], capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(project, GOOD, guards={"min_rows": 5})
    ended = push(retries="1")
    assert (ended.state, ended.tries) == ("failed", 2)
    assert "min_rows" in capfd.readouterr().out
    assert project.profiles() == {}


def test_configuration_errors_are_not_retried(
    project: Project, push: Callable[..., Ended], capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(project, GOOD)
    ended = push(retries="2", select="'nobody'")
    assert (ended.state, ended.tries) == ("failed", 1)
    assert "matches no sync" in capfd.readouterr().out


def test_templates_and_options(project: Project, push: Callable[..., Ended]) -> None:
    prepare(project, GOOD, sync="people", build=False)
    prepare(project, GOOD, GOOD, sync="others")
    ended = push(
        select='[\'{{ task.task_id | replace("push", "others") }}\']', options="PushOptions(limit=1)"
    )
    assert ended.state == "success"
    assert list(project.profiles()) == ["others-00000"]


def test_a_key_from_a_connection(
    project: Project, push: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.outputs(sandbox={"rest_api_key": "{{ env_var('BATCH_REST_API_KEY') }}"})
    prepare(project, GOOD)
    monkeypatch.setenv("AIRFLOW_CONN_BATCH", json.dumps({"conn_type": "generic", "password": "sandbox"}))
    ended = push(env="{'BATCH_REST_API_KEY': '{{ conn.batch.password }}'}")
    assert ended.state == "success"
    assert ended.rendered["env"] == {"BATCH_REST_API_KEY": "***"}
    assert len(project.profiles()) == 1


def test_a_killed_task_ends_cleanly(project: Project, dags: Path) -> None:
    path = dags / "batch_sync.py"
    path.write_text(dag(project), encoding="utf-8")
    printed = interrupt(path, project, signal.SIGTERM)
    assert "AirflowException: people: interrupted" in printed


def test_a_timeout_ends_cleanly(project: Project, push: Callable[..., Ended]) -> None:
    prepare_slow(project)
    assert push(execution_timeout="timedelta(seconds=5)").state == "failed"
    assert_interrupted(project)


def test_the_example(project: Project, dags: Path) -> None:
    prepare(project, GOOD, build=False)
    assert run(example("python airflow", project), dags).state == "success"
    assert len(project.profiles()) == 1
