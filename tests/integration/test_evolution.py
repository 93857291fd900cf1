"""Changing mappings and columns: new attributes go to everyone who has a value, and nothing else is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.databases import Row
from harness.project import PEOPLE, Project, unchanged

from dbt_batch_sync.sandbox.server import TypedValue

COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint", "city": "varchar"}
MAPPING: dict[str, object] = {"identifier": "id", "custom": ["name", "points"]}
ROWS: list[Row] = [
    {"id": "a", "name": "x", "points": 1, "city": "Paris"},
    {"id": "b", "name": "y", "points": 2, "city": None},
    {"id": "c", "name": None, "points": 3, "city": "Rome"},
]


def start(project: Project) -> None:
    """Push the three profiles."""
    project.map(MAPPING)
    project.set_rows(COLUMNS, ROWS)
    assert project.sync().accepted == 3


def custom(*entries: object) -> dict[str, object]:
    return {**MAPPING, "custom": list(entries)}


def synced(project: Project) -> dict[str, dict[str, Any]]:
    """What `dbt run` and a push send. Asserts that the next ones send nothing."""
    assert project.sync().status == "succeeded"
    sent = project.sent.attributes
    assert unchanged(project.sync())
    return sent


def test_a_new_attribute(project: Project) -> None:
    start(project)
    project.map(custom("name", "points", "city"))
    assert synced(project) == {"a": {"city": "Paris"}, "c": {"city": "Rome"}}


def test_a_removed_attribute_is_left_alone_and_comes_back(project: Project) -> None:
    start(project)
    project.map(custom("name"))
    assert synced(project) == {}
    assert project.profiles()["a"]["points"] == TypedValue("integer", 1)

    changed: list[Row] = [
        *ROWS[:2],
        {"id": "c", "name": "z", "points": 30},
        {"id": "d", "name": "w", "points": 4},
    ]
    project.set_rows(COLUMNS, changed)
    assert synced(project) == {"c": {"name": "z"}, "d": {"name": "w"}}
    assert project.snapshot()["c"]["points"] == 3, "the snapshot should keep what Batch holds"
    project.map(MAPPING)
    assert synced(project) == {"c": {"points": 30}, "d": {"points": 4}}


def test_a_removed_attribute_comes_back_as_another_type(project: Project) -> None:
    project.map(custom("name", "points", "city"))
    project.set_rows(COLUMNS, [{**row, "city": "https://x.fr"} for row in ROWS[:2]] + ROWS[2:])
    project.sync()
    project.map(MAPPING)
    project.execute("update raw.people set points = points + 1")
    project.sync()
    project.execute("update raw.people set city = 'https://y.fr' where id = 'c'")
    project.map(custom("name", "points", {"column": "city", "type": "url"}))
    assert synced(project) == {
        "a": {"url(city)": "https://x.fr"},
        "b": {"url(city)": "https://x.fr"},
        "c": {"url(city)": "https://y.fr"},
    }


def test_a_renamed_attribute_and_a_renamed_column(project: Project) -> None:
    start(project)
    project.map(custom("name", {"column": "points", "name": "score"}))
    assert synced(project) == {"a": {"score": 1}, "b": {"score": 2}, "c": {"score": 3}}
    assert project.profiles()["a"].keys() == {"name", "points", "score"}

    project.execute("alter table raw.people rename column points to total")
    project.map(custom("name", {"column": "total", "name": "score"}))
    assert synced(project) == {}


def test_a_new_membership(project: Project) -> None:
    start(project)
    project.set_rows(COLUMNS, ROWS[:2])
    project.sync()
    project.map({**MAPPING, "on_exit": "flag", "membership": "in_crm"})
    assert synced(project) == {"a": {"in_crm": True}, "b": {"in_crm": True}}


def test_changing_on_null(project: Project) -> None:
    start(project)
    project.map({**MAPPING, "on_null": "keep"})
    assert synced(project) == {}
    project.execute("update raw.people set name = null")
    assert synced(project) == {}
    project.map(MAPPING)
    assert synced(project) == {"a": {"name": None}, "b": {"name": None}}


class Widened(NamedTuple):
    """A column before and after, with the same value. `kept`: the snapshot's column afterwards."""

    before: str
    after: str
    value: object
    kept: str


