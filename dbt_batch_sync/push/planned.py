"""A plan in a file, and a push that must match it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError, Stopped, printable
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.mapping.validation import Spot, many, names_of, optional, read_by, read_form, text

MAX_PLAN_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Planned:
    """What a push must find: a build of the delta, which never changes, and the mapping's hash. `delta_id` is
    None for an empty delta.
    """

    sync: str = read_by(text("a sync's name"), "", required="the sync")
    mapping: str = read_by(text("a hash"), "", required="the mapping's hash")
    delta_id: str | None = read_by(optional(text("a delta's id")), None)


def read_plan(path: Path) -> dict[str, Planned]:
    """Reads the file of `plan --out`, by sync.

    Raises:
        ConfigurationError: there is no such file, or it is not a plan. The message names the invalid key.
    """
    advice = "write it with `dbt-batch-sync plan --out`"
    try:
        content = path.read_bytes()
        document: object = json.loads(content) if len(content) <= MAX_PLAN_BYTES else None
    except OSError as error:
        raise ConfigurationError(f"--plan: {path} can't be read: {error.strerror}; {advice}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"--plan: {path} is not JSON; {advice}") from None
    if not isinstance(document, dict) or "syncs" not in document:
        raise ConfigurationError(f"--plan: {path} is not a plan; {advice}")
    spot = Spot("syncs")
    planned = many(_read, "syncs")(document["syncs"], spot)
    if spot.found:
        first = spot.found[0]
        raise ConfigurationError(printable(f"--plan: {path}: {first.key}: {first.message}; {advice}"))
    return {each.sync: each for each in planned}


def _read(value: object, spot: Spot) -> Planned:
    """A plan's other keys are for people."""
    known = names_of(Planned)
    given = {key: value[key] for key in known if key in value} if isinstance(value, dict) else value
    return read_form(Planned, given, spot)


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
