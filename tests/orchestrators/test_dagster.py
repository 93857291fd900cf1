"""Dagster in this process: the assets in real materializations, together with those of dagster-dbt."""

from __future__ import annotations

import json
import runpy
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.markdown import codes, read
from harness.orchestrated import DOCS, GOOD, WRONG, example, fail_once, interrupt, prepare
from harness.project import PEOPLE, Project

from dbt_batch_sync.errors import ConfigurationError

# Dagster itself emits warnings.
pytestmark = [pytest.mark.orchestrated, pytest.mark.filterwarnings("ignore")]

OTHERS = "others"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate Dagster instance without telemetry."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))


def assets(project: Project, **arguments: Any) -> Any:
    """The assets of the project's syncs."""
    from dbt_batch_sync.orchestrators.dagster import batch_sync_assets

    return batch_sync_assets(project_dir=project.directory, **arguments)


def materialize(project: Project, *, selection: Sequence[str] | None = None, **arguments: Any) -> Any:
    """Materialize the assets and return the result."""
    from dagster import materialize

    return materialize([assets(project, **arguments)], selection=selection, raise_on_error=False)


def counts(outcome: Any) -> Mapping[str, Mapping[str, Any]]:
    """The metadata of materialized assets, by asset."""
    found = [
        event.step_materialization_data.materialization
        for event in outcome.get_asset_materialization_events()
    ]
    return {
        each.asset_key.to_user_string(): {name: value.value for name, value in each.metadata.items()}
        for each in found
    }


def tries(outcome: Any) -> int:
    """How often the push was started."""
    return sum(event.event_type_value in ("STEP_START", "STEP_RESTARTED") for event in outcome.all_events)


def failure(outcome: Any) -> str:
    """The error of the failed step."""
    (event,) = outcome.get_step_failure_events()
    return str(event.step_failure_data.user_failure_data.description)


def test_a_successful_push(project: Project) -> None:
    prepare(project, GOOD, GOOD)
    outcome = materialize(project)
    assert outcome.success
    ((asset, metadata),) = counts(outcome).items()
    assert asset == "batch/people"
    assert metadata["status"] == "succeeded"
    assert metadata["accepted"] == metadata["inserts"] == len(project.profiles()) == 2
    assert GOOD not in str(metadata)


def test_a_partial_push_materializes_with_a_warning(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(project, GOOD, WRONG)
    outcome = materialize(project)
    assert outcome.success
    assert counts(outcome)["batch/people"]["rejected_attributes"] == 1
    (line,) = [each for each in capfd.readouterr().err.splitlines() if "people: partial" in each]
    assert "WARNING" in line
    assert "0 rows and 1 attribute rejected" in line


def test_a_partial_push_can_be_a_failure(project: Project) -> None:
    prepare(project, GOOD, WRONG, build=False)
    prepare(project, GOOD, sync=OTHERS)
    outcome = materialize(project, fail_on_partial=True)
    assert not outcome.success
    assert "people: partial" in failure(outcome)
    assert list(counts(outcome)) == ["batch/others"]


def test_failures_are_retried(project: Project) -> None:
    from dagster import RetryPolicy

    prepare(project, GOOD)
    fail_once(project)
    outcome = materialize(project, retry_policy=RetryPolicy(max_retries=2))
    assert outcome.success
    assert tries(outcome) == 2
    assert len(project.profiles()) == 1


def test_one_sync_fails_and_the_others_are_materialized(project: Project) -> None:
    prepare(project, GOOD, guards={"min_rows": 5}, build=False)
    prepare(project, GOOD, sync=OTHERS)
    outcome = materialize(project)
    assert "min_rows" in failure(outcome)
    assert list(counts(outcome)) == ["batch/others"]
    assert list(project.profiles()) == ["others-00000"]


def test_configuration_errors_are_not_retried(project: Project) -> None:
    from dagster import RetryPolicy

    prepare(project, GOOD)
    outcome = materialize(project, target="nowhere", retry_policy=RetryPolicy(max_retries=2))
    assert "nowhere" in failure(outcome)
    assert tries(outcome) == 1


def test_a_run_pushes_only_the_selected_assets(project: Project) -> None:
    prepare(project, GOOD, build=False)
    prepare(project, GOOD, sync=OTHERS)
    outcome = materialize(project, selection=["batch/others"])
    assert list(counts(outcome)) == ["batch/others"]
    assert list(project.profiles()) == ["others-00000"]


def test_asset_names(project: Project) -> None:
    prepare(project, GOOD, build=False)
    prepare(project, GOOD, sync=OTHERS)
    definition = assets(
        project, select=PEOPLE, key_prefix=["crm", "profiles"], group_name="sync", name="sync"
    )
    (spec,) = definition.specs
    assert spec.key.path == ["crm", "profiles", "people"]
    assert spec.group_name == "sync"
    assert definition.op.name == "sync"


def test_assets_of_another_kind(project: Project) -> None:
    project.map({"kind": "audience", "identifier": "id", "audience": "vips"})
    project.set_rows({"id": "varchar"}, [{"id": "a"}])
    project.build()
    (spec,) = assets(project).specs
    assert spec.description == "The members of the sync people in Batch."
    ((_, metadata),) = counts(materialize(project)).items()
    assert (metadata["kind"], metadata["endpoint"], metadata["accepted"]) == (
        *("audience", "audiences/update", 1),
    )


def test_a_sync_without_a_delta(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["points"]}, models=())
    project.dbt("parse")
    with pytest.raises(ConfigurationError, match="has no model `people_delta`"):
        assets(project)


