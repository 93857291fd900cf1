"""What the relations and the ledger hold of one key."""

from __future__ import annotations

from sqlglot import exp

from dbt_batch_sync.sql.relations import Relation, equals, value

def row_of(relation: Relation, delta_id: bool = False) -> exp.Select:
    """Its row under the columns' lower-case names, of the build `:delta_id` if asked. A key of several invalid
    rows has more than one.
    """
    columns = (
        exp.alias_(relation.column(column.name.lower()), column.name.lower(), quoted=True)
        for column in relation.columns
    )
    query = exp.select(*columns).from_(relation.table.copy())
    query = query.where(equals(relation.column("custom_id"), value("key")))
    if delta_id:
        query = query.where(equals(relation.column("_batch_delta_id"), value("delta_id")))
    return query.limit(1)


def events_of(journal: exp.Table) -> exp.Select:
    """What pushes of the build `:delta_id` said of its page `:page`, and of the key itself: by event, run and
    names, when first. A row of the page behind `:page_before` may be settled by its key.
    """
    event, page = exp.column("event"), exp.column("page")
    reached = exp.GTE(this=page, expression=value("page"))
    by_key = exp.and_(
        equals(page.copy(), value("page_before")),
        exp.GTE(this=exp.column("key"), expression=value("key")),
    )
    checkpoint = exp.and_(_is(event, "checkpoint"), exp.or_(reached, by_key))
    intent = exp.and_(_is(event, "intent"), reached.copy())
    doubt = exp.and_(_is(event, "doubt"), equals(exp.column("key"), value("key")))
    keys = ("event", "run_id", "names")
    query = exp.select(
        *(exp.column(name) for name in keys), exp.alias_(exp.Min(this=exp.column("recorded_at")), "first_at")
    ).from_(journal.copy())
    query = query.where(*_of_key("sync", "delta_id"), exp.or_(checkpoint, intent, doubt))
    return query.group_by(*(exp.column(name) for name in keys))


def _of_key(*names: str) -> list[exp.Expr]:
    return [equals(exp.column(name), value(name)) for name in names]


def _is(column: exp.Expr, text: str) -> exp.Expr:
    return equals(column.copy(), exp.Literal.string(text))
