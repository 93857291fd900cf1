"""Erased people in the other syncs: forgotten, held back for 31 days, then new.

The ledger rows of a deletions push are written by hand, so that time can pass and orders can vary.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from harness.databases import PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.fixtures import SOONER_ON_DUCKDB
from harness.project import PEOPLE, Project
from harness.quick import QuickProject

MAPPING: dict[str, object] = {"identifier": "id", "custom": ["name", "tags"]}
COLUMNS = {"id": "varchar", "name": "varchar", "tags": "varchar[]"}
AUDIENCE = {
    **{"kind": "audience", "identifier": "id", "audience": "vips", "attributes": ["name", "tags"]},
    "guards": {"max_exit_ratio": None},
}
NEW = ("insert", "name,tags")
ERASED = ("invalid", "erased")


@pytest.fixture(scope="module")
def shared(
    either: PostgresDatabase | None, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    return QuickProject(tmp_path_factory.mktemp("erased"), batch, either)


@pytest.fixture
def shop(shared: QuickProject) -> Iterator[QuickProject]:
    """Three people in Batch and in the snapshot."""
    shared.clear()
    begin(shared)
    yield shared
    assert not shared.sandbox.stats.violations, shared.sandbox.stats.examples


def begin(project: Project, mapping: dict[str, object] = MAPPING) -> None:
    project.map(mapping)
    project.set_rows(COLUMNS, people("a", "b", "c"))
    project.sync()
    project.build()


def people(*names: str, **cells: object) -> list[dict[str, object]]:
    return [{"id": name, "name": f"name of {name}", "tags": ["x"], **cells} for name in names]


def ask(project: Project, *names: str, project_hash: str | None = None) -> None:
    """Append what a deletions push does before each request, by default in the last push's project."""
    last = project.query("select max(project_hash) as project from batch_sync_journal where event = 'intent'")
    now = (
        "cast(now() at time zone 'UTC' as timestamp)"
        if project.warehouse.adapter == "duckdb"
        else "(clock_timestamp() at time zone 'UTC')"
    )
    for name in names:
        project.execute(
            "insert into batch_sync_journal (recorded_at, sync, event, key, project_hash) "
            f"select {now}, 'erasures', 'asked', $name, $hash",
            name=name,
            hash=project_hash or (last[0]["project"] or "").partition("/")[0] or None,
        )


def pass_days(project: Project, days: int) -> None:
    """Make everything recorded so much older."""
    for table, column in (
        ("batch_sync_journal", "recorded_at"),
        ("batch_sync_rejects", "rejected_at"),
        ("batch_sync_rejects", "resolved_at"),
        (f"{PEOPLE}_sent_snapshot", "_batch_sent_at"),
    ):
        project.execute(f"update {table} set {column} = {column} - interval '{days} days'")


@pytest.mark.parametrize("mapping", [MAPPING, AUDIENCE], ids=["profiles", "audience"])
def test_erased_people_are_forgotten_held_back_and_then_new(
    shop: QuickProject, mapping: dict[str, object]
) -> None:
    if mapping is AUDIENCE:
        shop.clear()
        begin(shop, mapping)
    before = shop.snapshot()
    ask(shop, "b", "nobody")
    shop.build()
    assert {name: row["name"] for name, row in shop.snapshot().items()} == {
        name: before[name]["name"] for name in "ac"
    }
    (row,) = shop.delta()
    assert (row["custom_id"], row["_batch_change"], row["_batch_reason"]) == ("b", *ERASED)
    assert (row["name"], row["tags"], row["_batch_changed"]) == (None, None, "")
    pushed = shop.push_one()
    assert (pushed.status, pushed.invalid, pushed.sent) == ("partial", 1, 0)
    pass_days(shop, 30)
    shop.build()
    assert shop.changes() == {"b": ERASED}
    pass_days(shop, 2)
    shop.build()
    assert shop.changes()["b"][0] == "insert"
    assert shop.changes()["b"][1].startswith("name,tags")
    assert shop.push_one().status == "succeeded"
    shop.build()
    assert (set(shop.snapshot()), shop.changes()) == ({"a", "b", "c"}, {})
    shop.build()
    assert set(shop.snapshot()) == {"a", "b", "c"}, "rows sent since then should stay"


