"""What every warehouse has to do alike: a test class that each of them inherits, as dbt's adapters do.

Beside a subclass stands the fixture `warehouse`, a `Database`. What is different on it, a subclass says in
class attributes. Rows and oracle are those of the tests of the main job.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from harness.databases import Database
from harness.faults import Fault, FaultKind
from harness.faulty import Trouble
from harness.faulty_sandbox import FaultyServer
from harness.oracle import expected_profile, expected_refusals
from harness.people import COLUMNS, KINDS, MAPPING, people
from harness.project import Project
from harness.quick import QuickProject
from harness.values import Values, plain

from dbt_batch_sync import api
from dbt_batch_sync.report.page import render
from dbt_batch_sync.results import ReportResult

CALL = 200
"""Operations of a call to `update`."""

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
"""A push where all that is dbt-core's own can't be imported."""


def contacts(number: int, **changes: object) -> list[dict[str, Any]]:
    """So many rows of `CONTACTS`."""
    rows = range(number)
    return [
        {"id": f"p{n:04d}", "email": f"p{n}@example.com", "points": n, "nick": f"Nick {n}", **changes}
        for n in rows
    ]


@pytest.fixture(scope="module")
def quick_workshop(
    batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The directory of `quick`."""
    return QuickProject(tmp_path_factory.mktemp("quick"), batch, warehouse)


