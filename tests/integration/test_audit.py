"""Audits: real dbt, the sandbox over HTTP, and edits by strangers that must be found, all of them and no others."""

from __future__ import annotations

from typing import Any

from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.audit import AuditOptions
from dbt_batch_sync.results import SyncAudited
from dbt_batch_sync.sandbox.server import TypedValue

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


def test_what_strangers_did_is_found_and_mended(quick: QuickProject) -> None:
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
