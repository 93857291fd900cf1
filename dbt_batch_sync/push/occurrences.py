"""What is known about events: how many of each name are queued, and a person's last ones."""

from __future__ import annotations

from sqlglot import exp

from dbt_batch_sync.ledger.records import typed
from dbt_batch_sync.push.counts import Pending
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.results.look import Occurrence
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, select

LAST = 10
"""The most events shown for a person."""

_COLUMNS = {"event_id": "text", "name": "text", "time": "timestamp", "sent_at": "timestamp", "state": "text"}


def count_names(warehouse: Warehouse, pending: Pending) -> tuple[dict[str, int], int]:
    """The number of unsettled events of each name, and the most profiles of one name."""
    rows = warehouse.fetch(Statement(names_of(pending), pending.values)).to_pylist()
    counted = sorted(rows, key=lambda each: (-int(each["row_count"]), str(each["name"])))
    profiles = max((int(each["profiles"]) for each in counted), default=0)
    return {str(each["name"]): int(each["row_count"]) for each in counted}, profiles


def last_events(warehouse: Warehouse, known: Known, profile: str) -> tuple[Occurrence, ...]:
    """A profile's last events that were sent, are queued or were rejected, newest first."""
    built = known.state.built
    found: dict[str, Occurrence] = {}
    values: dict[str, Value] = {"profile": profile}
    snapshot = relation_of(warehouse, known.sync, "snapshot")
    queries = [Statement(remembered_of(snapshot), values)]
    if built is not None:
        delta = relation_of(warehouse, known.sync, "delta")
        page = known.state.checkpoint.page
        queries.append(Statement(queued_of(delta), {**values, "delta_id": built.delta_id, "page": page}))
    for query in queries:
        for row in typed(warehouse.fetch(query), _COLUMNS).to_pylist():
            found[str(row["event_id"])] = Occurrence(row["name"], row["time"], row["state"], row["sent_at"])
    newest = sorted(found.values(), key=lambda each: (each.time is not None, each.time), reverse=True)
    return tuple(newest[:LAST])


def names_of(pending: Pending) -> exp.Select:
    """By name: `row_count` and `profiles` of the unsettled events."""
    return select(
        """
        select batch__name as name, count(*) as row_count, count(distinct custom_id) as profiles
        from delta where _batch_change <> 'invalid' group by batch__name
        """,
        delta=pending.delta,
        where=pending.conditions(),
    )


def remembered_of(snapshot: Relation) -> exp.Select:
    """The last events of the profile `:profile` in the snapshot."""
    return select(
        f"""
        select _batch_key as event_id, batch__name as name, batch__time as time, _batch_sent_at as sent_at,
            case when _batch_doubt is not null then 'unsure' else coalesce(_batch_reason, 'sent') end as state
        from snapshot where custom_id = :profile order by batch__time desc limit {LAST}
        """,
        snapshot=snapshot,
    )


def queued_of(delta: Relation) -> exp.Select:
    """Those in the delta `:delta_id`; up to the page `:page`, they are settled."""
    return select(
        f"""
        select _batch_key as event_id, batch__name as name, batch__time as time,
            cast(null as timestamp) as sent_at,
            case when _batch_change = 'invalid' then _batch_reason when _batch_page <= :page then 'sent'
                else 'queued' end as state
        from delta where custom_id = :profile and _batch_delta_id = :delta_id
        order by batch__time desc limit {LAST}
        """,
        delta=delta,
    )
