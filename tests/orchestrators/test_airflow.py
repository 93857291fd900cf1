"""Airflow, with a metadata database of its own: the operator in runs of real DAGs."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.orchestrated import CALL, GOOD, WRONG, example, prepare
from harness.project import Project

from dbt_batch_sync.sandbox.server import Fault, FaultKind, When

# Airflow warns of its own accord.
pytestmark = [pytest.mark.orchestrated, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow's home, with an empty folder of DAGs and a database in SQLite."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(home / "dags"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "false")
        patch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "false")
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        yield


def push(project: Project, **arguments: Any) -> Any:
    """The task instance of the operator, after a run of a DAG with it."""
    from airflow.sdk import DAG

    from dbt_batch_sync.hooks.airflow import BatchSyncOperator

    with DAG("batch_sync", schedule=None) as dag:
        BatchSyncOperator(task_id="push", **{"project_dir": str(project.directory), **arguments})
    return dag.test().get_task_instance("push")


def test_everything_is_accepted(project: Project) -> None:
    prepare(project, GOOD, GOOD)
    task = push(project)
    assert task.state == "success"
    document = task.xcom_pull(task_ids="push")
    assert document["status"] == "succeeded"
    assert document["segments"][0]["accepted"] == len(project.profiles()) == 2
    assert GOOD not in str(document)
