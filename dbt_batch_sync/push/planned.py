"""A plan that was written down, and the push that is held to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError, Stopped, printable
from dbt_batch_sync.mapping.validation import Spot, many, names_of, optional, read_by, read_form, text, whole
from dbt_batch_sync.push.work import Work

MAX_PLAN_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Planned:
    """What a push must find: a delta, its rows that are not committed, and the mapping's hash. `delta_id` is
    None of an empty delta.
    """

    sync: str = field(default="", metadata=read_by(text("a sync's name"), required="the sync"))
    mapping: str = field(default="", metadata=read_by(text("a hash"), required="the mapping's hash"))
    delta_id: str | None = field(default=None, metadata=read_by(optional(text("a delta's id"))))
    inserts: int = field(default=0, metadata=read_by(whole(0), required="a count"))
    updates: int = field(default=0, metadata=read_by(whole(0), required="a count"))
    exits: int = field(default=0, metadata=read_by(whole(0), required="a count"))
    invalid: int = field(default=0, metadata=read_by(whole(0), required="a count"))


def read_plan(path: Path) -> dict[str, Planned]:
    """Reads what `plan --out` wrote, by sync.

    Raises:
        ConfigurationError: there is no such file, or it is not a plan; it names the key that is wrong.
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


def check_planned(work: Work, plan: Mapping[str, Planned]) -> None:
    """Raises Stopped when the delta is not the one that was planned."""
    counts = work.counts
    found = Planned(
        work.name,
        work.sync.mapping.hash,
        work.delta_id,
        counts.inserts,
        counts.updates,
        counts.exits,
        counts.invalid,
    )
    planned = plan.get(work.name)
    if planned is None:
        raise Stopped(f"the plan doesn't have the sync `{work.name}`; nothing was sent. {_AGAIN}")
    differences = [
        f"{each.name} {getattr(planned, each.name)}, now {getattr(found, each.name)}"
        for each in fields(Planned)
        if getattr(planned, each.name) != getattr(found, each.name)
    ]
    if differences:
        raise Stopped(
            f"`{work.name}` is not as it was planned; nothing was sent. Planned was "
            f"{'; '.join(differences)}. {_AGAIN}"
        )


_AGAIN = "Look at it again: dbt-batch-sync plan --out"
