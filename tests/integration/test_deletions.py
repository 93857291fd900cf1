"""Deletions: the requests to Batch, their guards, and consistency with the other syncs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from harness.databases import PostgresDatabase
from harness.faults import Fault, FaultKind, When
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import ON_DUCKDB, SOONER_ON_DUCKDB
from harness.project import Project
from harness.quick import QuickProject

from dbt_batch_sync import api

ERASE: dict[str, object] = {
    "kind": "deletions",
    "identifier": "id",
    "requested_at": "requested_at",
    "confirm": "erase",
}
COLUMNS = {"id": "varchar", "requested_at": "timestamp"}
OUTPUT: dict[str, object] = {"only_from": ["dev"], "app_keys": ["sandbox_app"]}
FIRST, LATER = "2026-03-01 10:00:00", "2026-05-01 10:00:00"


@pytest.fixture(scope="module")
def shared(
    either: PostgresDatabase | None, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    return QuickProject(tmp_path_factory.mktemp("deletions"), batch, either)


@pytest.fixture
def shop(shared: QuickProject, request: pytest.FixtureRequest) -> Iterator[QuickProject]:
    """A sync of deletions, still without requests."""
    shared.clear()
    shared.outputs(sandbox=OUTPUT)
    shared.map(ERASE)
    ask(shared)
    yield shared
    marker = request.node.get_closest_marker("forbidden")
    stats = shared.sandbox.stats
    assert set(stats.violations) == set(marker.args if marker else ()), stats.examples


def ask(project: Project, **people: str | None) -> None:
    """Set the model's rows: people and when they asked to be erased."""
    rows = [{"id": name, "requested_at": at} for name, at in people.items()]
    project.set_rows(COLUMNS, rows)


def asked(project: Project) -> list[str]:
    """The ids of all erasure requests sent."""
    return [each.custom_id for each in project.sandbox.deletions]


def test_each_request_is_sent_once(shop: QuickProject) -> None:
    ask(shop, a=FIRST, b=FIRST)
    pushed = shop.sync()
    assert (pushed.status, pushed.accepted, pushed.requests) == ("succeeded", 2, 2), pushed.error
    assert sorted(asked(shop)) == ["a", "b"]
    for _ in range(2):
        assert shop.sync().sent == 0
    ask(shop, b=FIRST)
    assert shop.sync().sent == 0
    ask(shop, a=FIRST, b=FIRST)
    assert shop.sync().sent == 0, "a request was sent again after the row left and returned"
    ask(shop, a=LATER, b="2026-01-01 00:00:00")
    assert shop.sync().sent == 1, "only a later request should be sent"
    assert sorted(asked(shop)) == ["a", "a", "b"]
    ask(shop, a=FIRST)
    assert shop.sync().sent == 0


@ON_DUCKDB
def test_a_request_in_doubt_is_repeated_even_if_its_time_went_back(shop: QuickProject) -> None:
    ask(shop, a=FIRST)
    shop.sync()
    ask(shop, a=LATER)
    shop.build()
    shop.execute(
        "insert into batch_sync_journal (recorded_at, sync, event, run_id, delta_id, page) select recorded_at, sync, "
        "'intent', 'dead', delta_id, page from batch_sync_journal where event = 'built' "
        "order by recorded_at desc limit 1"
    )
    ask(shop, a=FIRST)
    shop.build()
    assert shop.changes() == {"a": ("update", "requested_at")}


def test_without_requested_at_each_person_is_sent_once(shop: QuickProject) -> None:
    shop.map({key: value for key, value in ERASE.items() if key != "requested_at"})
    shop.set_rows({"id": "varchar"}, [{"id": "a"}])
    assert shop.sync().accepted == 1
    shop.set_rows({"id": "varchar"}, [])
    shop.sync()
    shop.set_rows({"id": "varchar"}, [{"id": "a"}, {"id": "b"}])
    assert shop.sync().accepted == 1
    shop.map(ERASE)
    ask(shop, a=FIRST, b=FIRST)
    assert shop.sync().sent == 0, "requests from before the last one sent should count as done"
    ask(shop, a="2999-01-01 00:00:00", b=FIRST)
    assert shop.sync().accepted == 1
    assert asked(shop) == ["a", "b", "a"]


def test_a_request_without_a_time_or_a_usable_id_is_invalid(shop: QuickProject) -> None:
    ask(shop, a=None, b=FIRST, null=FIRST)
    pushed = shop.sync()
    assert (pushed.status, pushed.accepted, pushed.invalid) == ("partial", 1, 2)
    assert shop.changes()["a"] == ("invalid", "null_requested_at")
    assert shop.changes()["null"] == ("invalid", "reserved_identifier")


