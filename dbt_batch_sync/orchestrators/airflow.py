"""An operator for Airflow 3 that pushes syncs.

from dbt_batch_sync.orchestrators.airflow import BatchSyncOperator
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from dbt_batch_sync.errors import BatchSyncError, ConfigurationError
from dbt_batch_sync.orchestrators.run import PushTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dbt_batch_sync.api import PushOptions


class BatchSyncOperator(BaseOperator):
    """Pushes the selected syncs (all without `select`) and returns the document of `push --json`.

    `project_dir` to `variables` are dbt's flags, `env` adds to the environment for `env_var`, and `options`
    are those of `push`. A partial push succeeds with a warning in the log, unless `fail_on_partial` is set.

    A killed task sends nothing more and records what Batch has acknowledged.

    Raises:
        AirflowFailException: the configuration is wrong, so a retry would not help.
        AirflowException: a sync failed or was stopped, or the warehouse could not be reached.
    """

    template_fields: Sequence[str] = tuple(
        each.name for each in fields(PushTask) if each.name not in ("options", "fail_on_partial")
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"variables": "json", "env": "json"}
    ui_color = "#d5e8f5"

    def __init__(
        self,
        *,
        project_dir: str | Path,
        profiles_dir: str | Path | None = None,
        profile: str | None = None,
        target: str | None = None,
        variables: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        select: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        options: PushOptions | None = None,
        fail_on_partial: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_dir = project_dir
        self.profiles_dir = profiles_dir
        self.profile = profile
        self.target = target
        self.variables = variables
        self.env = env
        self.select = select
        self.exclude = exclude
        self.options = options
        self.fail_on_partial = fail_on_partial
        self._stop: Event | None = None

    def execute(self, context: Context) -> dict[str, object]:
        """Pushes. The returned document contains counts and messages, and no values of rows."""
        self._stop = Event()
        task = PushTask(**{each.name: getattr(self, each.name) for each in fields(PushTask)})
        try:
            return task.run(self.log, self._stop).to_json()
        except ConfigurationError as error:
            raise AirflowFailException(str(error)) from error
        except BatchSyncError as error:
            raise AirflowException(str(error)) from error

    def on_kill(self) -> None:
        """Stops the push like SIGTERM on the command line."""
        if self._stop is not None:
            self._stop.set()