MODELS = {
    "plain": "",
    "schema": "{{ config(schema='marts') }}",
    "meta": "{{ config(meta={'dagster': {'asset_key': ['a', 'key']}}) }}",
}


@pytest.mark.parametrize("config", MODELS.values(), ids=list(MODELS))
def test_the_delta_has_the_asset_key_of_dagster_dbt(project: Project, config: str) -> None:
    from dagster_dbt import DagsterDbtTranslator, dbt_assets

    prepare(project, GOOD, build=False)
    delta = project.directory / "models" / "people_delta.sql"
    delta.write_text(config + delta.read_text(encoding="utf-8"), encoding="utf-8")
    project.dbt("parse")

    class Prefixed(DagsterDbtTranslator):
        def get_asset_spec(self, manifest: Any, unique_id: str, project: Any) -> Any:
            spec = super().get_asset_spec(manifest, unique_id, project)
            return spec.replace_attributes(key=spec.key.with_prefix("dbt"))

    # Parsed here, because dagster-dbt caches manifests by path.
    manifest = json.loads((project.directory / "target" / "manifest.json").read_text(encoding="utf-8"))
    for translator in (None, Prefixed()):

        @dbt_assets(
            manifest=manifest,
            select="people_delta",
            dagster_dbt_translator=translator,
        )
        def models() -> None: ...

        (spec,) = assets(project, translator=translator).specs
        assert {dep.asset_key for dep in spec.deps} == models.keys


def test_an_interrupted_run_ends_cleanly(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from dagster import materialize\n"
        "from dbt_batch_sync.orchestrators.dagster import batch_sync_assets\n"
        f"materialize([batch_sync_assets(project_dir={str(project.directory)!r})])\n",
        encoding="utf-8",
    )
    printed = interrupt(script, project, signal.SIGINT)
    assert "DagsterExecutionInterruptedError" in printed


def run_example(text: str, directory: Path) -> Any:
    """Materialize all assets of these definitions and return the result."""
    path = directory / "definitions.py"
    path.write_text(text, encoding="utf-8")
    job = runpy.run_path(str(path))["defs"].resolve_implicit_global_asset_job_def()
    return job.execute_in_process(raise_on_error=False)


def test_the_example(project: Project, tmp_path: Path) -> None:
    prepare(project, GOOD, build=False)
    project.dbt("parse")
    outcome = run_example(example("python dagster", project), tmp_path)
    assert outcome.success
    order = list(counts(outcome))
    assert order.index("people_delta") < order.index("batch/people")
    assert len(project.profiles()) == 1


@pytest.mark.parametrize("named", [False, True])
def test_the_example_with_require_tests(project: Project, tmp_path: Path, named: bool) -> None:
    """The docs name the directory that dbt must write to."""
    prepare(project, GOOD, build=False)
    project.dbt("parse")
    (project.directory / "target" / "run_results.json").unlink(missing_ok=True)
    gated = (
        example("python dagster", project)
        .replace("batch_sync_assets(", "batch_sync_assets(options=api.PushOptions(require_tests=True),")
        .replace("retry_policy=RetryPolicy(max_retries=2, delay=300),", "")
    )
    (call,) = [each for each in codes(read(DOCS).section("Dagster").prose) if "target_path" in each]
    written = gated.replace('dbt.cli(["build"], context=context)', call) if named else gated
    outcome = run_example(f"from dbt_batch_sync import api\n{written}", tmp_path)
    assert outcome.success is named
    assert len(project.profiles()) == named
    if not named:
        assert "was not pushed" in failure(outcome)
