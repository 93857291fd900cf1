"""What is known about one profile: in Batch, queued, rejected, its last events. Values are masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlglot import exp

from dbt_batch_sync.kinds.attributes import KEY, PRESENT
from dbt_batch_sync.ledger.erasures import erasures_of
from dbt_batch_sync.ledger.journal import rejections_of
from dbt_batch_sync.ledger.records import Event, typed
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.results.look import Change, Occurrence, Pending, SyncProfile
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, select

Row = Mapping[str, Any]


def look_up(warehouse: Warehouse, known: Known, key: str, *, show_values: bool = False) -> SyncProfile:
    """Reads the key's rows in the snapshot and the delta, pushes' events about it, and its rejections."""
    if known.sync.kind.per_operation:
        events = _last_events(warehouse, known, key)
        sent = max((each.sent_at for each in events if each.sent_at is not None), default=None)
        name, kind = known.sync.name, known.sync.kind.name
        return SyncProfile(name, sent, None, None, {}, (), None, (), kind, events=events)
    return _Found(warehouse, known, key).described(show_values)


def _row(warehouse: Warehouse, relation: Relation, values: Mapping[str, Value]) -> Row | None:
    rows = warehouse.fetch(Statement(row_of(relation, build="delta_id" in values), values)).to_pylist()
    lower = (column.name.lower() for column in relation.columns)
    names = (KEY if name == relation.key else name for name in lower)
    return dict(zip(names, rows[0].values(), strict=True)) if rows else None


class _Found:
    """What the warehouse has of one key, in the snapshot, the last delta, the journal and the rejects."""

    def __init__(self, warehouse: Warehouse, known: Known, key: str) -> None:
        sync, built = known.sync, known.state.built
        self.kind, self.sync, self.built = sync.kind, sync.name, built
        snapshot, delta = (relation_of(warehouse, sync, "snapshot"), relation_of(warehouse, sync, "delta"))
        self.held = _row(warehouse, snapshot, {"key": key}) or {}
        self.queued: Row = {}
        self.events: Sequence[Event] = ()
        if built:
            self.queued = _row(warehouse, delta, {"key": key, "delta_id": built.delta_id}) or {}
        if built and self.queued:
            page = int(self.queued["_batch_page"])
            about = {"sync": sync.name, "key": key, "delta_id": built.delta_id}
            self.events = known.journal.events(EVENTS, **about, page=page, page_before=page - 1)
        self.rejections = tuple(rejections_of(known.journal, sync.name, key))
        erases = sync.kind.erases
        self.erasures = tuple(erasures_of(known.journal, sync.name, key)) if erases else ()
        # An invalid row is never sent.
        is_sendable = self.queued.get("_batch_change") not in (None, "invalid")
        checkpoints = (each for each in self.events if each.event == "checkpoint")
        self.settled = next(checkpoints, None) if is_sendable else None

    def described(self, show_values: bool) -> SyncProfile:
        """What it means. The snapshot is as of the last `dbt run`: what was pushed since is laid over it."""
        held, queued = self.held, self.queued
        cells = {name: cell for name, cell in held.items() if not name.startswith("_batch_")}
        own = ("_batch_sent_at", "_batch_run_id", "_batch_exited_at")
        sent_at, run_id, exited_at = map(held.get, own)
        if self.settled is not None and not self._is_rejected(None):
            cells |= {name: queued.get(name) for name in self._names if not self._is_rejected(name)}
            sent_at, run_id = self.settled.recorded_at, self.settled.run_id
            exited_at = sent_at if queued["_batch_change"] == "exit" else None
        if cells.pop(PRESENT, True) is False:
            cells = {}
        unknown = {each.attribute for each in self.rejections if each.resolved_at is None}
        values = {
            name: mask(cell, name, show=show_values)
            for name, cell in cells.items()
            if cell is not None and name not in unknown
        }
        return SyncProfile(
            sync=self.sync,
            sent_at=sent_at,
            run_id=run_id,
            exited_at=exited_at,
            attributes=values if sent_at is not None else {},
            in_doubt=tuple(self._doubt()),
            pending=self._pending(show_values) if queued and self.settled is None else None,
            rejects=self.rejections,
            kind=self.kind.name,
            erasures=self.erasures,
        )

    @property
    def _names(self) -> list[str]:
        return [name for name in str(self.queued.get("_batch_changed") or "").split(",") if name]

    def _is_rejected(self, attribute: str | None) -> bool:
        since = self.built.built_at if self.built else datetime.max
        return any(each.attribute == attribute and each.rejected_at >= since for each in self.rejections)

    def _doubt(self) -> Iterable[str]:
        listed = []
        if self.settled is None:
            listed.append(self.held.get("_batch_doubt") or "")
            if any(each.event == "intent" for each in self.events):
                listed += self._names
        for each in self.events:
            is_later = self.settled is None or each.recorded_at > self.settled.recorded_at
            if each.event == "doubt" and is_later:
                listed.append(each.names or "")
        return dict.fromkeys(
            name for names in listed for name in names.split(",") if name and name != PRESENT
        )

    def _pending(self, show: bool) -> Pending:
        changes = tuple(
            Change(name, *(mask(row.get(name), name, show=show) for row in (self.held, self.queued)))
            for name in self._names
            if name != PRESENT
        )
        return Pending(self.queued["_batch_change"], self.queued["_batch_reason"], changes)


def row_of(relation: Relation, *, build: bool) -> exp.Select:
    """Its row; with a build `:delta_id`, of that build only. An invalid key may have several rows."""
    return select(
        "select from relation where _batch_key = :key limit 1",
        relation=relation,
        cells={column.name.lower(): f'"{column.name.lower()}"' for column in relation.columns},
        where=["_batch_delta_id = :delta_id"] if build else (),
    )


EVENTS = """
    sync = :sync and delta_id = :delta_id and (
        (event = 'checkpoint' and (page >= :page or (page = :page_before and key >= :key)))
        or (event = 'intent' and page >= :page)
        or (event = 'doubt' and key = :key)
    )
    """
"""The events of pushes of the build `:delta_id` about its page `:page` and the key.

