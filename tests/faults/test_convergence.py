"""Model checking: after any random sequence, a clean `dbt run` and push make Batch match the sync."""

from __future__ import annotations

import os
from functools import partial

import pytest
from harness.bench import Bench
from harness.lives import play, play_at_once


def test_random_sequences(bench: Bench) -> None:
    lived = play(bench, 5, 10)
    assert lived.sequences >= 5


@pytest.mark.thorough
def test_many_random_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    """The variable `LIVES` sets the number of sequences. A hundred take three minutes on two cores."""
    shares = max(1, int(os.environ.get("LIVES", "300")) // 30)
    with capsys.disabled():
        told = partial(print, flush=True)
        told()
        lived = play_at_once(range(1, shares + 1), sequences=30, steps=14, tell=told)
        told(lived)
    assert lived.sequences >= 30 * shares
