"""All statements that dbt runs, by scenario and dialect, rendered without a warehouse."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.dbt_macros import NOW, Answer, Macros
from harness.project import Project
from harness.reported import REPORTED
from harness.selects import selects_of

DIALECTS = ("duckdb", "postgres", "snowflake", "bigquery", "redshift", "databricks", "spark")
PEOPLE = "people"
SNAPSHOT = "people_sent_snapshot"
DELTA = "people_delta"
OLD = "00000000-0000-4000-8000-000000000001"
"""The id of the previous delta."""

MAPPING: Mapping[str, Any] = {
    "identifier": "Client Id",
    "standard": {"email_marketing": "optin"},
    "custom": [{"column": "nick", "on_null": "keep"}, {"column": "tags", "type": "string_array"}],
}
EVENTS: Mapping[str, Any] = {
    "kind": "events", "identifier": "customer", "event_id": "id", "name": "name", "time": "at", "label": "label",
    "attributes": ["amount", {"column": "items", "type": "object"}],
}  # fmt: skip
OCCURRED = {
    "customer": "text",
    "id": "integer",
    "name": "text",
    "at": "instant",
    "label": "text",
    "amount": "decimal",
    "items": "text",
}
FLAGGED: Mapping[str, Any] = {**MAPPING, "on_exit": "flag", "membership": "in_crm"}
CATALOG: Mapping[str, Any] = {
    "kind": "catalog",
    "identifier": "Client Id",
    "catalog": "products",
    "fields": ["nick", {"column": "tags", "type": "string_array"}],
}
ERASED: Mapping[str, Any] = {
    "kind": "deletions",
    "identifier": "Client Id",
    "confirm": "erase",
    "requested_at": "asked",
}
ASKED = {"Client Id": "text", "asked": "instant"}
WHOLE: Mapping[str, Any] = {"identifier": "Client Id", "custom": "all"}
BEFORE = {"Client Id": "text", "points": "integer", "price": "decimal", "vip": "boolean", "level": "text"}
AFTER = {"Client Id": "text", "points": "decimal", "price": "double", "vip": "text", "level": "integer"}
ATTRIBUTE_TYPES = "batch__email_marketing:string,nick:string,tags:string_array"
REPLIED = datetime.datetime(2024, 5, 5, 1, 2, 3, tzinfo=datetime.timezone.utc)
BUILT: Answer = (
    "former_types, recorded_at, inserts + ",
    [
        {
            "delta_id": OLD,
            "attribute_types": ATTRIBUTE_TYPES,
            "former_types": "",
            "recorded_at": REPLIED,
            "built_rows": 9,
        }
    ],
)
REJECT = [{"found": 1}]

Scenario = Callable[[str], list[str]]


def dbt(
    dialect: str,
    *answers: Answer,
    mapping: Mapping[str, Any] = MAPPING,
    columns: Mapping[str, str] | None = None,
    tables: Mapping[str, list[tuple[str, str]]] | None = None,
    configs: Mapping[str, Any] | None = None,
) -> Macros:
    """A dbt command in a project where the model, its snapshot and its delta exist and the ledger is empty."""
    reported = REPORTED[dialect]
    model = columns or {"Client Id": "text", "optin": "boolean", "nick": "text", "tags": "tags"}
    nodes = [
        _node(PEOPLE, "table", meta={"batch_sync": dict(mapping)}),
        _node(SNAPSHOT, "sent_snapshot"),
        _node(DELTA, "table"),
    ]
    if dialect == "spark":
        nodes = [{**node, "database": None} for node in nodes]
    there = {PEOPLE: [(name, reported[kind]) for name, kind in model.items()]}
    first = Macros(dialect, nodes=nodes, tables=there)
    attributes = first.sync_attributes(PEOPLE, first.relation(PEOPLE), first.sync_mapping(PEOPLE))
    own_schema = mapping.get("kind") == "events"
    schema = first.events__snapshot_schema if own_schema else first.any_kind__snapshot_schema
    stored = [(first.reported_name(each["name"]), str(each["dtype"])) for each in schema(attributes)]
    text, number = first.text_type(), "bigint"
    own = ("change", "changed", "reason", "page", "delta_id")
    built = [
        stored[0],
        *((first.reported_name(f"_batch_{name}"), number if name == "page" else text) for name in own),
        *stored[1 : len(attributes)],
    ]
    given = {**there, SNAPSHOT: stored, DELTA: built, **(tables or {})}
    return Macros(dialect, nodes=nodes, tables=given, answers=answers, configs=configs)


def _node(name: str, materialized: str, **config: Any) -> dict[str, Any]:
    return {
        "unique_id": f"model.shop.{name}",
        "resource_type": "model",
        "name": name,
        "alias": name,
        "database": "shop",
        "schema": "marts",
        "meta": {},
        "config": {"materialized": materialized, "file_format": "delta", **config},
        "depends_on": {"nodes": []},
    }


def ledger(dialect: str) -> list[str]:
    it = dbt(dialect)
    it.create_ledger(it.relation(SNAPSHOT))
    return it.statements


def ledger_columns(dialect: str) -> list[str]:
    """The ledger of an earlier version, which lacks two columns."""
    it = dbt(dialect)
    have = {
        "batch_sync_journal": [
            (name, "x") for name in it.journal_columns() if name not in ("host", "seconds")
        ],
        "batch_sync_rejects": [(name, "x") for name in it.rejects_columns()],
    }
    it = dbt(dialect, tables=have)
    it.create_ledger(it.relation(SNAPSHOT))
    return it.statements


def prune(dialect: str) -> list[str]:
    old = datetime.datetime(2023, 1, 1, tzinfo=datetime.timezone.utc)
    row = {
        "sync": PEOPLE,
        "built_at": REPLIED,
        "intended_at": None,
        "merged_at": REPLIED,
        "oldest": old,
        "retention_days": 30,
    }
    now: Answer = ("as now_at", [{"now_at": NOW.replace(tzinfo=datetime.timezone.utc)}])
    it = dbt(dialect, ("as built_at", [row]), ("resolved_at <", [{"found": 2}]), now)
    it.prune_ledger(it.relation(SNAPSHOT))
    return it.statements


def snapshot(dialect: str) -> list[str]:
    it = dbt(dialect)
    configs = it.snapshot_defaults("custom_id")
    stored = it.tables[SNAPSHOT]
    version: Answer = ("storage_version", [{"version": "v1.4.0"}])
    described: Answer = ("describe", [{"name": name, "type": dtype} for name, dtype in stored])
    given = {"file_format": "delta", "query_tag": "crm"}
    it = dbt(dialect, version, described, configs={**configs, **given}, tables={SNAPSHOT: []})
    del it.tables[SNAPSHOT]
    it.materialize(it.relation(SNAPSHOT), str(it.sent_snapshot(PEOPLE)).strip())
    return it.statements


def snapshot_columns(dialect: str) -> list[str]:
    """Two attributes are new."""
    stored = dbt(dialect).tables[SNAPSHOT]
    it = dbt(dialect, tables={SNAPSHOT: [each for each in stored if each[0].lower() not in ("nick", "tags")]})
    it.evolve_snapshot(it.relation(SNAPSHOT), {"name": SNAPSHOT})
    return it.statements


def snapshot_types(dialect: str) -> list[str]:
    """Column types changed: integer to decimal, decimal to double, boolean to text, and text to integer."""
    stored = dbt(dialect, mapping=WHOLE, columns=BEFORE).tables[SNAPSHOT]
    configs = dbt(dialect).snapshot_defaults("custom_id")
    it = dbt(dialect, mapping=WHOLE, columns=AFTER, tables={SNAPSHOT: stored}, configs=configs)
    it.evolve_snapshot(it.relation(SNAPSHOT), {"name": SNAPSHOT})
    return it.statements


def announced(dialect: str) -> list[str]:
    it = dbt(dialect)
    it.run("announce_build", PEOPLE)
    return it.statements


def pushed(**changes: Any) -> list[dict[str, Any]]:
    row = {
        "run_id": "run-1", "settled_page": 4, "settled_at": REPLIED, "intent_page": 4, "ended_page": 4, "has_ended": 1,
        "is_over": 1, "is_heard": 0, "settled_key": None,
    }  # fmt: skip
    return [{**row, **changes}]


def history(
    *, progress: list[dict[str, Any]], rejects: bool = False, requests: list[Any] | None = None
) -> list[Answer]:
    """The ledger and tables when the delta is rebuilt."""
    requests = requests or []
    return [
        BUILT,
        ("as settled_page", progress),
        ("select recorded_at, merged_delta_id", [{"recorded_at": REPLIED, "merged_delta_id": OLD}]),
        ("select 1 from", REJECT if rejects else []),
        ("event in ('resend', 'doubt', 'ended')", requests),
    ]


def merge(dialect: str) -> list[str]:
    """After a push that settled everything, with its own rejects and an earlier one."""
    it = dbt(dialect)
    delta, held = it.relation(DELTA), it.relation(SNAPSHOT)
    own = [{"delta_rows": 9, "delta_id": OLD}]
    answers = [
        ("count(*) as delta_rows, max(", own),
        (f"select 1 from {held} where", REJECT),
        *history(progress=pushed(), rejects=True),
    ]
    it = dbt(dialect, *answers)
    it.at(delta).run("merge_sent", PEOPLE)
    return it.statements


def merged(dialect: str, progress: list[dict[str, Any]], retyped: tuple[str, ...] = ()) -> list[str]:
    """The statements of the merge only."""
    it = dbt(dialect, ("as settled_page", progress), BUILT)
    delta, held = it.relation(DELTA), it.relation(SNAPSHOT)
    built = it.last_built(PEOPLE, held)
    found = it.progress(PEOPLE, held, built)
    names = it.snapshot_columns(held, "custom_id", [])
    it.statements.clear()
    it.merge_delta(PEOPLE, held, delta, built, found, names, list(retyped))
    return [each for each in it.statements if not each.startswith("select 1 from")]


def merge_in_doubt(dialect: str) -> list[str]:
    """Two runs settled pages; the second was killed."""
    second = pushed(run_id="run-2", settled_page=7, intent_page=9, ended_page=None, has_ended=0, is_over=0)
    return merged(dialect, [*pushed(), *second])


def merge_limited(dialect: str) -> list[str]:
    """After `push --limit`, which stopped inside a page. The key needs escaping."""
    return merged(dialect, pushed(settled_key="o'hara\\7"))


def merge_unsettled(dialect: str) -> list[str]:
    """A push is still running, or died before its first checkpoint."""
    return merged(dialect, pushed(settled_page=None, settled_at=None, ended_page=None, has_ended=0))


def merge_retyped(dialect: str) -> list[str]:
    """An attribute's type in Batch changed since the delta was built."""
    it = dbt(dialect)
    statements = merged(dialect, pushed(), retyped=("nick",))
    it.mark_retyped(
        it.relation(SNAPSHOT), it.snapshot_columns(it.relation(SNAPSHOT), "custom_id", []), ["nick"]
    )
    return [*statements, *it.statements]