In the page after the checkpoint's, `:page_before`, a row is settled if its key is not after the checkpoint's.
"""

_LAST = 10
"""The most events shown for a person."""


def _last_events(warehouse: Warehouse, known: Known, profile: str) -> tuple[Occurrence, ...]:
    """A profile's last events that were sent, are queued or were rejected, newest first."""
    remembered = select(
        f"""
        select _batch_key as event_id, batch__name as name, batch__time as time, _batch_sent_at as sent_at,
            case when _batch_doubt is not null then 'unsure' else coalesce(_batch_reason, 'sent') end as state
        from snapshot where custom_id = :profile order by batch__time desc limit {_LAST}
        """,
        snapshot=relation_of(warehouse, known.sync, "snapshot"),
    )
    queries = [Statement(remembered, {"profile": profile})]
    if known.state.built is not None:
        queued = select(
            f"""
            select _batch_key as event_id, batch__name as name, batch__time as time,
                cast(null as timestamp) as sent_at,
                case when _batch_change = 'invalid' then _batch_reason when _batch_page <= :page then 'sent'
                    else 'queued' end as state
            from delta where custom_id = :profile and _batch_delta_id = :delta_id
            order by batch__time desc limit {_LAST}
            """,
            delta=relation_of(warehouse, known.sync, "delta"),
        )
        build, page = known.state.built.delta_id, known.state.checkpoint.page
        queries.append(Statement(queued, {"profile": profile, "delta_id": build, "page": page}))
    columns = dict.fromkeys(("event_id", "name", "time", "sent_at", "state"), "text")
    columns |= {"time": "timestamp", "sent_at": "timestamp"}
    found: dict[str, Occurrence] = {}
    for query in queries:
        for row in typed(warehouse.fetch(query), columns).to_pylist():
            found[str(row["event_id"])] = Occurrence(row["name"], row["time"], row["state"], row["sent_at"])
    newest = sorted(found.values(), key=lambda each: (each.time is not None, each.time), reverse=True)
    return tuple(newest[:_LAST])