@SOONER_ON_DUCKDB
def test_rejected_requests_are_retried_by_every_push(shop: QuickProject) -> None:
    ask(shop, a=FIRST, b=FIRST)
    shop.sandbox.change(reject_ids=frozenset({"a"}))
    for _ in range(2):
        pushed = shop.sync()
        assert (pushed.status, pushed.rejected_rows, pushed.parked) == ("partial", 1, 0)
    shop.sandbox.change(reject_ids=frozenset())
    assert shop.sync().accepted == 1
    assert sorted(asked(shop)) == ["a", "b"]
    shop.build()
    assert not shop.rejects()


@ON_DUCKDB
def test_an_unknown_rate_limit(shop: QuickProject) -> None:
    """Batch documents none. Requests above one are sent again."""
    ask(shop, a=FIRST, b=FIRST)
    with shop.sandbox.changed(rate_limits=True, deletions_per_second=1.0):
        pushed = shop.sync()
    assert (pushed.status, pushed.accepted, pushed.retries) == ("succeeded", 2, 1), pushed.error
    assert sorted(asked(shop)) == ["a", "b"]


@SOONER_ON_DUCKDB
@pytest.mark.forbidden("wrong_project")
def test_every_app_gets_the_request(shop: QuickProject) -> None:
    """A person is done once every app has accepted the request."""
    shop.sandbox.change(app_keys=frozenset({"one", "two"}))
    shop.outputs(sandbox={**OUTPUT, "app_keys": ["one", "two"]})
    try:
        ask(shop, a=FIRST, b=FIRST)
        pushed = shop.sync()
        assert (pushed.accepted, pushed.requests) == (2, 4), pushed.error
        assert asked(shop) == ["a", "a", "b", "b"]
        rows = shop.query(
            "select event, endpoint from batch_sync_journal where key = 'a' and event = 'pending'"
        )
        assert len({row["endpoint"] for row in rows}) == 2
        shop.sandbox.change(app_keys=frozenset({"one"}))
        ask(shop, c=FIRST)
        pushed = shop.sync()
        assert (pushed.status, pushed.accepted) == ("failed", 0)
        rows = shop.query(
            "select event, endpoint from batch_sync_journal where key = 'c' and event = 'pending'"
        )
        assert len(rows) == 1, "the request that an app accepted should be tracked"
        shop.sandbox.change(app_keys=frozenset({"one", "two"}))
        assert shop.sync().accepted == 1
        before = len(asked(shop))
        ask(shop, d=FIRST)
        shop.build()
        shop.sandbox.faults.set([Fault(FaultKind.STATUS, When(nth=(2,)), status=503)])
        pushed = shop.push_one()
        assert (pushed.accepted, pushed.retries) == (1, 1), pushed.error
        assert asked(shop)[before:] == ["d", "d"], "a retry should ask only the app that did not accept"
        shop.outputs(sandbox={**OUTPUT, "app_keys": ["one"]})
        (status,) = api.status(shop.options(), wait=True).syncs
        assert "pending for an app whose key is no longer in the output's `app_keys`" in str(status.note)
    finally:
        shop.sandbox.faults.clear()
        shop.sandbox.change(app_keys=frozenset({"sandbox_app"}))


MANY: dict[str, str | None] = {f"p{number}": FIRST for number in range(101)}


def refused(shop: QuickProject, *words: str, **options: object) -> None:
    pushed = shop.push_one(**options)
    assert (pushed.status, pushed.requests) == ("failed", 0)
    assert [word for word in words if word not in str(pushed.error)] == []
    assert not asked(shop)


@SOONER_ON_DUCKDB
def test_max_rows_can_not_be_forced(shop: QuickProject) -> None:
    ask(shop, **MANY)
    shop.build()
    refused(shop, "101 people", "`max_rows` is 100")
    refused(shop, "101 people", "`max_rows` is 100", force=True)
    refused(shop, "101 people", force=True, limit=50)
    assert shop.call("push", "--force", "--limit", "1").returncode == 1
    assert not asked(shop)
    shop.map({**ERASE, "guards": {"max_rows": 101}})
    assert shop.push_one().accepted == 101


@ON_DUCKDB
def test_a_limit_and_another_target_are_refused(shop: QuickProject) -> None:
    ask(shop, a=FIRST, b=FIRST)
    shop.build()
    refused(shop, "--limit", limit=1)
    refused(shop, "target `dev`", "target of this command is `prod`", target="prod", force=True)


@ON_DUCKDB
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"app_keys": ["sandbox_app"]}, ["`only_from`"]),
        ({"only_from": ["dev"]}, ["`app_keys`"]),
        ({}, ["`only_from`", "`app_keys`"]),
        ({**OUTPUT, "only_from": ["prod"]}, ["prod", "target `dev`"]),
    ],
)
def test_the_output_must_name_targets_and_apps(
    shop: QuickProject, output: dict[str, object], words: list[str]
) -> None:
    shop.outputs(sandbox=output)
    ask(shop, a=FIRST)
    shop.build()
    refused(shop, *words, force=True)
    assert [word for word in words if word not in shop.call("plan").stdout] == []