def requested(dialect: str, *requests: tuple[str, str, str | None]) -> list[str]:
    rows = [
        {"run_id": run, "request": request, "has_doubt": int(event == "doubt"), "goes_on": 0}
        for run, event, request in requests
    ]
    attributes: Answer = ("select distinct attribute", [{"attribute": "nick"}])
    it = dbt(dialect, ("event in ('resend', 'doubt', 'ended')", rows), attributes)
    held = it.relation(SNAPSHOT)
    names = it.snapshot_columns(held, "custom_id", [])
    it.answer_requests(PEOPLE, held, "custom_id", names, it.current_attributes(PEOPLE))
    return it.statements


def resend_all(dialect: str) -> list[str]:
    return requested(dialect, ("request-1", "resend", "all"))


def resend_rejected(dialect: str) -> list[str]:
    return requested(dialect, ("request-1", "resend", "rejected"))


def repair(dialect: str) -> list[str]:
    return requested(dialect, ("audit-1", "resend", "drift"))


def adopted(dialect: str) -> list[str]:
    return requested(dialect, ("audit-1", "resend", "adopted"))


def overtaken(dialect: str) -> list[str]:
    """A push lost its claim with rows in flight."""
    return requested(dialect, ("run-1", "doubt", None))


def built(dialect: str) -> list[str]:
    change = "_BATCH_CHANGE" if dialect == "snowflake" else "_batch_change"
    counts = [
        {change: "insert", "reason": None, "delta_rows": 3, "last_page": 1},
        {change: "update", "reason": None, "delta_rows": 5, "last_page": 2},
        {change: "invalid", "reason": "parked", "delta_rows": 1, "last_page": 0},
    ]
    it = dbt(
        dialect,
        ("as delta_rows", counts),
        ("count(*) as known", [{"known": 90, "gone": 4}]),
        ("event = 'built' and recorded_at >", [{"overlapping": 0}]),
        ("count(*) as changes", [{"change": "update", "changes": 2}]),
        ("select answered, request", [{"answered": "request-1", "request": "all"}]),
        ("select 1 from", REJECT),
        BUILT,
    )
    it.at(it.relation(DELTA)).run("record_build", PEOPLE)
    return it.statements


