"""Events: which rows are sent, that they are sent once, and what happens to the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from dbt.exceptions import DbtRuntimeError
from harness.databases import Database, DuckDbFile, PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results.sync import SyncPushed

COLUMNS = {
    "id": "text", "customer": "text", "name": "text", "at": "timestamp", "amount": "double precision", "lines": "json",
    "channel": "text", "number": "bigint",
}  # fmt: skip
MAPPING: dict[str, Any] = {
    "kind": "events", "identifier": "customer", "event_id": "id", "name": "name", "time": "at", "label": "channel",
    "attributes": ["amount", {"column": "lines", "name": "items"}, "number"],
}  # fmt: skip
EVERYWHERE = pytest.mark.parametrize("parsed", ["duckdb", "postgres"], indirect=True)
MINUTES = 60


@pytest.fixture(scope="module")
def parsed(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    kind = getattr(request, "param", "duckdb")
    directory = tmp_path_factory.mktemp(f"events-{kind}")
    database: Database = DuckDbFile(directory / "shop.duckdb")
    if kind == "postgres":
        database = PostgresDatabase(request.getfixturevalue("postgres"))
    return QuickProject(directory, batch, database, mapping=MAPPING)


@pytest.fixture
def project(parsed: QuickProject) -> Iterator[QuickProject]:
    parsed.clear()
    parsed.map(MAPPING)
    yield parsed
    assert not parsed.sandbox.stats.violations, parsed.sandbox.stats.examples


def event(
    key: str | None, customer: str | None = "ann", *, ago: float = MINUTES, **cells: object
) -> dict[str, object]:
    at = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=ago)
    return {"id": key, "customer": customer, "name": "bought", "at": at, "amount": 1.5, **cells}


def build(project: QuickProject, rows: Iterable[Mapping[str, object]]) -> None:
    project.set_rows(COLUMNS, list(rows))
    project.build()


def started(project: QuickProject, rows: Iterable[Mapping[str, object]] = ()) -> None:
    """Build the rows and adopt them."""
    build(project, rows)
    (adopted,) = api.adopt(project.options()).syncs
    assert adopted.error is None


def reasons(project: QuickProject) -> dict[str | None, str | None]:
    return {
        row["event_id"]: row["_batch_reason"] if row["_batch_change"] == "invalid" else "sent"
        for row in project.delta()
    }


def push(project: QuickProject, **options: Any) -> SyncPushed:
    pushed = project.push_one(**options)
    assert pushed.error is None, pushed.error
    return pushed


def arrived(project: QuickProject) -> list[tuple[str, str, dict[str, Any]]]:
    return [(each.custom_id, each.event.name, each.event.attributes) for each in project.sandbox.events.last]


@EVERYWHERE
def test_events_of_the_last_day_are_sent_once_and_others_have_a_reason(project: QuickProject) -> None:
    started(project)
    day = 24 * 3600
    late = event("late", ago=day - 4 * MINUTES)
    rows = [
        event("new", lines='{"sku": "a"}', channel="web"), event("old", ago=day + 3600), late,
        event(None), event(None, ago=day - 4 * MINUTES), event("twice"), event("twice"), event("shared"), event("shared", "bob"), event("future", ago=-3600),
        event("nobody", None), event("recent", "bob", ago=day - 6 * MINUTES),
    ]  # fmt: skip
    build(project, rows)
    assert reasons(project) == {
        "new": "sent", "recent": "sent", "late": "too_old", None: "null_event_id", "twice": "duplicate_event_id",
        "shared": "event_id_of_two_profiles", "nobody": "null_identifier",
    }  # fmt: skip
    pushed = push(project)
    assert (pushed.status, pushed.inserts, pushed.sent, pushed.accepted, pushed.invalid) == (
        "partial",
        2,
        2,
        2,
        7,
    )
    assert arrived(project) == [
        ("ann", "bought", {"$label": "web", "amount": 1.5, "items": {"sku": "a"}}),
        ("bob", "bought", {"amount": 1.5}),
    ]
    build(project, [*rows, event("new"), event("recent", "eve")])
    found = reasons(project)
    assert found["recent"] == "event_id_of_two_profiles"
    assert "late" not in found
    assert "new" not in found, "an event that was sent must not be sent again"
    assert push(project).sent == 0


@EVERYWHERE
def test_events_of_erased_people_are_held_back(project: QuickProject) -> None:
    started(project)
    build(project, [event("a"), event("b", "bob")])
    push(project)
    project.execute(
        "insert into batch_sync_journal (recorded_at, sync, event, key, project_hash) select max(recorded_at), "
        "'erasures', 'asked', 'ann', max(project_hash) from batch_sync_journal"
    )
    build(project, [event("c"), event("d", "bob"), event("c2", name="viewed")])
    assert reasons(project) == {"c": "erased", "d": "sent", "c2": "erased"}
    assert {(row["custom_id"], row["amount"]) for row in project.delta()} == {("ann", None), ("bob", 1.5)}
    pushed = push(project)
    assert (pushed.status, pushed.sent, pushed.invalid) == ("partial", 1, 2)
    assert [custom_id for custom_id, *_ in arrived(project)] == ["ann", "bob", "bob"]
    project.execute("update batch_sync_journal set recorded_at = recorded_at - interval '32 days'")
    build(project, [event("e")])
    assert reasons(project) == {"e": "sent"}, "Batch accepts the person's data again"


@EVERYWHERE
def test_a_late_pipeline_is_reported_by_one_push(project: QuickProject) -> None:
    started(project)
    project.execute("update batch_sync_journal set recorded_at = recorded_at - interval '3 days'")
    rows = [event(str(number), ago=30 * 3600) for number in range(3)]
    build(project, rows)
    build(project, rows)
    assert push(project).invalid == 3, "no push has reported them yet"
    build(project, rows)
    assert push(project).invalid == 0
    assert {row["_batch_reason"] for row in project.snapshot().values()} == {"too_old"}


def test_a_longer_memory_does_not_know_what_was_forgotten(project: QuickProject) -> None:
    project.map({**MAPPING, "memory_days": 2})
    started(project)
    project.execute("update batch_sync_journal set recorded_at = recorded_at - interval '5 days'")
    project.map({**MAPPING, "memory_days": 7})
    build(project, [event("a", ago=36 * 3600), event("b", ago=72 * 3600)])
    assert reasons(project) == {"a": "too_old"}, "`b` may have been sent and forgotten"


@EVERYWHERE
def test_the_snapshot_keeps_only_recent_events(project: QuickProject) -> None:
    started(project, [event("a"), event("b", ago=3600)])
    project.build()
    assert set(project.snapshot()) == {"a", "b"}
    changed = f"update {PEOPLE}_sent_snapshot set batch__time = batch__time - interval '9 days'"
    project.execute(f"{changed}, _batch_doubt = 'event' where event_id = 'b'")
    build(project, [])
    assert set(project.snapshot()) == {"a", "b"}, "no push has reported the doubt yet"
    assert push(project).unsure == 1
    build(project, [])
    build(project, [])
    assert set(project.snapshot()) == {"a"}


def test_the_first_push_stops_and_adopt_starts_from_now(project: QuickProject) -> None:
    build(project, [event("a"), event("b")])
    stopped = project.push_one()
    assert stopped.status == "failed"
    assert "2 events of the last 24 hours would be sent" in str(stopped.error)
    build(project, [event("a"), event("b"), event("c")])
    assert project.push_one().status == "failed"
    api.adopt(project.options())
    build(project, [event(name) for name in "abcd"])
    assert push(project).sent == 1
    assert project.sandbox.events.total == 1


def test_a_lost_snapshot_stops_the_next_push(project: QuickProject) -> None:
    started(project, [event("a")])
    build(project, [event("a"), event("b")])
    assert push(project).sent == 1
    project.build()
    project.execute(f"delete from {PEOPLE}_sent_snapshot")
    project.build()
    project.build()
    assert "2 events of the last 24 hours would be sent" in str(project.push_one().error)
    assert push(project, force=True).sent == 2


def test_too_many_rows_stop_a_push(project: QuickProject) -> None:
    project.map({**MAPPING, "guards": {"max_rows": 2}})
    started(project)
    build(project, [event(name) for name in "abc"])
    assert "3 events would be sent, and `max_rows` is 2" in str(project.push_one().error)
    assert push(project, force=True).sent == 3


@pytest.mark.parametrize("form", ["none", "name", "place"])
def test_a_rejected_event_is_never_sent_again(project: QuickProject, form: str) -> None:
    started(project)
    project.sandbox.change(reject_events=frozenset({"bad"}), event_errors=form)
    try:
        rows = [event("a", name="bad"), event("b"), event("c", "bob"), event("d", "eve", name="Not a Name")]
        build(project, rows)
        pushed = push(project)
        assert (pushed.status, pushed.parked, pushed.rejected_rows) == ("partial", 0, 3)
        assert (pushed.sent, pushed.accepted, pushed.rejected_attributes) == (3, 1, 0)
        assert set(project.rejects()) == {("a", None), ("b", None), ("d", None)}
        build(project, rows)
        assert push(project).sent == 0
        assert ("d", None) in project.rejects(), "the rejection should stay open"
    finally:
        project.sandbox.change(reject_events=frozenset(), event_errors="none")


def test_rejections_of_erased_people_are_forgotten(project: QuickProject) -> None:
    started(project)
    rows = [event(name, customer, amount=float("nan")) for name, customer in (("a", "ann"), ("b", "bob"))]
    build(project, rows)
    push(project)
    build(project, rows)
    assert project.rejects().keys() == {("a", "amount"), ("b", "amount")}
    project.execute(
        "insert into batch_sync_journal (recorded_at, sync, event, key, project_hash) "
        "select max(recorded_at), 'erasures', 'asked', 'bob', max(project_hash) from batch_sync_journal"
    )
    build(project, rows)
    assert project.rejects().keys() == {("a", "amount")}
    assert {row["event_id"] for row in project.query("from people_sent_snapshot")} == {"a", "b"}


def test_events_of_a_profile_are_sent_in_order_and_within_the_limit_of_a_call(project: QuickProject) -> None:
    started(project)
    rows = [event(f"a{number:02d}", ago=3600 - number, number=number) for number in range(40)]
    build(project, [*rows[::-1], event("b", "bob", number=100)])
    (plan,) = api.plan(project.options()).syncs
    assert plan.requests == 3
    pushed = push(project)
    assert (pushed.sent, pushed.settled, pushed.requests) == (41, 41, 3)
    bodies = [json.loads(request.body or b"") for request in project.sandbox.requests if request.body]
    assert [[len(each["events"]) for each in body] for body in bodies] == [[15, 1], [15], [10]]
    of_ann = [each["attributes"]["number"] for body in bodies for each in body[0]["events"]]
    assert of_ann == list(range(40))


def test_events_that_become_too_old_before_they_are_sent(project: QuickProject) -> None:
    for too_old, sent in (("reject", 0), ("now", 1)):
        project.clear()
        project.map({**MAPPING, "too_old": too_old})
        started(project)
        build(project, [event("a")])
        project.execute(f"update {PEOPLE}_delta set batch__time = batch__time - interval '1 day'")
        pushed = push(project)
        assert (pushed.sent, pushed.rejected_rows) == (sent, 1 - sent)
        assert project.rejects() == ({} if sent else {("a", None): "too_old"})
        assert [each.event.time for each in project.sandbox.events.last] == [None] * sent


@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
def test_a_limited_push_sends_no_event_twice(project: QuickProject, on_doubt: str) -> None:
    project.map({**MAPPING, "on_doubt": on_doubt})
    started(project)
    people = ("zoe", "amy", "bob", "cat")
    build(project, [event(f"e{n}", name, number=n) for n, name in enumerate(people)])
    for limit, sent in ((3, 3), (1, 1), (2, 0)):
        pushed = push(project, limit=limit)
        assert (pushed.status, pushed.sent, pushed.unsure) == ("succeeded", sent, 0)
    project.build()
    assert push(project).sent == 0
    assert project.sandbox.events.seen_by("number") == {0: 1, 1: 1, 2: 1, 3: 1}


def test_resend_is_refused(project: QuickProject) -> None:
    started(project)
    with pytest.raises(ConfigurationError, match="events are never resent"):
        api.resend(project.options(), "all")


def test_dbt_run_during_a_push_is_an_error(project: QuickProject) -> None:
    started(project, [event("a")])
    columns = "recorded_at, sync, event, run_id, delta_id, host, process"
    (row,) = project.query("select delta_id from batch_sync_journal where event = 'built'")
    project.execute(
        f"insert into batch_sync_journal ({columns}) select max(recorded_at), '{PEOPLE}', 'claimed', 'other', "
        f"'{row['delta_id']}', 'elsewhere', 1 from batch_sync_journal"
    )
    with pytest.raises(DbtRuntimeError, match="a push of `people` is running"):
        project.build()
    events = [
        each["event"]
        for each in project.query("select event from batch_sync_journal where event = 'building'")
    ]
    assert len(events) == 1, "a running push would stop at an announced build"


def test_plan_and_profile_show_events(project: QuickProject) -> None:
    started(project, [event("z", ago=7200)])
    rows = [event("a"), event("b", name="viewed"), event("c", "bob", name="viewed")]
    build(project, [event("z", ago=7200), *rows])
    (plan,) = api.plan(project.options()).syncs
    assert plan.attributes == {"viewed": 2, "bought": 1}
    assert plan.requests == 1
    (found,) = api.profile(project.options(), "ann").syncs
    assert [(each.name, each.state) for each in found.events] == [
        ("viewed", "queued"),
        ("bought", "queued"),
        ("bought", "sent"),
    ]
    push(project)
    (found,) = api.profile(project.options(), "ann").syncs
    assert {each.state for each in found.events} == {"sent"}
