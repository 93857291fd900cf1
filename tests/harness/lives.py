"""Runs many random sequences in parallel, one process per core."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.clocked import Engine, clocked
from harness.faulty_sandbox import FaultyServer
from harness.life import Life
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from dbt_batch_sync.sandbox.server import SandboxSettings

QUIET = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
)


@dataclass(frozen=True)
class Lived:
    """The number of sequences and steps, and the seconds they took."""

    sequences: int
    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.sequences} sequences, {self.steps} steps, {self.seconds:.0f} s"


def play(
    bench: Bench,
    sequences: int,
    steps: int,
    chance: int = 0,
    *,
    shorten: bool = True,
    life: type[Life] = Life,
) -> Lived:
    """Run `sequences` sequences of at most `steps` steps, determined by the seed. Raises the first failure.

    `shorten` searches for the shortest sequence that fails in the same way, which takes minutes.
    """
    began, played = time.monotonic(), [0, 0]

    class Counted(life):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            played[0] += 1
            super().__init__()

        def _prepare(self, *given: Any) -> None:
            played[1] += 1
            super()._prepare(*given)

    machine = seed(chance)(type("Counted", (Counted,), {"bench": bench}))
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=QUIET,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink) if shorten else (Phase.generate,),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=chosen)
    return Lived(*played, time.monotonic() - began)


def play_at_once(
    seeds: Sequence[int],
    sequences: int,
    steps: int,
    tell: Callable[[str], None],
    *,
    engine: Engine = "duckdb",
    life: type[Life] = Life,
) -> Lived:
    """Run `sequences` for each seed in separate processes. Results don't depend on the number of cores."""
    began, played = time.monotonic(), Lived(0, 0, 0.0)
    # Not forked, because this process has threads and dbt's state.
    with ProcessPoolExecutor(min(len(seeds), os.cpu_count() or 1), get_context("spawn")) as pool:
        shares = {pool.submit(_share, each, sequences, steps, engine, life): each for each in seeds}
        try:
            for share in as_completed(shares):
                lived = share.result()
                tell(f"seed {shares[share]}: {lived}")
                played = Lived(played.sequences + lived.sequences, played.steps + lived.steps, 0.0)
        finally:
            pool.shutdown(cancel_futures=True)
    return replace(played, seconds=time.monotonic() - began)


def _share(chance: int, sequences: int, steps: int, engine: Engine, life: type[Life]) -> Lived:
    with (
        tempfile.TemporaryDirectory() as directory,
        FaultyServer(SandboxSettings(rate_limits=False)) as server,
        clocked(engine) as database,
    ):
        bench = Bench(Path(directory) / "bench", server, database=database)
        return play(bench, sequences, steps, chance, shorten=False, life=life)
