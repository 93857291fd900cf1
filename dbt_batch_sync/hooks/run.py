"""What the orchestrators' tasks share: the run of one push, and when it counts as a failure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from dbt_batch_sync.errors import BatchSyncError
from dbt_batch_sync.project.profiles import DbtOptions

if TYPE_CHECKING:
    from dbt_batch_sync.api import PushOptions
    from dbt_batch_sync.results import PushResult, SegmentPushed

# `api` takes half a second to import: a scheduler that only reads the definitions goes without it.


class Log(Protocol):
    """Where an orchestrator's task writes."""

    def info(self, message: str, /) -> object:
        """What went well."""

    def warning(self, message: str, /) -> object:
        """What somebody should look at."""


class PushFailed(BatchSyncError):
    """A push ended without what was asked for. `result` has the counts of every segment; what Batch
    acknowledged is committed.
    """

    def __init__(self, result: PushResult) -> None:
        self.result = result
        super().__init__(result)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        unlike = [each for each in self.result.segments if each.status != "succeeded"]
        return "; ".join(summary(each) for each in unlike) or "the push was stopped before its end"


@dataclass(frozen=True)
class Project:
    """A dbt project, as dbt's own flags name it. `env` is added to the environment for `env_var`."""

    directory: str | Path
    profiles_dir: str | Path | None = None
    profile: str | None = None
    target: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> DbtOptions:
        """What `api` takes."""
        return DbtOptions(
            project_dir=Path(self.directory),
            environ={**os.environ, **self.env},
            profiles_dir=None if self.profiles_dir is None else Path(self.profiles_dir),
            profile=self.profile,
            target=self.target,
            variables=self.variables,
        )


def run_push(
    project: Project,
    select: str | Sequence[str],
    exclude: str | Sequence[str],
    options: PushOptions | None,
    *,
    fail_on_partial: bool,
    log: Log,
    stop: Event | None = None,
) -> PushResult:
    """Pushes, and writes a line per segment to the log.

    An exception that a signal or a timeout raises here stops the push as SIGTERM does and is raised when
    what was acknowledged is committed; a second one does not wait.

    Raises:
        ConfigurationError: the same push would fail again.
        PushFailed: a segment failed, `stop` was set, or one is partial and that is to fail.
        WarehouseError: no segment could be started.
    """
    from dbt_batch_sync import api

    stop = stop or Event()
    outcome: Future[PushResult] = Future()

    def push() -> None:
        try:
            selection = api.Selection(words(select), words(exclude))
            outcome.set_result(api.push(project.options, selection, options or api.PushOptions(), stop=stop))
        except BaseException as error:  # noqa: BLE001 - raised by whoever asks for the outcome
            outcome.set_exception(error)

    # In a thread of its own: what orchestrators raise in the main one would tear a commit apart.
    Thread(target=push, name="batch-sync-push", daemon=True).start()
    try:
        result = outcome.result()
    except BaseException:
        stop.set()
        outcome.exception()
        raise
    for segment in result.segments:
        (log.info if segment.status == "succeeded" else log.warning)(summary(segment))
    good = ("succeeded",) if fail_on_partial else ("succeeded", "partial")
    if stop.is_set() or result.status not in good:
        raise PushFailed(result)
    return result


def summary(segment: SegmentPushed) -> str:
    """One line for a log: what was sent and accepted, and what to do about the rest."""
    line = (
        f"{segment.segment}: {segment.status}: {segment.inserts} inserts, {segment.updates} updates, "
        f"{segment.exits} exits; {segment.accepted} of {segment.sent} profiles accepted, "
        f"{segment.requests} requests"
    )
    if segment.status == "partial":
        line += (
            f"; {segment.rejected_rows} rows and {segment.rejected_attributes} attributes refused, "
            f"{segment.invalid} rows invalid: dbt-batch-sync rejects --select {segment.segment}"
        )
    return f"{line}: {segment.error}" if segment.error else line


def words(value: str | Sequence[str]) -> tuple[str, ...]:
    """What `api.Selection` takes of one word or several."""
    return (value,) if isinstance(value, str) else tuple(value)
