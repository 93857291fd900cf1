"""What is known of one profile: why it looks in Batch as it does. Values are masked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from dbt_batch_sync.ledger.records import REJECT_COLUMNS
from dbt_batch_sync.push.plan import mask
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.results import Change, Pending, Refusal, SyncProfile
from dbt_batch_sync.sql.lookup import rejects_of, row_of
from dbt_batch_sync.sql.relations import Relation
from dbt_batch_sync.warehouse import Statement, Value, Warehouse


def look_up(warehouse: Warehouse, work: Work, custom_id: str) -> SyncProfile:
    """Reads its row of the snapshot, of the delta, and what of it was refused."""
    held, queued = _row(warehouse, work.snapshot, custom_id), _row(warehouse, work.delta, custom_id)
    known = held is not None and held.get("_batch_sent_at") is not None
    refusals = tuple(_refusals(warehouse, work, custom_id))
    standing = {each.attribute for each in refusals if each.resolved_at is None}
    cells = {name: cell for name, cell in (held or {}).items() if _is_attribute(name) and cell is not None}
    attributes = {name: mask(cell) for name, cell in cells.items() if name not in standing}
    doubt = str((held or {}).get("_batch_doubt") or "")
    return SyncProfile(
        sync=work.name,
        sent_at=cast("datetime | None", held["_batch_sent_at"]) if held else None,
        run_id=_text(held, "_batch_run_id"),
        exited_at=cast("datetime | None", held["_batch_exited_at"]) if held else None,
        attributes=attributes if known else {},
        in_doubt=tuple(dict.fromkeys(name for name in doubt.split(",") if name)),
        pending=_pending(held, queued, sent=_is_committed(held, queued)),
        refusals=refusals,
    )


def _row(warehouse: Warehouse, relation: Relation, custom_id: str) -> dict[str, Value] | None:
    rows = warehouse.fetch(Statement(row_of(relation), {"custom_id": custom_id}))
    names = [column.name.lower() for column in relation.columns]
    return dict(zip(names, rows[0], strict=True)) if rows else None


def _is_attribute(name: str) -> bool:
    return name != "custom_id" and not name.startswith("_batch_")


def _text(row: Mapping[str, Value] | None, name: str) -> str | None:
    cell = (row or {}).get(name)
    return None if cell is None else str(cell)


def _is_committed(held: Mapping[str, Value] | None, queued: Mapping[str, Value] | None) -> bool:
    """Whether the delta's row is in the snapshot: it stays in the delta until the next `dbt run`."""
    of_delta = _text(queued, "_batch_delta_id")
    return of_delta is not None and of_delta == _text(held, "_batch_delta_id")


def _pending(
    held: Mapping[str, Value] | None, queued: Mapping[str, Value] | None, *, sent: bool
) -> Pending | None:
    if queued is None or sent:
        return None
    names = [name for name in str(queued["_batch_changed"] or "").split(",") if name]
    changes = (Change(name, mask((held or {}).get(name)), mask(queued.get(name))) for name in names)
    return Pending(str(queued["_batch_change"]), _text(queued, "_batch_reason"), tuple(changes))


def _refusals(warehouse: Warehouse, work: Work, custom_id: str) -> list[Refusal]:
    if not work.has_ledger:
        return []
    values: dict[str, Value] = {"sync": work.name, "custom_id": custom_id}
    query = rejects_of(work.ledger.rejects.table, list(REJECT_COLUMNS))
    found = []
    for cells in warehouse.fetch(Statement(query, values)):
        row = dict(zip(REJECT_COLUMNS, cells, strict=True))
        found.append(
            Refusal(
                attribute=_text(row, "attribute"),
                reason=str(row["reason"]),
                rejected_by=str(row["rejected_by"]),
                first_seen_at=cast("datetime", row["first_seen_at"]),
                last_seen_at=cast("datetime", row["last_seen_at"]),
                attempts=int(str(row["attempts"])),
                resolved_at=cast("datetime | None", row["resolved_at"]),
            )
        )
    return found
