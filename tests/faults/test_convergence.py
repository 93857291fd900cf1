"""Model checking: after any random sequence, a clean `dbt run` and push make Batch match the sync."""

from __future__ import annotations

import os
from functools import partial

import pytest
from harness.bench import Bench
from harness.clocked import Engine
from harness.life import Before, Life
from harness.lives import play, play_at_once
from harness.truth import CONSENTS, Attribute, Spec


@pytest.mark.parametrize(("bench", "sequences"), [("duckdb", 5), ("postgres", 2)], indirect=["bench"])
def test_random_sequences(bench: Bench, sequences: int) -> None:
    lived = play(bench, sequences, 10)
    assert lived.sequences >= sequences


@pytest.mark.parametrize("resubscribe", [True, False])
@pytest.mark.parametrize("on_exit", ["clear", "flag", "ignore"])
def test_exits_are_adopted(bench: Bench, on_exit: str, resubscribe: bool) -> None:
    """The random sequences adopt exits, too, and know what Batch holds afterwards."""
    mapped = (Attribute("points", "points", "integer"), Attribute("optin", "optin", CONSENTS[0], keep=True))
    membership = "member" if on_exit == "flag" else None
    life = type("OnBench", (Life,), {"bench": bench})()
    life.begin({"a": (1,), "b": (2,)}, (Spec(mapped, on_exit, membership, resubscribe), {}))
    life.sync(Before())
    life.adopt(Before({"a": (), "b": ()}))
    life.teardown()
    life.obeys()


def test_a_profile_without_values_exits(bench: Bench) -> None:
    """Its flag may be the first value that Batch gets of it."""
    kept = (Attribute("nick", "nick", "string", keep=True),)
    life = type("OnBench", (Life,), {"bench": bench})()
    life.begin({"f": (3,)}, (Spec(kept), {}))
    life.sync(Before())
    life.sync(Before({"f": ()}, mapping=(Spec(kept, "flag", "member"), {})))
    life.obeys()


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_many_random_sequences(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """The variable `LIVES` sets the number of sequences. A hundred take three minutes on two cores, and longer
    on PostgreSQL.
    """
    shares = max(1, int(os.environ.get("LIVES", "300")) // 30)
    with capsys.disabled():
        told = partial(print, flush=True)
        told()
        lived = play_at_once(range(1, shares + 1), sequences=30, steps=14, tell=told, engine=engine)
        told(lived)
    assert lived.sequences >= 30 * shares
