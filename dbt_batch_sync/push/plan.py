"""What a push would do, counted in the warehouse: by change, by attribute, and a few masked samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from dbt_batch_sync.batch_api.limits import LIMITS, Endpoint
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.delivery.pacing import SHARE_OF_RATE, call_size
from dbt_batch_sync.push.guards import read_figures, tripped
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.results import Flapping, Sample, SyncPlanned
from dbt_batch_sync.sql.counts import again_counts, attribute_counts, reason_counts, samples, sent_by
from dbt_batch_sync.warehouse import Statement, Warehouse

SAMPLES = 5
"""Rows of which a plan shows the changes."""

SHOWN_PER_ROW = 3

FLAPPING_FROM = 10
"""Profiles of the last push below which a share of them says nothing."""

FLAPPING_SHARE = 1 / 3
"""Of those profiles. A value that is drawn anew at each build from two changes again for half of them."""

_RUNS_SEARCHED = 20


def plan_sync(warehouse: Warehouse, work: Work, output: Output) -> SyncPlanned:
    """Counts what is pending. Reads only."""
    name = work.name
    if work.delta_id is None:
        return SyncPlanned(name, None, None, 0, 0, 0, 0, {}, {}, 0, 0.0, (), work.sync.mapping.hash)
    profiles, attributes = count_attributes(warehouse, work)
    reasons = warehouse.fetch(Statement(reason_counts(work.delta)))
    endpoint = work.endpoint()
    return SyncPlanned(
        sync=name,
        delta_id=work.delta_id,
        endpoint=endpoint.value,
        inserts=work.counts.inserts,
        updates=work.counts.updates,
        exits=work.counts.exits,
        invalid=work.counts.invalid,
        invalid_reasons={str(reason): int(str(count)) for reason, count in reasons},
        attributes=attributes,
        requests=math.ceil(profiles / call_size(LIMITS[endpoint], output.max_profiles_per_second)),
        seconds=seconds_at_rate(profiles, endpoint, output.max_profiles_per_second),
        samples=tuple(_samples(warehouse, work, [attribute.name for attribute in work.attributes])),
        mapping=work.sync.mapping.hash,
        guards=tuple(tripped(read_figures(warehouse, work), work)) if work.counts.sendable else (),
        flapping=_flapping(warehouse, work),
    )


def count_attributes(warehouse: Warehouse, work: Work) -> tuple[int, dict[str, int]]:
    """How many pending rows have an operation, and how many send each attribute that any does."""
    if work.delta_id is None:
        return 0, {}
    names = [attribute.name for attribute in work.attributes]
    query = attribute_counts(work.delta, names, after=work.resume.key is not None)
    profiles, *counted = (int(str(cell or 0)) for cell in warehouse.fetch(Statement(query, work.after))[0])
    return profiles, {name: count for name, count in zip(names, counted, strict=True) if count}


def _flapping(warehouse: Warehouse, work: Work) -> tuple[Flapping, ...]:
    """Attributes that change again for many of the profiles that the push before this one sent: of a column
    with the time of the build, or of one that goes to and fro.
    """
    runs = work.ledger.recent_runs(_RUNS_SEARCHED) if work.has_ledger and work.counts.updates else []
    pushed = (run.delta_id for run in runs if run.endpoint is not None and run.committed)
    last = next((each for each in pushed if each != work.delta_id), None)
    if last is None:
        return ()
    sent = int(str(warehouse.fetch(Statement(sent_by(work.snapshot), {"last": last}))[0][0]))
    if sent < FLAPPING_FROM:
        return ()
    names = [attribute.name for attribute in work.attributes]
    query = again_counts(work.delta, work.snapshot, names, after=work.resume.key is not None)
    counts = (
        int(str(cell or 0)) for cell in warehouse.fetch(Statement(query, {**work.after, "last": last}))[0]
    )
    found = (Flapping(name, count, sent) for name, count in zip(names, counts, strict=True))
    return tuple(each for each in found if each.again >= FLAPPING_SHARE * sent)


def seconds_at_rate(profiles: int, endpoint: Endpoint, max_profiles_per_second: float | None) -> float:
    """How long so many profiles take at the pace of a push; 0 without pacing. The answers' latency is not in
    it.
    """
    limits = LIMITS[endpoint]
    rate = limits.profiles_per_second * SHARE_OF_RATE
    first_call = float(call_size(limits, max_profiles_per_second))
    burst = max(float(limits.burst), first_call)
    if max_profiles_per_second is not None:
        rate, burst = max_profiles_per_second, max(max_profiles_per_second, first_call)
    return round(max(0.0, profiles - burst) / rate, 1) if rate else 0.0


def _samples(warehouse: Warehouse, work: Work, names: Sequence[str]) -> list[Sample]:
    query = samples(work.delta, work.snapshot, names, after=work.resume.key is not None, limit=SAMPLES)
    found: list[Sample] = []
    for custom_id, change, changed, *cells in warehouse.fetch(Statement(query, work.after)):
        old, new = cells[: len(names)], cells[len(names) :]
        listed = str(changed).split(",")
        for name, before, after in [cell for cell in zip(names, old, new, strict=True) if cell[0] in listed][
            :SHOWN_PER_ROW
        ]:
            found.append(Sample(mask(custom_id), str(change), name, mask(before), mask(after)))
    return found


def mask(value: object) -> str:
    """A value that can be recognised by who knows it, and not be read by others: first letters, sizes, the
    year.

    Truth values and nulls tell nobody apart, and are shown.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return f"{value.year}-••-••"
    if isinstance(value, (list, tuple)):
        return f"[{len(value)} items]"
    text = str(value)
    if len(text) < 3:
        return "•" * len(text)
    return text[0] + "•" * min(len(text) - 1, 8) + (f" ({len(text)})" if len(text) > 9 else "")
