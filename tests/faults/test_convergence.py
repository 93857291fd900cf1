"""Whatever happens, a clean `dbt run` and push bring Batch to the segment: random lives of a segment, as a model checker."""

from __future__ import annotations

import pytest
from harness.bench import Bench
from harness.life import Life
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

QUIET = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
)


def _settings(sequences: int, steps: int) -> settings:
    return settings(
        max_examples=sequences,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=QUIET,
        print_blob=False,
    )


def test_a_few_lives(bench: Bench) -> None:
    machine = type("Few", (Life,), {"bench": bench})
    run_state_machine_as_test(machine, settings=_settings(12, 12))


@pytest.mark.thorough
def test_many_lives(bench: Bench) -> None:
    machine = type("Many", (Life,), {"bench": bench})
    run_state_machine_as_test(machine, settings=_settings(300, 14))
