"""Behavior that every warehouse must share: a test class that each warehouse's tests inherit, as in dbt's
adapters.

The subclass's module provides the fixture `warehouse`, a `Database`. Class attributes hold the differences
between warehouses.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from harness.databases import Database
from harness.faults import Fault, FaultKind
from harness.faulty import Trouble
from harness.faulty_sandbox import FaultyServer
from harness.kinds import Kinds, known
from harness.oracle import expected_profile, expected_refusals
from harness.people import COLUMNS, KINDS, MAPPING, people
from harness.project import Project
from harness.quick import QuickProject
from harness.values import plain

from dbt_batch_sync import api
from dbt_batch_sync.ledger.records import Event
from dbt_batch_sync.report.page import render
from dbt_batch_sync.results.look import ReportResult

CALL = 200
"""Operations per call to `update`."""

PAGE = 50
"""Rows per page on warehouses that number pages by row; elsewhere pages are hash buckets."""

CONTACTS = {"id": "text", "email": "text", "points": "bigint", "nick": "text"}
CONTACTS_MAPPING: Mapping[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["points", "nick"],
}


WITHOUT_CORE = """
import sys
CORE = {f"dbt.{name}" for name in ("cli", "config", "parser", "task", "contracts", "version", "flags")}
class NoCore:
    def find_spec(self, name, path=None, target=None):
        if name in CORE:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoCore())
sys.argv = ["dbt-batch-sync", "push"]
from dbt_batch_sync.cli import program as main
main()
"""
"""A push in a process where importing dbt-core fails."""


def contacts(number: int, **changes: object) -> list[dict[str, Any]]:
    """The first `number` rows of `CONTACTS`."""
    rows = range(number)
    return [
        {"id": f"p{n:04d}", "email": f"p{n}@example.com", "points": n, "nick": f"Nick {n}", **changes}
        for n in rows
    ]


@pytest.fixture(scope="module")
def quick_workshop(
    batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The project behind `quick`."""
    pages = PAGE if warehouse.adapter in ("duckdb", "postgres") else None
    return QuickProject(tmp_path_factory.mktemp("quick"), batch, warehouse, pages)