def compared(dialect: str, mapping: Mapping[str, Any], *, parked: bool, key: str = "custom_id") -> list[str]:
    it = dbt(
        dialect,
        *([("select 1 from", REJECT)] if parked else []),
        mapping=mapping,
        configs={"file_format": "delta"},
    )
    text = str(it.delta(PEOPLE, key)).strip()
    return [*it.statements, text] if parked else [text]


def delta_ignore(dialect: str) -> list[str]:
    """With parked rows."""
    return compared(dialect, MAPPING, parked=True)


def delta_clear(dialect: str) -> list[str]:
    return compared(dialect, {**MAPPING, "on_exit": "clear"}, parked=False)


def delta_flag(dialect: str) -> list[str]:
    return compared(dialect, FLAGGED, parked=False)


def events(dialect: str, *answers: Answer, **changes: Any) -> Macros:
    now: Answer = ("as now_at", [{"now_at": NOW.replace(tzinfo=datetime.timezone.utc)}])
    return dbt(
        dialect,
        *answers,
        now,
        mapping={**EVENTS, **changes},
        columns=OCCURRED,
        configs={"file_format": "delta"},
    )


def events_resend(dialect: str) -> list[str]:
    it = events(dialect, ("as first_at", [{"first_at": REPLIED, "least_days": 7}]))
    it.run("sent_snapshot", PEOPLE, "event_id")
    text = str(it.delta(PEOPLE, key="event_id")).strip()
    return [*it.statements, text]


