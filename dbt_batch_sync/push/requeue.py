"""Puts committed profiles back into the delta, which is the queue: for `--full-refresh` and
`--retry-rejected`.

What has to go again is put in doubt in the snapshot first, so that it survives whatever happens next: a
delta that `dbt run` builds later contains it too, until it is committed. Then the delta gets a new id, loses
its committed rows, and gains an update for each profile in doubt that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbt_batch_sync.mapping.mapping import OnNull
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.sql.commit import doubted_rows
from dbt_batch_sync.sql.relations import Relation, equals, insert_into, is_null, value
from dbt_batch_sync.warehouse import Statement, Value, Warehouse


def requeue_all(warehouse: Warehouse, work: Work, delta_id: str) -> None:
    """Everything of every profile that has not left goes again."""
    marks = [_mark(work, name, is_null(work.snapshot.column("_batch_exited_at"))) for name in _names(work)]
    _requeue(warehouse, work, delta_id, marks)


def requeue_rejected(warehouse: Warehouse, work: Work, delta_id: str) -> None:
    """The refused attributes that still stand go again, and the parked rows are released."""
    marks = []
    for name in _names(work):
        refused = (
            exp.select(exp.column("custom_id"))
            .from_(work.ledger.rejects.table.copy())
            .where(_open(), equals(exp.column("attribute"), exp.Literal.string(name)))
        )
        marks.append(
            _mark(work, name, exp.In(this=work.snapshot.column("custom_id"), query=refused.subquery()))
        )
    release = exp.Update(
        this=work.ledger.rejects.table.copy(), expressions=[equals(exp.column("sent_hash"), exp.null())]
    ).where(_open(), is_null(exp.column("attribute")))
    _requeue(warehouse, work, delta_id, [*marks, release])


def _requeue(warehouse: Warehouse, work: Work, delta_id: str, marks: Iterable[exp.Expr]) -> None:
    values: dict[str, Value] = {
        "sync": work.name,
        "delta_id": delta_id,
        "mapping": work.sync.mapping.hash,
        "types": work.types,
    }
    if work.delta_id is not None and work.ledger.has_open_intent(work.delta_id):
        marks = [_absorb(work), *marks]
        values["old_delta_id"] = work.delta_id
    steps = [*marks, _drop_committed(work), _renew(work.delta), *_extend(work), _add(work)]
    warehouse.execute([Statement.of(tree, values) for tree in steps])


def _absorb(work: Work) -> exp.Expr:
    """What a dead push may have sent of the delta: with the delta's id goes the only other record of it."""
    committed = (
        exp.select(work.snapshot.column("custom_id"))
        .from_(work.snapshot.table.copy())
        .where(equals(work.snapshot.column("_batch_delta_id"), value("old_delta_id")))
    )
    queued = exp.In(this=work.delta.column("custom_id"), query=committed.subquery())
    return doubted_rows(work.delta, work.snapshot, exp.not_(queued))


def _names(work: Work) -> list[str]:
    return [attribute.name for attribute in work.attributes]


def _kept(work: Work) -> set[str]:
    """The attributes of which a null is not sent: their doubt waits for a value."""
    mapping = work.sync.mapping
    if mapping.all_columns and mapping.on_null is OnNull.KEEP:
        return set(_names(work)) - {mapping.membership}
    return {attribute.name for attribute in mapping.attributes if attribute.on_null is OnNull.KEEP}


def _mark(work: Work, name: str, condition: exp.Expr) -> exp.Expr:
    doubt = work.snapshot.column("_batch_doubt")
    listed = exp.Coalesce(this=doubt, expressions=[exp.Literal.string("")])
    longer = exp.DPipe(this=listed, expression=exp.Literal.string(f",{name},"))
    update = exp.Update(this=work.snapshot.table.copy(), expressions=[equals(doubt.copy(), longer)])
    return update.where(condition, exp.not_(_has(listed, name)))


def _has(listed: exp.Expr, name: str) -> exp.Expr:
    found = exp.StrPosition(this=listed.copy(), substr=exp.Literal.string(f",{name},"))
    return exp.GT(this=found, expression=exp.Literal.number(0))


def _drop_committed(work: Work) -> exp.Expr:
    """The rows of this delta that are in the snapshot."""
    delta, snapshot = work.delta, work.snapshot
    committed = (
        exp.select(snapshot.column("custom_id"))
        .from_(snapshot.table.copy())
        .where(exp.In(this=snapshot.column("_batch_delta_id"), query=_delta_ids(delta).subquery()))
    )
    sendable = exp.NEQ(this=delta.column("_batch_change"), expression=exp.Literal.string("invalid"))
    return exp.Delete(this=delta.table.copy()).where(
        sendable, exp.In(this=delta.column("custom_id"), query=committed.subquery())
    )


def _delta_ids(delta: Relation) -> exp.Select:
    return exp.select(delta.column("_batch_delta_id")).from_(delta.table.copy())


