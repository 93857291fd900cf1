"""What a push would do, counted in the warehouse: by change, by attribute, with a few masked samples."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from sqlglot import exp

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import call_size, limits
from dbt_batch_sync.errors import ConfigurationError, Stopped
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.ledger.state import Checkpoint, SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.guards import stops, tripped
from dbt_batch_sync.push.known import Known, Pending, build_command, parked_rows, relation_of
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.results.look import Flapping, Sample, SyncPlanned
from dbt_batch_sync.warehouse import Warehouse
from dbt_batch_sync.warehouse.relations import Relation, select

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
    pending = pending_rows(warehouse, known)
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
        samples=tuple(_samples(warehouse, sync, pending, show_values)) if counts.sending else (),
        stops=stopped,
        guards=tuple(tripped(sync, built)) if counts.sending else (),
        flapping=_flapping(warehouse, known, pending) if counts.updates else (),
    )


def pending_rows(warehouse: Warehouse, known: Known) -> Pending | None:
    """The unsettled rows of the last delta; None if it has no rows."""
    built = known.state.built
    if built is None or built.page is None:
        return None
    return Pending.of(warehouse, known.sync, built, known.state.checkpoint)


def count_changes(warehouse: Warehouse, known: Known, pending: Pending | None) -> Counts:
    """Counts the delta in one scan."""
    if pending is None:
        return Counts()
    kind, names = known.sync.kind, pending.names
    rows = pending.read(warehouse, change_counts(pending))
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
            resubscriptions += count if reason.startswith(f"{kind.held_back}:") else 0
            for place, name in enumerate(names):
                attributes[name] += int(row[f"sends_{place}"])
        changes[change] += count
    operations, longest = sending, 0
    if kind.per_operation:
        attributes, operations, longest = _count_events(warehouse, pending, kind.per_operation)
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


def _count_events(warehouse: Warehouse, pending: Pending, most: int) -> tuple[Counter[str], int, int]:
    """The unsettled events by name, most frequent first, and their operations, each with up to `most` of a
    profile: all, and the most of one profile, which are in different requests.
    """
    named = select(
        """
        select batch__name as name, count(*) as row_count
        from delta where _batch_change <> 'invalid' group by batch__name order by row_count desc, batch__name
        """,
        delta=pending.delta,
        where=pending.conditions(),
    )
    grouped = select(
        f"""
        select sum(counted) as operations, max(counted) as longest
        from (
            select ceil(count(*) / {most}.0) as counted from delta
            where _batch_change <> 'invalid' and {" and ".join(pending.conditions())} group by custom_id
        ) as profiles
        """,
        delta=pending.delta,
    )
    names = {str(row["name"]): int(row["row_count"]) for row in pending.read(warehouse, named)}
    (row,) = pending.read(warehouse, grouped)
    return Counter(names), int(row["operations"] or 0), int(row["longest"] or 0)


def _flapping(warehouse: Warehouse, known: Known, pending: Pending) -> tuple[Flapping, ...]:
    """Attributes that change again for many profiles of the last push, such as the time of a build."""
    runs = known.journal.recent_runs([known.sync.name], _RUNS_SEARCHED)
    pushed = [run for run in runs if run.endpoint and run.settled and run.delta_id != pending.delta_id]
    last = pushed[0].delta_id if pushed else None
    sent = sum(run.accepted for run in pushed if run.delta_id == last)
    if sent < FLAPPING_FROM:
        return ()
    query = again_counts(pending, relation_of(warehouse, known.sync, "snapshot"))
    (row,) = pending.read(warehouse, query, last=last)
    found = (Flapping(name, int(row[f"again_{n}"] or 0), sent) for n, name in enumerate(pending.names))
    return tuple(each for each in found if each.again >= FLAPPING_SHARE * sent)


def seconds_at_rate(profiles: int, route: Route, max_profiles_per_second: float | None) -> float:
    """How long this many profiles take at a push's rate, without latency; 0 without a rate limit."""
    rate, burst, calls = limits(route, max_profiles_per_second)
    size = call_size(route, max_profiles_per_second)
    by_rows = max(0.0, profiles - max(burst, size)) / rate if rate else 0.0
    by_calls = (math.ceil(profiles / size) - 1) / calls if calls else 0.0
    return round(max(by_rows, by_calls), 1)


