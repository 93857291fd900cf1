"""Pushes: endpoints, limits, options, faults and rejections."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Iterable, Iterator
from threading import Event

import pyarrow as pa
import pytest
from harness.databases import DuckDbFile, Row
from harness.faults import Fault, FaultKind, When
from harness.project import Project
from sqlglot import parse_one

from dbt_batch_sync.connections.profiles import WarehouseTarget
from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.payload import render
from dbt_batch_sync.push.sync_push import Observer
from dbt_batch_sync.results.sync import EXIT_CODES, SyncPushed
from dbt_batch_sync.warehouse import Statement
from dbt_batch_sync.warehouse.duckdb import DuckDbWarehouse

MAPPING = {"identifier": "id", "custom": ["name", "points"]}
COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint"}
MIB = 1024 * 1024


def rows(names: Iterable[str], points: int = 1) -> list[Row]:
    """A row of COLUMNS for each custom_id."""
    return [{"id": name, "name": f"{name}!", "points": points} for name in names]


def numbered(count: int) -> list[str]:
    """`count` identifiers, in key order."""
    return [f"{place:05}" for place in range(count)]


def prepare(project: Project, count: int, sync: str = "people", **mapping: object) -> None:
    """Build a sync of `count` people."""
    project.map({**MAPPING, **mapping}, sync)
    project.set_rows(COLUMNS, rows(numbered(count)), sync)


# Endpoints and limits


def test_auto_takes_mass_update_beyond_10000_rows(project: Project) -> None:
    prepare(project, 10_000)
    project.build()
    dry = project.push_one(dry_run=True)
    assert (dry.endpoint, dry.requests, dry.sent) == ("update", 50, 10_000)
    project.execute("insert into raw.people values ('x', 'x', 1)")
    project.build()
    pushed = project.push_one()
    assert (pushed.endpoint, pushed.requests, pushed.accepted) == ("mass-update", 2, 10_001)
    assert project.sent.paths == {"mass-update"}
    assert [len(call) for call in sorted(project.sent.calls, key=len)] == [1, 10_000]
    assert len(project.profiles()) == 10_001


@pytest.mark.parametrize(("endpoint", "calls"), [("update", [1, 200, 200]), ("mass-update", [401])])
def test_a_chosen_endpoint(project: Project, endpoint: str, calls: list[int]) -> None:
    prepare(project, 401, endpoint=endpoint)
    assert project.sync().endpoint == endpoint
    assert project.sent.paths == {endpoint}
    assert sorted(len(call) for call in project.sent.calls) == calls


def test_more_attributes_than_fit_in_an_operation(project: Project) -> None:
    """The sandbox rejects operations with more than 50 attributes or 15 arrays, and calls with a repeated id."""
    names = [f"a{place:03}" for place in range(120)]
    arrays = [f"l{place:02}" for place in range(33)]
    project.map({"identifier": "id", "custom": names}, "wide")
    project.map({"identifier": "id", "custom": [*names[:20], *arrays]}, "listed")
    every = dict.fromkeys(names, "integer") | dict.fromkeys(arrays, "varchar[]")
    people: list[Row] = [
        {"id": f"p{n}", **dict.fromkeys(names, n), **{name: [f"x{n}"] for name in arrays}} for n in range(7)
    ]
    few: Row = {"id": "few", **dict.fromkeys(names[:50], 1), **{name: ["x"] for name in arrays[:15]}}
    for sync in ("wide", "listed"):
        project.set_rows({"id": "varchar", **every}, [*people, few], sync)
    project.build()
    result = project.push()
    assert [(each.sync, each.sent, each.accepted, each.settled) for each in result.syncs] == [
        ("listed", 8, 8, 8),
        ("wide", 8, 8, 8),
    ]
    counts: dict[str, list[int]] = {}
    for custom_id, attributes in project.sent.operations:
        counts.setdefault(custom_id, []).append(len(attributes))
    assert sorted(counts["p0"]) == [3, 15, 20, 15 + 20, 50, 50]
    assert sorted(counts["few"]) == [15 + 20, 50]
    for person in people:
        held = project.profiles()[str(person["id"])]
        assert {name: value.value for name, value in held.items()} == {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in person.items()
            if name != "id"
        }

    project.execute(
        "update raw.wide set " + ", ".join(f"{name} = 100" for name in names[:51]) + " where id = 'p3'"
    )
    project.build("--select", "wide_delta")
    assert project.push(select=["wide"]).status == "succeeded"
    assert project.sent.attributes == {"p3": dict.fromkeys(names[:51], 100)}
    assert sorted(len(sent) for _, sent in project.sent.operations) == [1, 50]


def wide_rows(project: Project, count: int, columns: int, cell: str, length: int = 300) -> None:
    """Build rows of long texts, for mass-update."""
    names = [f"a{place}" for place in range(columns)]
    project.map({"identifier": "id", "custom": names, "endpoint": "mass-update"})
    texts = ", ".join(f"repeat('{cell}', {length}) as {name}" for name in names)
    project.execute("create schema raw")
    project.execute(f"create table raw.people as select i::varchar as id, {texts} from range({count}) t(i)")


def test_a_body_has_at_most_8_mib(project: Project) -> None:
    wide_rows(project, 6000, 10, "x")
    pushed = project.sync()
    sizes = sorted(request.size for request in project.sent.requests)
    assert (pushed.accepted, pushed.requests) == (6000, len(sizes))
    assert sum(sizes) > 2 * 8 * MIB
    assert sizes[-1] <= 8 * MIB
    assert sizes[1] > 7.9 * MIB, "all requests but the last should be full"


def test_a_wide_sync_of_many_rows(project: Project) -> None:
    """More attributes than one operation holds: rows are held in memory in pieces of a few megabytes."""
    wide_rows(project, 12_000, 100, "x", 60)
    pushed = project.sync()
    assert (pushed.accepted, pushed.settled) == (12_000, 12_000)


def test_the_widest_rows_that_batch_accepts(project: Project) -> None:
    wide_rows(project, 300, 50, "😀")
    assert project.sync().accepted == 300


# Options


def test_settled_rows_are_released_before_the_next_checkpoint(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's record batches share one block of memory, so a kept slice of keys keeps the whole batch."""
    alive: weakref.WeakSet[Owner] = weakref.WeakSet()
    held: list[int] = []
    stream = render._stream

    def owned(connection: object, query: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
        for batch in stream(connection, query, 2_048):
            owner = Owner(batch)
            alive.add(owner)
            yield owner.batch()

    class Watching(Observer):
        def started(self, work: object) -> None: ...

        def troubled(self, sync: str, message: str) -> None: ...

        def progressed(self, run: Run) -> None:
            held.append(len(alive))

    monkeypatch.setattr(render, "_stream", owned)
    project.outputs(sandbox={"checkpoint_seconds": 3600})
    prepare(project, 24_000, endpoint="update")
    project.build()
    assert project.push_one(observer=Watching()).accepted == 24_000
    assert len(held) == 120
    assert max(held) <= 3, "of twelve batches"


class Owner:
    """The memory of a record batch, referenced by all columns of its copies."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._kept = batch

    def batch(self) -> pa.RecordBatch:
        """The same batch; any of its columns keeps this object alive."""
        columns = [
            pa.Array.from_buffers(
                column.type,
                len(column),
                [each and pa.foreign_buffer(each.address, each.size, base=self) for each in column.buffers()],
                offset=column.offset,
            )
            for column in self._kept.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._kept.schema)


def test_the_next_limit_resumes_where_the_last_one_ended(project: Project) -> None:
    prepare(project, 7)
    project.build()
    seen: list[list[str]] = []
    for left in (7, 4, 1, 0):
        pushed = project.push_one(limit=3)
        assert (pushed.status, pushed.inserts, pushed.settled) == ("succeeded", left, min(3, left))
        seen.append([custom_id for custom_id, _ in project.sent.operations])
    assert seen == [numbered(7)[:3], numbered(7)[3:6], numbered(7)[6:], []]
    assert project.sync().inserts == 0
    assert len(project.snapshot()) == 7


def test_a_delta_rebuilt_after_a_limit_contains_the_rest(project: Project) -> None:
    prepare(project, 5)
    project.build()
    project.push(limit=2)
    project.execute("update raw.people set points = 9 where id in ('00001', '00003')")
    assert project.sync().updates == 1
    assert project.sent.attributes == {
        "00001": {"points": 9},
        "00002": {"name": "00002!", "points": 1},
        "00003": {"name": "00003!", "points": 9},
        "00004": {"name": "00004!", "points": 1},
    }


def tables(project: Project) -> dict[str, int]:
    """The warehouse's tables and their row counts."""
    query = "select table_name, estimated_size from duckdb_tables() where schema_name = 'main'"
    return {row["table_name"]: row["estimated_size"] for row in project.query(query)}


def test_a_dry_run_sends_and_writes_nothing(project: Project) -> None:
    prepare(project, 250)
    project.execute("update raw.people set name = repeat('x', 301) where id = '00007'")
    project.execute("insert into raw.people values (null, 'x', 1)")
    project.build()
    before = tables(project)
    dry = project.push_one(dry_run=True)
    assert tables(project) == before
    assert not project.sandbox.requests
    shown = (dry.status, dry.inserts, dry.invalid, dry.sent, dry.requests, dry.rejected_attributes)
    assert shown == ("partial", 250, 1, 250, 2, 1)
    assert (dry.accepted, dry.settled, dry.endpoint) == (0, 0, "update")

    real = project.push_one(limit=10)
    assert real.settled == 10
    state = (project.query("from batch_sync_journal"), project.rejects())
    dry = project.push_one(dry_run=True, limit=20)
    assert (dry.inserts, dry.sent, dry.requests) == (240, 20, 1)
    assert (project.query("from batch_sync_journal"), project.rejects()) == state
    assert not project.sent.requests


def test_select_and_exclude(project: Project) -> None:
    for sync, tags in (("one", ["crm"]), ("two", ["crm", "night"]), ("three", [])):
        project.map(MAPPING, sync, tags=tags)
        project.set_rows(COLUMNS, rows([sync]), sync)
    project.build()
    choices: list[tuple[list[str], list[str], list[str]]] = [
        (["tag:crm"], ["two"], ["one"]),
        (["t*"], [], ["three", "two"]),
        (["one_delta"], [], ["one"]),
        (["tag:crm,tag:night"], [], ["two"]),
        ([], ["tag:crm"], ["three"]),
        ([], [], ["one", "three", "two"]),
    ]
    for select, exclude, chosen in choices:
        dry = project.push(select=select, exclude=exclude, dry_run=True)
        assert sorted(each.sync for each in dry.syncs) == chosen, (select, exclude)
    project.push(select=["tag:crm"], exclude=["two"])
    assert set(project.profiles()) == {"one"}


@pytest.mark.forbidden("unknown_route")
def test_a_sync_that_fails_does_not_stop_the_next(project: Project) -> None:
    project.outputs(lost={"api_version": "9.9"})
    prepare(project, 1, "altered")
    prepare(project, 1, "lost", output="lost")
    prepare(project, 2, "right")
    project.build()
    prepare(project, 1, "absent")
    project.map({**MAPPING, "custom": ["name"]}, "altered")
    project.dbt("parse")
    result = project.push()
    assert result.status == "failed"
    assert {each.sync: each.status for each in result.syncs} == {
        "absent": "failed",
        "altered": "failed",
        "lost": "failed",
        "right": "succeeded",
    }
    absent, altered, lost, right = (str(each.error) for each in result.syncs)
    assert "dbt has not built the delta of `absent` yet" in absent
    assert "the mapping of `altered` has changed" in altered
    assert "404" in lost
    assert right == "None"
    assert len(project.profiles()) == 2
    assert project.call("push", "--json").returncode == 1


def test_a_stop_between_two_syncs(project: Project) -> None:
    stop = Event()

    class Stopping(Observer):
        """Stops the push when the first sync has sent everything."""

        def progressed(self, run: Run) -> None:
            stop.set()

    for name in ("one", "two", "zero"):
        project.map(MAPPING, name)
        project.set_rows(COLUMNS, rows([name]), name)
    project.build()
    result = project.push(stop=stop, observer=Stopping())
    assert (result.status, EXIT_CODES[result.status]) == ("interrupted", 130)
    assert sorted(each.status for each in result.syncs) == ["skipped", "skipped", "succeeded"]
    assert len(project.profiles()) == 1
    assert project.push().status == "succeeded"
    assert len(project.profiles()) == 3


# Batch's answers


def test_a_push_to_another_batch_project_is_refused(project: Project) -> None:
    prepare(project, 2)
    project.outputs(other={"project_key": "project_other"})
    project.sync()
    project.execute("update raw.people set points = 5")
    project.build()
    project.outputs("other", other={"project_key": "project_other"})
    pushed = project.push_one()
    assert pushed.status == "failed"
    assert "was pushed to another Batch project than that of output `other`" in str(pushed.error)
    assert not project.sent.requests
    project.outputs("sandbox")
    assert project.push_one().accepted == 2


@pytest.mark.forbidden("unauthorized")
def test_401_stops_at_once(project: Project) -> None:
    prepare(project, 2000)
    project.outputs(sandbox={"rest_api_key": "wrong-key-1234", "max_in_flight": 2})
    pushed = project.sync()
    assert (pushed.status, pushed.accepted, pushed.settled, pushed.retries) == ("failed", 0, 0, 0)
    assert "401" in str(pushed.error)
    assert "rest_api_key" in str(pushed.error)
    assert "wrong-key" not in str(pushed.error)
    assert 1 <= len(project.sent.requests) <= 2

    project.outputs()
    assert project.push_one().accepted == 2000
    (first, second) = project.query("from batch_sync_runs order by started_at")
    assert (first["status"], second["status"]) == ("failed", "succeeded")
    assert first["error"] == pushed.error


@pytest.mark.forbidden("unknown_route")
def test_404_stops_at_once(project: Project) -> None:
    prepare(project, 2000)
    project.outputs(sandbox={"api_version": "9.9", "max_in_flight": 2})
    pushed = project.sync()
    assert (pushed.status, pushed.accepted, pushed.retries) == ("failed", 0, 0)
    assert "404" in str(pushed.error)
    assert "api_version" in str(pushed.error)
    assert 1 <= len(project.sent.requests) <= 2


def test_temporary_failures_are_retried(project: Project) -> None:
    prepare(project, 800)
    project.build()
    kinds = (
        Fault(FaultKind.STATUS, When(nth=(1,)), status=429, retry_after=0),
        Fault(FaultKind.STATUS, When(nth=(2,)), status=500),
        Fault(FaultKind.STATUS, When(nth=(3,)), status=503),
        Fault(FaultKind.CUT_AFTER, When(nth=(4,))),
    )
    project.sandbox.faults.set(kinds)
    pushed = project.push_one()
    assert (pushed.status, pushed.accepted, pushed.requests, pushed.retries) == ("succeeded", 800, 8, 4)
    assert project.sandbox.stats.statuses == {429: 1, 500: 1, 503: 1, 0: 1, 202: 4}
    project.build()
    assert len(project.profiles()) == len(project.snapshot()) == 800


def test_rejections_are_recorded_and_not_repeated(project: Project) -> None:
    prepare(project, 6)
    project.build()
    faults = (
        Fault(FaultKind.REFUSE_ROWS, custom_ids=("00001", "00002"), reason="not permitted"),
        Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=("00003",), attributes=("name",), reason="wrong type"),
    )
    project.sandbox.faults.set(faults)
    pushed = project.push_one()
    assert shape(pushed) == ("partial", 6, 4, 2, 1, 6)
    rejected = {
        ("00001", None): "not permitted",
        ("00002", None): "not permitted",
        ("00003", "name"): "wrong type",
    }
    assert project.rejects() == rejected
    assert set(project.profiles()) == {"00000", "00003", "00004", "00005"}
    assert set(project.profiles()["00003"]) == {"points"}
    assert {row["rejected_by"] for row in project.query("from batch_sync_rejects")} == {"batch"}
    again = project.push_one()
    assert (again.status, again.sent, again.parked) == ("partial", 0, 2)

    project.sandbox.faults.set(())
    parked = project.sync()
    assert set(project.snapshot()) == {"00000", "00003", "00004", "00005"}
    assert (parked.status, parked.sent, parked.rejected_rows, parked.parked) == ("partial", 0, 0, 2)
    assert not project.sent.requests
    assert set(project.rejects()) == set(rejected)

    project.execute("update raw.people set points = 2 where id in ('00001', '00003')")
    changed = project.sync()
    assert project.sent.attributes == {"00001": {"name": "00001!", "points": 2}, "00003": {"points": 2}}
    assert (changed.status, changed.accepted) == ("partial", 2)
    project.build()
    assert set(project.rejects()) == {("00002", None), ("00003", "name")}
    assert set(project.snapshot()) == {"00000", "00001", "00003", "00004", "00005"}

    project.execute("update raw.people set name = 'new' where id in ('00002', '00003')")
    assert project.sync().status == "succeeded"
    project.build()
    assert not project.rejects()


