"""A task for Prefect 3 that pushes syncs.

from dbt_batch_sync.orchestrators.prefect import push_syncs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.orchestrators.run import PushTask

if TYPE_CHECKING:
    from dbt_batch_sync.api import PushOptions
    from dbt_batch_sync.results.sync import PushResult


async def _helps_to_retry(task: Any, run: Any, state: Any) -> bool:
    """Don't retry a wrong configuration."""
    return not isinstance(await state.aresult(raise_on_failure=False), ConfigurationError)


@task(name="push-syncs", retry_condition_fn=_helps_to_retry)
def push_syncs(
    project_dir: str | Path,
    *,
    profiles_dir: str | Path | None = None,
    profile: str | None = None,
    target: str | None = None,
    variables: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    options: PushOptions | None = None,
    fail_on_partial: bool = False,
) -> PushResult:
    """Pushes the selected syncs (all without `select`).

    `project_dir` to `variables` are dbt's flags, `env` adds to the environment for `env_var`, and `options`
    are those of `push`. A partial push completes with a warning in the log, unless `fail_on_partial` is set.
    For retries: `push_syncs.with_options(retries=3, retry_delay_seconds=60)`.

    Raises:
        ConfigurationError: not retried.
        PushFailed: a sync failed or was stopped; `result` has the counts.
        WarehouseError: the warehouse could not be reached.
    """
    return PushTask(
        project_dir, profiles_dir, profile, target, variables, env, select, exclude, options, fail_on_partial
    ).run(get_run_logger())
