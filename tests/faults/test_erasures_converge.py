"""Deletions combined with profiles: the snapshot matches Batch in every order of builds and pushes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from harness.databases import PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.push import guards

PROFILES: dict[str, object] = {"identifier": "id", "custom": ["name", "city"]}
ERASE: dict[str, object] = {
    "kind": "deletions",
    "identifier": "id",
    "requested_at": "requested_at",
    "confirm": "erase",
}
OUTPUT: dict[str, object] = {"only_from": ["dev"], "app_keys": ["sandbox_app"]}
NAMES = "abcd"
MODELS = {sync: (sync, f"{sync}_sent_snapshot", f"{sync}_delta") for sync in (PEOPLE, "erasures")}
SEEDS = (
    (0, "accept"),
    *(
        pytest.param(seed, form, marks=pytest.mark.thorough)
        for seed, form in ((0, "reject"), (1, "accept"), (2, "reject"), (3, "reject"))
    ),
)


class World:
    """A project with both syncs, the rows of its sources, and the elapsed days."""

    def __init__(self, project: QuickProject) -> None:
        self.project = project
        self.rows: dict[str, dict[str, object]] = {}
        self.requests: dict[str, int] = {}
        self.days = 0
        self.write()

    def write(self) -> None:
        text = {"id": "varchar", "name": "varchar", "city": "varchar"}
        self.project.set_rows(text, [{"id": name, **row} for name, row in self.rows.items()])
        asked = [
            {"id": name, "requested_at": f"{2000 + at}-01-01 00:00:00"} for name, at in self.requests.items()
        ]
        self.project.set_rows({"id": "varchar", "requested_at": "timestamp"}, asked, "erasures")

    def build(self, *syncs: str) -> None:
        """`dbt run` of these syncs, in this order."""
        self.write()
        self.project.build(*(model for sync in syncs for model in MODELS[sync]))

    def push(self, *syncs: str) -> None:
        for each in self.project.push(select=syncs).syncs:
            assert each.status in ("succeeded", "partial"), each.error

    def erase(self, name: str) -> None:
        self.requests[name] = self.requests.get(name, 0) + 1

    def pass_days(self, days: int) -> None:
        """Advance Batch's clock and age all recorded times."""
        self.days += days
        self.project.sandbox.change(time_ahead=self.days * 86400.0)
        for table, column in (
            ("batch_sync_journal", "recorded_at"),
            (f"{PEOPLE}_sent_snapshot", "_batch_sent_at"),
        ):
            if self.project.has_table(table):
                self.project.execute(f"update {table} set {column} = {column} - interval '{days} days'")

    def in_batch(self) -> dict[str, dict[str, object]]:
        return {
            name: {key: each.value for key, each in held.items()}
            for name, held in self.project.profiles().items()
        }

    def believed(self) -> dict[str, dict[str, object]]:
        """What Batch holds according to the snapshot, without rows in doubt."""
        return {
            name: {key: row[key] for key in ("name", "city") if row[key] is not None}
            for name, row in self.project.snapshot().items()
            if row["_batch_sent_at"] is not None and not row["_batch_doubt"]
        }

    def is_true(self) -> bool:
        """Whether Batch holds everything in the snapshot."""
        batch = self.in_batch()
        return all(
            name in batch and held.items() <= batch[name].items() for name, held in self.believed().items()
        )


