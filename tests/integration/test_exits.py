"""Profiles that exit and return, under each policy."""

from __future__ import annotations

import pytest
from harness.databases import Row
from harness.project import Project

from dbt_batch_sync.sandbox.server import TypedValue

COLUMNS = {
    "id": "varchar",
    "email": "varchar",
    "name": "varchar",
    "nick": "varchar",
    "born": "date",
    "site": "varchar",
}
MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["name", {"column": "nick", "on_null": "keep"}, "born", {"column": "site", "type": "url"}],
}
FULL = {"email": "a@b.fr", "name": "x", "nick": "y", "born": "1990-01-01", "site": "https://x.fr"}
WIRE: dict[str, object] = {
    "$email_address": "a@b.fr",
    "name": "x",
    "nick": "y",
    "date(born)": "1990-01-01T00:00:00Z",
    "url(site)": "https://x.fr",
}
PLAIN = ("$email_address", "name", "nick", "born", "site")
NULLS: dict[str, object] = dict.fromkeys(PLAIN)
NAMES = "batch__email_address,name,nick,born,site"


def rows(*names: str, **changes: object) -> list[Row]:
    """A full row for each identifier."""
    return [{"id": name, **FULL, **changes} for name in names]


Sent = dict[str, object]
POLICIES: tuple[tuple[Sent, Sent, Sent, Sent], ...] = (
    # Policy; what an exit sends; what a return sends; the membership of active profiles.
    ({"on_exit": "ignore"}, {}, {}, {}),
    ({"on_exit": "clear"}, NULLS, WIRE, {}),
    (
        {"on_exit": "clear", "membership": "in_crm"},
        {**NULLS, "in_crm": None},
        {**WIRE, "in_crm": True},
        {"in_crm": True},
    ),
    ({"on_exit": "flag", "membership": "in_crm"}, {"in_crm": False}, {"in_crm": True}, {"in_crm": True}),
)


IDS = ("ignore", "clear", "clear-membership", "flag")


@pytest.mark.parametrize(("policy", "leaving", "returning", "member"), POLICIES, ids=IDS)
def test_a_profile_exits_once_and_returns(
    project: Project,
    policy: dict[str, object],
    leaving: dict[str, object],
    returning: dict[str, object],
    member: dict[str, object],
) -> None:
    project.map({**MAPPING, **policy})
    project.set_rows(COLUMNS, rows("a", "b", "c"))
    sync = project.sync
    sync()
    assert project.sent.attributes == {name: {**WIRE, **member} for name in "abc"}
    before = project.profiles()["b"]

    project.set_rows(COLUMNS, rows("a", "c"))
    project.build()
    (row,) = project.delta()
    named = ",".join(name.replace("$", "batch__") for name in leaving)
    assert (row["custom_id"], row["_batch_change"], row["_batch_changed"]) == ("b", "exit", named)
    left = project.push_one()
    assert (left.status, left.exits, left.settled) == ("succeeded", 1, 1)
    assert left.sent == (1 if leaving else 0)
    assert project.sent.attributes == ({"b": leaving} if leaving else {})
    project.build()
    held = project.snapshot()["b"]
    assert held["_batch_exited_at"] is not None
    assert {name: held[name] for name in row if name in held and not name.startswith("_batch")} == {
        name: row[name] for name in row if name in held and not name.startswith("_batch")
    }
    if policy["on_exit"] == "clear":
        assert not project.profiles()["b"]
        assert {held[name] for name in NAMES.split(",")} == {None}
    else:
        assert project.profiles()["b"] == {
            **before,
            **{name: TypedValue("boolean", False) for name in leaving},
        }
        assert held["name"] == "x"
    assert sync().exits == 0, "it should exit only once"

    project.set_rows(COLUMNS, rows("a", "b", "c"))
    back = sync()
    assert (back.status, back.updates, back.settled) == ("succeeded", 1, 1)
    assert project.sent.attributes == ({"b": returning} if returning else {})
    assert project.profiles()["b"] == before
    project.build()
    assert project.snapshot()["b"]["_batch_exited_at"] is None
    assert sync().sent == 0

    project.set_rows(COLUMNS, rows("a", "c"))
    assert sync().exits == 1, "it should exit again"
    project.set_rows(COLUMNS, [*rows("a", "c"), *rows("b", name="new")])
    assert sync().updates == 1
    changed = {"name": "new"}
    assert project.sent.attributes == {"b": {**returning, **changed}}


def test_on_null_keep_survives_an_exit(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "ignore"})
    project.set_rows(COLUMNS, rows("a", "b"))
    project.sync()
    project.set_rows(COLUMNS, rows("a"))
    project.sync()
    project.set_rows(COLUMNS, [*rows("a"), *rows("b", nick=None, name=None)])
    project.sync()
    assert project.sent.attributes == {"b": {"name": None}}
    project.build()
    assert project.snapshot()["b"]["nick"] == "y"


def test_profiles_without_values_exit_without_a_request(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "clear"})
    project.set_rows(COLUMNS, [{"id": "empty"}, *rows("a")])
    project.sync()
    project.set_rows(COLUMNS, rows("a"))
    left = project.sync()
    assert (left.exits, left.sent, left.settled, left.status) == (1, 0, 1, "succeeded")
    assert not project.sent.requests
    assert project.sync().exits == 0


def test_a_changed_policy_applies_to_later_exits(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "ignore"})
    project.set_rows(COLUMNS, rows("a", "b", "c"))
    project.sync()
    project.set_rows(COLUMNS, rows("b", "c"))
    project.sync()
    project.map({**MAPPING, "on_exit": "clear"})
    project.set_rows(COLUMNS, rows("c"))
    assert project.sync().exits == 1
    assert project.sent.attributes == {"b": NULLS}
    assert project.profiles()["a"]


def test_a_row_that_was_never_sent_does_not_exit(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "clear"})
    project.set_rows(COLUMNS, [*rows("a", "b"), *rows("twice", "twice")])
    project.build()
    project.push(limit=1)
    project.set_rows(COLUMNS, rows("a"))
    assert project.sync().exits == 0


def test_a_sync_that_becomes_empty(project: Project) -> None:
    project.map({**MAPPING, "on_exit": "clear"})
    project.set_rows(COLUMNS, rows("a", "b", "c"))
    project.sync()
    project.set_rows(COLUMNS, [])
    stopped = project.sync()
    assert stopped.status == "failed"
    assert "`min_rows` is 1" in str(stopped.error)
    assert "every known profile would leave" in str(stopped.error)
    assert not project.sent.requests
    left = project.push_one(force=True)
    assert (left.status, left.exits, left.settled) == ("succeeded", 3, 3)
    assert project.sent.attributes == dict.fromkeys(("a", "b", "c"), NULLS)
    assert project.sync().exits == 0
    project.set_rows(COLUMNS, rows("a"))
    assert project.sync().updates == 1
    assert project.sent.attributes == {"a": WIRE}
