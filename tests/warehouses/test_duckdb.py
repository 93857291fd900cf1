"""DuckDB: the shared suite."""

from __future__ import annotations

import pytest
from harness.behaviour import Behaviour, plain
from harness.databases import DuckDbFile
from harness.quick import QuickProject


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    return DuckDbFile(tmp_path_factory.mktemp("duckdb") / "shop.duckdb")


class TestDuckDb(Behaviour): ...


@pytest.mark.parametrize("default", ["", "nocase"])
def test_collations(
    quick: QuickProject, warehouse: DuckDbFile, monkeypatch: pytest.MonkeyPatch, default: str
) -> None:
    """Texts that are equal under a column's or the connection's collation differ for Batch."""
    given = {**warehouse.credentials, "settings": {"default_collation": default}}
    monkeypatch.setattr(DuckDbFile, "credentials", property(lambda _: given))
    quick.map({"identifier": "id", "custom": ["name"]})
    quick.execute(
        "create schema raw; create table raw.people (id text collate nocase, name text collate nocase)"
    )
    quick.execute("insert into raw.people values ('A', 'jane'), ('a', 'joe'), ('b', 'jim')")
    assert quick.sync().inserts == 3
    quick.execute("update raw.people set name = 'Jane' where id collate posix = 'A'")
    quick.execute("delete from raw.people where id collate posix = 'a'")
    quick.build()
    assert quick.changes() == {"A": ("update", "name"), "a": ("exit", "")}
    quick.sync()
    quick.build()
    assert quick.changes() == {}
    assert {key: plain(profile) for key, profile in quick.profiles().items() if key != "a"} == {
        "A": {"name": "Jane"},
        "b": {"name": "jim"},
    }
