"""Audiences and catalogs match their models after any sequence of changes, kills and pushes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from harness.bench import Bench, Knobs
from harness.clocked import PostgresOnClock
from harness.faults import Fault, FaultKind
from harness.faulty import EVENTS, Trouble
from harness.faulty_sandbox import FaultyServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


ON_DUCKDB = tuple(f"duckdb-{kind}" for kind in MAPPINGS)
EVERYWHERE = pytest.mark.parametrize(
    "held", [*ON_DUCKDB, *(f"postgres-{kind}" for kind in MAPPINGS)], indirect=True
)


@pytest.fixture(scope="module", params=ON_DUCKDB)
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    engine, _, kind = request.param.partition("-")
    database = PostgresOnClock(request.getfixturevalue("postgres")) if engine == "postgres" else None
    with FaultyServer(SandboxSettings(rate_limits=False)) as server:
        yield Bench(tmp_path_factory.mktemp(request.param), server, MAPPINGS[kind], database)


def in_batch(bench: Bench) -> dict[str, dict[str, object]]:
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


def let(bench: Bench, unknowns: dict[str, str]) -> None:
    bench.reset()
    bench.sandbox.change(**{name: values[0] for name, values in UNKNOWNS.items()} | unknowns)


def set_rows(bench: Bench, rows: dict[str, Cells | None]) -> None:
    given_rows = [{"id": key, "name": cells[0], "points": cells[1]} for key, cells in rows.items() if cells]
    bench.set_rows(COLUMNS, given_rows)


def live(held: Bench, sequence: list[Step], unknowns: dict[str, str]) -> None:
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
@EVERYWHERE
@random_lives(max(1, int(os.environ.get("LIVES", "300")) // 5))
def test_batch_matches_the_model_at_the_end_of_many_lives(
    held: Bench, sequence: list[Step], unknowns: dict[str, str]
) -> None:
    """The variable `LIVES` sets the number of sequences, five times that of each kind."""
    live(held, sequence, unknowns)


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


@EVERYWHERE
def test_changes_that_were_sent_and_reverted(held: Bench) -> None:
    live(held, THERE_AND_BACK, {"second_write": "replace"})


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