def _renew(delta: Relation) -> exp.Expr:
    renewed = equals(delta.column("_batch_delta_id"), value("delta_id"))
    # BigQuery updates nothing without a condition.
    return exp.Update(this=delta.table.copy(), expressions=[renewed]).where(exp.true())


def _extend(work: Work) -> Iterable[exp.Expr]:
    """The updates that the delta has already send what is in doubt too."""
    delta, snapshot = work.delta, work.snapshot
    changed = delta.column("_batch_changed")
    for name in _names(work):
        doubted = (
            exp.select(snapshot.column("custom_id"))
            .from_(snapshot.table.copy())
            .where(
                _has(
                    exp.Coalesce(this=snapshot.column("_batch_doubt"), expressions=[exp.Literal.string("")]),
                    name,
                )
            )
        )
        comma, empty = exp.Literal.string(","), exp.Literal.string("")
        listed = exp.DPipe(this=exp.DPipe(this=comma, expression=changed.copy()), expression=comma.copy())
        longer = exp.Case().when(equals(changed.copy(), empty), exp.Literal.string(name))
        appended = exp.DPipe(this=changed.copy(), expression=exp.Literal.string(f",{name}"))
        update = exp.Update(
            this=delta.table.copy(), expressions=[equals(changed.copy(), longer.else_(appended))]
        ).where(
            equals(delta.column("_batch_change"), exp.Literal.string("update")),
            exp.not_(_has(listed, name)),
            exp.In(this=delta.column("custom_id"), query=doubted.subquery()),
        )
        yield update.where(exp.not_(is_null(delta.column(name)))) if name in _kept(work) else update


def _add(work: Work) -> exp.Expr:
    """An update for each profile in doubt that is in the sync and not in the delta: the values that the
    snapshot has.
    """
    delta, snapshot = work.delta, work.snapshot
    doubt = exp.Coalesce(this=snapshot.column("_batch_doubt", "s"), expressions=[exp.Literal.string("")])
    names, remaining = _split_doubt(work, doubt)
    known: dict[str, exp.Expr] = {
        "custom_id": snapshot.column("custom_id", "s"),
        "_batch_change": exp.Literal.string("update"),
        "_batch_changed": exp.Substring(this=names, start=exp.Literal.number(2)),
        "_batch_reason": exp.cast(exp.null(), "text"),
        "_batch_delta_id": value("delta_id"),
        "_batch_mapping": value("mapping"),
        "_batch_types": value("types"),
        "_batch_doubt": exp.Nullif(this=remaining, expression=exp.Literal.string("")),
    }
    columns = [column.name for column in delta.columns]
    cells = [known.get(name.lower()) or snapshot.column(name.lower(), "s") for name in columns]
    rows = (
        exp.select(*(exp.alias_(cell, name, quoted=True) for cell, name in zip(cells, columns, strict=True)))
        .from_(snapshot.aliased("s"))
        .where(is_null(snapshot.column("_batch_exited_at", "s")))
        .where(exp.not_(is_null(snapshot.column("_batch_doubt", "s"))))
        .where(exp.not_(exp.In(this=snapshot.column("custom_id", "s"), query=_queued(delta).subquery())))
        .where(exp.NEQ(this=names.copy(), expression=exp.Literal.string("")))
    )
    identifiers = [exp.to_identifier(name, quoted=True) for name in columns]
    return insert_into(delta.table, identifiers, rows)


def _split_doubt(work: Work, doubt: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """The names in doubt that are sent, each behind a comma, and those that stay in doubt."""
    sent: exp.Expr = exp.Literal.string("")
    stays: exp.Expr = exp.Literal.string("")
    mapped, kept = set(_names(work)), _kept(work)
    own = ("custom_id", "_batch_")
    for name in (c.name.lower() for c in work.snapshot.columns if not c.name.lower().startswith(own)):
        doubted = _has(doubt, name)
        goes: exp.Expr | None
        waits: exp.Expr | None
        if name not in mapped:
            goes, waits = None, doubted
        elif name in kept:
            empty = is_null(work.snapshot.column(name, "s"))
            goes, waits = exp.and_(doubted, exp.not_(empty)), exp.and_(doubted.copy(), empty.copy())
        else:
            goes, waits = doubted, None
        if goes is not None:
            sent = exp.DPipe(this=sent, expression=_text_if(goes, f",{name}"))
        if waits is not None:
            stays = exp.DPipe(this=stays, expression=_text_if(waits, f",{name},"))
    return sent, stays


def _text_if(condition: exp.Expr, text: str) -> exp.Expr:
    return exp.Case().when(condition, exp.Literal.string(text)).else_(exp.Literal.string(""))


def _queued(delta: Relation) -> exp.Select:
    """The profiles that the delta has; an invalid row has no identifier that could be one of them, or has a
    bad one.
    """
    ids = exp.select(delta.column("custom_id")).from_(delta.table.copy())
    return ids.where(exp.not_(is_null(delta.column("custom_id"))))


def _open() -> exp.Expr:
    return exp.and_(equals(exp.column("sync"), value("sync")), is_null(exp.column("resolved_at")))