def test_a_parked_row_makes_every_push_partial(project: Project) -> None:
    prepare(project, 3)
    project.build()
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("00001",))])
    assert project.push_one().status == "partial"
    project.build()
    assert project.push_one().status == "partial"
    assert project.push_one().status == "partial"


def test_a_withdrawn_consent_is_not_restored(project: Project) -> None:
    project.map({"identifier": "id", "standard": {"email_marketing": "optin"}, "custom": ["n"]})
    columns = {"id": "varchar", "optin": "boolean", "n": "integer"}
    project.set_rows(columns, [{"id": "a", "optin": False, "n": 1}, {"id": "b", "optin": False, "n": 1}])
    project.sync()
    project.set_rows(columns, [{"id": "a", "optin": True, "n": 2}, {"id": "b", "optin": False, "n": 1}])
    assert project.sync().status == "partial"
    assert project.sent.attributes == {"a": {"n": 2}}
    assert project.rejects() == {("a", "batch__email_marketing"): "never_resubscribe"}

    words: list[Row] = [{"id": name, "optin": "subscribed", "n": 3} for name in ("a", "b")]
    project.set_rows({**columns, "optin": "varchar"}, words)
    project.sync()
    assert project.sent.attributes == {"a": {"n": 3}, "b": {"n": 3}}
    project.resend("all")
    project.push()
    assert {held["$email_marketing"].value for held in project.profiles().values()} == {"unsubscribed"}


