"""What is known about one profile: what Batch holds, what is queued, what was rejected. Values are masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlglot import exp

from dbt_batch_sync.kinds.attributes import PRESENT
from dbt_batch_sync.kinds.kind import KEY
from dbt_batch_sync.ledger.erasures import erasures_of
from dbt_batch_sync.ledger.records import Rejection, typed
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.push.occurrences import last_events
from dbt_batch_sync.results import Change, Pending, SyncProfile
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, columns_of, equals, value

Row = Mapping[str, object]

EVENT_COLUMNS = {"event": "text", "run_id": "text", "names": "text", "first_at": "timestamp"}


@dataclass(frozen=True)
class Found:
    """What the warehouse has about one key. `events` are those of pushes of the delta that was built at
    `built_at`, as far as they concern the key; `queued` is its row in that delta.
    """

    held: Row | None
    queued: Row | None
    events: tuple[Row, ...]
    rejections: tuple[Rejection, ...]
    built_at: datetime | None


def look_up(warehouse: Warehouse, known: Known, key: str, *, show_values: bool = False) -> SyncProfile:
    """Reads the key's rows in the snapshot and the delta, pushes' events about it, and its rejections."""
    sync, built = known.sync.name, known.state.built
    if known.sync.kind.per_operation:
        events = last_events(warehouse, known, key)
        sent = [each.sent_at for each in events if each.sent_at is not None]
        last, kind = max(sent, default=None), known.sync.kind.name
        return SyncProfile(sync, last, None, None, {}, (), None, (), kind, events=events)
    snapshot, delta = (
        relation_of(warehouse, known.sync, "snapshot"),
        relation_of(warehouse, known.sync, "delta"),
    )
    held = _row(warehouse, snapshot, {"key": key})
    queued = _row(warehouse, delta, {"key": key, "delta_id": built.delta_id}) if built else None
    said: tuple[Row, ...] = ()
    if built and queued:
        page = int(str(queued["_batch_page"]))
        values: dict[str, Value] = {"sync": sync, "key": key, "delta_id": built.delta_id, "page": page}
        query = Statement(events_of(known.journal.table), {**values, "page_before": page - 1})
        said = tuple(typed(warehouse.fetch(query), EVENT_COLUMNS).to_pylist())
    found = Found(
        held, queued, said, tuple(known.rejects.of_key(sync, key)), built.built_at if built else None
    )
    erasures = (
        tuple(erasures_of(warehouse, known.journal, sync, key)) if known.sync.kind.erases is not None else ()
    )
    described = describe(sync, found, show_values=show_values)
    return replace(described, kind=known.sync.kind.name, erasures=erasures)


def _row(warehouse: Warehouse, relation: Relation, values: Mapping[str, Value]) -> Row | None:
    rows = warehouse.fetch(Statement(row_of(relation, build="delta_id" in values), values)).to_pylist()
    lower = (column.name.lower() for column in relation.columns)
    names = (KEY if name == relation.key else name for name in lower)
    return dict(zip(names, rows[0].values(), strict=True)) if rows else None


def describe(sync: str, found: Found, *, show_values: bool = False) -> SyncProfile:
    """Combines these facts. The snapshot is that of the last `dbt run`; later pushes are added."""
    held, queued = found.held or {}, found.queued or {}
    settled = _settled(queued, found.events)
    accepted = settled is not None and not _is_rejected(found, None)
    cells = {name: cell for name, cell in held.items() if not name.startswith("_batch_")}
    sent_at, run_id, exited_at = (held.get(f"_batch_{name}") for name in ("sent_at", "run_id", "exited_at"))
    if settled is not None and accepted:
        cells |= {name: queued.get(name) for name in _names(queued) if not _is_rejected(found, name)}
        sent_at, run_id = settled
        exited_at = sent_at if queued["_batch_change"] == "exit" else None
    if cells.pop(PRESENT, True) is False:
        cells = {}
    unknown = {each.attribute for each in found.rejections if each.resolved_at is None}
    values = {
        name: mask(cell, name, show=show_values)
        for name, cell in cells.items()
        if cell is not None and name not in unknown
    }
    return SyncProfile(
        sync=sync,
        sent_at=_moment(sent_at),
        run_id=None if run_id is None else str(run_id),
        exited_at=_moment(exited_at),
        attributes=values if sent_at is not None else {},
        in_doubt=tuple(_doubt(held, queued, found.events, settled)),
        pending=_pending(held, queued, show_values) if queued and settled is None else None,
        rejects=found.rejections,
    )


def _is_rejected(found: Found, attribute: str | None) -> bool:
    since = found.built_at
    return since is not None and any(
        each.attribute == attribute and each.rejected_at >= since for each in found.rejections
    )


def _settled(queued: Row, events: Iterable[Row]) -> tuple[datetime, str] | None:
    """When the row was settled, and by which run. An invalid row is never sent."""
    if queued.get("_batch_change") in (None, "invalid"):
        return None
    return min(_times(events, "checkpoint"), default=None)


def _times(events: Iterable[Row], event: str) -> list[tuple[datetime, str]]:
    return [
        (cast("datetime", each["first_at"]), str(each["run_id"])) for each in events if each["event"] == event
    ]


def _doubt(
    held: Row, queued: Row, events: Iterable[Row], settled: tuple[datetime, str] | None
) -> Iterable[str]:
    listed = []
    if settled is None:
        listed.append(str(held.get("_batch_doubt") or ""))
        if _times(events, "intent"):
            listed.append(str(queued.get("_batch_changed") or ""))
    for each in events:
        at = cast("datetime", each["first_at"])
        if each["event"] == "doubt" and (settled is None or at > settled[0]):
            listed.append(str(each["names"] or ""))
    return dict.fromkeys(name for names in listed for name in names.split(",") if name and name != PRESENT)


def _pending(held: Row, queued: Row, show: bool) -> Pending:
    reason = queued.get("_batch_reason")
    changes = tuple(
        Change(name, *(mask(row.get(name), name, show=show) for row in (held, queued)))
        for name in _names(queued)
        if name != PRESENT
    )
    return Pending(str(queued["_batch_change"]), None if reason is None else str(reason), changes)


def _names(queued: Row) -> list[str]:
    return [name for name in str(queued.get("_batch_changed") or "").split(",") if name]


def _moment(cell: object) -> datetime | None:
    return cell if isinstance(cell, datetime) else None


def row_of(relation: Relation, *, build: bool) -> exp.Select:
    """Its row with all columns in order; with a build `:delta_id`, of that build only. An invalid key may
    have several rows.
    """
    columns = (relation.column(column.name.lower()) for column in relation.columns)
    query = exp.select(*columns).from_(relation.table.copy())
    query = query.where(equals(relation.column(relation.key), value("key")))
    if build:
        query = query.where(equals(relation.column("_batch_delta_id"), value("delta_id")))
    return query.limit(1)


def events_of(journal: exp.Table) -> exp.Select:
    """Events of pushes of the build `:delta_id` about its page `:page` and the key: `EVENT_COLUMNS`.

    In the page after the checkpoint's, `:page_before`, a row is settled if its key is not after the
    checkpoint's.
    """
    page, key = exp.column("page"), exp.column("key")
    reached = exp.GTE(this=page, expression=value("page"))
    by_key = exp.and_(equals(page.copy(), value("page_before")), exp.GTE(this=key, expression=value("key")))
    own = exp.or_(
        exp.and_(_is_event("checkpoint"), exp.or_(reached, by_key)),
        exp.and_(_is_event("intent"), reached.copy()),
        exp.and_(_is_event("doubt"), equals(key.copy(), value("key"))),
    )
    grouped = ("event", "run_id", "names")
    first = exp.alias_(exp.Min(this=exp.column("recorded_at")), "first_at")
    query = exp.select(*columns_of(grouped), first).from_(journal.copy())
    same = (equals(exp.column(name), value(name)) for name in ("sync", "delta_id"))
    return query.where(*same, own).group_by(*columns_of(grouped))


def _is_event(name: str) -> exp.Expr:
    return equals(exp.column("event"), exp.Literal.string(name))
