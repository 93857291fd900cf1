"""Redshift, on a stand-in (PostgreSQL) with its own driver: the shared suite and tests of Redshift's own
behavior.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from decimal import Decimal

import pytest
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts, plain
from harness.databases import PostgresServer
from harness.project import Project
from harness.quick import QuickProject
from harness.redshift import RedshiftDatabase, RedshiftProxy
from harness.rights import check_rights, documented

pytestmark = pytest.mark.emulated

WIDEST = 10**38 - 1
"""The largest number of 38 digits."""


@pytest.fixture(scope="module")
def warehouse(postgres: PostgresServer) -> Iterator[RedshiftDatabase]:
    proxy = RedshiftProxy(postgres)
    yield RedshiftDatabase(postgres, proxy)
    proxy.stop()


class TestRedshift(Behaviour):
    accepts_nul = False
    people_types = {  # noqa: RUF012 - a table
        "topics": "super",
        "tiny": "smallint",
        "unsigned": "numeric(20,0)",
        "huge": "numeric(38,0)",
        "ratio": "double precision",
        "single": "real",
        "coarse_at": "timestamp(0)",
        "fine_at": "timestamp(6)",
        "tags": "super",
        "token": "varchar(36)",
        "level": "varchar",
        "note": "varchar",
    }
    people_given = {"tags": "string_array"}  # noqa: RUF012 - a table
    # Redshift ignores trailing blanks when comparing texts; the stand-in doesn't.
    alike_ids = tuple(name for name in Behaviour.alike_ids if name != "a ")

    def in_zone(self, quick: QuickProject, zone: str) -> contextlib.AbstractContextManager[None]:
        assert isinstance(quick.warehouse, RedshiftDatabase)
        return quick.warehouse.in_zone(zone)

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """Numbers have at most 38 digits."""
        huge = row["huge"]
        return row if huge is None else {**row, "huge": str(max(-WIDEST, min(WIDEST, int(str(huge)))))}


# Distribution and sort keys

PLACED = "diststylekeydistkey(custom_id)compoundsortkey("


def test_distribution_and_sort_keys(quick: QuickProject, warehouse: RedshiftDatabase) -> None:
    warehouse.proxy.statements.clear()
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(1))
    quick.build()
    created = ["".join(each.split()) for each in warehouse.proxy.statements if "create  table" in each]
    placed = [each for each in created if PLACED in each]
    assert len(placed) == 2
    assert "people_sent_snapshot" in placed[0]
    assert f"{PLACED}custom_id)" in placed[0]
    assert "people_delta" in placed[1]
    assert f"{PLACED}_batch_page)" in placed[1]


# Types

ODD = {
    "tags": ("super", ["a b", 'q"', "{,}", "back\\slash", "é😀"], ("a b", 'q"', "{,}", "back\\slash", "é😀")),
    "none": ("super", [], None),
    "body": ("super", {"b": 1, "a": [2]}, '{"b": 1, "a": [2]}'),
    "small": ("numeric(5,2)", Decimal("-0.05"), -0.05),
    "exact": ("numeric(38,10)", Decimal("1234567890123456789012345678.0000000001"), 1.2345678901234568e27),
    "whole": ("numeric(30,2)", Decimal("7.00"), 7),
    "large": ("bigint", 2**63 - 1, 2**63 - 1),
    "code": ("char(3)", "ab", "ab"),
    "yes": ("boolean", True, "true"),
    "zoned": ("timestamptz", "2024-10-27 02:30:00.9+02:00", "2024-10-27T00:30:00Z"),
    "plain": ("timestamp", "2024-10-27 02:30:00.999999", "2024-10-27T02:30:00Z"),
    "early": ("timestamp", "0001-01-01 00:00:00", "0001-01-01T00:00:00Z"),
    "latest": ("date", "9999-12-31", "9999-12-31T00:00:00Z"),
}
"""By column: type, value and expected value in Batch. None: no value."""

REFUSED = {
    "numbers": ("super", [1, 2], "not_a_string"),
    "holes": ("super", ["a", None], "empty_item"),
    "wide": ("numeric(38,0)", Decimal(10**37), "out_of_range"),
    "nan": ("double precision", math.nan, "not_finite"),
    "endless": ("double precision", -math.inf, "not_finite"),
}
"""By column: type, value and the reason of the rejection."""


def test_native_types(quick: QuickProject) -> None:
    given = {**ODD, **REFUSED}
    arrays = dict.fromkeys(("tags", "none", "numbers", "holes"), "string_array")
    typed = {**arrays, "body": "string", "whole": "integer", "yes": "string"}
    custom = [{"column": name, "type": typed[name]} if name in typed else name for name in given]
    quick.map({"identifier": "id", "custom": custom})
    columns = {"id": "integer", **{name: kind for name, (kind, *_) in given.items()}}
    row = {"id": 12, **{name: cell for name, (_, cell, _) in given.items()}}
    quick.set_rows(columns, [row, {"id": 13}])
    pushed = quick.sync()
    found = plain(quick.profiles()["12"])
    assert found == {name: wanted for name, (*_, wanted) in ODD.items() if wanted is not None}
    assert quick.rejects() == {("12", name): reason for name, (*_, reason) in REFUSED.items()}
    assert (pushed.status, pushed.rejected_attributes, pushed.error) == ("partial", len(REFUSED), None)
    quick.build()
    assert quick.changes() == {}
    exact = row["exact"] + Decimal("1e-10")
    quick.set_rows(columns, [{**row, "exact": exact, "code": "abc", "tags": ["é😀"]}, {"id": 13}])
    quick.build()
    assert quick.changes() == {"12": ("update", "tags,exact,code")}


def test_texts_have_lengths(quick: QuickProject) -> None:
    """The widest type would take memory in every query. A longer column makes the snapshot's longer, too."""

    def lengths() -> dict[str, int]:
        columns = quick.query(
            "select column_name as name, character_maximum_length as length from information_schema.columns "
            "where table_name = 'people_sent_snapshot' and data_type = 'character varying'"
        )
        return {str(each["name"]): each["length"] for each in columns}

    quick.map(
        {"identifier": "id", "custom": ["city", {"column": "points", "name": "points", "type": "string"}]}
    )
    columns = {"id": "varchar(3000)", "points": "integer"}
    quick.set_rows({**columns, "city": "varchar(40)"}, [{"id": "x", "city": "Rome", "points": 7}])
    assert quick.sync().status == "succeeded"
    had = lengths()
    assert (had["custom_id"], had["city"], had["points"]) == (2048, 256, 65535)
    own = {name: length for name, length in had.items() if name.startswith("_batch_")}
    assert own.pop("_batch_doubt") == 65535
    assert set(own.values()) == {4096}
    long = "é" * 300
    rows = [{"id": "x", "city": long, "points": 7}, {"id": "ü" * 1500 + "1"}, {"id": "ü" * 1500 + "2"}]
    quick.set_rows({**columns, "city": "varchar(2000)"}, rows)
    quick.build()
    assert quick.changes()["x"] == ("update", "city")
    assert {change for change, _ in quick.changes().values()} == {"update", "invalid"}
    assert quick.push_one().invalid == 2
    quick.build()
    assert plain(quick.profiles()["x"]) == {"city": long, "points": "7"}
    assert lengths()["city"] == 4096
    quick.set_rows({**columns, "city": "varchar(40)"}, [{"id": "x", "city": "Rome", "points": 7}])
    quick.sync()
    quick.build()
    assert quick.changes() == {}
    assert lengths()["city"] == 4096