def events_skip(dialect: str) -> list[str]:
    """At-most-once delivery."""
    return [
        str(events(dialect, on_doubt="skip", name={"value": "bought"}).delta(PEOPLE, key="event_id")).strip()
    ]


def events_merge(dialect: str) -> list[str]:
    """A push was killed after its checkpoint, following a completed one. Some ids are old enough to be
    pruned.
    """
    second = pushed(run_id="run-2", settled_page=7, intent_page=9, ended_page=None, has_ended=0, is_over=0)
    delta = events(dialect).relation(DELTA)
    it = events(
        dialect,
        (f"from {delta} limit 1", [{"id": OLD}]),
        (" is not null or ", [{"one": 1}]),
        ("as oldest", [{"oldest": datetime.datetime(2024, 1, 1)}]),
        *history(progress=[*pushed(), *second], rejects=True),
    )
    it.at(delta).run("merge_sent", PEOPLE)
    return it.statements


def events_built(dialect: str) -> list[str]:
    """After a first push was killed. Without the statements that are those of other kinds."""
    change = "_BATCH_CHANGE" if dialect == "snowflake" else "_batch_change"
    counts = [
        {change: "insert", "reason": None, "delta_rows": 3, "last_page": 1},
        {change: "invalid", "reason": "unsure", "delta_rows": 2, "last_page": 2},
    ]
    it = events(
        dialect,
        ("as delta_rows", counts),
        ("event = 'built' and recorded_at >", [{"overlapping": 0}]),
        ("select answered, request", []),
        ("select request as scope", [{"scope": "first", "recorded_at": REPLIED}]),
        ("sum(unsure)", [{"unsure": 4}]),
        ("count(*) as known", [{"known": 90}]),
        ("event in ('intent'", [{"one": 1}]),
        BUILT,
    )
    it.at(it.relation(DELTA)).run("record_build", PEOPLE)
    others = built(dialect)
    return [each for each in it.statements if each not in others]


