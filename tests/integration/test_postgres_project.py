"""A project of many syncs on a real PostgreSQL server: concurrent connections, and the round trips of a push."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from harness.databases import PostgresDatabase, PostgresServer
from harness.faulty_sandbox import FaultyServer
from harness.project import Project

from dbt_batch_sync.warehouse.postgres import PostgresWarehouse

SYNCS = tuple(f"sync_{place}" for place in range(8))
COLUMNS = {"id": "varchar", "points": "bigint"}


class Indexed(PostgresDatabase):
    """Adds the user's own settings to the models of one sync."""

    model_config: Mapping[str, object] = {
        "sync_0_delta": {"+indexes": [{"columns": ["_batch_page"]}]},
        "sync_0_sent_snapshot": {"+indexes": [{"columns": ["custom_id"], "unique": True}]},
    }


@pytest.fixture(scope="module")
def shop(batch: FaultyServer, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Eight syncs of three people each, first built by eight threads at once, then pushed."""
    project = Project(tmp_path_factory.mktemp("eight"), batch, Indexed(postgres))
    batch.reset()
    for name in SYNCS:
        project.map({"identifier": "id", "custom": ["points"]}, name)
        project.set_rows(COLUMNS, [{"id": f"{name}-{place}", "points": place} for place in range(3)], name)
    project.build("--threads", "8")
    return project


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the warehouse calls."""
    seen: list[str] = []
    for name in ("fetch", "append", "columns"):
        whole = getattr(PostgresWarehouse, name)

        def noted(*given: object, name: str = name, whole: object = whole) -> object:
            seen.append(name)
            return whole(*given)  # type: ignore[operator]

        monkeypatch.setattr(PostgresWarehouse, name, noted)
    return seen


def test_eight_threads_build_the_first_deltas_at_once(shop: Project) -> None:
    built = shop.query("select sync, inserts from batch_sync_journal where event = 'built'")
    assert {row["sync"]: row["inserts"] for row in built} == dict.fromkeys(SYNCS, 3)
    assert {each.status for each in shop.push().syncs} == {"succeeded"}
    assert len(shop.profiles()) == 3 * len(SYNCS)
    shop.build("--threads", "8")
    assert all(len(shop.snapshot(name)) == 3 for name in SYNCS)


def test_user_defined_indexes(shop: Project) -> None:
    found = shop.query("select tablename, indexdef from pg_indexes where schemaname = 'shop'")
    of = {row["tablename"]: row["indexdef"] for row in found}
    assert "(_batch_page)" in of["sync_0_delta"]
    assert "UNIQUE" in of["sync_0_sent_snapshot"]
    assert "(custom_id)" in of["sync_0_sent_snapshot"]


def test_round_trips(shop: Project, trips: list[str]) -> None:
    shop.push()
    shop.build()
    trips.clear()
    assert {each.status for each in shop.push().syncs} == {"succeeded"}
    assert len(trips) <= 3, "none has anything to send"
    shop.set_rows(COLUMNS, [{"id": f"sync_3-{place}", "points": 7} for place in range(3)], "sync_3")
    shop.build("--select", "sync_3+", "sync_3_sent_snapshot")
    trips.clear()
    (pushed,) = shop.push(select=["sync_3"]).syncs
    assert (pushed.status, pushed.accepted) == ("succeeded", 3)
    assert len(trips) <= 10, trips
