"""Prefect with its own server: the task in real flows."""

from __future__ import annotations

import logging
import runpy
import signal
from collections.abc import Iterator
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

from dbt_batch_sync.errors import ConfigurationError

# Prefect itself emits warnings.
pytestmark = [pytest.mark.orchestrated, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server with its own database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("DO_NOT_TRACK", "1")
        from prefect import flow
        from prefect.settings import PREFECT_API_URL
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            # The first run reconfigures the loggers, which removes pytest's handlers.
            flow(lambda: None, name="first")()
            # Subprocesses must not start their own servers, which would outlive them when terminated.
            patch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
            yield


def push(project: Project, *, retries: int = 0, **arguments: Any) -> tuple[Any, int]:
    """The final state of a flow that pushes, and the number of task runs."""
    from prefect import flow, get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    from dbt_batch_sync.orchestrators.prefect import push_syncs

    @flow
    def batch_sync() -> Any:
        return push_syncs.with_options(retries=retries)(project.directory, **arguments)

    state = batch_sync(return_state=True)
    with get_client(sync_client=True) as client:
        run = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
        )[0]
    return state, run.run_count


def test_a_successful_push(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    prepare(project, GOOD, GOOD)
    state, _ = push(project)
    assert state.is_completed()
    assert state.result().to_json()["status"] == "succeeded"
    assert state.result().syncs[0].accepted == len(project.profiles()) == 2
    assert "people: succeeded: 2 inserts, 0 updates, 0 exits; 2 of 2 profiles accepted" in caplog.text


def test_a_partial_push_completes_with_a_warning(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    prepare(project, GOOD, WRONG)
    state, _ = push(project)
    assert state.is_completed()
    assert state.result().status == "partial"
    (record,) = [each for each in caplog.records if "people: partial" in each.getMessage()]
    assert record.levelno == logging.WARNING
    assert "0 rows and 1 attribute rejected" in record.getMessage()


def test_a_partial_push_can_be_a_failure(project: Project) -> None:
    prepare(project, GOOD, WRONG)
    state, _ = push(project, fail_on_partial=True)
    assert state.is_failed()
    assert "people: partial" in state.message
    assert len(project.profiles()) == 1


def test_failures_are_retried(project: Project) -> None:
    prepare(project, GOOD)
    fail_once(project)
    state, runs = push(project, retries=2)
    assert state.is_completed()
    assert runs == 2
    assert len(project.profiles()) == 1


def test_a_guard_is_a_failure(project: Project) -> None:
    prepare(project, GOOD, guards={"min_rows": 5})
    state, _ = push(project)
    assert state.is_failed()
    assert "people: failed" in state.message
    assert "min_rows" in state.message
    assert project.profiles() == {}


def test_configuration_errors_are_not_retried(project: Project) -> None:
    prepare(project, GOOD)
    state, runs = push(project, retries=2, select="nobody")
    assert runs == 1
    with pytest.raises(ConfigurationError, match="matches no sync"):
        state.result()


def test_the_example(project: Project, tmp_path: Path) -> None:
    prepare(project, GOOD, build=False)
    path = tmp_path / "batch_sync.py"
    path.write_text(example("python prefect", project), encoding="utf-8")
    runpy.run_path(str(path), run_name="__main__")
    assert len(project.profiles()) == 1


def test_a_key_from_a_block(project: Project) -> None:
    from prefect.blocks.system import Secret

    project.outputs(sandbox={"rest_api_key": "{{ env_var('BATCH_REST_API_KEY') }}"})
    prepare(project, GOOD)
    Secret(value="sandbox").save("batch-key")
    state, _ = push(project, env={"BATCH_REST_API_KEY": Secret.load("batch-key").get()})
    assert state.is_completed()
    assert len(project.profiles()) == 1


def test_a_terminated_flow_ends_cleanly(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from prefect import flow\n"
        "from dbt_batch_sync.orchestrators.prefect import push_syncs\n"
        f"flow(lambda: push_syncs({str(project.directory)!r}), name='push')()\n",
        encoding="utf-8",
    )
    printed = interrupt(script, project, signal.SIGTERM)
    assert "Finished in state Crashed" in printed


@pytest.mark.parametrize("submitted", [False, True])
def test_a_timeout_ends_cleanly(project: Project, submitted: bool) -> None:
    """Prefect raises the timeout in the main thread, or in the thread of a submitted task."""
    from prefect import flow

    from dbt_batch_sync.orchestrators.prefect import push_syncs

    prepare_slow(project)
    push = push_syncs.with_options(timeout_seconds=5)

    @flow
    def batch_sync() -> Any:
        return push.submit(project.directory).result() if submitted else push(project.directory)

    state = batch_sync(return_state=True)
    assert state.is_failed()
    assert "timeout" in state.message
    assert_interrupted(project)
