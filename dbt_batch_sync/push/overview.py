"""Reads many syncs' ledgers at once: runs, rejections, requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.errors import ConfigurationError, DeliveryError
from dbt_batch_sync.ledger.audits import Audited, Audits
from dbt_batch_sync.ledger.erasures import ErasureCounts, erasure_counts
from dbt_batch_sync.ledger.records import RejectCount, Run
from dbt_batch_sync.ledger.requests import open_requests
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.counts import present_rows
from dbt_batch_sync.push.known import Known, by_ledger, parked_rows, relation_of
from dbt_batch_sync.push.plan import Counts, count_changes, pending_rows
from dbt_batch_sync.results import SyncRejects, SyncReport, SyncStatus
from dbt_batch_sync.warehouse import Statement, Value, Warehouse


class _OfSync(Protocol):
    @property
    def sync(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfSync)


def statuses(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncStatus]:
    """The last runs of each sync (at most `limit`), its parked rows and open requests."""
    runs = _runs(known, limit)
    requests = [
        each for journal, _, names in by_ledger(known) for each in open_requests(warehouse, journal, names)
    ]
    audits, erasures = _audits(warehouse, known), _erasures(warehouse, known)
    for each in known:
        name = each.sync.name
        yield SyncStatus(
            name,
            _of(name, runs),
            parked_rows(each.sync, each.state),
            _of(name, requests),
            each.sync.kind.name,
            audit=audits.get(name),
            erasures=erasures.get(name, ErasureCounts()),
        )


def _erasures(warehouse: Warehouse, known: Sequence[Known]) -> dict[str, ErasureCounts]:
    own = [each for each in known if each.sync.kind.erases is not None]
    ledgers = ((journal, names) for journal, _, names in by_ledger(own))
    found = (erasure_counts(warehouse, journal, names) for journal, names in ledgers)
    return {name: counts for each in found for name, counts in each.items()}


def sizes(
    warehouse: Warehouse, known: Sequence[Known], talk: Callable[[Sync], Talk]
) -> Iterator[dict[str, Any]]:
    """For each sync, how many members or items Batch should have (`expected`) and reports (`in_batch`)."""
    for each in known:
        container = each.sync.kind.container
        if container is None or each.state.built is None:
            yield {}
            continue
        expected = _expected(warehouse, each)
        try:
            size = container.size(talk(each.sync), each.sync.mapping)
        except (DeliveryError, ConfigurationError) as error:
            yield {"expected": expected, "note": f"Batch was not asked how many there are: {error}"}
            continue
        note = f"the {each.sync.mapping.target} is not in Batch" if size is None else None
        if size is not None and size != expected:
            note = (
                f"Batch has {size:,} {each.sync.kind.noun}s and should have {expected:,}: it may still be "
                "applying a push, or others write to it"
            )
        yield {"expected": expected, "in_batch": size, "note": note}


def _expected(warehouse: Warehouse, known: Known) -> int:
    """The number of rows in Batch, from the snapshot and what was settled of the delta since."""
    built, at = known.state.built, known.state.checkpoint
    if built is None:
        return 0
    delta, snapshot = (
        relation_of(warehouse, known.sync, "delta"),
        relation_of(warehouse, known.sync, "snapshot"),
    )
    values: dict[str, Value] = {"delta_id": built.delta_id, "page": at.page, "sync": known.sync.name}
    if at.key is not None:
        values |= {"page_after": at.page + 1, "key": at.key}
    present = present_rows(delta, snapshot, known.rejects.table, within_page=at.key is not None)
    return int(warehouse.fetch(Statement(present, values)).column("present")[0].as_py() or 0)


def rejections(warehouse: Warehouse, known: Sequence[Known], profiles: int = 0) -> Iterator[SyncRejects]:
    """For each sync, the open rejections, most frequent first, invalid rows by reason, and the first
    `profiles` rejected keys.
    """
    counts = _counts(known)
    for each in known:
        name = each.sync.name
        pending = pending_rows(warehouse, each)
        changes = count_changes(warehouse, each, pending) if pending else Counts()
        yield SyncRejects(
            name,
            each.rejects.table.sql(warehouse.dialect),
            _of(name, counts),
            each.sync.kind.name,
            dict(changes.invalid_reasons),
            tuple(each.rejects.open_keys(name, profiles)) if profiles else (),
        )


def reports(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncReport]:
    """What a report shows of each sync."""
    runs, counts, audits = _runs(known, limit), _counts(known), _audits(warehouse, known)
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
            kind=each.sync.kind.name,
            audit=audits.get(each.sync.name),
        )


def _audits(warehouse: Warehouse, known: Iterable[Known]) -> dict[str, Audited]:
    found: dict[str, Audited] = {}
    for journal, _, names in by_ledger(known):
        found |= Audits(warehouse, journal).last(names)
    return found


def _runs(known: Iterable[Known], limit: int) -> list[Run]:
    return [run for journal, _, names in by_ledger(known) for run in journal.recent_runs(names, limit)]


def _counts(known: Iterable[Known]) -> list[RejectCount]:
    return [count for _, rejects, names in by_ledger(known) for count in rejects.open_counts(names)]


def _of(sync: str, rows: Iterable[_Row]) -> tuple[_Row, ...]:
    return tuple(each for each in rows if each.sync == sync)
