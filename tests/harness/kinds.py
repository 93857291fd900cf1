"""Tests of the other kinds, run on every warehouse.

Catalogs use the same macros as audiences, so they have no tests of their own here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from harness.databases import Database
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject
from harness.values import Values, plain

from dbt_batch_sync import api
from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.ledger.records import Event, EventName
from dbt_batch_sync.push.known import Known, read_known
from dbt_batch_sync.warehouse import open_warehouse

EVENTS: dict[str, Any] = {
    **{"kind": "events", "identifier": "customer", "event_id": "id", "name": "name", "time": "at"},
    "attributes": ["amount"],
}
MEMBERS = {"id": "text", "points": "bigint", "nick": "text"}


@pytest.fixture(scope="module")
def events_workshop(
    batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """A project of events. Their snapshot's key depends on the kind, so they need a project of their own."""
    return QuickProject(tmp_path_factory.mktemp("events"), batch, warehouse, mapping=EVENTS)


@contextlib.contextmanager
def known(project: QuickProject) -> Iterator[Known]:
    """The state of a project's sync, and the journal to append to."""
    syncs = api.load_syncs(project.options(), api.Selection())
    with contextlib.closing(open_warehouse(read_target(project.options()))) as warehouse:
        (found,) = read_known(warehouse, syncs)
        yield found


class Kinds(Values):
    """Inherited by `Behaviour`."""

    def test_an_audience(self, quick: QuickProject) -> None:
        """A changed row is added again with all attributes, an exited row is removed, and a rejected row is
        parked.
        """
        quick.map(
            {
                **{
                    "kind": "audience",
                    "identifier": "id",
                    "audience": "vips",
                    "attributes": ["points", "nick"],
                },
                "guards": {"max_exit_ratio": None},
            }
        )
        rows: list[dict[str, Any]] = [
            {"id": name, "points": n, "nick": name * 2} for n, name in enumerate("abc")
        ]
        quick.set_rows(MEMBERS, rows)
        assert quick.sync().inserts == 3
        quick.set_rows(MEMBERS, [{**rows[0], "nick": None}, rows[1]])
        pushed = quick.sync()
        assert (pushed.status, pushed.updates, pushed.exits) == ("succeeded", 1, 1)
        members = quick.sandbox.audiences["vips"].members
        assert {name: plain(held) for name, held in members.items()} == {
            "a": {"points": 0},
            "b": {"points": 1, "nick": "bb"},
        }
        quick.set_rows(MEMBERS, rows[1:])
        quick.build()
        assert quick.changes() == {
            "a": ("exit", "batch__present"),
            "c": ("update", "batch__present"),
        }

    def test_deletions(self, quick: QuickProject) -> None:
        """Each request is sent once; a later request for the same id is sent again."""
        quick.outputs(sandbox={"only_from": ["dev"], "app_keys": ["sandbox_app"]})
        mapping = {"kind": "deletions", "identifier": "id", "requested_at": "at", "confirm": "erase"}
        quick.map(mapping)
        first = datetime(2026, 3, 1, 10)
        for at, asked in ((first, 2), (first, 0), (first + timedelta(days=1), 2), (first, 0)):
            quick.set_rows({"id": "text", "at": "timestamp"}, [{"id": "a", "at": at}, {"id": "b", "at": at}])
            pushed = quick.sync()
            assert (pushed.error, pushed.accepted) == (None, asked)

    def test_erased_people(self, quick: QuickProject) -> None:
        """Other syncs forget erased people and hold them back."""
        quick.map({"identifier": "id", "custom": ["points", "nick"]})
        quick.set_rows(MEMBERS, [{"id": name, "points": 1} for name in "abc"])
        quick.sync()
        with known(quick) as found:
            stamp = found.journal.stamp()
            asked = {"key": "b", "project_hash": found.state.project_hash}
            found.journal.append([Event(stamp, "erasures", "asked", "other", **asked)])  # type: ignore[arg-type]
        quick.build()
        assert quick.changes() == {"b": ("invalid", "erased")}
        assert quick.snapshot().keys() == {"a", "c"}

    @pytest.mark.parametrize("time_type", ["timestamp", "timestamptz"])
    def test_events(self, events: QuickProject, time_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Events of the last day are sent once; others have a reason. Time zones don't shift the cutoff."""
        now = datetime.now(timezone.utc)
        columns = {
            "id": "text",
            "customer": "text",
            "name": "text",
            "at": time_type,
            "amount": "double precision",
        }

        def event(key: str | None, ago: float = 0.1, customer: str = "ann") -> dict[str, object]:
            at = now - timedelta(hours=ago)
            zone = timezone.utc if time_type == "timestamptz" else None
            cells = {"customer": customer, "name": "bought", "amount": 1.5}
            return {"id": key, "at": at.replace(tzinfo=zone), **cells}

        def build() -> None:
            monkeypatch.setenv("TZ", "America/New_York")
            time.tzset()
            try:
                with self.in_zone(events, "Asia/Tokyo"):
                    events.build()
            finally:
                monkeypatch.undo()
                time.tzset()

        events.map(EVENTS)
        events.set_rows(columns, [event("before", 3)])
        build()
        (adopted,) = api.adopt(events.options()).syncs
        assert adopted.error is None
        rows = [event("new"), event("twice"), event("twice"), event(None), event("late", 23.95)]
        rows += [event("future", -1), event("before", 3, "bob"), event("day", 23)]
        events.set_rows(columns, rows)
        build()
        assert {row["event_id"]: row["_batch_reason"] or "sent" for row in events.delta()} == {
            **{"new": "sent", "day": "sent", "twice": "duplicate_event_id", None: "null_event_id"},
            **{"late": "too_old", "before": "event_id_of_two_profiles"},
        }
        with known(events) as found:
            built = found.state.built
            assert built is not None
            lost = {"run_id": "gone", "delta_id": built.delta_id, "page": built.page}
            names: tuple[EventName, ...] = ("intent", "ended")
            found.journal.append([Event(found.journal.stamp(), "people", name, **lost) for name in names])
        build()
        unsure = {row["event_id"] for row in events.delta() if row["_batch_reason"] == "unsure"}
        assert unsure == {"new", "day"}, "events in doubt are not marked as unsure"
        pushed = events.push_one()
        assert (pushed.error, pushed.sent, pushed.accepted) == (None, 2, 2)
        build()
        assert events.snapshot().keys() == {"before", "new", "day", "late"}
        assert {row["event_id"] for row in events.delta()} == {"twice", None, "before"}
