"""Redshift, on PostgreSQL through its own driver: the suite that every warehouse has to pass, and what only it has."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from faults import test_guards
from harness.behaviour import CONTACTS, CONTACTS_MAPPING, Behaviour, contacts, plain
from harness.databases import PostgresServer
from harness.faulty_sandbox import FaultyServer
from harness.goldens import MODELS, build, check
from harness.project import Project
from harness.quick import QuickProject
from harness.redshift import RedshiftDatabase, RedshiftProxy
from harness.rights import check_rights, documented
from sqlglot import exp, parse_one

from dbt_batch_sync.connections.profiles import read_target
from dbt_batch_sync.errors import Conflict, WarehouseError
from dbt_batch_sync.sql.relations import create_table, insert_row, parse_table
from dbt_batch_sync.warehouse import Load, Statement, Warehouse, open_warehouse, postgres_pages

pytestmark = pytest.mark.emulated

WIDEST = 10**38 - 1
"""The largest number of 38 digits."""


@pytest.fixture(scope="module")
def warehouse(postgres: PostgresServer) -> Iterator[RedshiftDatabase]:
    """A database of its own."""
    proxy = RedshiftProxy(postgres)
    yield RedshiftDatabase(postgres, proxy)
    proxy.stop()


class TestRedshift(Behaviour):
    """The suite."""

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
    # Texts are one there that differ in blanks at their end, which the stand-in does not know.
    alike_ids = tuple(name for name in Behaviour.alike_ids if name != "a ")

    def in_zone(self, quick: QuickProject, zone: str) -> contextlib.AbstractContextManager[None]:
        assert isinstance(quick.warehouse, RedshiftDatabase)
        return quick.warehouse.in_zone(zone)

    def fitting(self, row: dict[str, object]) -> dict[str, object]:
        """A number has 38 digits at most."""
        huge = row["huge"]
        return row if huge is None else {**row, "huge": str(max(-WIDEST, min(WIDEST, int(str(huge)))))}


@pytest.fixture
def opened(quick: QuickProject) -> Iterator[Warehouse]:
    """The product's own connection to the project's database."""
    with contextlib.closing(open_warehouse(read_target(quick.options()))) as warehouse:
        yield warehouse


# Where rows are

PLACED = "diststyle key distkey (custom_id)\n    compound sortkey(\n        custom_id)"


def test_the_snapshot_and_the_delta_are_placed_by_their_key(
    quick: QuickProject, warehouse: RedshiftDatabase
) -> None:
    warehouse.proxy.statements.clear()
    quick.map(CONTACTS_MAPPING)
    quick.set_rows(CONTACTS, contacts(1))
    quick.build()
    created = [each for each in warehouse.proxy.statements if "create  table" in each]
    placed = [each for each in created if "".join(PLACED.split()) in "".join(each.split())]
    assert len(placed) == 2
    assert "people_sent_snapshot" in placed[0]
    assert "people_delta" in placed[1]


def test_the_stand_in_refuses_what_redshift_lacks(opened: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="syntax error"):
        opened.fetch(Statement(parse_one("select 1 is distinct from 2", dialect="postgres")))


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
"""Column: its type, a value, and what Batch must have; None where there is nothing."""

REFUSED = {
    "numbers": ("super", [1, 2], "not_a_string"),
    "holes": ("super", ["a", None], "empty_item"),
    "wide": ("numeric(38,0)", Decimal(10**37), "out_of_range"),
    "nan": ("double precision", math.nan, "not_finite"),
    "endless": ("double precision", -math.inf, "not_finite"),
}
"""Column: its type, a value, and why Batch would refuse it."""


def test_its_own_types(quick: QuickProject) -> None:
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


def test_a_time_column_has_no_type_in_batch(quick: QuickProject) -> None:
    quick.map({"identifier": "id", "custom": ["at"]})
    quick.set_rows({"id": "text", "at": "time"}, [{"id": "x"}])
    with pytest.raises(Exception, match="which Batch has no type for"):
        quick.build()


# Consents


def test_nobody_is_subscribed_again(quick: QuickProject) -> None:
    """The statements that look for them are the longest of all."""
    test_guards.test_nobody_is_subscribed_again(quick)


# dbt's tests


def test_the_tests_of_values(shop: Project) -> None:
    """Each value that is refused, and no other."""
    columns = {"id": "text", "email": "text", "phone": "text"}
    shop.map(CONTACTS_MAPPING)
    shop.set_rows({**CONTACTS, **columns}, [])
    shop.build()
    fine = [("ada@example.com", "+33199000661"), ("a.b+c@x-y.example.fr", "+1"), (None, ""), ("", None)]
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


# Rights


def test_the_least_rights_day_by_day(shop: Project) -> None:
    """Each statement of the docs is one of PostgreSQL's as well."""
    check_rights(shop, documented("Redshift"), granted_by_dbt=False)


