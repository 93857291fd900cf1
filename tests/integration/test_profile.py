"""`profile`: what it shows of one customer before and after dbt has merged a push."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from harness.faults import Fault, FaultKind
from harness.project import PEOPLE, Project

from dbt_batch_sync import api

COLUMNS = {"id": "varchar", "name": "varchar", "email": "varchar", "points": "bigint"}
SECRET = "Margarethe Zimmermann"


@pytest.fixture
def shop(project: Project) -> Project:
    """Two customers in Batch; `b` has an invalid e-mail address."""
    project.map(
        {
            "identifier": "id",
            "standard": {"email_address": "email"},
            "custom": ["name", "points"],
            "on_exit": "clear",
        }
    )
    project.set_rows(
        COLUMNS,
        [
            {"id": "a", "name": SECRET, "email": "a@shop.example", "points": 10},
            {"id": "b", "name": None, "email": "nowhere", "points": None},
        ],
    )
    assert project.sync().status == "partial"
    return project


def told(project: Project, custom_id: str) -> dict[str, Any]:
    done = project.call("profile", custom_id, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["key"] == custom_id
    (sync,) = document["syncs"]
    assert sync.pop("sync") == PEOPLE
    return dict(sync)


@pytest.mark.parametrize("merged", [False, True])
def test_a_synced_profile(shop: Project, merged: bool) -> None:
    if merged:
        shop.build()
    found = told(shop, "a")
    assert found.pop("sent_at").endswith("Z")
    (run,) = shop.query("from batch_sync_runs")
    assert found.pop("run_id") == run["run_id"]
    assert found == {
        "kind": "profiles",
        "exited_at": None,
        "attributes": {"batch__email_address": "a•••••••• (14)", "name": "M•••••••• (21)", "points": "10"},
        "in_doubt": [],
        "pending": None,
        "rejects": [],
        "erasures": [],
        "events": [],
    }


def test_queued_and_rejected_values(shop: Project) -> None:
    shop.set_rows(COLUMNS, [{"id": "b", "name": "Bo Li", "email": "nowhere", "points": 7}])
    shop.build()
    found = told(shop, "b")
    assert found["pending"] == {
        "change": "update",
        "reason": None,
        "attributes": [
            {"attribute": "name", "old": "null", "new": "B••••"},
            {"attribute": "points", "old": "null", "new": "7"},
        ],
    }
    (rejection,) = found["rejects"]
    assert (rejection["attribute"], rejection["rejected_by"]) == ("batch__email_address", "validation")
    assert rejection["resolved_at"] is None
    assert found["attributes"] == {}, "the rejected address should not be shown as accepted"
    text = shop.call("profile", "b").stdout
    assert "queued for the next push: update" in text
    assert re.search(r"\b(?<!_)email_address +invalid_email \(validation, ", text)
    assert re.search(r"name +B••••", text)
    left = told(shop, "a")
    assert left["pending"]["change"] == "exit"
    shop.push(force=True)
    assert told(shop, "a")["exited_at"] is not None
    assert told(shop, "a")["pending"] is None


def test_an_unknown_profile(shop: Project) -> None:
    for arguments in ((), ("--json",)):
        done = shop.call("profile", "nobody", *arguments)
        assert done.returncode == 1
        assert "No selected sync knows nobody" in done.stderr


def test_before_the_first_push(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["points"]})
    project.set_rows({"id": "varchar", "points": "bigint"}, [{"id": "a", "points": 1}])
    project.build()
    found = told(project, "a")
    assert (found["sent_at"], found["pending"]["change"]) == (None, "insert")


def test_a_row_that_batch_rejects(shop: Project) -> None:
    shop.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",))])
    shop.set_rows(COLUMNS, [{"id": "a", "name": "Greta", "email": "a@shop.example", "points": 10}])
    shop.sync()
    shop.sandbox.faults.set([])
    found = told(shop, "a")
    assert found["attributes"]["name"] == "M•••••••• (21)", "the value should be unchanged"
    assert [(each["attribute"], each["rejected_by"]) for each in found["rejects"]] == [(None, "batch")]
    shop.build()
    assert told(shop, "a")["pending"] == {"change": "invalid", "reason": "parked", "attributes": []}
    assert "parked: rejected as a whole" in shop.call("profile", "a").stdout


def test_values_are_masked(shop: Project) -> None:
    shop.set_rows(COLUMNS, [{"id": "a", "name": SECRET + "!", "email": "b@shop.example", "points": 5}])
    shop.build()
    for arguments in ((), ("--json",)):
        said = shop.call("profile", "a", *arguments)
        for value in (SECRET, "Zimmermann", "shop.example"):
            assert value not in said.stdout + said.stderr
    assert SECRET in shop.call("profile", "a", "--show-values").stdout


def test_from_python(shop: Project) -> None:
    result = api.profile(shop.options(), "a")
    assert [sync.sync for sync in result.syncs] == [PEOPLE]