def shape(pushed: SyncPushed) -> tuple[object, ...]:
    """The main results of a push with rejections."""
    rejected = (pushed.rejected_rows, pushed.rejected_attributes)
    return (pushed.status, pushed.sent, pushed.accepted, *rejected, pushed.settled)


# Output


def test_the_json_of_push_is_as_documented(project: Project) -> None:
    prepare(project, 3)
    prepare(project, 0, "nobody")
    project.build()
    done = project.call("push", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["run_id", "status", "started_at", "finished_at", "syncs"]
    assert document["status"] == "succeeded"
    for key in ("started_at", "finished_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document[key])
    nobody, people = document["syncs"]
    promised: dict[str, object] = {
        "sync": "people",
        "kind": "profiles",
        "status": "succeeded",
        "delta_id": project.delta()[0]["_batch_delta_id"],
        "endpoint": "update",
        **{"inserts": 3, "updates": 0, "exits": 0, "invalid": 0, "sent": 3, "accepted": 3},
        **{"rejected_rows": 0, "rejected_attributes": 0, "parked": 0},
        **{"requests": 1, "retries": 0, "settled": 3},
        "seconds": people["seconds"],
        "error": None,
    }
    assert list(people.items()) == list(promised.items())
    assert isinstance(people["seconds"], float)
    nothing = dict.fromkeys(list(promised)[5:17], 0)
    assert list(nobody) == list(promised)
    assert {**nobody, "seconds": 0.0} == {
        **promised,
        **nothing,
        **{"sync": "nobody", "delta_id": nobody["delta_id"], "endpoint": None, "seconds": 0.0},
    }
    (run,) = project.query("from batch_sync_runs where sync = 'people'")
    assert run["run_id"] == document["run_id"]
    assert {name: run[name] for name in promised if name not in ("sync", "kind", "seconds")} == {
        name: value for name, value in promised.items() if name not in ("sync", "kind", "seconds")
    }


def test_a_profile_with_settings_goes_through_the_adapter(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = project.warehouse.credentials
    settings = {"settings": {"memory_limit": "300MB"}}
    monkeypatch.setattr(DuckDbFile, "credentials", property(lambda _: {**plain, **settings}))
    opened: list[DuckDbWarehouse] = []
    whole = DuckDbWarehouse.__init__

    def noted(warehouse: DuckDbWarehouse, target: WarehouseTarget) -> None:
        whole(warehouse, target)
        opened.append(warehouse)
        query = Statement(parse_one("select current_setting('memory_limit') as memory"))
        (limit,) = warehouse.fetch(query).column(0).to_pylist()
        assert str(limit).startswith("286"), "mebibytes: the profile sets the limit, not the runner"

    monkeypatch.setattr(DuckDbWarehouse, "__init__", noted)
    project.outputs()
    prepare(project, 300)
    assert project.sync().settled == 300
    assert project.push_one().requests == 0
    assert len(opened) == 2
