"""The least rights, as docs/warehouses.md has them: one role runs dbt, another one pushes and sees no source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, contacts
from harness.databases import PostgresDatabase
from harness.markdown import Document
from harness.project import ROOT, Project

RUNNER, PUSHER = "dbt", "batch_pusher"


def documented(warehouse: str) -> tuple[str, ...]:
    """The statements of a warehouse's section that give the pusher its rights."""
    text = (ROOT / "docs" / "warehouses.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {warehouse}\n")[1].split("\n## ")[0]
    rights = section[section.index("**Rights.**") :]
    blocks = [each.text for each in Document(warehouse, rights).blocks if each.info == "sql"]
    return tuple(each.strip() for each in "".join(blocks).split(";") if each.strip())


def check_rights(project: Project, statements: Sequence[str], *, granted_by_dbt: bool) -> None:
    """Two days: everything is built, granted and pushed, and so is what changed.

    `granted_by_dbt`: with dbt's `grants` on the two models, for want of rights on tables to come.
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
            project.execute(statement.replace("analytics", database.schema))
        if granted_by_dbt:
            _grant(project.directory / "dbt_project.yml")
        assert _as(project, PUSHER).push_one().status == "succeeded"
        project.set_rows(CONTACTS, contacts(3, nick="changed")[1:])
        project.execute(f"grant select on all tables in schema raw to {RUNNER}")
        _as(project, RUNNER).build()
        pushed = _as(project, PUSHER).push_one()
        assert (pushed.status, pushed.updates, pushed.exits) == ("succeeded", 2, 1)
        assert project.call("validate", "--online").returncode == 0
        seen = f"select has_schema_privilege('{PUSHER}', 'raw', 'usage') as seen"
        assert project.query(seen) == [{"seen": False}]
    finally:
        database.clear()
        for role in (PUSHER, RUNNER):
            project.execute(f"drop owned by {role}")
            project.execute(f"drop role {role}")


def _as(project: Project, role: str) -> Project:
    path = project.directory / "profiles.yml"
    profiles = yaml.safe_load(path.read_text())
    for target in profiles["shop"]["outputs"].values():
        target["user"] = role
    path.write_text(yaml.safe_dump(profiles))
    return project


def _grant(path: Path) -> None:
    """What the docs have for models that `dbt run` replaces."""
    settings = yaml.safe_load(path.read_text())
    grants = {"+grants": {"select": [PUSHER]}}
    settings["models"]["shop"].update({f"people_{model}": grants for model in ("delta", "sent_snapshot")})
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
