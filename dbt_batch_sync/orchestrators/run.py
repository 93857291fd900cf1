"""What the orchestrators' tasks share: the push, its log, and when it counts as failed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from dbt_batch_sync.connections.profiles import DbtOptions
from dbt_batch_sync.errors import BatchSyncError

if TYPE_CHECKING:
    from dbt_batch_sync.api import PushOptions, Selection
    from dbt_batch_sync.results.sync import PushResult

WAKE = 1.0
"""Seconds between checks of a waiting task: it only notices exceptions from other threads then."""

# `api` takes half a second to import, which a scheduler that only reads the definitions doesn't need.


class Log(Protocol):
    """The log of an orchestrator's task."""

    def info(self, message: str, /) -> object: ...

    def warning(self, message: str, /) -> object: ...


class PushFailed(BatchSyncError):
    """A push did not do what was requested. `result` has the counts of every sync; what Batch acknowledged is
    settled.
    """

    def __init__(self, result: PushResult) -> None:
        self.result = result
        super().__init__(result)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        unlike = [each for each in self.result.syncs if each.status != "succeeded"]
        return "; ".join(each.summary for each in unlike) or "the push was stopped before its end"


@dataclass(frozen=True)
class PushTask:
    """A push, as a user of an orchestrator describes it.

    `project_dir` to `variables` are dbt's flags, `env` adds to the environment for `env_var`, `select` and
    `exclude` are one text or several, and `options` are those of `push`.
    """

    project_dir: str | Path
    profiles_dir: str | Path | None = None
    profile: str | None = None
    target: str | None = None
    variables: Mapping[str, object] | None = field(default=None, repr=False)
    env: Mapping[str, str] | None = field(default=None, repr=False)
    select: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()
    options: PushOptions | None = None
    fail_on_partial: bool = False

    @property
    def dbt(self) -> DbtOptions:
        return DbtOptions(
            project_dir=Path(self.project_dir),
            environ={**os.environ, **(self.env or {})},
            profiles_dir=None if self.profiles_dir is None else Path(self.profiles_dir),
            profile=self.profile,
            target=self.target,
            variables=self.variables or {},
        )

    @property
    def selection(self) -> Selection:
        from dbt_batch_sync.api import Selection

        return Selection(_several(self.select), _several(self.exclude))

    def accepts(self, status: str) -> bool:
        """Whether this status of a push or sync is not a failure."""
        return status == "succeeded" or (status == "partial" and not self.fail_on_partial)

    def run(self, log: Log, stop: Event | None = None) -> PushResult:
        """Pushes and logs a line per sync.

        If a signal or a timeout raises an exception here, the push stops like after SIGTERM, and the
        exception is raised once what was acknowledged is settled. A second one does not wait.

        Raises:
            ConfigurationError: the same push would fail again.
            PushFailed: a sync failed, `stop` was set, or a sync is partial and `fail_on_partial` is set.
            WarehouseError: no sync could be started.
        """
        stop = stop or Event()
        outcome: Future[PushResult] = Future()
        # In its own thread, because exceptions that orchestrators raise in the main thread would interrupt an
        # append.
        Thread(target=self._push, args=(outcome, stop), name="batch-sync-push", daemon=True).start()
        try:
            while not wait([outcome], WAKE).done:
                pass
            result = outcome.result()
        except BaseException:
            stop.set()
            outcome.exception()
            raise
        for sync in result.syncs:
            (log.info if sync.status == "succeeded" else log.warning)(sync.summary)
        if stop.is_set() or not self.accepts(result.status):
            raise PushFailed(result)
        return result

    def _push(self, outcome: Future[PushResult], stop: Event) -> None:
        from dbt_batch_sync import api

        try:
            options = self.options or api.PushOptions()
            outcome.set_result(api.push(self.dbt, self.selection, options, stop=stop))
        except BaseException as error:  # noqa: BLE001 - raised by whoever asks for the outcome
            outcome.set_exception(error)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