@pytest.fixture(scope="module")
def shop_workshop(
    batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The directory of `shop`."""
    return Project(tmp_path_factory.mktemp("shop"), batch, warehouse)


@pytest.fixture
def quick(quick_workshop: QuickProject) -> Iterator[QuickProject]:
    """An empty project. Afterwards no request may have broken a rule of the API."""
    yield from _emptied(quick_workshop)


@pytest.fixture
def shop(shop_workshop: Project) -> Iterator[Project]:
    """The same with dbt itself."""
    yield from _emptied(shop_workshop)


def _emptied(project: Any) -> Iterator[Any]:
    project.clear()
    yield project
    assert not project.sandbox.stats.violations, project.sandbox.stats.examples


class Behaviour(Values):
    """The suite. `quick` is a project whose `dbt run` costs a tenth of a second, `shop` is built by dbt."""

    people_types: ClassVar[Mapping[str, str]] = {}
    """Types of `harness.people.COLUMNS` that are others on this warehouse."""

    accepts_nul: ClassVar[bool] = True
    """Whether a text may have the character 0."""

    second_push: ClassVar[str] = "is being pushed already: by process"
    """What a push says while another process pushes the sync."""

    people_given: ClassVar[Mapping[str, str]] = {}
    """Columns of `people` whose type in Batch the mapping has to give, because theirs is another one."""

    # The main job

    def test_every_type_arrives_and_only_changes_go_again(self, shop: Project) -> None:
        rows = [
            self.fitting({**row, "nick": self._text(row["nick"]), "tags": self._texts(row["tags"])})
            for row in people(400)
        ]
        types = {name: self.people_types.get(name, kind) for name, kind in COLUMNS.items()}
        given = {name: {"column": name, "type": kind} for name, kind in self.people_given.items()}
        custom = [given.get(str(each), each) for each in MAPPING["custom"]]  # type: ignore[attr-defined]
        shop.map({**MAPPING, "custom": custom})
        shop.set_rows(types, rows)
        pushed = shop.sync()
        assert (pushed.status, pushed.inserts, pushed.error) == ("partial", 400, None)
        self._check(shop, rows)
        again = shop.push_one()
        assert (again.requests, again.inserts) == (0, 0)
        assert shop.sync().requests == 0, "the same rows, compared with what was committed, differ"
        shop.set_rows(types, [{**row, "vip": not row["vip"]} for row in rows])
        shop.sync()
        assert shop.sent.names == {"vip"}
        assert len(shop.sent.attributes) == 400

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """One of `people` as this warehouse can hold it."""
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

    def test_dbt_run_as_users_call_it(self, shop: Project) -> None:
        """Twice the same delta; `--full-refresh` keeps the snapshot; `--empty` sends nothing."""
        shop.map(CONTACTS_MAPPING)
        shop.set_rows(CONTACTS, contacts(20))
        shop.build()
        first = shop.changes()
        shop.build()
        assert shop.changes() == first
        assert shop.push_one().accepted == 20
        shop.dbt("run", "--full-refresh")
        assert (shop.changes(), len(shop.snapshot())) == ({}, 20)
        shop.dbt("run", "--empty")
        assert shop.push_one().requests == 0, "a sync that was built empty makes everybody leave"
        shop.map({**CONTACTS_MAPPING, "custom": ["points"], "on_exit": "clear"})
        shop.set_rows(CONTACTS, contacts(19))
        shop.sync()
        assert list(shop.sent.operations) == [("p0019", {"$email_address": None, "points": None})]

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

    def test_exits_under_clear_and_nulls_under_keep(self, quick: QuickProject) -> None:
        quick.map({**CONTACTS_MAPPING, "on_exit": "clear", "on_null": "keep"})
        quick.set_rows(CONTACTS, contacts(3))
        quick.sync()
        quick.set_rows(CONTACTS, [{"id": "p0000"}, {"id": "p0001", "nick": "", "points": 7}])
        quick.sync()
        assert quick.sent.attributes == {
            "p0001": {"points": 7},
            "p0002": {"$email_address": None, "points": None, "nick": None},
        }
        assert quick.snapshot()["p0000"]["nick"] == "Nick 0", "the snapshot does not keep what Batch has"

    def test_invalid_rows(self, quick: QuickProject) -> None:
        reasons = {
            None: "null_identifier",
            "twice": "duplicate_identifier",
            "": "empty_identifier",
            " \t\n": "empty_identifier",
            "x" * 512: "long_identifier",
            "a\nb": "line_break_identifier",
            "NaN": "reserved_identifier",
        }
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, [{"id": "twice", "points": 1}, {"id": "fine", "points": 2}])
        quick.sync()
        bad = [{"id": name, "points": 3} for name in (*reasons, "twice")]
        for _ in range(2):
            quick.set_rows(CONTACTS, [{"id": "fine", "points": 2}, *bad])
            quick.build()
            assert quick.changes() == {name: ("invalid", reason) for name, reason in reasons.items()}
            pushed = quick.push_one()
            assert (pushed.status, pushed.invalid, pushed.requests) == ("partial", len(bad), 0)
        quick.set_rows(CONTACTS, [{"id": "fine", "points": 2}, {"id": "twice", "points": 1}])
        quick.build()
        assert quick.changes() == {}, "a profile whose rows were invalid has not left"

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
        assert quick.changes() == {}, "a wider type is nothing to send"
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
        assert quick.snapshot()["x"]["cost"] == Decimal("2.5"), "a removed attribute is left alone"
        quick.build()
        assert quick.changes() == {}

    # Refusals

    def test_refused_rows_and_attributes(self, quick: QuickProject) -> None:
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
        assert quick.snapshot().keys() == {"p0000", "p0002", "p0003"}
        quick.sandbox.faults.set([])
        assert quick.sync().requests == 0, "what was refused goes again by itself"
        self._check_report(quick)
        quick.push_one(retry_rejected=True)
        assert quick.sent.attributes.keys() == {"p0001", "p0002"}
        assert quick.rejects().keys() == {("p0003", "nick")}
        quick.build()
        assert quick.changes() == {}

    def _check_report(self, project: Project) -> None:
        """After two runs, the first of which was refused a row and two attributes."""
        project.build()
        (told,) = api.report(project.options()).syncs
        (standing,) = api.status(project.options()).syncs
        assert [run.status for run in told.runs] == ["partial", "partial"]
        assert (
            [(each.attribute, each.count) for each in told.parked] == [(None, standing.parked)] == [(None, 1)]
        )
        assert told.pending == told.inserts == 1
        assert set(told.attributes.values()) == {1}
        page = render(ReportResult(datetime(2026, 4, 1), "dev", (told,)))
        assert "p000" not in page
        assert "@example.com" not in page

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
        assert len(quick.profiles()) == len(quick.snapshot()) == 3

    def test_full_refresh_sends_everything_again(self, quick: QuickProject) -> None:
        quick.map(CONTACTS_MAPPING)
        quick.set_rows(CONTACTS, contacts(3))
        quick.sync()
        pushed = quick.push_one(full_refresh=True)
        assert (pushed.updates, pushed.accepted) == (3, 3)
        assert quick.sent.attributes["p0000"] == {
            "$email_address": "p0@example.com",
            "points": 0,
            "nick": "Nick 0",
        }
        quick.build()
        assert quick.changes() == {}

    # Kills, and two at once

    @pytest.mark.parametrize(
        "death",
        [
            Trouble("append:intent", when="after"),
            Trouble("send", 3, "after"),
            Trouble("append:checkpoint"),
            Trouble("append:ended", when="after"),
        ],
        ids=lambda death: f"{death.when} {death.point}",
    )
    def test_a_killed_push_is_taken_up_again(self, quick: QuickProject, death: Trouble) -> None:
        quick.outputs(sandbox={"checkpoint_seconds": 0, "max_in_flight": 2})
        quick.map({**CONTACTS_MAPPING, "endpoint": "update", "on_exit": "clear"})
        quick.set_rows(CONTACTS, contacts(4 * CALL))
        quick.build()
        killed = quick.troubled([death], "push")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        quick.set_rows(CONTACTS, contacts(4 * CALL, nick="changed")[: 3 * CALL])
        quick.build()
        assert quick.push_one(force=True).status == "succeeded"
        profiles = quick.profiles()
        assert {plain(profiles[f"p{n:04d}"]).get("nick") for n in range(3 * CALL)} == {"changed"}
        assert not any(profiles[name] for name in profiles if name >= f"p{3 * CALL:04d}"), (
            "an exit was forgotten"
        )
        quick.build()
        assert quick.changes() == {}

    @pytest.fixture
    def impatient(self) -> None:
        """Makes a push not wait for what another one holds."""

    @pytest.mark.usefixtures("impatient")
    def test_two_pushes_at_once(self, quick: QuickProject) -> None:
        """In two processes: one of its own, and this one."""
        quick.map({**CONTACTS_MAPPING, "endpoint": "update"})
        quick.set_rows(CONTACTS, contacts(2))
        quick.build()
        quick.sandbox.change(latency=3_600.0)
        command = [sys.executable, "-m", "dbt_batch_sync", "push"]
        first = subprocess.Popen(
            command, cwd=quick.directory, env=quick.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            deadline = time.monotonic() + 60
            while not quick.sandbox.profiles and time.monotonic() < deadline:
                time.sleep(0.05)
            second = quick.call("push")
            assert second.returncode == 1, second.stderr
            told = " ".join((second.stdout + second.stderr).split())
            assert self.second_push in told, told
        finally:
            first.kill()
            first.communicate()
            quick.sandbox.change(latency=0.0)
        assert quick.push_one().status == "succeeded", "a dead holder keeps the next push out"
