"""Reads many syncs' ledgers at once: runs, rejections, requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.errors import ConfigurationError, DeliveryError
from dbt_batch_sync.ledger.audits import Audited, last_audits
from dbt_batch_sync.ledger.erasures import ErasureCounts, erasure_counts
from dbt_batch_sync.ledger.journal import Journal
from dbt_batch_sync.ledger.records import RejectedKey, Run
from dbt_batch_sync.ledger.rejects import open_counts, open_keys
from dbt_batch_sync.ledger.requests import open_requests
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.counts import Pending, invalid_keys, present_rows
from dbt_batch_sync.push.known import Known, by_ledger, parked_rows, relation_of
from dbt_batch_sync.push.plan import Counts, count_changes, pending_rows
from dbt_batch_sync.results.look import SyncRejects, SyncReport, SyncStatus
from dbt_batch_sync.warehouse import Statement, Warehouse


def statuses(known: Sequence[Known], limit: int) -> Iterator[SyncStatus]:
    """The last runs of each sync (at most `limit`), its parked rows and open requests."""
    runs, requests, audits = _runs(known, limit), _of_each(known, open_requests), _audits(known)
    erasures: dict[str, ErasureCounts] = {}
    for journal, names in by_ledger(each for each in known if each.sync.kind.erases):
        erasures |= erasure_counts(journal, names)
    for each in known:
        name = each.sync.name
        yield SyncStatus(
            name,
            runs[name],
            parked_rows(each.sync, each.state),
            requests[name],
            each.sync.kind.name,
            audit=audits.get(name),
            erasures=erasures.get(name, ErasureCounts()),
        )


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
            size = container.count(talk(each.sync), each.sync.mapping)
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
    pending = Pending(delta, built.delta_id, at.page, at.key)
    query = present_rows(pending, snapshot, known.journal.rejects_table)
    found = warehouse.fetch(Statement(query, {**pending.values, "sync": known.sync.name}))
    return int(found.column("present")[0].as_py() or 0)


def rejections(warehouse: Warehouse, known: Sequence[Known], profiles: int = 0) -> Iterator[SyncRejects]:
    """The open rejections, invalid rows by reason, and the first `profiles` keys of both."""
    counts = _of_each(known, open_counts)
    for each in known:
        name, changes = each.sync.name, _changes(warehouse, each)
        listed = open_keys(each.journal, name, profiles) if profiles else []
        if profiles and changes.invalid:
            listed += _invalid(warehouse, each, profiles)
        yield SyncRejects(
            name,
            each.journal.rejects_table.sql(warehouse.dialect),
            counts[name],
            each.sync.kind.name,
            dict(changes.invalid_reasons),
            tuple(sorted(listed, key=lambda one: (one.key is None, one.key or ""))[:profiles]),
        )


def reports(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncReport]:
    """What a report shows of each sync."""
    runs, counts, audits = _runs(known, limit), _of_each(known, open_counts), _audits(known)
    for each in known:
        changes = _changes(warehouse, each)
        yield SyncReport(
            sync=each.sync.name,
            runs=runs[each.sync.name],
            inserts=changes.inserts,
            updates=changes.updates,
            exits=changes.exits,
            invalid=changes.invalid,
            parked=parked_rows(each.sync, each.state),
            attributes=dict(changes.attributes),
            rejects=counts[each.sync.name],
            table=each.journal.rejects_table.sql(warehouse.dialect),
            kind=each.sync.kind.name,
            audit=audits.get(each.sync.name),
        )


def _invalid(warehouse: Warehouse, known: Known, limit: int) -> list[RejectedKey]:
    """The first invalid rows of the delta."""
    pending = pending_rows(warehouse, known)
    if pending is None:
        return []
    found = warehouse.fetch(Statement(invalid_keys(pending, limit), {"delta_id": pending.delta_id}))
    keys, reasons = (column.to_pylist() for column in found.columns)
    return [RejectedKey(key, None, reason) for key, reason in zip(keys, reasons, strict=True)]


def _changes(warehouse: Warehouse, known: Known) -> Counts:
    pending = pending_rows(warehouse, known)
    return count_changes(warehouse, known, pending) if pending else Counts()


def _audits(known: Iterable[Known]) -> dict[str, Audited]:
    found: dict[str, Audited] = {}
    for journal, names in by_ledger(known):
        found |= last_audits(journal, names)
    return found


def _runs(known: Sequence[Known], limit: int) -> dict[str, tuple[Run, ...]]:
    return _of_each(known, lambda journal, names: journal.recent_runs(names, limit))


def _of_each(
    known: Sequence[Known], read: Callable[[Journal, list[str]], Iterable[Any]]
) -> dict[str, tuple[Any, ...]]:
    """What is read of each ledger, by sync."""
    rows = [row for ledger in by_ledger(known) for row in read(*ledger)]
    return {each.sync.name: tuple(row for row in rows if row.sync == each.sync.name) for each in known}