def delta_deletions(dialect: str) -> list[str]:
    it = dbt(dialect, mapping=ERASED, columns=ASKED, configs={"file_format": "delta"})
    return [str(it.delta(PEOPLE)).strip()]


def delta_catalog(dialect: str) -> list[str]:
    return compared(dialect, CATALOG, parked=False, key="item_id")


def merge_catalog(dialect: str) -> list[str]:
    """Items were sent, removed and rejected."""
    it = dbt(dialect, ("as settled_page", pushed()), ("select 1 from", REJECT), BUILT, mapping=CATALOG)
    delta, held = it.relation(DELTA), it.relation(SNAPSHOT)
    built = {**it.last_built(PEOPLE, held), "types": {"nick": "string", "batch__present": "boolean"}}
    found = it.progress(PEOPLE, held, built)
    names = it.snapshot_columns(held, "item_id", [])
    it.statements.clear()
    it.merge_delta(PEOPLE, held, delta, built, found, names, [])
    return it.statements


def erased(dialect: str) -> list[str]:
    """People with a requested erasure are forgotten, and held back in the next delta."""
    answers: list[Answer] = [
        ("event = 'asked' limit 1", [{"key": "a"}]),
        ("as last_at", [{"event": "intent", "project_hash": "0123456789abcdef/", "last_at": REPLIED}]),
        ("row_id from", [{"row_id": "a"}]),
        BUILT,
    ]
    it = dbt(dialect, *answers, configs={"file_format": "delta"})
    held = it.relation(SNAPSHOT)
    built = it.last_built(PEOPLE, held)
    it.statements.clear()
    it.forget_erased(PEOPLE, it.sync_mapping(PEOPLE), held, built)
    return [*it.statements, str(it.delta(PEOPLE)).strip()]


def every_column(dialect: str) -> Macros:
    """A model with a column of every type, sent as that type; some are also sent as text."""
    as_text = [
        {"column": name, "name": f"{name}_text", "type": "string"}
        for name in ("integer", "boolean", "date", "instant")
    ]
    typed = {"json": "string", "tags": "string_array"}
    entries = [{"column": name, "type": typed.get(name)} for name in REPORTED[dialect]]
    mapping = {"identifier": "text", "custom": [*entries, *as_text]}
    return dbt(dialect, mapping=mapping, columns={name: name for name in REPORTED[dialect]})


def columns(dialect: str) -> list[str]:
    it = every_column(dialect)
    relation = it.relation(PEOPLE)
    it.columns_of(relation)
    query = it.model_rows(relation, it.sync_attributes(PEOPLE, relation, it.sync_mapping(PEOPLE)))
    return [*it.lookups[:1], str(query).strip()]