def test_erased_people_outside_the_model_have_no_row(shop: QuickProject) -> None:
    ask(shop, "b")
    shop.set_rows(COLUMNS, people("a", "c"))
    shop.build()
    assert (set(shop.snapshot()), shop.changes()) == ({"a", "c"}, {})
    assert shop.push_one().status == "succeeded"


@SOONER_ON_DUCKDB
@pytest.mark.parametrize("erases", [True, False])
def test_a_member_who_is_erased_and_then_leaves(shop: QuickProject, erases: bool) -> None:
    """Nothing is sent for the person, so whether the id stays in the audience is up to Batch."""
    shop.clear()
    begin(shop, AUDIENCE)
    with shop.sandbox.changed(erase_members=erases):
        asked = requests.post(
            f"{shop.sandbox.url}/1.0/sandbox_app/gdpr/request",
            json={"request_type": "remove", "id": {"type": "custom_id", "value": "b"}},
            headers={"X-Authorization": "sandbox"},
            timeout=10,
        )
        assert asked.ok
        ask(shop, "b")
        shop.build()
        shop.set_rows(COLUMNS, people("a", "c"))
        pushed = shop.sync()
        assert (pushed.status, pushed.sent) == ("succeeded", 0)
        shop.build()
        assert (set(shop.snapshot()), shop.changes()) == ({"a", "c"}, {})
        assert set(shop.sandbox.audiences["vips"].members) == ({"a", "c"} if erases else {"a", "b", "c"})


@SOONER_ON_DUCKDB
def test_erasing_everybody(shop: QuickProject) -> None:
    """Otherwise a snapshot without the last merged rows counts as an older copy."""
    ask(shop, "a", "b", "c")
    shop.build()
    shop.build()
    assert (shop.snapshot(), set(shop.changes().values())) == ({}, {ERASED})
    shop.set_rows(COLUMNS, people("d"))
    assert shop.sync().accepted == 1
    shop.build()
    assert set(shop.snapshot()) == {"d"}
    ask(shop, "d")
    shop.build()
    shop.build()
    assert shop.snapshot() == {}


@SOONER_ON_DUCKDB
def test_an_emptied_snapshot_is_still_an_error(shop: QuickProject) -> None:
    ask(shop, "a")
    shop.build()
    shop.set_rows(COLUMNS, people("b", "c", name="new"))
    shop.sync()
    shop.build()
    shop.execute(f"delete from {PEOPLE}_sent_snapshot")
    with pytest.raises(Exception, match="lacks the rows that were merged into it last"):
        shop.build()


@SOONER_ON_DUCKDB
def test_a_delta_built_before_the_request_and_pushed_after_it(shop: QuickProject) -> None:
    """Batch discards the rows of erased people, so the merge must not count them as sent."""
    shop.set_rows(COLUMNS, people("a", "b", "c", "d", name="new"))
    shop.build()
    ask(shop, "b", "d")
    assert shop.push_one().accepted == 4
    shop.build()
    assert set(shop.snapshot()) == {"a", "c"}
    assert shop.changes() == {"b": ERASED, "d": ERASED}


@SOONER_ON_DUCKDB
@pytest.mark.parametrize("pause", [0, 40])
def test_a_delta_pushed_after_the_hold_back_period(shop: QuickProject, pause: int) -> None:
    """The delta was computed from data that Batch has since erased, so everything is sent again."""
    shop.set_rows(COLUMNS, [*people("a", "c"), *people("b", name="new")])
    shop.build()
    ask(shop, "b")
    pass_days(shop, 40)
    shop.push_one()
    assert shop.sent.attributes == {"b": {"name": "new"}}
    pass_days(shop, pause)
    shop.build()
    assert set(shop.snapshot()) == {"a", "c"}
    assert shop.changes() == {"b": NEW}


def test_a_duplicate_row_is_erased_once(shop: QuickProject) -> None:
    ask(shop, "b")
    shop.set_rows(COLUMNS, [*people("a", "b", "c"), *people("b", "c", name="other")])
    shop.build()
    found = [(row["custom_id"], row["_batch_reason"]) for row in shop.delta()]
    assert found == [("b", "erased"), ("c", "duplicate_identifier"), ("c", "duplicate_identifier")]