@pytest.fixture(scope="module")
def shop_workshop(
    batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The project behind `shop`."""
    return Project(tmp_path_factory.mktemp("shop"), batch, warehouse, whole=True)


@pytest.fixture
def quick(quick_workshop: QuickProject) -> Iterator[QuickProject]:
    """An empty project. Fails the test if a request broke a rule of the API."""
    yield from _emptied(quick_workshop)


@pytest.fixture
def events(events_workshop: QuickProject) -> Iterator[QuickProject]:
    """Like `quick`, with an events sync."""
    yield from _emptied(events_workshop)


@pytest.fixture
def shop(shop_workshop: Project) -> Iterator[Project]:
    """Like `quick`, built by dbt's own command line."""
    yield from _emptied(shop_workshop)


def _emptied(project: Any) -> Iterator[Any]:
    project.clear()
    yield project
    assert not project.sandbox.stats.violations, project.sandbox.stats.examples


class Behaviour(Kinds):
    """The suite. `dbt run` takes a tenth of a second in `quick`; `shop` runs the full dbt."""

    people_types: ClassVar[Mapping[str, str]] = {}
    """Types that differ from `harness.people.COLUMNS` on this warehouse."""

    accepts_nul: ClassVar[bool] = True
    """Whether text may contain NUL."""

    people_given: ClassVar[Mapping[str, str]] = {}
    """Columns of `people` that need an explicit `type` in the mapping, because this warehouse has no such
    type.
    """

    # The main job

    def test_all_types_arrive_and_only_changes_are_sent_again(self, quick: QuickProject) -> None:
        rows = [
            self.fitting({**row, "nick": self._text(row["nick"]), "tags": self._texts(row["tags"])})
            for row in people(150)
        ]
        types = {name: self.people_types.get(name, kind) for name, kind in COLUMNS.items()}
        given = {name: {"column": name, "type": kind} for name, kind in self.people_given.items()}
        custom = [given.get(str(each), each) for each in MAPPING["custom"]]  # type: ignore[attr-defined]
        quick.map({**MAPPING, "custom": custom})
        quick.set_rows(types, rows)
        pushed = quick.sync()
        assert (pushed.status, pushed.inserts, pushed.error) == ("partial", 150, None)
        self._check(quick, rows)
        quick.set_rows(types, [{**row, "vip": not row["vip"]} for row in rows])
        assert quick.sync().updates == 150
        assert quick.sent.names == {"vip"}, "the merged snapshot differs from the model"

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """A row of `people`, adapted to what this warehouse can hold."""
        return row

    def _check(self, project: Project, rows: Sequence[Mapping[str, object]]) -> None:
        profiles = project.profiles()
        for row in rows:
            assert profiles[str(row["id"])] == expected_profile(KINDS, row), row["id"]
        wanted = {
            (str(row["id"]), name): reason
            for row in rows
            for name, reason in expected_refusals(KINDS, row).items()
        }
        assert project.rejects() == wanted

    def _text(self, value: Any) -> Any:
        return value.replace("\x00", "") if isinstance(value, str) and not self.accepts_nul else value

    def _texts(self, values: Any) -> Any:
        return None if values is None else [self._text(each) for each in values]

    def test_full_refresh_and_empty(self, shop: Project) -> None:
        """`--full-refresh` keeps the snapshot; a delta built with `--empty` is never pushed."""
        shop.map(CONTACTS_MAPPING)
        shop.set_rows(CONTACTS, contacts(20))
        shop.build()
        assert shop.push_one().accepted == 20
        shop.dbt("run", "--full-refresh")
        assert (shop.changes(), len(shop.snapshot())) == ({}, 20)
        shop.dbt("run", "--empty")
        refused = shop.push_one()
        assert (refused.status, refused.requests) == ("failed", 0)
        assert "--empty" in str(refused.error)

    # Changes

    def test_every_kind_of_change(self, quick: QuickProject) -> None:
        mapping = {**CONTACTS_MAPPING, "on_exit": "flag", "membership": "in_crm"}
        quick.map(mapping)
        rows = contacts(4)
        quick.set_rows(CONTACTS, rows)
        assert quick.sync().inserts == 4
        rows[1] |= {"points": -1, "nick": None}
        quick.set_rows(CONTACTS, [*rows[1:3], contacts(5)[4], {"id": "p0003", "nick": ""}])
        quick.build()
        assert quick.changes() == {
            "p0000": ("exit", "in_crm"),
            "p0001": ("update", "points,nick"),
            "p0003": ("update", "batch__email_address,points,nick"),
            "p0004": ("insert", "batch__email_address,points,nick,in_crm"),
        }
        quick.push_one()
        assert quick.sent.attributes["p0000"] == {"in_crm": False}
        assert quick.sent.attributes["p0003"] == {"$email_address": None, "points": None, "nick": None}
        quick.set_rows(CONTACTS, rows)
        quick.build()
        assert quick.changes()["p0000"] == ("update", "in_crm")
        assert quick.changes()["p0004"] == ("exit", "in_crm")
        quick.push_one()
        quick.build()
        assert quick.changes() == {}
        assert plain(quick.profiles()["p0000"])["in_crm"] is True

    def test_on_exit_clear_and_on_null_keep(self, quick: QuickProject) -> None:
        quick.map({**CONTACTS_MAPPING, "on_exit": "clear", "on_null": "keep"})
        quick.set_rows(CONTACTS, contacts(3))
        quick.sync()
        quick.set_rows(CONTACTS, [{"id": "p0000"}, {"id": "p0001", "nick": "", "points": 7}])
        quick.sync()
        assert quick.sent.attributes == {
            "p0001": {"points": 7},
            "p0002": {"$email_address": None, "points": None, "nick": None},
        }
        quick.build()
        assert quick.changes() == {}
        assert quick.snapshot()["p0000"]["nick"] == "Nick 0", "the snapshot lost a value that Batch holds"

    def test_invalid_rows(self, quick: QuickProject) -> None:
        reasons = {
            None: "null_identifier",
            "twice": "duplicate_identifier",
            "": "empty_identifier",
            " \t\n": "empty_identifier",
            "x" * 512: "long_identifier",
            "a\nb": "line_break_identifier",
            "a\tb": "control_character_identifier",
            "NaN": "reserved_identifier",
        }
        quick.map({**CONTACTS_MAPPING, "on_exit": "clear"})
        quick.set_rows(CONTACTS, [{"id": "twice", "points": 1}, {"id": "fine", "points": 2}])
        quick.sync()
        bad = [{"id": name, "points": 3} for name in (*reasons, "twice")]
        quick.set_rows(CONTACTS, [{"id": "fine", "points": 2}, *bad])
        quick.build()
        assert quick.changes() == {name: ("invalid", reason) for name, reason in reasons.items()}
        pushed = quick.push_one()
        assert (pushed.status, pushed.invalid, pushed.requests) == ("partial", len(bad), 0)
        quick.set_rows(CONTACTS, [{"id": "fine", "points": 2}, {"id": "twice", "points": 1}])
        quick.build()
        assert quick.changes() == {}, "a profile with invalid rows was treated as an exit"

    def test_never_resubscribe(self, quick: QuickProject) -> None:
        """For every column type, after an exit and a resend: only the guard's opt-out allows it."""
        mapping = {
            "identifier": "id",
            "standard": {"email_marketing": "optin", "sms_marketing": "sms"},
            "custom": ["n"],
            "on_exit": "clear",
        }
        columns = {"id": "text", "optin": "boolean", "sms": "text", "n": "bigint"}
        quick.map(mapping)
        quick.set_rows(columns, [{"id": "a", "optin": False, "sms": "unsubscribed", "n": 1}])
        quick.sync()
        quick.set_rows(columns, [])
        quick.build()
        assert quick.changes() == {"a": ("exit", "n")}, "an exit cleared an opt-out"
        quick.push_one(force=True)
        quick.set_rows(columns, [{"id": "a", "optin": True, "sms": "subscribed", "n": 2}])
        blocked = "never_resubscribe:batch__email_marketing,batch__sms_marketing"
        quick.build()
        assert quick.changes() == {"a": ("update", blocked)}
        assert quick.push_one().rejected_attributes == 2
        assert quick.sent.attributes == {"a": {"n": 2}}
        quick.resend("all")
        quick.push_one()
        assert quick.sent.attributes == {"a": {"n": 2}}
        quick.map({**mapping, "guards": {"never_resubscribe": False}})
        assert quick.sync().status == "succeeded"
        sent = {"$email_marketing": "subscribed", "$sms_marketing": "subscribed"}
        assert quick.sent.attributes == {"a": sent}

    # Evolution

    def test_evolution(self, quick: QuickProject) -> None:
        columns = {"id": "text", "points": "integer", "price": "numeric(8,2)", "day": "date", "note": "text"}
        row = {
            "id": "x",
            "points": 1,
            "price": Decimal("2.50"),
            "day": datetime(2024, 2, 29).date(),
            "note": "12",
        }
        quick.map({"identifier": "id", "custom": ["points", "price", "day", "note"]})
        quick.set_rows(columns, [row])
        quick.sync()
        wider = {**columns, "points": "bigint", "price": "numeric(20,4)", "day": "timestamp"}
        quick.set_rows(wider, [row])
        quick.build()
        assert quick.changes() == {}, "a wider type was sent again"
        quick.set_rows(
            {**wider, "points": "text", "note": "bigint", "more": "text"}, [{**row, "more": "new"}]
        )
        quick.map(
            {
                "identifier": "id",
                "custom": ["points", "day", "note", "more", {"column": "price", "name": "cost"}],
            }
        )
        quick.build()
        assert quick.changes() == {"x": ("update", "points,note,more,cost")}
        quick.push_one()
        assert quick.sent.attributes == {"x": {"points": "1", "note": 12, "more": "new", "cost": 2.5}}
        quick.set_rows(
            {**wider, "note": "text"},
            [{**row, "points": 2**40, "price": Decimal("123456789012.3456"), "note": "no number"}],
        )
        quick.map({"identifier": "id", "custom": ["points", "price", "day", "note"]})
        quick.sync()
        assert quick.sent.attributes == {
            "x": {"points": 2**40, "price": 123456789012.3456, "note": "no number"}
        }
        assert quick.snapshot()["x"]["cost"] == Decimal("2.5"), "a removed attribute was changed"
        quick.build()
        assert quick.changes() == {}

    # Rejections

    def test_rejected_rows_and_attributes(self, quick: QuickProject) -> None:
        """A rejected row is parked until it changes or is resent; a rejected attribute is never retried by
        itself.
        """
        quick.map(CONTACTS_MAPPING)
        rows = contacts(4)
        rows[3]["nick"] = "x" * 301
        quick.set_rows(CONTACTS, rows)
        quick.sandbox.faults.set(
            [
                Fault(FaultKind.REFUSE_ROWS, custom_ids=frozenset(["p0001"])),
                Fault(FaultKind.REFUSE_ATTRIBUTE, custom_ids=frozenset(["p0002"]), attributes=("points",)),
            ]
        )
        pushed = quick.sync()
        assert (pushed.status, pushed.rejected_rows, pushed.rejected_attributes) == ("partial", 1, 2)
        assert quick.rejects().keys() == {("p0001", None), ("p0002", "points"), ("p0003", "nick")}
        quick.sandbox.faults.set([])
        again = quick.sync()
        assert (again.status, again.requests, again.parked) == ("partial", 0, 1)
        assert quick.changes() == {"p0001": ("invalid", "parked")}
        assert quick.snapshot().keys() == {"p0000", "p0002", "p0003"}
        self._check_report(quick)
        rows[1]["points"] = 99
        quick.set_rows(CONTACTS, rows)
        assert quick.sync().inserts == 1
        assert quick.sent.attributes.keys() == {"p0001"}
        quick.resend("rejected")
        quick.push_one()
        assert quick.sent.attributes == {"p0002": {"points": 2}}
        quick.build()
        assert quick.changes() == {}
        assert quick.rejects().keys() == {("p0003", "nick")}

    def _check_report(self, project: Project) -> None:
        """The report after two runs, of which the first had a rejected row and two rejected attributes."""
        (told,) = api.report(project.options()).syncs
        (standing,) = api.status(project.options()).syncs
        assert [run.status for run in told.runs] == ["partial", "partial"]
        assert standing.parked == 1
        page = render(ReportResult(datetime(2026, 4, 1), "dev", (told,)))
        assert "p000" not in page
        assert "@example.com" not in page

    def test_resend_all(self, quick: QuickProject) -> None:
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, contacts(3))
        quick.sync()
        quick.resend("all")
        assert (quick.push_one().updates, len(quick.sent.attributes)) == (3, 3)
        assert quick.sent.attributes["p0000"] == {
            "$email_address": "p0@example.com",
            "points": 0,
            "nick": "Nick 0",
        }
        quick.build()
        assert quick.changes() == {}

    # Incomplete pushes

    def test_a_limit_and_a_killed_push(self, quick: QuickProject) -> None:
        """Both stop mid-delta, and the delta is rebuilt: settled rows are merged, and rows in doubt are sent
        again, even if the value has reverted.
        """
        quick.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 1})
        quick.map({**CONTACTS_MAPPING, "endpoint": "update", "on_exit": "clear"})
        rows = contacts(4 * CALL)
        quick.set_rows(CONTACTS, rows)
        quick.build()
        assert quick.push_one(limit=CALL + 7).accepted == CALL + 7
        quick.set_rows(CONTACTS, contacts(4 * CALL, nick="changed"))
        quick.build()
        assert len(quick.snapshot()) == CALL + 7, "the snapshot doesn't stop at the limit"
        killed = quick.troubled([Trouble("append:checkpoint", 2)], "push")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        quick.set_rows(CONTACTS, rows[: 3 * CALL])
        quick.build()
        assert len(quick.snapshot()) == 4 * CALL
        assert quick.push_one(force=True).status == "succeeded"
        profiles = quick.profiles()
        assert {name: plain(profiles[name]).get("nick") for name in profiles} == {
            row["id"]: row["nick"] if n < 3 * CALL else None for n, row in enumerate(rows)
        }
        quick.build()
        assert quick.changes() == {}

    def test_doubt_of_an_overtaken_push(self, quick: QuickProject) -> None:
        """Its in-flight rows are sent again, whether the profile is known or not."""
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, contacts(2))
        quick.sync()
        with known(quick) as found:
            found.journal.append_doubt("people", "gone", "gone", ["p0000", "p0002"], "points,nick")
            found.journal.append([Event(found.journal.stamp(), "people", "ended", "gone", status="failed")])
        quick.set_rows(CONTACTS, contacts(3))
        quick.build()
        assert quick.changes() == {
            "p0000": ("update", "points,nick"),
            "p0002": ("update", "batch__email_address,points,nick"),
        }
        assert quick.push_one().accepted == 2
        quick.build()
        assert quick.changes() == {}

    def test_a_push_needs_no_dbt_core(self, quick: QuickProject) -> None:
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, contacts(3))
        quick.build()
        ended = subprocess.run(
            [sys.executable, "-c", WITHOUT_CORE],
            cwd=quick.directory,
            env=quick.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert len(quick.profiles()) == 3
