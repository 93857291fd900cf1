"""Tests the minimal grants in docs/warehouses/: one role runs dbt, another pushes and can't read the sources."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, contacts
from harness.databases import PostgresDatabase
from harness.markdown import read
from harness.project import Project

RUNNER, PUSHER = "dbt", "batch_pusher"


def documented(warehouse: str) -> tuple[str, ...]:
    """The grants on a warehouse's page: the pusher's, and dbt's on the ledger."""
    rights = read(f"docs/warehouses/{warehouse}.md").section("Rights")
    blocks = [each.text for each in rights.blocks if each.info == "sql"]
    return tuple(each.strip() for each in "".join(blocks).split(";") if each.strip())


def check_rights(project: Project, statements: Sequence[str]) -> None:
    """Two days with two roles. dbt owns everything. The pusher may only read what a push reads and append to
    the two ledger tables.
    """
    database = project.warehouse
    assert isinstance(database, PostgresDatabase)
    roles = [each for each in (RUNNER, PUSHER) if f"create role {each}" not in " ".join(statements)]
    for role in (RUNNER, PUSHER):
        project.execute(f"drop role if exists {role}")
    try:
        for role in roles:
            project.execute(f"create role {role} login")
        project.map(CONTACTS_MAPPING)
        project.set_rows(CONTACTS, contacts(3))
        for schema in (database.schema, "raw"):
            project.execute(f"alter schema {schema} owner to {RUNNER}")
        project.execute(f"grant create on database {database.name} to {RUNNER}")
        project.execute(f"grant select on all tables in schema raw to {RUNNER}")
        _as(project, RUNNER).build()
        for statement in statements:
            project.execute(statement.replace("analytics", database.schema).replace("crm_contacts", "people"))
        _grant_delta(project)
        assert _as(project, PUSHER).push_one().status == "succeeded"
        assert _rights(project) == {
            ("people_delta", "SELECT"),
            ("people_sent_snapshot", "SELECT"),
            ("batch_sync_runs", "SELECT"),
            *(
                (f"batch_sync_{name}", right)
                for name in ("journal", "rejects")
                for right in ("SELECT", "INSERT")
            ),
        }
        project.set_rows(CONTACTS, contacts(3, nick="changed")[1:])
        project.execute(f"grant select on all tables in schema raw to {RUNNER}")
        _as(project, RUNNER).build()
        if database.adapter != "postgres":
            _grant_delta(project)
        pushed = _as(project, PUSHER).push_one()
        assert (pushed.status, pushed.updates, pushed.exits) == ("succeeded", 2, 1)
        for verb in ("plan", "status", "rejects", "validate --online"):
            done = project.call(*verb.split())
            assert done.returncode == 0, f"{verb}: {done.stderr}"
    finally:
        database.clear()
        for role in (PUSHER, RUNNER):
            project.execute(f"drop owned by {role}")
            project.execute(f"drop role {role}")


def _grant_delta(project: Project) -> None:
    """Grant what dbt's `grants` config would, on each built delta. Stand-ins get the equivalent statements."""
    database = project.warehouse
    assert isinstance(database, PostgresDatabase)
    if database.adapter != "postgres":
        project.execute(f"grant select on {database.schema}.people_delta to {PUSHER}")
        return
    path = project.directory / "dbt_project.yml"
    config = yaml.safe_load(path.read_text())
    config["models"]["shop"]["people_delta"] = {"+grants": {"select": [PUSHER]}}
    path.write_text(yaml.safe_dump(config))
    _as(project, RUNNER).build()


def _rights(project: Project) -> set[tuple[str, str]]:
    """Tables with the pusher's privileges."""
    found = project.query(
        "select table_name, privilege_type from information_schema.role_table_grants "
        f"where grantee = '{PUSHER}'"
    )
    return {(row["table_name"], row["privilege_type"]) for row in found}


def _as(project: Project, role: str) -> Project:
    path = project.directory / "profiles.yml"
    profiles = yaml.safe_load(path.read_text())
    for target in profiles["shop"]["outputs"].values():
        target["user"] = role
    path.write_text(yaml.safe_dump(profiles))
    return project