WIDENED: Mapping[str, Widened] = {
    "whole": Widened("integer", "bigint", 7, "BIGINT"),
    "small": Widened("tinyint", "integer", -7, "BIGINT"),
    "long": Widened("bigint", "hugeint", 2**63 - 1, "DECIMAL(38,0)"),
    "plain": Widened("bigint", "decimal(18,0)", 7, "DECIMAL(18,0)"),
    "price": Widened("decimal(18,2)", "decimal(20,4)", "1.25", "DECIMAL(20,4)"),
    "split": Widened("decimal(10,1)", "decimal(6,4)", "1.5", "DECIMAL(13,4)"),
    "ratio": Widened("decimal(18,2)", "double", "1.25", "DOUBLE"),
    "single": Widened("float", "double", 1.5, "DOUBLE"),
    "day": Widened("date", "timestamp", "2024-02-29", "TIMESTAMP"),
    "local": Widened("timestamp", "timestamptz", "2024-02-29 12:00:00", "TIMESTAMP"),
    "coarse": Widened("timestamp_s", "timestamp", "2024-02-29 12:00:00", "TIMESTAMP"),
    "token": Widened("uuid", "varchar", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "VARCHAR"),
    "level": Widened("enum('a', 'b')", "varchar", "a", "VARCHAR"),
    "levels": Widened("enum('a', 'b')[]", "varchar[]", ["a", "b"], "VARCHAR[]"),
}


def types_of_snapshot(project: Project, names: Sequence[str]) -> dict[str, str]:
    query = "select column_name as name, data_type as type from duckdb_columns() where table_name = $table"
    rows = project.query(query, table="people_sent_snapshot")
    return {row["name"]: row["type"] for row in rows if row["name"] in names}


def test_a_wider_column_of_the_same_type_sends_nothing(project: Project) -> None:
    project.map({"identifier": "id", "custom": list(WIDENED)})
    values = {name: case.value for name, case in WIDENED.items()}
    rows: list[Row] = [{"id": "a", **values}, {"id": "b"}]
    project.set_rows({"id": "varchar", **{name: case.before for name, case in WIDENED.items()}}, rows)
    project.sync()
    wider = {"id": "varchar", **{name: case.after for name, case in WIDENED.items()}}
    project.set_rows(wider, rows)
    assert synced(project) == {}
    assert types_of_snapshot(project, list(WIDENED)) == {name: case.kept for name, case in WIDENED.items()}

    project.set_rows({"id": "varchar", **{name: case.before for name, case in WIDENED.items()}}, rows)
    assert synced(project) == {}, "a narrower column should send nothing either"
    more = {"whole": 2**40, "price": "1.2345", "day": "2024-02-29 12:00:00", "split": "123456789.1"}
    project.set_rows({**wider, "split": "decimal(13,4)"}, [{"id": "a", **values, **more}, {"id": "b"}])
    assert synced(project) == {
        "a": {"whole": 2**40, "price": 1.2345, "date(day)": "2024-02-29T12:00:00Z", "split": 123456789.1}
    }


class Side(NamedTuple):
    """A column's type, everybody's value, and the entry's `type`."""

    column: str
    value: object
    type: str | None = None


class Retyped(NamedTuple):
    """An attribute before and after, and what is sent."""

    before: Side
    after: Side
    key: str
    sent: object


X = "https://x.fr"
DAY = "2024-02-29"
RETYPED: Mapping[str, Retyped] = {
    "number": Retyped(Side("bigint", 7), Side("varchar", "7"), "number", "7"),
    "words": Retyped(Side("varchar", "seven"), Side("bigint", 7), "words", 7),
    "site": Retyped(Side("varchar", X), Side("varchar", X, "url"), "url(site)", X),
    "page": Retyped(Side("varchar", X, "url"), Side("varchar", X), "page", X),
    "whole": Retyped(Side("bigint", 7), Side("decimal(9,2)", 7), "whole", 7.0),
    "price": Retyped(Side("decimal(9,2)", 7), Side("bigint", 7), "price", 7),
    "given": Retyped(Side("bigint", 7), Side("bigint", 7, "string"), "given", "7"),
    "flag": Retyped(Side("boolean", True), Side("varchar", "true"), "flag", "true"),
    "read": Retyped(Side("varchar", "true"), Side("varchar", "true", "boolean"), "read", True),
    "day": Retyped(Side("date", DAY), Side("varchar", DAY), "day", DAY),
    "when": Retyped(Side("varchar", DAY), Side("date", DAY), "date(when)", f"{DAY}T00:00:00Z"),
    "tags": Retyped(Side("varchar", "a"), Side("varchar[]", ["a"]), "tags", ["a"]),
    "joined": Retyped(Side("varchar[]", ["a"]), Side("varchar", "[a]"), "joined", "[a]"),
}


def retyped(project: Project, sides: Mapping[str, Side], names: Sequence[str], **mapping: object) -> None:
    """Map the attributes. Everyone in `names` has every value, and `nobody` has none."""
    entries = [{"column": name, **({"type": side.type} if side.type else {})} for name, side in sides.items()]
    project.map({"identifier": "id", "custom": [*entries, "fixed"], **mapping})
    columns = {"id": "varchar", **{name: side.column for name, side in sides.items()}, "fixed": "varchar"}
    values = {name: side.value for name, side in sides.items()}
    people: list[Row] = [{"id": name, **values, "fixed": "same"} for name in names]
    project.set_rows(columns, [*people, {"id": "nobody", "fixed": "same"}])