def test_rejections_are_forgotten(shop: QuickProject) -> None:
    shop.set_rows(COLUMNS, people("a", "b", "c", name="x" * 301))
    shop.sync()
    assert set(shop.rejects()) == {(name, "name") for name in "abc"}
    ask(shop, "b")
    shop.build()
    assert {row["key"] for row in shop.query("select key from batch_sync_rejects")} == {"a", "c"}


def test_doubt_is_forgotten(shop: QuickProject) -> None:
    """A profile that a push may have sent before it died."""
    shop.set_rows(COLUMNS, people("d"))
    shop.build()
    shop.execute(
        "insert into batch_sync_journal (recorded_at, sync, event, run_id, delta_id, page) select recorded_at, sync, "
        "'intent', 'dead', delta_id, page from batch_sync_journal where event = 'built' "
        "order by recorded_at desc limit 1"
    )
    ask(shop, "d")
    shop.build()
    assert "d" not in shop.snapshot()
    assert shop.changes()["d"] == ERASED


@SOONER_ON_DUCKDB
def test_a_resend_does_not_send_erased_people(shop: QuickProject) -> None:
    ask(shop, "b")
    shop.resend("all")
    assert shop.changes() == {"a": ("update", "name,tags"), "b": ERASED, "c": ("update", "name,tags")}


def test_a_person_who_returns_and_is_erased_again(shop: QuickProject) -> None:
    ask(shop, "b")
    shop.build()
    pass_days(shop, 32)
    shop.sync()
    shop.build()
    assert "b" in shop.snapshot()
    ask(shop, "b")
    shop.build()
    assert "b" not in shop.snapshot()
    assert shop.changes() == {"b": ERASED}


@SOONER_ON_DUCKDB
def test_another_batch_project_is_left_alone(shop: QuickProject) -> None:
    ask(shop, "b", project_hash="another")
    shop.build()
    assert (set(shop.snapshot()), shop.changes()) == ({"a", "b", "c"}, {})


@pytest.mark.parametrize("project_hash", [None, "another"])
def test_a_sync_with_an_unknown_project_holds_back(project: Project, project_hash: str | None) -> None:
    """Before its first push, and after a resend of everything, which may go to another project."""
    shop = project
    begin(shop)
    ask(shop, "b", project_hash=project_hash)
    shop.map(MAPPING, "others")
    shop.set_rows(COLUMNS, people("a", "b"), "others")
    shop.build()
    assert shop.changes("others") == {"a": NEW, "b": ERASED}
    shop.push(select=["others"])
    shop.build()
    assert shop.changes("others") == {"b": ERASED if project_hash is None else NEW}
    shop.resend("all")
    for _ in range(2):
        assert shop.changes("others") == {"a": ("update", "name,tags"), "b": ERASED}
        shop.build()


def test_the_ledger_may_be_in_another_schema(project: Project) -> None:
    """The deletions' ledger, if the project puts it elsewhere."""
    shop = project
    begin(shop)
    shop.map({"identifier": "id", "confirm": "erase", "kind": "deletions"}, "erasures", schema="legal")
    for name in ("delta", "sent_snapshot"):
        path = shop.directory / "models" / f"erasures_{name}.sql"
        path.write_text("{{ config(schema='legal') }}\n" + path.read_text())
    shop.set_rows({"id": "varchar"}, [], "erasures")
    shop.build()
    ask(shop, "b")
    shop.execute(
        "insert into main_legal.batch_sync_journal select * from batch_sync_journal where event = 'asked'"
    )
    shop.execute("delete from batch_sync_journal where event = 'asked'")
    shop.build()
    assert shop.changes() == {"b": ERASED}
    assert set(shop.snapshot()) == {"a", "c"}


@SOONER_ON_DUCKDB
def test_pruning_keeps_erasures(shop: QuickProject) -> None:
    ask(shop, "b")
    shop.build()
    pass_days(shop, 200)
    shop.sync()
    pass_days(shop, 200)
    shop.build()
    old = "select distinct event from batch_sync_journal where recorded_at < now() - interval '300 days'"
    assert {row["event"] for row in shop.query(old)} == {"asked"}
