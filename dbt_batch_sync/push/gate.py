"""The gate: whether dbt has recently built a sync, and tested it in the same command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dbt_batch_sync.artifacts.build_results import BuildResults
from dbt_batch_sync.artifacts.manifest import DataTest
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync

BUILT = "success"
PASSED = frozenset(("pass", "warn", "success"))
_SHOWN = 5


@dataclass(frozen=True)
class Gate:
    """dbt's last command: its `results`, None if there are none.

    `max_age`: the maximum age of the delta, by the warehouse's clock; None: any. `tests` are those of the
    project.
    """

    results: BuildResults | None = None
    tests: Sequence[DataTest] = ()
    max_age: timedelta | None = None

    def refusal(self, sync: Sync, state: SyncState, *, require_tests: bool) -> str | None:
        """Why this sync must not be pushed, with the command to run; None if it may."""
        found = [*self._age(state), *(self._untested(sync, state) if require_tests else ())]
        if not found:
            return None
        names = " ".join(sync.names)
        return f"`{sync.name}` was not pushed: {'; '.join(found)}. Run: dbt build --select {names}"

    def _age(self, state: SyncState) -> Iterator[str]:
        age = state.now - state.built.built_at if state.built else timedelta(0)
        if self.max_age is not None and age > self.max_age:
            yield f"its delta was built {_spoken(age)} ago, and `--max-age` is {_spoken(self.max_age)}"

    def _untested(self, sync: Sync, state: SyncState) -> list[str]:
        if self.results is None:
            return ["dbt has left no target/run_results.json"]
        found = list(self._problems(sync, self.results))
        if not found and (state.built is None or state.built.delta_id != self.results.invocation_id):
            # The results are about other tables than those that would be pushed: dbt only compiled them, or
            # built those of another target.
            return [f"the last dbt command (`dbt {self.results.command}`) did not build this delta"]
        return found

    def _problems(self, sync: Sync, results: BuildResults) -> Iterator[str]:
        models = [model for model in (sync.model, sync.delta) if model is not None]
        for model in models:
            status = results.statuses.get(model.unique_id)
            if status is None:
                yield f"the last dbt command did not build {model.name}"
            elif status != BUILT:
                yield f"{model.name} was not built: {status}"
        tested = {model.unique_id for model in (*models, sync.snapshot) if model is not None}
        statuses = [
            (test.name, results.statuses.get(test.unique_id))
            for test in self.tests
            if tested.intersection(test.depends_on)
        ]
        missing = [name for name, status in statuses if status is None]
        failed = [f"{name} ({status})" for name, status in statuses if status and status not in PASSED]
        for said, names in (("tests did not run", missing), ("tests failed", failed)):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                yield f"{said}: {', '.join(names[:_SHOWN])}{more}"


def _spoken(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds} s"
