"""The gate compares a sync with the artifacts of dbt's last command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dbt_batch_sync.artifacts.json_files import BuildResults, read_build_results
from dbt_batch_sync.artifacts.manifest import DataTest, read_manifest
from dbt_batch_sync.errors import ManifestError
from dbt_batch_sync.ledger.records import Event
from dbt_batch_sync.ledger.state import SyncState, state_of
from dbt_batch_sync.mapping.syncs import Sync, read_syncs
from dbt_batch_sync.push.guards import Gate

MANIFEST = Path(__file__).parents[1] / "fixtures" / "manifests" / "dbt-1.11.json"
NOW = datetime(2026, 4, 1, 12, 0, 0)
SYNC, DELTA = "model.shop.crm_contacts", "model.shop.crm_contacts_delta"
BUILT = {SYNC: "success", DELTA: "success"}
TESTED = {**BUILT, "test.shop.unique": "pass", "test.shop.invalid": "pass"}
TESTS = (
    DataTest("test.shop.unique", "unique_id", (SYNC,)),
    DataTest("test.shop.invalid", "nothing_invalid", (DELTA, "model.shop.else")),
    DataTest("test.shop.other", "other", ("model.shop.else",)),
)


def built(at: datetime = NOW) -> SyncState:
    """A delta built by the invocation d1."""
    event = Event(recorded_at=at, sync="crm_contacts", event="built", delta_id="d1")
    return state_of("crm_contacts", [event], NOW)


@pytest.fixture(scope="module")
def sync() -> Sync:
    return read_syncs(read_manifest(MANIFEST))[0]


def refusal(
    sync: Sync,
    statuses: dict[str, str] | None,
    *,
    hours: float = 1,
    max_age: timedelta | None = None,
    require_tests: bool = True,
    invocation: str = "d1",
    command: str = "build",
) -> str | None:
    results = None if statuses is None else BuildResults(command, invocation, statuses)
    state = built(NOW - timedelta(hours=hours))
    return Gate(results, TESTS, max_age).refusal(sync, state, require_tests=require_tests)


@pytest.mark.parametrize(
    "statuses",
    [
        TESTED,
        {**TESTED, "test.shop.invalid": "warn"},
        {**TESTED, "test.shop.other": "fail"},
        {**TESTED, "model.shop.else": "error"},
    ],
)
def test_built_and_tested_models_pass(sync: Sync, statuses: dict[str, str]) -> None:
    assert refusal(sync, statuses) is None


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        (None, "dbt has left no target/run_results.json"),
        ({}, "the last dbt command did not build crm_contacts"),
        ({SYNC: "success"}, "the last dbt command did not build crm_contacts_delta"),
        ({**BUILT, DELTA: "skipped"}, "crm_contacts_delta was not built: skipped"),
        ({**BUILT, SYNC: "error"}, "crm_contacts was not built: error"),
        (BUILT, "tests did not run: unique_id, nothing_invalid"),
        ({**TESTED, "test.shop.unique": "fail"}, "tests failed: unique_id (fail)"),
        ({**BUILT, "test.shop.invalid": "error"}, "tests failed: nothing_invalid (error)"),
        ({**BUILT, "test.shop.unique": "skipped"}, "tests failed: unique_id (skipped)"),
    ],
)
def test_missing_builds_and_tests_are_refused(sync: Sync, statuses: dict[str, str] | None, why: str) -> None:
    said = refusal(sync, statuses)
    assert said is not None
    assert said.startswith("`crm_contacts` was not pushed: ")
    assert why in said
    assert said.endswith("Run: dbt build --select crm_contacts crm_contacts_delta crm_contacts_sent_snapshot")


@pytest.mark.parametrize("command", ["compile", "docs generate", "test", "build"])
def test_artifacts_of_another_command(sync: Sync, command: str) -> None:
    """It only compiled the models, built them for another target, or only ran tests."""
    said = refusal(sync, TESTED, invocation="d2", command=command)
    assert said is not None
    assert f"the last dbt command (`dbt {command}`) did not build this delta" in said
    assert refusal(sync, TESTED, invocation="d2", require_tests=False) is None
    assert Gate(BuildResults("run", "", TESTED)).refusal(sync, SyncState("s", NOW), require_tests=True)


def test_many_failed_tests_are_counted(sync: Sync) -> None:
    tests = [DataTest(f"test.shop.t{n}", f"t{n}", (SYNC,)) for n in range(8)]
    statuses = {**BUILT, **{test.unique_id: "fail" for test in tests}}
    said = Gate(BuildResults("build", "d1", statuses), tests).refusal(sync, built(), require_tests=True)
    assert said is not None
    assert "t4 (fail) and 3 more" in said


@pytest.mark.parametrize(
    ("hours", "limit", "why"),
    [
        (1, timedelta(hours=2), None),
        (3.25, timedelta(hours=2), "its delta was built 3.2 h ago, and `--max-age` is 2 h"),
        (50, timedelta(minutes=30), "built 2.1 d ago, and `--max-age` is 30 min"),
        (0.01, timedelta(seconds=20), "built 36 s ago, and `--max-age` is 20 s"),
    ],
)
@pytest.mark.parametrize("require_tests", [True, False])
def test_age(sync: Sync, hours: float, limit: timedelta, why: str | None, require_tests: bool) -> None:
    said = refusal(sync, TESTED, hours=hours, max_age=limit, require_tests=require_tests)
    assert (said is None) is (why is None)
    assert why is None or why in str(said)


def test_max_age_alone_ignores_failed_tests(sync: Sync) -> None:
    statuses = {"test.shop.unique": "fail"}
    assert refusal(sync, statuses, max_age=timedelta(hours=2), require_tests=False) is None


def test_a_sync_without_its_models(sync: Sync) -> None:
    assert (
        refusal(replace(sync, delta=None, snapshot=None), {SYNC: "success", "test.shop.unique": "pass"})
        is None
    )


def test_results_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run_results.json"
    results = [
        {"unique_id": SYNC, "status": "success"},
        {"unique_id": "test.x", "status": "Fail", "failures": 3},
    ]
    document = {"metadata": {"invocation_id": "d1"}, "results": results, "elapsed_time": 1.5}
    assert read_build_results(tmp_path) is None
    path.write_text(json.dumps({**document, "args": {"which": "build"}}))
    expected = BuildResults("build", "d1", {SYNC: "success", "test.x": "fail"})
    assert read_build_results(tmp_path) == expected
    path.write_text(json.dumps(document))
    assert read_build_results(tmp_path) == replace(expected, command="?")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"metadata": 3},
        {"metadata": {"invocation_id": "d1"}, "results": 3},
        {"metadata": {"invocation_id": "d1"}, "results": [3]},
        {"metadata": {"invocation_id": "d1"}, "results": [{"unique_id": "x"}]},
    ],
)
def test_invalid_run_results_are_errors(tmp_path: Path, document: object) -> None:
    path = tmp_path / "run_results.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ManifestError) as refused:
        read_build_results(tmp_path)
    assert "run `dbt build` again" in str(refused.value)
