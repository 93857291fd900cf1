"""Audits with real dbt and the sandbox over HTTP: they must find every edit made in Batch, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest
from harness.databases import PostgresDatabase
from harness.faulty_sandbox import FaultyServer
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.audit import AuditOptions, Wait
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.results.look import SyncAudited
from dbt_batch_sync.sandbox.server import Profile, TypedValue

COLUMNS = {
    "id": "varchar",
    "email": "varchar",
    "optin": "boolean",
    "points": "bigint",
    "joined": "date",
    "tags": "varchar[]",
}
MAPPING = {
    "identifier": "id",
    "standard": {"email_address": "email", "email_marketing": "optin"},
    "custom": ["points", "joined", "tags"],
}
ROWS = [
    {
        "id": f"C-{n}",
        "email": f"c{n}@x.io",
        "optin": n % 2 == 0,
        "points": n,
        "joined": "2020-01-02",
        "tags": ["b", "a"],
    }
    for n in range(6)
]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def parsed(
    request: pytest.FixtureRequest, batch: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> QuickProject:
    """The project behind `quick`, on two warehouses."""
    on_postgres = request.param == "postgres"
    warehouse = PostgresDatabase(request.getfixturevalue("postgres")) if on_postgres else None
    return QuickProject(tmp_path_factory.mktemp(f"audit-{request.param}"), batch, warehouse, page_rows=1)


def audit(project: QuickProject, **options: Any) -> SyncAudited:
    (sync,) = api.audit(project.options(), options=AuditOptions(**options)).syncs
    assert sync.error is None, sync.error
    return sync


def drift(project: QuickProject) -> set[tuple[str, str | None, str]]:
    rows = project.warehouse.query("select key, attribute, difference from batch_sync_drift", {})
    return {tuple(row.values()) for row in rows}


def edit(project: QuickProject, name: str, attribute: str, value: TypedValue | None) -> None:
    held = project.sandbox.store._profiles[name].attributes
    if value is None:
        del held[attribute]
    else:
        held[attribute] = value


def test_edits_are_found_and_repaired(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()
    assert audit(quick).drifted == 0
    edit(quick, "C-1", "points", TypedValue("integer", 99))
    edit(quick, "C-2", "joined", None)
    edit(quick, "C-3", "$email_address", TypedValue("string", "other@x.io"))
    quick.sandbox.store.remove("C-4")
    found = audit(quick, repair=True)
    assert (found.compared, found.drifted, found.repairs) == (6, 4, True)
    assert drift(quick) == {
        ("C-1", "points", "other_value"),
        ("C-2", "joined", "missing_value"),
        ("C-3", "batch__email_address", "other_value"),
        ("C-4", None, "missing_profile"),
    }
    pushed = quick.sync()
    assert pushed.sent == 4
    again = audit(quick)
    assert [(each.attribute, each.difference) for each in again.differences] == [
        ("batch__email_marketing", "missing_value")
    ]
    # A repair never subscribes anyone.
    assert audit(quick, repair=True).repairs is False


@pytest.mark.parametrize(
    "forms",
    [
        {"export_dates": "milliseconds", "export_arrays": "unordered"},
        {"export_dates": "seconds", "export_arrays": "text"},
        {"export_dates": "day", "export_names": "wrapped"},
        {"export_dates": "offset", "export_scalars": "text"},
        {"export_dates": "fraction", "export_nulls": "null", "export_file_profiles": 2},
        {"export_dates": "plain", "export_seconds": 0.5},
    ],
    ids=str,
)
def test_every_export_format_is_read(quick: QuickProject, forms: dict[str, Any]) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()
    before = quick.sandbox.settings
    quick.sandbox.change(**forms)
    try:
        found = audit(quick)
        edit(quick, "C-1", "joined", TypedValue("date", "2021-01-02T00:00:00Z"))
        assert (found.compared, found.drifted, found.expected) == (6, 0, {})
        assert [each.attribute for each in audit(quick).differences] == ["joined"]
    finally:
        quick.sandbox.change(**{name: getattr(before, name) for name in forms})


def test_expected_differences_are_not_drift(quick: QuickProject) -> None:
    quick.map({**MAPPING, "custom": ["joined", "tags", {"column": "points", "on_null": "keep"}]})
    quick.set_rows(COLUMNS, [{**ROWS[0], "points": None}, *ROWS[1:5], {**ROWS[5], "email": "wrong"}])
    quick.sync()
    edit(quick, "C-0", "points", TypedValue("integer", 1))
    edit(quick, "C-2", "$email_marketing", TypedValue("string", "unsubscribed"))
    edit(quick, "C-5", "$email_address", TypedValue("string", "a@x.io"))
    edit(quick, "C-3", "points", TypedValue("integer", 1))
    edit(quick, "C-4", "points", TypedValue("integer", 1))
    quick.set_rows(COLUMNS, [{**ROWS[0], "points": None}, *ROWS[1:3], {**ROWS[3], "points": 50}, ROWS[5]])
    quick.build()
    found = audit(quick)
    assert found.expected == {"keep": 1, "opted_out": 1, "pending": 2}
    assert [(each.attribute, each.count) for each in found.differences] == [("points", 1)]
    quick.push()
    edit(quick, "C-4", "points", None)
    assert audit(quick).expected == {"keep": 1, "opted_out": 1, "exited": 1}


def test_a_value_that_replaced_an_invalid_one_is_compared(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, [{**ROWS[0], "email": "wrong"}])
    quick.build()
    assert api.adopt(quick.options()).status == "succeeded"
    quick.set_rows(COLUMNS, ROWS[:1])
    assert quick.sync().accepted == 1
    edit(quick, "C-0", "$email_address", TypedValue("string", "other@x.io"))
    audit(quick)
    assert ("C-0", "batch__email_address", "other_value") in drift(quick)


def test_an_unknown_profile_is_counted_and_listed(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS[:1])
    quick.sync()
    store = quick.sandbox.store
    for name, attributes in (
        ("X-1", {"points": TypedValue("integer", 1)}),
        ("X-2", {"other": TypedValue("integer", 1)}),
    ):
        store._profiles[name] = Profile(name, attributes)
    found = audit(quick)
    assert (found.drifted, found.unknown_profiles) == (0, 1)
    assert drift(quick) == {("X-1", None, "unknown_profile")}


def test_an_audit_is_resumed_by_its_export(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    quick.sandbox.change(export_seconds=3600.0)
    with pytest.raises(KeyboardInterrupt):
        api.audit(quick.options(), wait=Wait(interrupt, time.monotonic))
    quick.sandbox.change(export_seconds=0.0)
    (row,) = quick.query("select request from batch_sync_journal where event = 'export'")
    # Changes sent after the export began may or may not be in it.
    quick.set_rows(COLUMNS, [{**ROWS[0], "points": 77}, *ROWS[1:]])
    quick.sync()
    found = audit(quick, export=str(row["request"]))
    assert (found.drifted, found.expected) == (0, {"changed": 1})
    with pytest.raises(ConfigurationError, match="none of the selected syncs began"):
        audit(quick, export="export_of_others")


def test_an_adoption_is_resumed_after_another_dbt_run(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()
    quick.warehouse.clear()
    quick.set_rows(COLUMNS, ROWS)
    edit(quick, "C-1", "points", TypedValue("integer", 99))
    quick.build()
    first = api.audit(quick.options(), options=AuditOptions(adopts=True))
    quick.build()  # answers the request of the audit, too early
    assert api.adopt(quick.options(), audited=first).status == "failed"
    again = api.audit(quick.options(), options=AuditOptions(adopts=True, export=first.syncs[0].export))
    assert api.adopt(quick.options(), audited=again).status == "succeeded"
    assert quick.sync().sent == 1
    assert audit(quick).drifted == 0


def test_an_adoption_sends_only_what_batch_lacks(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()
    held = quick.sandbox.store.snapshot()
    quick.warehouse.clear()
    quick.set_rows(COLUMNS, ROWS)
    edit(quick, "C-1", "points", TypedValue("integer", 99))
    edit(quick, "C-2", "$email_marketing", TypedValue("string", "unsubscribed"))
    quick.sandbox.store.remove("C-4")
    quick.build()
    found = api.audit(quick.options(), options=AuditOptions(adopts=True))
    assert found.syncs[0].drifted == 2
    assert api.adopt(quick.options(), audited=found).status == "succeeded"
    pushed = quick.sync()
    assert pushed.sent == 2
    now = quick.sandbox.store.snapshot()
    assert now["C-4"].attributes == held["C-4"].attributes
    assert now["C-1"].attributes == held["C-1"].attributes
    assert now["C-2"].attributes["$email_marketing"].value == "unsubscribed"
    assert audit(quick).drifted == 0


def test_the_command_line(quick: QuickProject) -> None:
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, ROWS)
    quick.sync()
    done = quick.cli("audit")
    assert done.returncode == 0, done.stderr
    assert "no drift" in done.stdout
    edit(quick, "C-1", "points", TypedValue("integer", 99))
    edit(quick, "C-1", "$email_address", TypedValue("string", "someone@else.io"))
    done = quick.call("audit", "--repair")
    assert done.returncode == 1, done.stderr
    assert "other value" in done.stdout
    assert "1 here, 99 in Batch" in done.stdout
    assert "else.io" not in done.stdout
    assert "audit --repair requested" in quick.call("status").stdout
    assert quick.call("audit", "--tolerance", "0.5").returncode == 0