def tests(dialect: str) -> list[str]:
    """The tests for a project's columns."""
    it = dbt(dialect)
    names = ("email", "event_name", "identifier", "language", "phone", "region", "string", "timezone")
    of_values = [str(it.macro(f"test_batch_{name}")(it.relation(PEOPLE), "nick")).strip() for name in names]
    of_ids = it.macro("test_batch_event_id")(it.relation(PEOPLE), "nick", profile="optin")
    return [*of_values, str(of_ids).strip()]


def pushed_selects(dialect: str) -> list[str]:
    """The queries of pushes, plans and the history."""
    it = dbt(dialect)
    tables = {name: it.relation(name).render() for name in (DELTA, SNAPSHOT)}
    return selects_of(dialect, tables, {name: dict(it.tables[name]) for name in tables})


def tables_of(dialect: str) -> dict[str, dict[str, str]]:
    """All tables in the statements, with the columns and types of all scenarios."""
    found: dict[str, dict[str, str]] = {}
    its = (
        dbt(dialect, mapping=FLAGGED),
        dbt(dialect, mapping=CATALOG),
        dbt(dialect, mapping=ERASED, columns=ASKED),
        dbt(dialect, mapping=WHOLE, columns=BEFORE),
        events(dialect),
        every_column(dialect),
    )
    for it in its:
        for name, listed in it.tables.items():
            found.setdefault(name, {}).update(listed)
    ledger = {"journal": it.journal_columns(), "rejects": it.rejects_columns(), "drift": it.drift_columns()}
    for name, kinds in ledger.items():
        found[f"batch_sync_{name}"] = {column: it.ledger_type(kind) for column, kind in kinds.items()}
    return found


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        ledger, ledger_columns, prune, snapshot, snapshot_columns, snapshot_types, announced, merge, merge_in_doubt, merge_limited,
        merge_unsettled, merge_retyped, resend_all, resend_rejected, repair, adopted, overtaken, built, delta_ignore, delta_clear, delta_flag,
        delta_catalog, merge_catalog, delta_deletions, erased, columns,
        tests, pushed_selects, events_resend, events_skip, events_merge, events_built,
    )
}  # fmt: skip


@functools.cache
def statements_of(dialect: str, scenario: str) -> tuple[str, ...]:
    return tuple(SCENARIOS[scenario](dialect))


# Check that dbt on a real warehouse compiles what is rendered here.

SYNCS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cleared": ("delta_clear", {**MAPPING, "on_exit": "clear"}),
    "flagged": ("delta_flag", FLAGGED),
}
MODELS = tuple(f"{sync}_delta" for sync in SYNCS)
COLUMNS = {"Client Id": "varchar", "optin": "boolean", "nick": "varchar", "tags": "varchar[]"}


def build(project: Project, types: Mapping[str, str]) -> None:
    """Build all syncs with dbt. `types` overrides the types of columns on this warehouse."""
    columns = {name: types.get(name, kind) for name, kind in COLUMNS.items()}
    for sync, (_, mapping) in SYNCS.items():
        project.map(mapping, sync)
        project.set_rows(columns, [{"Client Id": "a", "nick": "x"}, {"Client Id": "b"}], sync)
    project.build()


def check(project: Project, model: str, dialect: str) -> None:
    """Assert that the delta compiled by dbt equals the rendered one, ignoring names and whitespace."""
    sync = model.removesuffix("_delta")
    path = project.directory / "target" / "compiled" / "shop" / "models" / f"{model}.sql"
    rendered = statements_of(dialect, SYNCS[sync][0])[-1]
    assert _without_names(path.read_text(encoding="utf-8"), sync) == _without_names(rendered, PEOPLE)


def _without_names(statement: str, sync: str) -> list[str]:
    text = re.sub(rf"[\w.\"`-]*\b{sync}(_sent_snapshot)?\b[\"`]?", r"model\1", statement)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", text)
    return re.sub(r"\s*([()])\s*", r"\1", text).split()