def test_a_time_column_has_no_type_in_batch(quick: QuickProject) -> None:
    quick.map({"identifier": "id", "custom": ["at"]})
    quick.set_rows({"id": "text", "at": "time"}, [{"id": "x"}])
    with pytest.raises(Exception, match="which Batch has no type for"):
        quick.build()


# dbt's tests


def test_dbt_tests(shop: Project) -> None:
    """They find each rejected value and no other."""
    columns = {"id": "text", "email": "text", "phone": "text"}
    shop.map(CONTACTS_MAPPING)
    shop.set_rows({**CONTACTS, **columns}, [])
    shop.build()
    fine = [
        ("ada@example.com", "+33199000661"),
        ("a.b+c@x-y.example.fr", "+12025550123"),
        (None, ""),
        ("", None),
    ]
    wrong = [("ada@example", "33199000661"), ("a b@example.com", "+1234567890123456"), ("@example.com", "+")]
    given = [{"id": str(n), "email": e, "phone": p} for n, (e, p) in enumerate((*fine, *wrong))]
    shop.set_rows({**CONTACTS, **columns}, given)
    folder = shop.directory / "tests"
    folder.mkdir(exist_ok=True)
    for test in ("email", "phone"):
        call = f"{{{{ dbt_batch_sync.test_batch_{test}(source_of(), '{test}') }}}}"
        source = shop.warehouse.source("people")
        (folder / f"{test}.sql").write_text(call.replace("source_of()", f"'{source}'"))
    try:
        shop.dbt("compile", "--select", "test_type:singular")
        for test, place in (("email", 0), ("phone", 1)):
            sql = (shop.directory / "target" / "compiled" / "shop" / "tests" / f"{test}.sql").read_text()
            assert {row["value"] for row in shop.query(sql)} == {each[place] for each in wrong}
    finally:
        for test in ("email", "phone"):
            (folder / f"{test}.sql").unlink()


# Grants


def test_minimal_grants_over_two_days(shop: Project) -> None:
    """The statements in the docs are also valid PostgreSQL."""
    check_rights(shop, documented("redshift"))