BEFORE = {name: case.before for name, case in RETYPED.items()}
NOW = {name: case.after for name, case in RETYPED.items()}
AFTER = {case.key: case.sent for case in RETYPED.values()}


def test_a_changed_type_is_sent_to_everyone_with_a_value(project: Project) -> None:
    retyped(project, BEFORE, "abc")
    project.sync()
    retyped(project, NOW, "abc")
    assert synced(project) == dict.fromkeys("abc", AFTER)
    held = {name: value.type for name, value in project.profiles()["a"].items()}
    assert (held["number"], held["site"], held["page"], held["when"]) == ("string", "url", "string", "date")


def test_a_changed_type_is_sent_to_everyone_after_interrupted_pushes(project: Project) -> None:
    retyped(project, BEFORE, "abcdef")
    project.sync()
    retyped(project, NOW, "abcdef")
    project.build()
    project.build()
    sent: dict[str, dict[str, Any]] = {}
    for _ in range(3):
        assert project.push_one(limit=2).settled == 2
        assert not sent.keys() & project.sent.attributes.keys()
        sent |= project.sent.attributes
        project.build()
    assert sent == dict.fromkeys("abcdef", AFTER)
    assert unchanged(project.push_one())


def test_a_changed_type_and_a_removed_value(project: Project) -> None:
    """The snapshot can't convert a non-numeric text, but Batch still holds it."""
    retyped(project, BEFORE, "abc", on_exit="clear")
    project.sync()
    retyped(project, NOW, "a", on_exit="clear")
    project.execute("insert into raw.people (id, fixed) values ('b', 'same')")
    project.build()
    changes = project.changes()
    assert {name: change for name, (change, _) in changes.items()} == {
        "a": "update",
        "b": "update",
        "c": "exit",
    }
    project.push()
    nulls: dict[str, object] = dict.fromkeys(RETYPED)
    assert project.sent.attributes == {"a": AFTER, "b": nulls, "c": {**nulls, "fixed": None}}
    assert project.profiles()["b"].keys() == {"fixed"}
    assert not project.profiles()["c"]
    assert unchanged(project.sync())


def test_a_standard_attribute_keeps_its_type(project: Project) -> None:
    """Batch stores a consent as a word, whether the column is a boolean or a word."""
    mapping: dict[str, object] = {"identifier": "id", "standard": {"email_marketing": "optin"}}
    project.map(mapping)
    project.set_rows(
        {"id": "varchar", "optin": "boolean"}, [{"id": "a", "optin": False}, {"id": "b", "optin": True}]
    )
    project.sync()
    words: list[Row] = [{"id": "a", "optin": "unsubscribed"}, {"id": "b", "optin": "subscribed"}]
    project.set_rows({"id": "varchar", "optin": "varchar"}, words)
    assert project.sync().status == "succeeded"
    sent = project.sent.attributes
    assert (
        sent.items()
        <= {
            "a": {"$email_marketing": "unsubscribed"},
            "b": {"$email_marketing": "subscribed"},
        }.items()
    )
    assert unchanged(project.sync())
    assert {name: held["$email_marketing"].value for name, held in project.profiles().items()} == {
        "a": "unsubscribed",
        "b": "subscribed",
    }


def test_building_only_the_delta_notices_a_changed_batch_type(project: Project) -> None:
    """Text and url columns have the same type in the warehouse, and the snapshot's model was not run."""
    retyped(project, {"site": Side("varchar", "https://a.example")}, "ab")
    project.sync()
    retyped(project, {"site": Side("varchar", "https://a.example", "url")}, "ab")
    project.build("--select", f"{PEOPLE}_delta")
    assert project.push_one().status == "succeeded"
    assert project.sent.attributes == {name: {"url(site)": "https://a.example"} for name in "ab"}
    assert unchanged(project.sync())


def test_building_only_the_delta_fails_for_a_changed_column_type(project: Project) -> None:
    project.map({"identifier": "id", "custom": ["size"]})
    project.set_rows({"id": "varchar", "size": "bigint"}, [{"id": "a", "size": 1}])
    project.sync()
    project.set_rows({"id": "varchar", "size": "varchar"}, [{"id": "a", "size": "1"}])
    built = project.dbt("run", "--select", f"{PEOPLE}_delta", fails=True)
    assert f"{PEOPLE}_sent_snapshot has no column for the attribute `size` as it is now" in built.messages
    assert f"dbt run --select {PEOPLE}_sent_snapshot+" in built.messages


def test_resend_after_a_mapping_change_without_new_values(project: Project) -> None:
    start(project)
    project.map({**MAPPING, "on_null": "keep"})
    project.build()
    assert project.delta() == []
    project.resend("all")
    assert project.push_one().accepted == 3
    project.map({**MAPPING, "custom": ["name"]})
    project.dbt("parse")
    project.resend("all")
    assert project.push_one().status == "succeeded"
    assert {name for sent in project.sent.attributes.values() for name in sent} == {"name"}
