"""Reads many syncs' ledgers at once: runs, rejections, requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dbt_batch_sync.errors import ConfigurationError, DeliveryError
from dbt_batch_sync.ledger.audits import last_audits
from dbt_batch_sync.ledger.erasures import ErasureCounts, erasure_counts
from dbt_batch_sync.ledger.journal import Journal, open_counts, open_keys
from dbt_batch_sync.ledger.records import RejectedKey, Run
from dbt_batch_sync.ledger.requests import open_requests
from dbt_batch_sync.ledger.state import Built
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.channels import Talk
from dbt_batch_sync.push.known import Known, Pending, by_ledger, parked_rows, relation_of
from dbt_batch_sync.push.plan import count_changes, pending_rows
from dbt_batch_sync.results.look import SyncRejects, SyncReport, SyncStatus
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.relations import select


def statuses(known: Sequence[Known], limit: int) -> Iterator[SyncStatus]:
    """The last runs of each sync (at most `limit`), its parked rows and open requests."""
    runs, requests, audits = _runs(known, limit), _of_each(known, open_requests), _of_each(known, last_audits)
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
            audit=next(iter(audits[name]), None),
            erasures=erasures.get(name, ErasureCounts()),
        )


def sizes(
    warehouse: Warehouse, known: Sequence[Known], talk: Callable[[Sync], Talk]
) -> Iterator[dict[str, Any]]:
    """For each sync, how many members or items Batch should have (`expected`) and reports (`in_batch`)."""
    for each in known:
        container, built = each.sync.kind.container, each.state.built
        if container is None or built is None:
            yield {}
            continue
        expected = _expected(warehouse, each, built)
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


def _expected(warehouse: Warehouse, known: Known, built: Built) -> int:
    """The number of rows in Batch, from the snapshot and what was settled of the delta since."""
    pending = Pending.of(warehouse, known.sync, built, known.state.checkpoint)
    query = select(
        f"""
        select sum(case when coalesce(d.batch__present, s.batch__present) then 1 else 0 end) as present
        from snapshot as s
        full join (
            select _batch_key, batch__present from delta
            where _batch_delta_id = :delta_id and _batch_changed <> '' and {pending.settled}
                and _batch_key not in (
                    select r.key from rejects as r
                    where r.sync = :sync and r.delta_id = :delta_id and r.attribute is null
                        and r.key is not null
                )
        ) as d on s._batch_key = d._batch_key
        """,
        delta=pending.delta,
        snapshot=relation_of(warehouse, known.sync, "snapshot"),
        rejects=known.journal.rejects_table,
    )
    (row,) = pending.read(warehouse, query, sync=known.sync.name)
    return int(row["present"] or 0)


def rejections(warehouse: Warehouse, known: Sequence[Known], profiles: int = 0) -> Iterator[SyncRejects]:
    """The open rejections, invalid rows by reason, and the first `profiles` keys of both."""
    counts = _of_each(known, open_counts)
    for each in known:
        name, pending = each.sync.name, pending_rows(warehouse, each)
        changes = count_changes(warehouse, each, pending)
        listed = open_keys(each.journal, name, profiles) if profiles else []
        if pending and profiles and changes.invalid:
            # Parked ones have an open rejection.
            query = select(
                f"""
                select distinct _batch_key as key, _batch_reason as reason from delta
                where _batch_delta_id = :delta_id and _batch_change = 'invalid' and _batch_reason <> 'parked'
                order by key, reason limit {profiles}
                """,
                delta=pending.delta,
            )
            rows = warehouse.fetch(Statement(query, {"delta_id": pending.delta_id})).to_pylist()
            listed += (RejectedKey(row["key"], None, row["reason"]) for row in rows)
        yield SyncRejects(
            name,
            each.journal.rejects_table.sql(warehouse.dialect),
            counts[name],
            each.sync.kind.name,
            changes.invalid_reasons,
            tuple(sorted(listed, key=lambda one: (one.key is None, one.key or ""))[:profiles]),
        )


def reports(warehouse: Warehouse, known: Sequence[Known], limit: int) -> Iterator[SyncReport]:
    runs, counts, audits = _runs(known, limit), _of_each(known, open_counts), _of_each(known, last_audits)
    for each in known:
        changes = count_changes(warehouse, each, pending_rows(warehouse, each))
        yield SyncReport(
            sync=each.sync.name,
            runs=runs[each.sync.name],
            inserts=changes.inserts,
            updates=changes.updates,
            exits=changes.exits,
            invalid=changes.invalid,
            parked=parked_rows(each.sync, each.state),
            attributes=changes.attributes,
            rejects=counts[each.sync.name],
            table=each.journal.rejects_table.sql(warehouse.dialect),
            kind=each.sync.kind.name,
            audit=next(iter(audits[each.sync.name]), None),
        )


def _runs(known: Sequence[Known], limit: int) -> dict[str, tuple[Run, ...]]:
    return _of_each(known, lambda journal, names: journal.recent_runs(names, limit))


def _of_each(
    known: Sequence[Known], read: Callable[[Journal, list[str]], Iterable[Any]]
) -> dict[str, tuple[Any, ...]]:
    """What is read of each ledger, by sync."""
    rows = [row for ledger in by_ledger(known) for row in read(*ledger)]
    return {each.sync.name: tuple(row for row in rows if row.sync == each.sync.name) for each in known}