# The connection

BOXES = parse_table("shop.boxes", "redshift")


def boxes(opened: Warehouse, columns: dict[str, str]) -> None:
    """A table of the product's own."""
    opened.execute([Statement(create_table(BOXES, columns))])


def test_a_load_of_any_text_in_several_statements(opened: Warehouse) -> None:
    boxes(opened, {"place": "bigint", "word": "text", "seen_at": "timestamp", "good": "boolean"})
    number = 2_001
    words = ["'", "\\", "\\'", '"', "%s", ":word", "a\nb\r\tc", "$$", "$1 ?", "é😀\u2028", "", None]
    moment = datetime(2024, 2, 29, 1, 2, 3, 456789)
    rows = pa.table(
        {
            "place": pa.array(range(number), pa.int64()),
            "word": [words[n % len(words)] for n in range(number)],
            "seen_at": pa.array([moment if n % 2 else None for n in range(number)], pa.timestamp("us")),
            "good": [(None, True, False)[n % 3] for n in range(number)],
        }
    )
    opened.execute([Load(BOXES, rows)])
    query = exp.select("place", "word", "seen_at", "good").from_(BOXES.copy()).order_by("place")
    assert opened.fetch(Statement(query)) == [tuple(row.values()) for row in rows.to_pylist()]


@pytest.mark.parametrize("limit", [None, 0, 1, 7, 20, 100])
def test_pages(
    quick: QuickProject, opened: Warehouse, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    """Whatever their size is: every row once, in order, and none of a table that is another one by now."""
    monkeypatch.setattr(postgres_pages, "FIRST_PAGE_ROWS", 3)
    monkeypatch.setattr(postgres_pages, "MAX_PAGE_ROWS", 5)
    quick.execute(
        "create table t as select lpad(n::text, 3, '0') as k, repeat('x', n) as \"100%\", n / 4.0 as q "
        "from generate_series(1, 20) as n"
    )
    query = parse_one(
        """select d.k as k, d."100%" as v, d.q as q from shop.t as d where d.k <> :no order by d.k""",
        dialect="redshift",
    )
    assert isinstance(query, exp.Select)
    tree = query if limit is None else query.limit(limit)
    with opened.stream(Statement(tree, {"no": "%"}), 2) as rows:
        found = [row for batch in rows.batches for row in batch.to_pylist()]
        assert rows.schema.names == ["k", "v", "q"]
    wanted = [{"k": f"{n:03d}", "v": "x" * n, "q": f"{n / 4:g}"} for n in range(1, 21)]
    assert found == wanted[:limit]
    with opened.stream(Statement(query, {"no": ""}), 2) as rows:
        next(rows.batches)
        quick.execute("alter table t rename to old; create table t as select * from old")
        with pytest.raises(WarehouseError, match="t was replaced while it was being read"):
            list(rows.batches)


def test_all_steps_or_none(opened: Warehouse) -> None:
    boxes(opened, {"place": "bigint"})
    insert = Statement(insert_row(BOXES, {"place": "bigint"}), {"place": 1})
    wrong = Statement(exp.Delete(this=BOXES.copy()).where("no_such_column = 1"))
    with pytest.raises(WarehouseError, match=r"Redshift: .*no_such_column"):
        opened.execute([insert, insert, wrong])
    count = Statement(exp.select(exp.Count(this=exp.Star())).from_(BOXES.copy()))
    assert opened.fetch(count) == [(0,)]
    opened.execute([insert, insert])
    assert opened.fetch(count) == [(2,)]


def test_errors_tell_no_values(opened: Warehouse) -> None:
    number = exp.cast(exp.cast(exp.Placeholder(this="word"), "text"), "bigint")
    with pytest.raises(WarehouseError) as caught:
        opened.fetch(Statement(exp.select(number), {"word": "jane@example.com"}))
    assert "jane" not in str(caught.value)
    assert str(caught.value).startswith("Redshift: a value was not accepted (SQLSTATE 22P02)")


def test_a_lost_connection_is_opened_again(quick: QuickProject, opened: Warehouse) -> None:
    boxes(opened, {"place": "bigint"})
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    quick.execute(end)
    assert opened.fetch(Statement(exp.select("1"))) == [(1,)]
    quick.execute(end)
    insert = Statement(insert_row(BOXES, {"place": "bigint"}), {"place": 1})
    opened.execute([insert])
    die = Statement(parse_one("select pg_terminate_backend(pg_backend_pid())", dialect="redshift"))
    with pytest.raises(WarehouseError, match="Redshift: "):
        opened.execute([insert, die])
    assert quick.query("from boxes") == [{"place": 1}]


def test_a_deadlock_is_tried_again(quick: QuickProject, opened: Warehouse) -> None:
    quick.execute("create table t as select n, 0 as v from generate_series(1, 2) as n")
    database = quick.warehouse
    assert isinstance(database, RedshiftDatabase)
    with contextlib.closing(database.server.connect(database.name)) as other, other.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("update shop.t set v = v + 10 where n = 2")
        steps = [
            Statement(parse_one(f"update shop.t set v = v + 1 where n = {n}", dialect="redshift"))
            for n in (1, 2)
        ]
        ours = threading.Thread(target=opened.execute, args=(steps,))
        ours.start()
        waits = (
            "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        while not quick.query(waits):
            pass
        cursor.execute("set deadlock_timeout = '1h'")
        cursor.execute("update shop.t set v = v + 10 where n = 1")
        cursor.execute("commit")
        ours.join(30)
    assert {row["v"] for row in quick.query("from t")} == {11}


SERIALIZABLE = {
    "S": "ERROR",
    "C": "XX000",
    "M": "1023",
    "D": "Serializable isolation violation on table - 1, transactions forming the cycle are: 2, 3 (pid:4)",
}
"""The fields of the error as Redshift's documentation shows it."""


def test_a_serializable_isolation_violation_is_a_conflict(warehouse: RedshiftDatabase) -> None:
    import redshift_connector

    from dbt_batch_sync.warehouse.redshift_connection import Connection

    given = {name: cell for name, cell in warehouse.credentials.items() if name in ("host", "port", "user")}
    connection = Connection(
        lambda: redshift_connector.connect(database=warehouse.name, password="", ssl=False, **given)
    )
    with contextlib.closing(connection), pytest.raises(Conflict, match="Redshift: 1023"), connection.cursor():
        raise redshift_connector.ProgrammingError(SERIALIZABLE)


# The macros


@pytest.fixture(scope="module")
def compiled(
    batch: FaultyServer, warehouse: RedshiftDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The models whose SQL is recorded, built once with dbt."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("golden"), batch, warehouse)
    types = {"topics": "super", "huge": "numeric(38,0)", "ratio": "double precision", "token": "varchar(36)"}
    build(project, {**types, "tags": "super", "note": "super"})
    return project


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(compiled: Project, model: str) -> None:
    check(compiled, model, "redshift")
