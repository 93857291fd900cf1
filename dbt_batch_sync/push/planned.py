"""A plan in a file, and a push that must match it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError, Stopped
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync


@dataclass(frozen=True)
class Planned:
    """What a push must find: a build of the delta, which never changes, and the mapping's hash. `delta_id` is
    None for an empty delta.
    """

    sync: str
    mapping: str
    delta_id: str | None


def read_plan(path: Path) -> dict[str, Planned]:
    """Reads the file of `plan --out`, by sync. Its other keys are for people. Raises ConfigurationError."""
    advice = "write it with `dbt-batch-sync plan --out`"
    try:
        plan = json.loads(path.read_bytes())
        planned = [Planned(*(each[key.name] for key in fields(Planned))) for each in plan["syncs"]]
    except OSError as error:
        raise ConfigurationError(f"--plan: {path} can't be read: {error.strerror}; {advice}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigurationError(f"--plan: {path} is not a plan; {advice}") from None
    return {each.sync: each for each in planned}


def check_planned(sync: Sync, state: SyncState, plan: Mapping[str, Planned]) -> None:
    """Raises Stopped if a push would send another delta than the planned one.

    An interrupted push of a plan may be repeated; settled rows are not sent again.
    """
    planned = plan.get(sync.name)
    if planned is None:
        raise Stopped(f"the plan does not contain the sync `{sync.name}`; nothing was sent. {_AGAIN}")
    delta_id = state.built.delta_id if state.built and state.built.page is not None else None
    found = Planned(sync.name, sync.mapping.hash, delta_id)
    differences = [
        f"{each.name} {getattr(planned, each.name)}, now {getattr(found, each.name)}"
        for each in fields(Planned)
        if getattr(planned, each.name) != getattr(found, each.name)
    ]
    if differences:
        raise Stopped(
            f"`{sync.name}` differs from its plan; nothing was sent. Planned: {'; '.join(differences)}. "
            f"{_AGAIN}"
        )


_AGAIN = "Make a new plan: dbt-batch-sync plan --out"
