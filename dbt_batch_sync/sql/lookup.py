"""What the relations and the journal hold of one key."""

from __future__ import annotations

from sqlglot import exp

from dbt_batch_sync.sql.relations import Relation, columns_of, equals, value

EVENT_COLUMNS = {"event": "text", "run_id": "text", "names": "text", "first_at": "timestamp"}


def row_of(relation: Relation, *, build: bool) -> exp.Select:
    """Its row, all columns in their order; of the build `:delta_id` alone if asked. A key of several invalid
    rows has more than one.
    """
    columns = (relation.column(column.name.lower()) for column in relation.columns)
    query = exp.select(*columns).from_(relation.table.copy())
    query = query.where(equals(relation.column(relation.key), value("key")))
    if build:
        query = query.where(equals(relation.column("_batch_delta_id"), value("delta_id")))
    return query.limit(1)


def events_of(journal: exp.Table) -> exp.Select:
    """What pushes of the build `:delta_id` said of its page `:page` and of the key: `EVENT_COLUMNS`.

    A row of the page after the checkpoint's, `:page_before`, is settled when its key is not behind the
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
