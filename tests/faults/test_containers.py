"""Audiences and catalogs match their models after any sequence of changes, kills and pushes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from harness.bench import Bench, Knobs
from harness.databases import PostgresDatabase, PostgresServer
from harness.faults import Fault, FaultKind
from harness.faulty import EVENTS, Trouble
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbt_batch_sync import api
from dbt_batch_sync.ledger.requests import Scope
from dbt_batch_sync.sandbox.settings import SandboxSettings

COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint"}
MAPPINGS: dict[str, dict[str, object]] = {
    "audience": {
        "kind": "audience",
        "identifier": "id",
        "audience": "vips",
        "attributes": ["name", "points"],
        "guards": {"min_rows": 0, "max_exit_ratio": None},
    },
    "catalog": {
        "kind": "catalog",
        "identifier": "id",
        "catalog": "products",
        "fields": ["name", "points"],
        "guards": {"min_rows": 0, "max_exit_ratio": None},
    },
}
Cells = tuple[str | None, int | None]
CELLS: tuple[Cells, ...] = ((None, None), ("A", None), ("A", 1), ("B", 1))


@dataclass(frozen=True)
class Step:
    """Rows change, dbt runs (or dies at a statement), a push starts (and dies, or calls fail), or everything
    is resent.
    """

    rows: dict[str, Cells | None]
    dies_at: int | None
    trouble: Trouble | None
    fault: Fault | None
    knobs: Knobs
    resend: bool
    expire: bool


troubles = st.builds(
    Trouble,
    point=st.sampled_from(["send", "fetch", *(f"append:{event}" for event in EVENTS)]),
    nth=st.integers(1, 3),
    when=st.sampled_from(["before", "after"]),
    act=st.sampled_from(["kill", "kill", "lose"]),
)
faults = st.builds(
    Fault,
    kind=st.sampled_from([FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER, FaultKind.GARBAGE]),
)
steps = st.builds(
    Step,
    rows=st.fixed_dictionaries(dict.fromkeys("abcde", st.none() | st.sampled_from(CELLS))),
    dies_at=st.none() | st.integers(1, 25),
    trouble=st.none() | troubles,
    fault=st.none() | faults,
    knobs=st.builds(Knobs, in_flight=st.integers(1, 2), seed=st.integers(0, 9)),
    resend=st.sampled_from([False, False, False, True]),
    expire=st.booleans(),
)


UNKNOWNS = {
    "on_existing": ("409", "400", "accept"),
    "on_missing": ("404", "400", "accept"),
    "second_write": ("replace", "merge"),
    "item_nulls": ("400", "clear"),
}
"""What Batch doesn't document."""

unknowns = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in UNKNOWNS.items()})


@pytest.fixture(scope="module", params=sorted(MAPPINGS))
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with FaultyServer(SandboxSettings(rate_limits=False)) as server:
        yield Bench(tmp_path_factory.mktemp(request.param), server, MAPPINGS[request.param])