@ON_DUCKDB
def test_another_model_of_deletions_for_the_output(shop: QuickProject) -> None:
    """Not even if only one of them is selected, or with --force."""
    ask(shop, a=FIRST)
    shop.build()
    path = shop.directory / "target" / "manifest.json"
    before = path.read_text()
    manifest = json.loads(before)
    named = {"name": "others", "unique_id": "model.shop.others", "fqn": ["shop", "others"]}
    other = {**manifest["nodes"]["model.shop.people"], **named}
    manifest["nodes"]["model.shop.others"] = other
    path.write_text(json.dumps(manifest))
    try:
        for verb in (("push", "--force"), ("push",), ("adopt", "--yes")):
            done = shop.call(*verb, "--select", "people")
            assert done.returncode == 2
            said = " ".join(done.stderr.split())
            assert "`people` and `others` both erase people through the output `sandbox`" in said
    finally:
        path.write_text(before)
    assert not asked(shop)
    assert shop.push_one().accepted == 1


def test_a_model_with_another_column_is_not_built(shop: QuickProject) -> None:
    """The model is a `select *`, so only the warehouse knows its columns."""
    shop.set_rows({**COLUMNS, "email": "varchar"}, [{"id": "a", "requested_at": FIRST, "email": "x"}])
    with pytest.raises(Exception, match=r"columns that are not mapped \(email\)"):
        shop.build()
    with pytest.raises(Exception, match="built"):
        shop.push_one(force=True)
    assert not asked(shop)


@SOONER_ON_DUCKDB
def test_a_resend_is_refused(shop: QuickProject) -> None:
    ask(shop, a=FIRST)
    shop.sync()
    for scope in ("--all", "--rejected"):
        done = shop.call("resend", scope)
        assert done.returncode == 2
        assert "erases people" in done.stderr
    shop.build()
    assert shop.push_one().sent == 0


@ON_DUCKDB
def test_wait_polls_until_batch_is_done(shop: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_batch_sync.push.erasing.LOOK_AGAIN_SECONDS", 0.05)
    shop.sandbox.change(deletion_delay=0.5)
    try:
        ask(shop, a=FIRST)
        shop.sync()
        before = shop.call("status")
        assert "erasure of 1 person: 0 done, 1 pending" in before.stdout
        after = shop.call("status", "--wait")
        assert "erasure of 1 person: 1 done" in after.stdout, after.stderr
        assert "pending" not in after.stdout
        told = shop.call("profile", "a").stdout
        assert "erasure requested" in told
        assert "(user not found)" in told
        assert "  Attribute     Requested\n  requested_at  2026-03-01 10:00:00\n" in told
    finally:
        shop.sandbox.change(deletion_delay=0.0)


@ON_DUCKDB
@pytest.mark.parametrize("name", ["token", "request_token", "id"])
def test_accepted_names_of_the_token(shop: QuickProject, name: str) -> None:
    with shop.sandbox.changed(deletion_token=name):
        ask(shop, a=FIRST)
        shop.sync()
        assert "1 done" in shop.call("status", "--wait").stdout


@ON_DUCKDB
@pytest.mark.forbidden("wrong_project")
def test_app_keys_are_never_shown(shop: QuickProject, caplog: pytest.LogCaptureFixture) -> None:
    """Not even with debug logging or when a request fails."""
    key = "appkeyQWXZ9931"
    caplog.set_level(0)
    shop.sandbox.change(app_keys=frozenset({key}))
    shop.outputs(sandbox={**OUTPUT, "app_keys": [key], "max_attempts": 1})
    try:
        ask(shop, a=FIRST)
        told = []
        shop.build()
        for verb in (
            ("plan",),
            ("push", "--json"),
            ("status", "--wait"),
            ("profile", "a"),
            ("status", "--json"),
        ):
            done = shop.call(*verb)
            told.append(done.stdout + done.stderr)
        assert asked(shop) == ["a"]
        shop.call("report", "--out", "report.html")
        told.append((shop.directory / "report.html").read_text())
        shop.sandbox.change(app_keys=frozenset({"another"}))
        ask(shop, b=FIRST)
        shop.build()
        failed = shop.call("push")
        assert failed.returncode == 1
        told.append(failed.stdout + failed.stderr)
        for table in ("batch_sync_journal", "batch_sync_runs", "batch_sync_rejects"):
            told.append(repr(shop.query(f"from {table}")))
        told.append(caplog.text)
        assert "gdpr/request" in caplog.text, "the log should not be empty"
        import requests

        told.append(requests.get(shop.sandbox.url, timeout=10).text)
        assert [text for text in told if key in text] == []
    finally:
        shop.sandbox.change(app_keys=frozenset({"sandbox_app"}))
