"""What is known about events: how many of each name are queued, and a person's last ones."""

from __future__ import annotations

from sqlglot import exp

from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.ledger.records import typed
from dbt_batch_sync.push.counts import Pending
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.results import Occurrence
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, equals, is_null, value

NAME, TIME = "batch__name", "batch__time"
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
    delta = pending.delta
    cells = {
        "name": delta.column(NAME),
        "row_count": exp.Count(this=exp.Star()),
        "profiles": exp.Count(this=exp.Distinct(expressions=[delta.column(CUSTOM_ID)])),
    }
    valid = exp.NEQ(this=delta.column("_batch_change"), expression=exp.Literal.string("invalid"))
    query = exp.select(*(exp.alias_(cell, name) for name, cell in cells.items())).from_(delta.table.copy())
    return query.where(valid, *pending.conditions()).group_by(delta.column(NAME))


def remembered_of(snapshot: Relation) -> exp.Select:
    """The last events of the profile `:profile` in the snapshot."""
    doubt, reason = snapshot.column("_batch_doubt"), snapshot.column("_batch_reason")
    state = exp.Case().when(exp.not_(is_null(doubt)), exp.Literal.string("unsure"))
    state = state.else_(exp.func("coalesce", reason, exp.Literal.string("sent")))
    return _last(snapshot, snapshot.column("_batch_sent_at"), state)


def queued_of(delta: Relation) -> exp.Select:
    """Those in the delta `:delta_id`; up to the page `:page`, they are settled."""
    change, reason = delta.column("_batch_change"), delta.column("_batch_reason")
    invalid = equals(change, exp.Literal.string("invalid"))
    settled = exp.LTE(this=delta.column("_batch_page"), expression=value("page"))
    state = exp.Case().when(invalid, reason).when(settled, exp.Literal.string("sent"))
    state = state.else_(exp.Literal.string("queued"))
    nothing = exp.cast(exp.null(), "timestamp")
    return _last(delta, nothing, state).where(equals(delta.column("_batch_delta_id"), value("delta_id")))


def _last(relation: Relation, sent_at: exp.Expr, state: exp.Expr) -> exp.Select:
    cells = {
        "event_id": relation.column(relation.key),
        "name": relation.column(NAME),
        "time": relation.column(TIME),
        "sent_at": sent_at,
        "state": state,
    }
    query = exp.select(*(exp.alias_(cell, name) for name, cell in cells.items()))
    query = query.from_(relation.table.copy()).where(equals(relation.column(CUSTOM_ID), value("profile")))
    return query.order_by(exp.Ordered(this=relation.column(TIME), desc=True)).limit(LAST)
