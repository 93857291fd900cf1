"""What a push would do, counted in the warehouse: by change, by attribute, with a few masked samples."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import call_size, limits
from dbt_batch_sync.errors import ConfigurationError, Stopped
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.ledger.state import Checkpoint, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.counts import Pending, again_counts, change_counts, names_of, operations_of, samples
from dbt_batch_sync.push.guards import stops, tripped
from dbt_batch_sync.push.known import Known, build_command, parked_rows, relation_of
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.results.look import Flapping, Sample, SyncPlanned
from dbt_batch_sync.warehouse import Statement, Warehouse

SAMPLES = 5
"""The most rows with changes shown in a plan."""

SHOWN_PER_ROW = 3

FLAPPING_FROM = 10
"""The fewest profiles in the last push for which a share is meaningful."""

FLAPPING_SHARE = 1 / 3
"""The share of those profiles. A random choice between two values changes half of them with each build."""

PARKED = "parked"

_RUNS_SEARCHED = 20


@dataclass(frozen=True)
class Counts:
    """The unsettled rows of a delta: `rows` are all of them, including parked ones. `sending` rows send
    something, in `operations` of a request, of which `longest` must be in different ones. `attributes` counts
    the rows that send each attribute, or the events of each name. `resubscriptions` counts rows whose consent
    `never_resubscribe` holds back.
    """

    rows: int = 0
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    sending: int = 0
    operations: int = 0
    longest: int = 0
    resubscriptions: int = 0
    invalid_reasons: dict[str, int] = field(default_factory=dict)
    attributes: dict[str, int] = field(default_factory=dict)


def plan_sync(
    warehouse: Warehouse,
    known: Known,
    output: Output,
    target: str | None = None,
    *,
    show_values: bool = False,
) -> SyncPlanned:
    """Counts what is pending. Samples are masked unless `show_values`. Only reads."""
    sync, state, built = known.sync, known.state, known.state.built
    pending, names = pending_rows(warehouse, known), attribute_names(known)
    planned = SyncPlanned(
        sync.name,
        None,
        output.name,
        parked=parked_rows(sync, state),
        mapping=sync.mapping.hash,
        stops=tuple(stops(sync, state, output, target)),
        kind=sync.kind.name,
    )
    if built is None or pending is None:
        return planned
    counts, stopped = count_changes(warehouse, known, pending), planned.stops
    is_replaced = counts.rows != built.rows
    if state.checkpoint != Checkpoint():  # in settled pages, only invalid rows are counted
        is_replaced = counts.rows < built.invalid + built.parked
    if is_replaced:
        name = pending.delta.table.name
        stopped += (
            f"{name} is not the delta that dbt built last: it was replaced or altered. "
            f"Run: {build_command(sync)}",
        )
    apps = max(1, len(output.app_keys)) if sync.kind.erases else 1
    route, most = sync.kind.route(sync.mapping.endpoint, counts.sending), output.max_profiles_per_second
    return replace(
        planned,
        delta_id=built.delta_id,
        endpoint=route.name,
        inserts=counts.inserts,
        updates=counts.updates,
        exits=counts.exits,
        invalid=counts.invalid,
        invalid_reasons=counts.invalid_reasons,
        resubscriptions=counts.resubscriptions,
        attributes=counts.attributes,
        requests=max(math.ceil(counts.operations / call_size(route, most)), counts.longest) * apps,
        seconds=seconds_at_rate(counts.operations, route, most),
        samples=tuple(_samples(warehouse, known, pending, names, show_values)) if counts.sending else (),
        stops=stopped,
        guards=tuple(tripped(sync, built)) if counts.sending else (),
        flapping=_flapping(warehouse, known, pending, names) if counts.updates else (),
    )


def pending_rows(warehouse: Warehouse, known: Known) -> Pending | None:
    """The unsettled rows of the last delta; None if it has no rows."""
    built = known.state.built
    if built is None or built.page is None:
        return None
    delta = relation_of(warehouse, known.sync, "delta")
    return Pending(delta, built.delta_id, known.state.checkpoint)


def attribute_names(known: Known) -> list[str]:
    """The attributes of the last delta, from its columns."""
    built = known.state.built
    return [attribute.name for attribute in parse_types(built.attribute_types)] if built else []


def count_changes(warehouse: Warehouse, known: Known, pending: Pending) -> Counts:
    """Counts the delta in one scan."""
    names, held_back = attribute_names(known), f"{known.sync.kind.held_back}:"
    rows = warehouse.fetch(Statement(change_counts(pending, names), pending.values)).to_pylist()
    changes, reasons, attributes = Counter[str](), Counter[str](), Counter(dict.fromkeys(names, 0))
    sending = resubscriptions = 0
    for row in sorted(rows, key=lambda each: str(each["reason"])):
        change, reason, count = str(row["change"]), str(row["reason"] or ""), int(row["row_count"])
        if change == "invalid":
            if reason == PARKED:
                continue
            reasons[reason] += count
        else:
            sending += int(row["sending"])
            resubscriptions += count if reason.startswith(held_back) else 0
            for place, name in enumerate(names):
                attributes[name] += int(row[f"sends_{place}"])
        changes[change] += count
    operations, longest = sending, 0
    if known.sync.kind.per_operation:
        events = warehouse.fetch(Statement(names_of(pending), pending.values)).to_pylist()
        attributes = Counter({str(row["name"]): int(row["row_count"]) for row in events})
        query = operations_of(pending, known.sync.kind.per_operation)
        (row,) = warehouse.fetch(Statement(query, pending.values)).to_pylist()
        operations, longest = int(row["operations"] or 0), int(row["longest"] or 0)
    return Counts(
        rows=sum(int(row["row_count"]) for row in rows),
        inserts=changes["insert"],
        updates=changes["update"],
        exits=changes["exit"],
        invalid=changes["invalid"],
        sending=sending,
        operations=operations,
        longest=longest,
        resubscriptions=resubscriptions,
        invalid_reasons=dict(reasons),
        attributes=dict(+attributes),
    )


def _flapping(
    warehouse: Warehouse, known: Known, pending: Pending, names: Sequence[str]
) -> tuple[Flapping, ...]:
    """Attributes that change again for many profiles of the last push, such as the time of a build."""
    runs = known.journal.recent_runs([known.sync.name], _RUNS_SEARCHED)
    pushed = [run for run in runs if run.endpoint and run.settled and run.delta_id != pending.delta_id]
    last = pushed[0].delta_id if pushed else None
    sent = sum(run.accepted for run in pushed if run.delta_id == last)
    if sent < FLAPPING_FROM:
        return ()
    query = again_counts(pending, relation_of(warehouse, known.sync, "snapshot"), names)
    (row,) = warehouse.fetch(Statement(query, {**pending.values, "last": last})).to_pylist()
    found = (Flapping(name, int(row[f"again_{n}"] or 0), sent) for n, name in enumerate(names))
    return tuple(each for each in found if each.again >= FLAPPING_SHARE * sent)


def seconds_at_rate(profiles: int, route: Route, max_profiles_per_second: float | None) -> float:
    """How long this many profiles take at a push's rate, without latency; 0 without a rate limit."""
    rate, burst, calls = limits(route, max_profiles_per_second)
    size = call_size(route, max_profiles_per_second)
    by_rows = max(0.0, profiles - max(burst, size)) / rate if rate else 0.0
    by_calls = (math.ceil(profiles / size) - 1) / calls if calls else 0.0
    return round(max(by_rows, by_calls), 1)


def _samples(
    warehouse: Warehouse, known: Known, pending: Pending, names: Sequence[str], show: bool
) -> list[Sample]:
    query = samples(pending, relation_of(warehouse, known.sync, "snapshot"), names, SAMPLES)
    rows: list[dict[str, Any]] = warehouse.fetch(Statement(query, pending.values)).to_pylist()
    keys = [mask(str(row["sample_key"]), show=show) for row in rows]
    found: list[Sample] = []
    for number, row in enumerate(rows, start=1):
        masked = keys[number - 1]
        key = masked if keys.count(masked) == 1 else f"{masked} #{number}"
        listed = str(row["changed"]).split(",")
        sent = [(place, name) for place, name in enumerate(names) if name in listed]
        for place, name in sent[:SHOWN_PER_ROW]:
            old, new = (mask(row[f"{when}_{place}"], name, show=show) for when in ("old", "new"))
            found.append(Sample(key, str(row["change"]), name, old, new))
    return found


@dataclass(frozen=True)
class Planned:
    """What a push must find: a build of the delta (None if it is empty), and the mapping's hash."""

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