@pytest.fixture(scope="module")
def shared(
    either: PostgresDatabase | None, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    directory = tmp_path_factory.mktemp("both")
    Project(directory, batch, either).map(ERASE, "erasures")
    return QuickProject(directory, batch, either)


@pytest.fixture
def world(shared: QuickProject) -> Iterator[World]:
    shared.clear()
    shared.outputs(sandbox=OUTPUT)
    shared.map(PROFILES)
    yield World(shared)
    shared.sandbox.change(time_ahead=0.0, blacklisted="accept")


@pytest.mark.parametrize(("seed", "blacklisted"), SEEDS)
def test_the_snapshot_matches_batch_after_any_sequence(world: World, seed: int, blacklisted: str) -> None:
    world.project.sandbox.change(blacklisted=blacklisted)
    chance = random.Random(seed)
    both = (PEOPLE, "erasures")
    world.rows = {name: {"name": name, "city": "Lyon"} for name in NAMES}
    world.build(*both)
    for _ in range(10):
        step = chance.choice(["change", "change", "leave", "erase", "build", "build", "push", "push", "wait"])
        name = chance.choice(NAMES)
        if step == "change":
            city = chance.choice(["Lyon", "Lille", None])
            world.rows[name] = {"name": f"{name}{chance.randrange(9)}", "city": city}
        elif step == "leave":
            world.rows.pop(name, None)
        elif step == "erase":
            world.erase(name)
        elif step == "build":
            world.build(*chance.sample(both, chance.choice([1, 2, 2])))
            assert world.is_true(), (world.believed(), world.in_batch())
        elif step == "push":
            world.push(*chance.sample(both, chance.choice([1, 2])))
        else:
            world.pass_days(chance.choice([10, 40]))
    for _ in range(2):
        world.build(*chance.sample(both, 2))
        world.push(*both)
    world.build(*both)
    assert world.believed() == world.in_batch()
    world.pass_days(40)
    for _ in range(2):
        world.build(*both)
        world.push(*both)
    batch = world.in_batch()
    expected = {
        name: {key: cell for key, cell in row.items() if cell is not None} for name, row in world.rows.items()
    }
    assert {name: batch.get(name) for name in expected} == expected, (
        "the model's rows should be in Batch again"
    )


def erased_and_changed(world: World) -> None:
    """A person is erased and stays in the model."""
    world.rows = {"a": {"name": "a", "city": "Lyon"}, "b": {"name": "b", "city": "Lyon"}}
    world.build(PEOPLE, "erasures")
    world.push(PEOPLE)
    world.erase("a")
    world.build(PEOPLE, "erasures")
    world.push("erasures")
    world.rows["a"] = {"name": "changed", "city": "Lyon"}
    world.build(PEOPLE)
    world.push(PEOPLE)
    world.build(PEOPLE)


def test_with_the_interlock_snapshot_and_batch_are_equal(world: World) -> None:
    erased_and_changed(world)
    assert world.in_batch() == world.believed() == {"b": {"name": "b", "city": "Lyon"}}
    world.pass_days(32)
    world.build(PEOPLE)
    world.push(PEOPLE)
    world.build(PEOPLE)
    assert world.in_batch()["a"] == world.believed()["a"] == {"name": "changed", "city": "Lyon"}


@pytest.mark.parametrize("blacklisted", ["accept", "reject"])
def test_a_change_that_was_built_before_the_erasure(world: World, blacklisted: str) -> None:
    """Batch discards or rejects it, which it doesn't document. The next `dbt run` forgets both."""
    world.project.sandbox.change(blacklisted=blacklisted)
    world.rows = {"a": {"name": "a", "city": "Lyon"}, "b": {"name": "b", "city": "Lyon"}}
    world.build(PEOPLE, "erasures")
    world.push(PEOPLE)
    world.rows["a"], world.rows["c"] = {"name": "changed", "city": None}, {"name": "c", "city": None}
    world.erase("a")
    world.build(PEOPLE, "erasures")
    world.push("erasures", PEOPLE)
    world.build(PEOPLE)
    assert world.in_batch() == world.believed()
    assert set(world.in_batch()) == {"b", "c"}
    assert world.project.changes() == {"a": ("invalid", "erased")}
    assert not world.project.rejects()


def test_erasures_that_were_carried_out_elsewhere(world: World) -> None:
    """`adopt` of them holds the people back, too."""
    world.rows = {"a": {"name": "a", "city": "Lyon"}, "b": {"name": "b", "city": "Lyon"}}
    world.build(PEOPLE, "erasures")
    world.push(PEOPLE)
    world.erase("a")
    world.build(PEOPLE, "erasures")
    (adopted,) = api.adopt(world.project.options(), api.Selection(("erasures",))).syncs
    assert adopted.status == "succeeded", adopted.error
    world.build(PEOPLE, "erasures")
    assert set(world.believed()) == {"b"}
    assert world.project.changes() == {"a": ("invalid", "erased")}
    assert world.project.changes("erasures") == {}
    assert not world.project.sandbox.deletions
    assert api.status(world.project.options(), api.Selection(("erasures",))).syncs[0].erasures.people == 1


@pytest.mark.parametrize("wrong", [{"guards": {"max_rows": 1}}, {"only_from": None}], ids=str)
def test_checks_before_people_are_erased(
    world: World, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    """Even with `--force`. Without the check, people are erased."""
    in_mapping = "guards" in wrong
    world.project.map({**ERASE, **(wrong if in_mapping else {})}, "erasures")
    for name in "ab":
        world.erase(name)
    world.build("erasures")
    world.project.outputs(sandbox={**OUTPUT, **({} if in_mapping else wrong)})
    (stopped,) = world.project.push(select=["erasures"], force=True).syncs
    assert (stopped.status, len(world.project.sandbox.deletions)) == ("failed", 0)
    monkeypatch.setattr(guards, "stops", lambda *_: iter(()))
    world.project.push(select=["erasures"], force=True)
    assert len(world.project.sandbox.deletions) == 2
    world.project.map(ERASE, "erasures")


def test_without_the_interlock_they_differ(world: World) -> None:
    """Without the macro that finds erased people, the snapshot is wrong for good."""
    macro = world.project._quick._manifest.macros["macro.dbt_batch_sync.asked_people"]
    before = macro.macro_sql
    macro.macro_sql = "{% macro asked_people(sync, mapping, snapshot) %}{{ return('') }}{% endmacro %}"
    try:
        erased_and_changed(world)
        assert "a" in world.believed()
        assert "a" not in world.in_batch()
        world.pass_days(32)
        world.build(PEOPLE)
        world.push(PEOPLE)
        assert "a" not in world.in_batch(), "it should stay wrong after Batch accepts the person again"
    finally:
        macro.macro_sql = before
