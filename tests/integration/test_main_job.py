"""The main job: rows become profiles, and only changes are sent again."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from harness.oracle import expected_profile, expected_refusals
from harness.people import COLUMNS, KINDS, MAPPING, people
from harness.project import Project, unchanged

from dbt_batch_sync.results.sync import SyncPushed
from dbt_batch_sync.sandbox.server import TypedValue

SIMPLE = {"identifier": "id", "custom": ["name", "points"]}
SIMPLE_COLUMNS = {"id": "varchar", "name": "varchar", "points": "bigint"}


def simple(*rows: tuple[object, ...]) -> list[dict[str, object]]:
    """Rows of SIMPLE_COLUMNS."""
    return [dict(zip(SIMPLE_COLUMNS, row, strict=True)) for row in rows]


def figures(pushed: SyncPushed) -> dict[str, object]:
    """The status and all nonzero counts."""
    names = (
        "inserts",
        "updates",
        "exits",
        "invalid",
        "sent",
        "accepted",
        "rejected_rows",
        "rejected_attributes",
    )
    counts = {name: getattr(pushed, name) for name in (*names, "requests", "retries", "settled")}
    return {"status": pushed.status, **{name: count for name, count in counts.items() if count}}


def test_2500_profiles_of_every_type(project: Project) -> None:
    rows = people(2500)
    refused = {
        (str(row["id"]), name): reason
        for row in rows
        for name, reason in expected_refusals(KINDS, row).items()
    }
    project.map(MAPPING)
    project.set_rows(COLUMNS, rows)

    first = project.sync()
    assert figures(first) == {
        "status": "partial",
        "inserts": 2500,
        "sent": 2500,
        "accepted": 2500,
        "rejected_attributes": len(refused),
        "requests": 13,
        "settled": 2500,
    }
    profiles = project.profiles()
    assert len(profiles) == 2500
    for row in rows:
        assert profiles[str(row["id"])] == expected_profile(KINDS, row), row["id"]
    assert project.rejects() == refused
    assert None not in [value for _, sent in project.sent.operations for value in sent.values()]

    again = project.push_one()
    assert figures(again) == {"status": "succeeded"}
    assert not project.sent.requests
    rebuilt = project.sync()
    assert figures(rebuilt) == {"status": "succeeded"}
    assert not project.sent.requests

    project.execute("update raw.people set vip = not vip where tiny > 0")
    changed = {
        str(row["id"]): {"vip": not row["vip"]}
        for row in rows
        if int(str(row["tiny"] or 0)) > 0 and row["vip"] is not None
    }
    third = project.sync()
    assert third.updates == third.accepted == len(changed) > 100
    assert project.sent.attributes == changed


def test_null_deletes_the_attribute_once(project: Project) -> None:
    columns = {"id": "integer", "t": "varchar", "n": "bigint", "d": "date", "u": "varchar", "l": "varchar[]"}
    columns |= {"b": "boolean", "mail": "varchar", "topics": "varchar[]"}
    custom: list[object] = ["t", "n", "d", {"column": "u", "type": "url"}, "l", "b"]
    typed = {"as_i": ("integer", "1"), "as_f": ("float", "1.5"), "as_b": ("boolean", "true")}
    typed |= {"as_d": ("date", "2024-01-01"), "as_l": ("string_array", '["a"]')}
    columns |= dict.fromkeys(typed, "varchar")
    custom += [{"column": name, "type": kind} for name, (kind, _) in typed.items()]
    project.map(
        {
            "identifier": "id",
            "standard": {"email_address": "mail", "topic_preferences": "topics"},
            "custom": custom,
        }
    )
    full = {"t": "x", "n": 1, "d": "2024-01-02", "u": "https://x.fr", "l": ["a"], "b": True}
    full |= {"mail": "a@b.fr", "topics": ["t"], **{name: value for name, (_, value) in typed.items()}}
    project.set_rows(columns, [{"id": n, **full} for n in (1, 2, 3)] + [{"id": 4}, {"id": 5, "b": False}])
    first = project.sync()
    assert figures(first) == {
        "status": "succeeded",
        "inserts": 5,
        "sent": 4,
        "accepted": 4,
        "requests": 1,
        "settled": 5,
    }, "an all-null profile should be settled without an operation"
    assert set(project.profiles()) == {"1", "2", "3", "5"}
    project.build()
    assert set(project.snapshot()) == {"1", "2", "3", "4", "5"}

    empty = {"t": "", "u": "", "l": [], "mail": "", "topics": [], **dict.fromkeys(typed, " "), "as_l": "[]"}
    project.set_rows(
        columns, [{"id": 1}, {"id": 2, **full, **empty}, {"id": 3, **full}, {"id": 4}, {"id": 5}]
    )
    assert project.sync().status == "succeeded", project.rejects()
    nulls = dict.fromkeys(("t", "u", "l", "$email_address", "$topic_preferences", *typed))
    assert project.sent.attributes == {
        "1": {**nulls, "n": None, "d": None, "b": None},
        "2": nulls,
        "5": {"b": None},
    }
    assert not project.profiles()["1"]
    assert project.profiles()["2"].keys() == {"n", "d", "b"}
    assert unchanged(project.sync())


def test_keep_never_sends_a_null(project: Project) -> None:
    texts = dict.fromkeys(("id", "t", "mail", "cleared"), "varchar")
    columns = {**texts, "l": "varchar[]", "n": "bigint"}
    custom: list[object] = ["t", "l", "n", {"column": "cleared", "on_null": "clear"}]
    address = {"column": "mail", "normalize": "trim_lower"}
    project.map(
        {"identifier": "id", "on_null": "keep", "standard": {"email_address": address}, "custom": custom}
    )
    full: dict[str, object] = {"t": "x", "mail": " A@x.fr", "l": ["a"], "n": 1, "cleared": "y"}
    project.set_rows(columns, [{"id": "a", **full}, {"id": "b", **full}, {"id": "c", "n": 0}])
    project.sync()

    project.set_rows(
        columns,
        [{"id": "a"}, {"id": "b", "t": "", "mail": " ", "l": [], "n": 2, "cleared": ""}, {"id": "c"}],
    )
    project.sync()
    assert project.sent.attributes == {"a": {"cleared": None}, "b": {"n": 2, "cleared": None}}
    kept = {
        "$email_address": TypedValue("string", "a@x.fr"),
        "t": TypedValue("string", "x"),
        "l": TypedValue("string_array", ("a",)),
    }
    assert project.profiles()["a"] == {**kept, "n": TypedValue("integer", 1)}
    assert project.profiles()["b"] == {**kept, "n": TypedValue("integer", 2)}
    project.build()
    row = project.snapshot()["a"]
    assert (row["t"], row["l"], row["n"], row["cleared"]) == ("x", ["a"], 1, None)
    assert unchanged(project.sync())

    same = {"id": "a", **full, "cleared": None}
    project.set_rows(columns, [same, {"id": "b", "t": "new", "cleared": ""}, {"id": "c"}])
    project.sync()
    assert project.sent.attributes == {"b": {"t": "new"}}, "a value that Batch still holds was sent again"


def test_column_types_for_the_custom_id(project: Project) -> None:
    kinds = {
        "text": ("varchar", "é 😀'\""),
        "whole": ("bigint", "-9223372036854775808"),
        "wide": ("hugeint", "170141183460469231731687303715884105727"),
        "fixed": ("decimal(18,0)", "12"),
        "token": ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        "listed": ("enum('a', 'b')", "b"),
    }
    for sync, (kind, value) in kinds.items():
        project.map({"identifier": "ID", "custom": ["n"]}, sync)
        project.set_rows({"id": kind, "n": "integer"}, [{"id": value, "n": 1}], sync)
    project.build()
    assert project.push().status == "succeeded"
    assert set(project.profiles()) == {value for _, value in kinds.values()}


def test_invalid_column_types_for_the_custom_id(project: Project) -> None:
    kinds = ("double", "float", "decimal(9,2)", "boolean", "date", "timestamp", "varchar[]", "json", "blob")
    for place, kind in enumerate(kinds):
        project.map({"identifier": "id", "custom": ["n"]}, f"s{place}")
        project.set_rows({"id": kind, "n": "integer"}, [], f"s{place}")
    messages = project.dbt("run", fails=True).messages
    for place, kind in enumerate(kinds):
        said = f"batch_sync mapping of `s{place}`: `identifier` is the column `id` of type {kind.upper()}"
        assert said in messages.upper().replace(said.upper(), said), kind
    assert "text, integer or uuid" in messages
    assert not project.query("from duckdb_tables() where table_name like '%_delta'")


INVALID: dict[str | None, str] = {
    "": "empty_identifier",
    "   ": "empty_identifier",
    "\t": "empty_identifier",
    "\u00a0\u2003": "empty_identifier",
    "x" * 512: "long_identifier",
    "😀" * 512: "long_identifier",
    "a\nb": "line_break_identifier",
    "a\rb": "line_break_identifier",
    "\na": "line_break_identifier",
    "a\tb": "control_character_identifier",
    "\x00a": "control_character_identifier",
    "a\u0085": "control_character_identifier",
    "a\u2028b": "control_character_identifier",
    "undefined": "reserved_identifier",
    "NULL": "reserved_identifier",
    "Nil": "reserved_identifier",
    "(null)": "reserved_identifier",
    "[object Object]": "reserved_identifier",
    "TRUE": "reserved_identifier",
    "False": "reserved_identifier",
    "NaN": "reserved_identifier",
    "Infinity": "reserved_identifier",
    "-INFINITY": "reserved_identifier",
    " nan ": "reserved_identifier",
}
VALID = ("x" * 511, "😀" * 511, "0", "nulls", "a b", "true1", "none", "n/a", "é", "é\u0301", "E", "e")


def test_invalid_identifiers_are_reported_and_never_sent(project: Project) -> None:
    rows = [(name, "n", 1) for name in (*INVALID, *VALID)] + [(None, "a", 1), (None, "b", 2)]
    rows += [("twice", "a", 1), ("twice", "a", 1), ("thrice", "a", 1), ("thrice", "b", 1), ("thrice", "c", 1)]
    project.map(SIMPLE)
    project.set_rows(SIMPLE_COLUMNS, simple(*rows))
    pushed = project.sync()
    wrong = {
        row["custom_id"]: row["_batch_reason"] for row in project.delta() if row["_batch_change"] == "invalid"
    }
    repeated: dict[str | None, str] = dict.fromkeys(("twice", "thrice"), "duplicate_identifier")
    assert wrong == {**INVALID, **repeated, None: "null_identifier"}
    assert figures(pushed) == {
        "status": "partial",
        "inserts": len(VALID),
        "invalid": len(INVALID) + 7,
        "sent": len(VALID),
        "accepted": len(VALID),
        "requests": 1,
        "settled": len(VALID),
    }
    project.build()
    assert set(project.profiles()) == set(VALID) == set(project.snapshot())
    assert figures(project.sync()) == {"status": "partial", "invalid": len(INVALID) + 7}, (
        "they should count in every run"
    )
    assert not project.sent.requests
    assert project.call("push", "--json").returncode == 3


def test_duplicates_of_a_known_profile_are_not_an_exit(project: Project) -> None:
    project.map({**SIMPLE, "on_exit": "clear"})
    project.set_rows(SIMPLE_COLUMNS, simple(("a", "x", 1), ("b", "x", 1)))
    project.sync()
    project.set_rows(SIMPLE_COLUMNS, simple(("a", "x", 1), ("b", "x", 1), ("b", "y", 2)))
    assert figures(project.sync()) == {"status": "partial", "invalid": 2}
    assert not project.sent.requests
    project.build()
    assert project.snapshot()["b"]["_batch_exited_at"] is None

    project.set_rows(SIMPLE_COLUMNS, simple(("a", "x", 1), ("b", "x", 3)))
    assert figures(project.sync())["status"] == "succeeded"
    assert project.sent.attributes == {"b": {"points": 3}}
    project.set_rows(SIMPLE_COLUMNS, simple(("a", "x", 1)))
    assert project.sync().exits == 1, "a profile without any row should exit"


REFUSED: tuple[tuple[str, object, str], ...] = (
    ("t", "x" * 301, "too_long"),
    ("i", "1.5", "not_an_integer"),
    ("i", "one", "not_an_integer"),
    ("i", "1_000", "not_an_integer"),
    ("i", "0x1F", "not_an_integer"),
    ("i", "9223372036854775808", "out_of_range"),
    ("f", "1,5", "not_a_number"),
    ("f", "nan", "not_a_number"),
    ("f", "1e999", "not_finite"),
    ("b", "perhaps", "not_a_boolean"),
    ("d", "yesterday", "not_a_date"),
    ("d", "2024-02-30", "not_a_date"),
    ("d", "infinity", "not_a_date"),
    ("u", "x.fr", "invalid_url"),
    ("u", "https://" + "a" * 2041, "too_long"),
    ("l", "a, b", "not_an_array"),
    ("l", '{"a": 1}', "not_an_array"),
    ("l", "[1, 2]", "not_a_string"),
    ("l", '["a", ""]', "empty_item"),
    ("l", '["a", null]', "empty_item"),
    ("l", '["' + "x" * 301 + '"]', "too_long"),
    ("l", "[" + ", ".join(['"a"'] * 26) + "]", "too_many_items"),
    ("r", 1.5, "not_an_integer"),
    ("r", float("nan"), "not_finite"),
    ("r", 1e19, "out_of_range"),
    ("x", float("inf"), "not_finite"),
    ("h", "9223372036854775808", "out_of_range"),
    ("p", Decimal("1.5"), "not_an_integer"),
    ("ts", "10000-01-01", "out_of_range"),
    ("ts", "infinity", "not_finite"),
    ("ts", "0001-01-01 (BC)", "out_of_range"),
    ("batch__email_address", "a@b@c.fr", "invalid_email"),
    ("batch__email_address", "a..b@c.fr", "impossible_email"),
    ("batch__email_address", "x" * 123 + "@bc.fr", "too_long"),
    ("batch__email_marketing", "SUBSCRIBED", "invalid_subscription"),
    ("batch__phone_number", "00336", "invalid_phone"),
    ("batch__phone_number", "+0336", "impossible_phone"),
    ("batch__sms_marketing", "true", "invalid_subscription"),
    ("batch__language", "fr-FR", "invalid_language"),
    ("batch__region", "EU", "invalid_region"),
    ("batch__timezone", "CEST", "invalid_timezone"),
    ("batch__topic_preferences", ["a b"], "invalid_topic"),
    ("batch__topic_preferences", ["a"] * 26, "too_many_items"),
    ("batch__topic_preferences", ["a", None], "empty_item"),
)
TYPES = {
    "i": "integer",
    "f": "float",
    "b": "boolean",
    "d": "date",
    "u": "url",
    "l": "string_array",
    "r": "integer",
    "p": "integer",
}
REFUSED_COLUMNS = {
    **dict.fromkeys(("id", "ok", "t", "i", "f", "b", "d", "u", "l"), "varchar"),
    **{"r": "double", "x": "double", "h": "hugeint", "p": "decimal(9,1)", "ts": "timestamp"},
    **dict.fromkeys(("email_address", "email_marketing", "phone_number", "sms_marketing"), "varchar"),
    **dict.fromkeys(("language", "region", "timezone"), "varchar"),
    "topic_preferences": "varchar[]",
}
STANDARD = {name: name for name in list(REFUSED_COLUMNS)[-8:]}


def test_rejected_values_are_held_back_with_a_reason_and_the_rest_is_sent(
    project: Project,
) -> None:
    names = [name for name in REFUSED_COLUMNS if name not in ("id", *STANDARD)]
    custom = [{"column": name, **({"type": TYPES[name]} if name in TYPES else {})} for name in names]
    project.map({"identifier": "id", "standard": STANDARD, "custom": custom})
    rows = [
        {"id": f"{place:03}", "ok": "fine", name.removeprefix("batch__"): value}
        for place, (name, value, _) in enumerate(REFUSED)
    ]
    project.set_rows(REFUSED_COLUMNS, rows)
    pushed = project.sync()
    assert project.rejects() == {(f"{n:03}", name): reason for n, (name, _, reason) in enumerate(REFUSED)}
    assert (pushed.status, pushed.accepted, pushed.rejected_attributes) == ("partial", len(rows), len(rows))
    assert set(map(str, project.sent.attributes.values())) == {"{'ok': 'fine'}"}
    assert figures(project.sync()) == {"status": "succeeded"}, "it should wait until its value changes"
    values = {row["rejected_by"] for row in project.query("from batch_sync_rejects")}
    assert values == {"validation"}

    project.execute("update raw.people set t = 'short', ok = 'better' where id = '000'")
    assert project.sync().accepted == 1
    assert project.sent.attributes == {"000": {"t": "short", "ok": "better"}}
    project.build()
    assert ("000", "t") not in project.rejects(), "dbt should resolve it once a later value is accepted"


CONVERTED: tuple[tuple[str, object, tuple[str, object]], ...] = (
    ("i", " 12 ", ("integer", 12)),
    ("i", "-9223372036854775808", ("integer", -(2**63))),
    ("i", "+7", ("integer", 7)),
    ("f", "1e3", ("float", 1000.0)),
    ("f", "-.5", ("float", -0.5)),
    ("f", "12", ("float", 12.0)),
    ("b", "true", ("boolean", True)),
    ("b", " F ", ("boolean", False)),
    ("d", "2024-02-29", ("date", "2024-02-29T00:00:00Z")),
    ("d", "2024-02-29T23:30:00-01:00", ("date", "2024-03-01T00:30:00Z")),
    ("d", "2024-02-29 12:00:00.999", ("date", "2024-02-29T12:00:00Z")),
    ("u", "https://x.fr/?a=1", ("url", "https://x.fr/?a=1")),
    ("l", ' ["a", "é\\n"] ', ("string_array", ("a", "é\n"))),
    ("r", 5.0, ("integer", 5)),
    ("p", Decimal("-3.0"), ("integer", -3)),
    ("x", 3.0, ("float", 3.0)),
    ("h", "5", ("integer", 5)),
    ("ts", "1969-12-31 23:59:59.5", ("date", "1969-12-31T23:59:59Z")),
    ("sms_marketing", "unsubscribed", ("string", "unsubscribed")),
)


def test_values_are_converted_to_the_mapped_type(project: Project) -> None:
    names = [name for name in REFUSED_COLUMNS if name not in ("id", *STANDARD)]
    custom = [{"column": name, **({"type": TYPES[name]} if name in TYPES else {})} for name in names]
    project.map({"identifier": "id", "standard": STANDARD, "custom": custom})
    project.set_rows(
        REFUSED_COLUMNS, [{"id": n, name: value} for n, (name, value, _) in enumerate(CONVERTED)]
    )
    assert project.sync().status == "succeeded", project.rejects()
    assert project.profiles() == {
        str(n): {("$" + name if name in STANDARD else name): TypedValue(*value)}  # type: ignore[arg-type]
        for n, (name, _, value) in enumerate(CONVERTED)
    }


def test_any_scalar_as_text(project: Project) -> None:
    cells: Mapping[str, tuple[str, object, str]] = {
        "whole": ("bigint", -5, "-5"),
        "fixed": ("decimal(9,2)", Decimal("1.50"), "1.50"),
        "flag": ("boolean", True, "true"),
        "day": ("date", "2024-02-29", "2024-02-29"),
        "moment": ("timestamp", "2024-02-29 12:00:00", "2024-02-29 12:00:00"),
        "zoned": ("timestamptz", "2024-02-29 12:00:00+02", "2024-02-29 10:00:00"),
        "ratio": ("double", 0.5, "0.5"),
        "doc": ("json", '{"a": [1]}', '{"a": [1]}'),
    }
    project.map({"identifier": "id", "custom": [{"column": name, "type": "string"} for name in cells]})
    columns = {"id": "integer", **{name: kind for name, (kind, _, _) in cells.items()}}
    project.set_rows(columns, [{"id": 1, **{name: value for name, (_, value, _) in cells.items()}}])
    assert project.sync().status == "succeeded"
    assert project.profiles()["1"] == {
        name: TypedValue("string", text) for name, (_, _, text) in cells.items()
    }


@pytest.mark.parametrize(
    "kind",
    ["blob", "time", "interval", "struct(a integer)", "map(varchar, integer)", "integer[]", "varchar[][]"],
)
def test_columns_without_a_batch_type(project: Project, kind: str) -> None:
    project.map({"identifier": "id", "custom": ["x"]})
    project.set_rows({"id": "integer", "x": kind}, [])
    messages = project.dbt("run", fails=True).messages
    assert "batch_sync mapping of `people`: `x` is the column `x` of type" in messages
    assert "Cast it in the model: cast(x as " in messages
