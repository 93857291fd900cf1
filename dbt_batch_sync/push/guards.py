"""Conditions for sending. The message of a guard that stops a push has its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dbt_batch_sync.artifacts.json_files import BuildResults
from dbt_batch_sync.artifacts.manifest import DataTest
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.syncs import Sync


def stops(sync: Sync, state: SyncState, output: Output, target: str | None = None) -> Iterator[str]:
    """What stops a push of the last built delta, even with `--force`. `target` is the push's."""
    name, built = sync.name, state.built
    run = f"Run: dbt run --select {' '.join(sync.names)}"
    if built is None:
        yield f"dbt has not built the delta of `{name}` yet. {run}"
        return
    if state.is_building:
        yield f"dbt is building the delta of `{name}`, or a dbt run of it failed. {run}"
    if built.mode is not None:
        yield f"the delta of `{name}` was built with `--{built.mode}`, which is never pushed. {run}"
    if built.mapping_hash != sync.mapping.hash:
        yield f"the mapping of `{name}` has changed since its delta was built. {run}"
    if target is not None:
        yield from other_target(sync, state, target)
    if output.only_from is not None and built.target not in output.only_from:
        yield (
            f"output `{output.name}` accepts only deltas of the dbt targets {', '.join(output.only_from)} "
            f"(`only_from`), and dbt built this one with target `{built.target}`"
        )
    if state.project_hash not in (None, sync.mapping.project_hash(output.project_hash)):
        other = f" or another {sync.mapping.target.split()[0]}" if sync.mapping.target else ""
        yield (
            f"`{name}` was pushed to another Batch project{other} than that of output `{output.name}`. Use "
            "the output that it was pushed to, or send everything again: dbt-batch-sync resend --all"
        )
    yield from sync.kind.stops(sync.mapping, built, output)


def other_target(sync: Sync, state: SyncState, target: str) -> Iterator[str]:
    """What speaks against using a state for `target`: the manifest may name another target's relations."""
    if state.built is not None and state.built.target != target:
        yield (
            f"dbt built the delta of `{sync.name}` with target `{state.built.target}`, and the target of "
            f"this command is `{target}`. Use --target {state.built.target}, or run: "
            f"dbt run --select {' '.join(sync.names)} --target {target}"
        )


def tripped(sync: Sync, built: Built) -> Iterator[str]:
    """The guards that stop a push without `--force`."""
    if sync.kind.erases:  # having no request is normal
        return
    guards, known, noun = sync.mapping.guards, built.known_rows, sync.kind.noun
    if built.changes and built.model_rows < guards.min_rows:
        yield (
            f"the model had {built.model_rows:,} rows when its delta was built, and `min_rows` is "
            f"{guards.min_rows:,}"
        )
    if built.exits and not built.model_rows:
        yield f"every known {noun} would leave: the model was empty when its delta was built"
    for name, limit, count, does in (
        ("max_change_ratio", guards.max_change_ratio, built.changes, "change"),
        ("max_exit_ratio", guards.max_exit_ratio, built.exits, "leave"),
    ):
        if limit is not None and known and count > limit * known:
            yield (
                f"{count:,} {noun}{'s' * (count != 1)} would {does}, {count / known:.1%} of the {known:,} "
                f"known ones, and `{name}` is {limit:.1%}"
            )
    yield from sync.kind.tripped(sync.mapping, built)


def check_guards(
    sync: Sync, state: SyncState, output: Output, target: str | None = None, *, force: bool
) -> Built:
    """The delta to push. Raises Stopped with everything that speaks against it; `force` skips the guards."""
    found = list(stops(sync, state, output, target))
    if found or state.built is None:
        raise Stopped(f"nothing was sent: {'; '.join(found)}")
    found = [] if force else list(tripped(sync, state.built))
    if found:
        raise Stopped(
            f"a guard of `{sync.name}` stopped the push; nothing was sent: {'; '.join(found)}. "
            "If that is intended, push once with --force"
        )
    return state.built


_SHOWN = 5


@dataclass(frozen=True)
class Gate:
    """dbt's last command: its `results`, None if there are none.

    `max_age`: of the delta, by the warehouse's clock; None: any. `tests` are those of the project.
    """

    results: BuildResults | None = None
    tests: Sequence[DataTest] = ()
    max_age: timedelta | None = None

    def refusal(self, sync: Sync, state: SyncState, *, require_tests: bool) -> str | None:
        """Why this sync must not be pushed, with the command to run; None if it may."""
        found = self._untested(sync, state) if require_tests else []
        age = state.now - state.built.built_at if state.built else timedelta(0)
        if self.max_age is not None and age > self.max_age:
            old = f"its delta was built {_spoken(age)} ago, and `--max-age` is {_spoken(self.max_age)}"
            found = [old, *found]
        if not found:
            return None
        names = " ".join(sync.names)
        return f"`{sync.name}` was not pushed: {'; '.join(found)}. Run: dbt build --select {names}"

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
            elif status != "success":
                yield f"{model.name} was not built: {status}"
        tested = {model.unique_id for model in (*models, sync.snapshot) if model is not None}
        statuses = [
            (test.name, results.statuses.get(test.unique_id))
            for test in self.tests
            if tested.intersection(test.depends_on)
        ]
        missing = [name for name, status in statuses if status is None]
        fine = (None, "pass", "warn", "success")
        failed = [f"{name} ({status})" for name, status in statuses if status not in fine]
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
