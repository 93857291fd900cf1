"""Snowflake, on an emulator: the shared suite and tests of Snowflake's own behavior."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import pytest
from harness.behaviour import CONTACTS, Behaviour, contacts, plain
from harness.dbt_tests import DbtTests, found, tested
from harness.project import Project
from harness.quick import QuickProject
from harness.snowflake import SnowflakeDatabase, SnowflakeEmulator

__all__ = ["found", "tested"]

pytestmark = [
    pytest.mark.emulated,
    # The emulator runs in this process.
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]

WIDEST = 10**38 - 1
"""The largest number of 38 digits."""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[SnowflakeDatabase]:
    server = SnowflakeEmulator()
    yield SnowflakeDatabase(server)
    server.stop()


class TestSnowflake(Behaviour):
    people_types = {  # noqa: RUF012 - a table
        "topics": "array",
        "tiny": "number(3,0)",
        "unsigned": "number(20,0)",
        "huge": "number(38,0)",
        "single": "float",
        "zoned_at": "timestamp_tz",
        "coarse_at": "timestamp_ntz(0)",
        "fine_at": "timestamp_ntz(9)",
        "tags": "array",
        "token": "varchar(36)",
        "level": "varchar",
        "note": "varchar",
    }

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """Numbers have at most 38 digits."""
        huge = row["huge"]
        return row if huge is None else {**row, "huge": str(max(-WIDEST, min(WIDEST, int(str(huge)))))}


# Names

UNQUOTED = """
select
    "id" as customer_id, "email" as "e-Mail", "points" as points, "nick" as nick, 'x' as "_Batch_Here"
from raw."people"
"""


def test_quoted_and_unquoted_columns(shop: Project, warehouse: SnowflakeDatabase) -> None:
    """dbt models usually have upper-case columns, which a mapping may name in any case."""
    custom = ["Points", "NICK", {"column": "_batch_here", "name": "customer"}]
    mapping = {"identifier": "customer_id", "standard": {"email_address": "E-MAIL"}, "custom": custom}
    shop.map(mapping, sql=UNQUOTED)
    shop.set_rows(CONTACTS, contacts(3))
    assert shop.sync().accepted == 3
    expected = {"$email_address": "p1@example.com", "points": 1, "nick": "Nick 1", "customer": "x"}
    assert plain(shop.profiles()["p0001"]) == expected
    shop.set_rows(CONTACTS, [*contacts(2, nick="changed"), {"id": "p0002", "email": "p2@example.com"}])
    shop.build()
    # As users write it: our names don't need quotes.
    found = "select custom_id, _batch_change, _batch_changed from people_delta order by custom_id"
    assert warehouse.fetch(found) == [
        ("p0000", "update", "nick"),
        ("p0001", "update", "nick"),
        ("p0002", "update", "points,nick"),
    ]
    counted = "select count(*) from people_sent_snapshot where batch__email_address is not null"
    assert warehouse.fetch(counted) == [(3,)]


# Types

ODD = {
    "tags": ("array", ["a b", 'q"', "{,}", "back\\slash", "é😀"], ("a b", 'q"', "{,}", "back\\slash", "é😀")),
    "none": ("array", [], None),
    "body": ("variant", {"b": 1, "a": [2]}, '{"b":1,"a":[2]}'),
    "words": ("object", {"x": "y"}, '{"x":"y"}'),
    "listed": ("variant", ["x", "y"], ("x", "y")),
    "small": ("number(5,2)", Decimal("-0.05"), -0.05),
    "exact": ("number(38,10)", Decimal("1234567890123456789012345678.0000000001"), 1.2345678901234568e27),
    "whole": ("number(30,2)", Decimal("7.00"), 7),
    "large": ("number(38,0)", Decimal(2**63 - 1), 2**63 - 1),
    "code": ("char(3)", "abc", "abc"),
    "zoned": ("timestamp_tz", "2024-10-27 02:30:00.9+02:00", "2024-10-27T00:30:00Z"),
    "local": ("timestamp_ltz", "2024-10-27 02:30:00+02:00", "2024-10-27T00:30:00Z"),
    "plain": ("timestamp_ntz", "2024-10-27 02:30:00.999999", "2024-10-27T02:30:00Z"),
    "early": ("timestamp_ntz", "0001-01-01 00:00:00", "0001-01-01T00:00:00Z"),
    "latest": ("date", "9999-12-31", "9999-12-31T00:00:00Z"),
}
"""By column: type, value and expected value in Batch. None: no value."""

REFUSED = {
    "numbers": ("array", [1, 2], "not_a_string"),
    "holes": ("array", ["a", None], "empty_item"),
    "wide": ("number(38,0)", Decimal(10**37), "out_of_range"),
    "nan": ("float", math.nan, "not_finite"),
    "endless": ("float", -math.inf, "not_finite"),
}
"""By column: type, value and the reason of the rejection."""


def test_native_types(quick: QuickProject) -> None:
    given = {**ODD, **REFUSED}
    typed = {"body": "string", "words": "string", "listed": "string_array", "whole": "integer"}
    custom = [{"column": name, "type": typed[name]} if name in typed else name for name in given]
    quick.map({"identifier": "id", "custom": custom})
    columns = {"id": "number(9,0)", **{name: kind for name, (kind, *_) in given.items()}}
    row = {"id": 12, **{name: cell for name, (_, cell, _) in given.items()}}
    quick.set_rows(columns, [row, {"id": 13}])
    pushed = quick.sync()
    assert (pushed.status, pushed.rejected_attributes, pushed.error) == ("partial", len(REFUSED), None)
    found = plain(quick.profiles()["12"])
    assert found == {name: wanted for name, (*_, wanted) in ODD.items() if wanted is not None}
    assert quick.rejects() == {("12", name): reason for name, (*_, reason) in REFUSED.items()}
    quick.build()
    assert quick.changes() == {}
    quick.set_rows(columns, [{**row, "exact": row["exact"] + Decimal("1e-10"), "tags": ["é😀"]}, {"id": 13}])
    quick.build()
    assert quick.changes() == {"12": ("update", "tags,exact")}


def test_a_time_column_has_no_type_in_batch(quick: QuickProject) -> None:
    quick.map({"identifier": "id", "custom": ["at"]})
    quick.set_rows({"id": "text", "at": "time"}, [{"id": "x"}])
    with pytest.raises(Exception, match="which Batch has no type for"):
        quick.build()


class TestFound(DbtTests): ...