def _samples(warehouse: Warehouse, sync: Sync, pending: Pending, show: bool) -> list[Sample]:
    rows = pending.read(warehouse, samples(pending, relation_of(warehouse, sync, "snapshot"), SAMPLES))
    keys = [mask(str(row["sample_key"]), show=show) for row in rows]
    found: list[Sample] = []
    for number, row in enumerate(rows, start=1):
        masked = keys[number - 1]
        key = masked if keys.count(masked) == 1 else f"{masked} #{number}"
        listed = str(row["changed"]).split(",")
        sent = [(place, name) for place, name in enumerate(pending.names) if name in listed]
        for place, name in sent[:SHOWN_PER_ROW]:
            old, new = (mask(row[f"{when}_{place}"], name, show=show) for when in ("old", "new"))
            found.append(Sample(key, str(row["change"]), name, old, new))
    return found


def change_counts(pending: Pending) -> exp.Select:
    """By change and reason: `row_count`, `sending` (rows that send something), and `sends_<n>` for each
    attribute, by its place in `names`. Invalid rows are counted whether settled or not.
    """
    of_build, *unsettled = pending.conditions()
    return select(
        """
        select _batch_change as change, _batch_reason as reason, count(*) as row_count,
            sum(case when _batch_changed <> '' then 1 else 0 end) as sending
        from delta
        group by _batch_change, _batch_reason
        """,
        delta=pending.delta,
        cells={f"sends_{place}": _count_of(_sends(name)) for place, name in enumerate(pending.names)},
        where=[of_build, f"_batch_change = 'invalid' or ({' and '.join(unsettled)})"],
    )


def again_counts(pending: Pending, snapshot: Relation) -> exp.Select:
    """How many pending updates change each attribute (`again_<n>`) of profiles that the delta `:last` sent
    with a value. Attributes in doubt are ignored, because they are sent whatever their value.
    """
    again = [
        f"{_sends(name, 'd.')} and {_held(snapshot, name)} is not null and not {_in_doubt(name)}"
        for name in pending.names
    ]
    return select(
        """
        select from delta as d join snapshot as s on s._batch_key = d._batch_key
        where d._batch_change = 'update' and s._batch_delta_id = :last
        """,
        delta=pending.delta,
        snapshot=snapshot,
        cells={f"again_{place}": _count_of(each) for place, each in enumerate(again)},
        where=pending.conditions("d."),
    )


def samples(pending: Pending, snapshot: Relation, limit: int) -> exp.Select:
    """Some pending rows that send something, updates first: `change`, `changed`, `sample_key`, and each
    attribute's value before (`old_<n>`) and after (`new_<n>`).
    """
    left = " and ".join(pending.conditions())
    old = {f"old_{place}": _held(snapshot, name) for place, name in enumerate(pending.names)}
    new = {f"new_{place}": f'd."{name}"' for place, name in enumerate(pending.names)}
    return select(
        f"""
        select d._batch_change as change, d._batch_changed as changed, d._batch_key as sample_key
        from (
            select * from delta
            where _batch_change <> 'invalid' and _batch_changed <> '' and {left}
            order by case when _batch_change = 'update' then 0 else 1 end, _batch_key
            limit {limit}
        ) as d
        left join snapshot as s on s._batch_key = d._batch_key
        """,
        delta=pending.delta,
        snapshot=snapshot,
        cells={**old, **new},
    )


def _count_of(condition: str) -> str:
    return f"sum(case when {condition} then 1 else 0 end)"


def _sends(name: str, of: str = "") -> str:
    return f"strpos(',' || {of}_batch_changed || ',', ',{name},') > 0"


def _in_doubt(name: str) -> str:
    return f"strpos(coalesce(s._batch_doubt, ''), ',{name},') > 0"


def _held(snapshot: Relation, name: str) -> str:
    return f's."{name}"' if name in snapshot.names else "null"


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
