"""What the ledgers tell of many syncs at once: runs, rejections, requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from dbt_batch_sync.ledger.records import RejectCount, Run
from dbt_batch_sync.ledger.requests import open_requests
from dbt_batch_sync.push.known import Known, by_ledger, parked_rows
from dbt_batch_sync.push.plan import Counts, count_changes, pending_rows
from dbt_batch_sync.results import SyncRejects, SyncReport, SyncStatus
from dbt_batch_sync.warehouse import Warehouse


class _OfSync(Protocol):
    @property
    def sync(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfSync)


def statuses(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncStatus]:
    """The last runs of each sync, at most `limit`, its parked rows and open requests."""
    runs = _runs(known, limit)
    requests = [
        each for journal, _, names in by_ledger(known) for each in open_requests(warehouse, journal, names)
    ]
    for each in known:
        name = each.sync.name
        yield SyncStatus(name, _of(name, runs), parked_rows(each.sync, each.state), _of(name, requests))


def rejections(warehouse: Warehouse, known: Sequence[Known]) -> Iterator[SyncRejects]:
    """The open rejections of each sync, the most frequent first."""
    counts = _counts(known)
    for each in known:
        name = each.sync.name
        yield SyncRejects(name, each.rejects.table.sql(warehouse.dialect), _of(name, counts))


def reports(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncReport]:
    """What a report shows of each sync."""
    runs, counts = _runs(known, limit), _counts(known)
    for each in known:
        pending = pending_rows(warehouse, each)
        changes = count_changes(warehouse, each, pending) if pending else Counts()
        yield SyncReport(
            sync=each.sync.name,
            runs=_of(each.sync.name, runs),
            inserts=changes.inserts,
            updates=changes.updates,
            exits=changes.exits,
            invalid=changes.invalid,
            parked=parked_rows(each.sync, each.state),
            attributes=dict(changes.attributes),
            rejects=_of(each.sync.name, counts),
            table=each.rejects.table.sql(warehouse.dialect),
        )


def _runs(known: Iterable[Known], limit: int) -> list[Run]:
    return [run for journal, _, names in by_ledger(known) for run in journal.recent_runs(names, limit)]


def _counts(known: Iterable[Known]) -> list[RejectCount]:
    return [count for _, rejects, names in by_ledger(known) for count in rejects.open_counts(names)]


def _of(sync: str, rows: Iterable[_Row]) -> tuple[_Row, ...]:
    return tuple(each for each in rows if each.sync == sync)