class OnPostgres:
    """A project in the place of a bench. Pushes with a fault are processes, and time is real."""

    def __init__(self, project: QuickProject, mapping: Mapping[str, object]) -> None:
        self.project, self.mapping, self.sandbox = project, mapping, project.sandbox

    def reset(self) -> None:
        self.project.clear()
        self.project.outputs(sandbox={"max_attempts": 2})
        self.project.map(self.mapping)

    def set_rows(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> None:
        self.project.set_rows(columns, rows)

    def build(self, dies_at: int | None = None) -> bool:
        return self.project.build_until(dies_at or 10**6)

    def push(self, *, faults: Sequence[Fault] = (), trouble: Trouble | None = None, **_: object) -> Any:
        self.sandbox.faults.set(faults)
        if trouble is not None:
            self.project.troubled([trouble], "push", "--force")
        pushed = None if trouble is not None else self.project.push_one(force=True)
        self.sandbox.faults.clear()
        return SimpleNamespace(pushed=pushed)

    def resend(self, scope: Scope) -> None:
        api.resend(self.project.options(), scope)

    def let_leases_expire(self) -> None:
        self.project.execute(
            "update batch_sync_journal set recorded_at = recorded_at - interval '91 seconds'"
        )


@pytest.fixture(scope="module", params=sorted(MAPPINGS))
def on_postgres(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    batch: FaultyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> OnPostgres:
    mapping, database = MAPPINGS[request.param], PostgresDatabase(postgres)
    project = QuickProject(tmp_path_factory.mktemp("lives"), batch, database, page_rows=2, mapping=mapping)
    return OnPostgres(project, mapping)


def in_batch(bench: Bench | OnPostgres) -> dict[str, dict[str, object]]:
    """What Batch has, created or not."""
    catalog, audience = bench.sandbox.catalogs.get("products"), bench.sandbox.audiences.get("vips")
    items = catalog.items if catalog else {}
    members = audience.members if audience else {}
    attributes = {key: {name: each.value for name, each in held.items()} for key, held in members.items()}
    return {**{key: dict(item) for key, item in items.items()}, **attributes}


def in_model(rows: dict[str, Cells | None]) -> dict[str, dict[str, object]]:
    named = {key: dict(zip(("name", "points"), cells, strict=True)) for key, cells in rows.items() if cells}
    return {
        key: {name: each for name, each in cells.items() if each is not None} for key, cells in named.items()
    }


def let(bench: Bench | OnPostgres, unknowns: dict[str, str]) -> None:
    bench.reset()
    bench.sandbox.change(**{name: values[0] for name, values in UNKNOWNS.items()} | unknowns)


def set_rows(bench: Bench | OnPostgres, rows: dict[str, Cells | None]) -> None:
    given_rows = [{"id": key, "name": cells[0], "points": cells[1]} for key, cells in rows.items() if cells]
    bench.set_rows(COLUMNS, given_rows)


def live(held: Bench | OnPostgres, sequence: list[Step], unknowns: dict[str, str]) -> None:
    """Whatever happens, Batch matches the model after a clean `dbt run` and push."""
    let(held, unknowns)
    set_rows(held, dict.fromkeys("abc", CELLS[2]))
    assert held.build()
    for step in sequence:
        set_rows(held, step.rows)
        held.build(dies_at=step.dies_at)
        held.push(
            faults=[step.fault] if step.fault else [], trouble=step.trouble, knobs=step.knobs, force=True
        )
        if step.expire:
            held.let_leases_expire()
        if step.resend:
            held.resend("all")
    held.let_leases_expire()
    assert held.build()
    pushed = held.push(force=True).pushed
    assert pushed is not None
    assert pushed.status == "succeeded", pushed.error
    found, expected = in_batch(held), in_model(sequence[-1].rows)
    assert found.keys() == expected.keys()
    if unknowns["second_write"] == "merge":  # a value that became null stays
        found = {
            key: {name: each for name, each in cells.items() if name in expected[key]}
            for key, cells in found.items()
        }
    assert found == expected
    assert held.build()
    again = held.push(force=True).pushed
    assert again is not None
    assert (again.inserts, again.updates, again.exits) == (0, 0, 0)


def random_lives(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    chosen = settings(max_examples=number, deadline=None, suppress_health_check=quiet)
    drawn = given(sequence=st.lists(steps, min_size=1, max_size=5), unknowns=unknowns)
    return lambda test: chosen(drawn(test))


@random_lives(4)
def test_batch_matches_the_model_at_the_end(
    held: Bench, sequence: list[Step], unknowns: dict[str, str]
) -> None:
    live(held, sequence, unknowns)


@pytest.mark.thorough
@random_lives(max(1, int(os.environ.get("LIVES", "300")) // 5))
def test_batch_matches_the_model_at_the_end_of_many_lives(
    held: Bench, sequence: list[Step], unknowns: dict[str, str]
) -> None:
    """The variable `LIVES` sets the number of sequences, five times that of each kind."""
    live(held, sequence, unknowns)


def drawn(seed: int) -> tuple[list[Step], dict[str, str]]:
    """A life that a seed determines: hypothesis would begin with the simplest one."""
    chance = random.Random(seed)

    def trouble() -> Trouble:
        point = chance.choice(["send", "fetch", *(f"append:{event}" for event in EVENTS)])
        return Trouble(point, chance.randint(1, 2), chance.choice(["before", "after"]))

    def step() -> Step:
        return Step(
            rows={key: chance.choice((None, *CELLS)) for key in "abcde"},
            dies_at=chance.choice([None, chance.randint(1, 25)]),
            trouble=chance.choice([None, trouble()]),
            fault=chance.choice([None, Fault(FaultKind.CUT_AFTER)]),
            knobs=Knobs(),
            resend=not chance.randrange(4),
            expire=bool(chance.randrange(2)),
        )

    return [step() for _ in range(4)], {name: chance.choice(values) for name, values in UNKNOWNS.items()}


CALM = Step(dict.fromkeys("abc", CELLS[2]), None, None, None, Knobs(), resend=False, expire=True)
THERE_AND_BACK = [
    CALM,
    replace(
        CALM,
        rows={"a": CELLS[3], "b": None, "c": CELLS[2], "d": CELLS[1]},
        trouble=Trouble("append:checkpoint"),
    ),
    CALM,
]
"""A push dies after it has sent everything, and all changes are reverted."""


def test_changes_that_were_sent_and_reverted_on_postgres(on_postgres: OnPostgres) -> None:
    live(on_postgres, THERE_AND_BACK, {"second_write": "replace"})


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6))
def test_batch_matches_the_model_on_postgres(on_postgres: OnPostgres, seed: int) -> None:
    try:
        live(on_postgres, *drawn(seed))
    finally:
        let(on_postgres, {})


@pytest.mark.parametrize(("second_write", "left"), [("replace", {}), ("merge", {"name": "A"})])
def test_a_value_that_became_null(held: Bench, second_write: str, left: dict[str, object]) -> None:
    """If Batch merges, it keeps the value: a null can't be sent."""
    let(held, {"second_write": second_write})
    for cells in (("A", 1), (None, 1)):
        set_rows(held, {"a": cells})
        assert held.build()
        pushed = held.push(force=True).pushed
        assert pushed is not None
        assert (pushed.status, pushed.accepted) == ("succeeded", 1), pushed.error
    assert in_batch(held) == {"a": {**left, "points": 1}}
