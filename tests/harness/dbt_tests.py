"""Checks that the package's dbt tests and the renderer accept the same values.

A class that each warehouse's tests inherit, like `harness.behaviour`; the subclass's module provides the
fixture `warehouse`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pytest
from harness.databases import Database
from harness.faulty_sandbox import FaultyServer
from harness.project import Project
from harness.rendering import delta, rows_of, typed

SPACES = [
    chr(code) for code in (0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)
]
CONTROLS = [chr(code) for code in (0x01, 0x09, 0x0A, 0x0D, 0x1F, 0x20, 0x7F, 0x85, 0x9F)]
NOT_SPACES = [chr(code) for code in (0xA1, 0xAD, 0x180E, 0x200B, 0x200D, 0x2060, 0x303F, 0x1F600, 0x10FFFF)]
COMMON = ["", " ", "\t", "\n", "a", "'", '"', "\\", "%", "_", "é", "null", "\U0001f600"]

VALUES: dict[str, list[str]] = {
    "email_address": [
        *COMMON,
        *(f"a{char}b@example.com" for char in (*SPACES, *CONTROLS, *NOT_SPACES)),
        *(f"{char}@example.com" for char in ("é", "'", "\\", "+", ".", "@")),
        "ada@example.com",
        "ada@example",
        "ada@example.",
        "ada@.com",
        "@example.com",
        "ada@exa_mple.com",
        "ada@exämple.com",
        "ada@-a-.b",
        *("ada@example..com", "ada.@example.com", ".a@example.com", "a..b@example.com", "ada@example-.com"),
        *(
            "mailto:ada@example.com",
            "<a@example.com",
            "a,b@example.com",
            "a[b@example.com",
            "a]b@example.com",
        ),
        *("ada@10.0.0.1", "ada@" + "x" * 63 + ".com", "ada@" + "x" * 64 + ".com", "o'neil+x@a-b.co.uk"),
        "ada@example.com\n",
        "\nada@example.com",
        "ada@example.com ",
        "ada@example.c-m",
        "a@b@c.de",
        "a" * 116 + "@example.com",
        "a" * 117 + "@example.com",
        "é" * 116 + "@example.com",
        "\U0001f600" * 116 + "@example.com",
        "\U0001f600" * 117 + "@example.com",
    ],
    "phone_number": [
        *COMMON,
        "+1",
        "+",
        *("+33199000661", "+12025550123", "+0199000661", "+999123456789", "+3319900066", "+491234567890123"),
        "+123456789012345",
        "+1234567890123456",
        "33199000661",
        "+33 199000661",
        "+33199000661\n",
        "\n+33199000661",
        "++33199000661",
        "+٣٣",
        "+１２",
        "+3a",
    ],
    "language": [*COMMON, "fr", "FR", "Fr", "fr ", " fr", "fr-FR", "fra", "xx", "iw", "in", "zu", "fr\n"],
    "region": [*COMMON, "FR", "fr", "GB", "UK", "EU", "XK", "FR ", "FRA", "ZW", "FR\n"],
    "timezone": [
        *COMMON,
        "Europe/Paris",
        "europe/paris",
        "Europe/Paris ",
        "CEST",
        "UTC",
        "Etc/GMT+1",
        "America/Port-au-Prince",
        "Europe/Kiev",
        "Europe/Kyiv",
        "+01:00",
        "Z",
    ],
    "string": [
        *COMMON,
        "x" * 300,
        "x" * 301,
        "é" * 300,
        "é" * 301,
        "\U0001f600" * 300,
        "\U0001f600" * 301,
        " " * 301,
        "e\u0301" * 150,
        "e\u0301" * 151,
        "👨‍👩‍👧‍👦" * 42,
        "👨‍👩‍👧‍👦" * 43,
    ],
}
TESTS = {
    "email_address": "batch_email",
    "phone_number": "batch_phone",
    "language": "batch_language",
    "region": "batch_region",
    "timezone": "batch_timezone",
    "string": "batch_string",
}
IDENTIFIERS = [
    *COMMON,
    *SPACES,
    *CONTROLS,
    *(f"a{char}b" for char in (*SPACES, *CONTROLS, *NOT_SPACES)),
    *("c-1", "C-1", "twin", "twin", " twin", "42", "undefined", "UNDEFINED", " Null ", "(null)", "nil"),
    *("[object Object]", "true", "False", "NaN", "Infinity", "-infinity", "infinity!", "null\t"),
    *("x" * 511, "x" * 512, "é" * 511, "é" * 512, "\U0001f600" * 511, "\U0001f600" * 512),
]

NAMES = [*COMMON, "bought", "a" * 30, "a" * 31, "a_1", "Bought", "a-b", "bought\n", "é", None]
EVENTS = [("a", "ann"), ("b", "ann"), ("b", "ann"), ("c", "ann"), ("c", "bob"), (None, "ann"), ("d", None)]

ALIKE = ["a", "A", " a", "a\t", "b", "B-1", "c-1"]
ALIKE_WHERE_TOLD = ["é", "e\u0301", "z", "z\u200b"]
"""Texts that differ by normal form or invisible characters, which some warehouses can't tell apart."""
TELL = ("duckdb", "postgres", "bigquery")

Found = Mapping[str, set[tuple[str | None, str]]]
"""Failing values and reasons, by test."""


@pytest.fixture(scope="module")
def tested(batch: FaultyServer, warehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose models contain the values, after `dbt run`."""
    warehouse.clear()
    project = Project(tmp_path_factory.mktemp("tests"), batch, warehouse, whole=True)
    count = max(map(len, VALUES.values()))
    padded = {name: [*values, *[None] * (count - len(values))] for name, values in VALUES.items()}
    rows = [{"id": str(n), **{name: padded[name][n] for name in VALUES}} for n in range(count)]
    project.set_rows({"id": "varchar", **dict.fromkeys(VALUES, "varchar")}, rows, "people")
    project.set_rows({"id": "varchar"}, [{"id": value} for value in [*IDENTIFIERS, None]], "ids")
    project.set_rows({"id": "varchar"}, [{"id": value} for value in (*ALIKE, *ALIKE_WHERE_TOLD)], "alike")
    project.set_rows(
        {"id": "varchar", "person": "varchar"},
        [{"id": key, "person": person} for key, person in EVENTS],
        "events",
    )
    project.set_rows({"name": "varchar"}, [{"name": name} for name in NAMES], "names")
    models = project.directory / "models"
    models.mkdir()
    columns = {
        "people": {**TESTS},
        "ids": {"id": "batch_identifier"},
        "alike": {"id": "batch_similar_identifiers"},
        "names": {"name": "batch_event_name"},
    }
    for name, tests in columns.items():
        (models / f"{name}.sql").write_text(f"select * from {warehouse.source(name)}")
        described = [_described(warehouse, column, test) for column, test in tests.items()]
        (models / f"{name}.yml").write_text(json.dumps({"models": [{"name": name, "columns": described}]}))
    (models / "events.sql").write_text(f"select * from {warehouse.source('events')}")
    described = [
        _described(warehouse, "id", "batch_event_id", profile="person"),
        _described(warehouse, "person", "batch_identifier", "events", unique=False),
    ]
    (models / "events.yml").write_text(json.dumps({"models": [{"name": "events", "columns": described}]}))
    project.map(
        {"identifier": "id", "membership": "is_in", "on_exit": "flag"},
        "sync",
        sql=f"select * from {warehouse.source('ids')}",
    )
    project.build()
    return project


def _described(
    warehouse: Database, column: str, test: str, name: str = "", **arguments: object
) -> dict[str, object]:
    # Quoted column names, as in this test's tables: Snowflake would read an unquoted name as upper case.
    quoted = {"quote": True} if warehouse.adapter == "snowflake" else {}
    return {
        "name": column,
        **quoted,
        "data_tests": [{f"dbt_batch_sync.{test}": {"name": f"found_by_{name or test}", **arguments}}],
    }


@pytest.fixture(scope="module")
def found(tested: Project) -> Found:
    """Results of `dbt test`."""
    failed = tested.dbt("test", "--store-failures", fails=True)
    credentials = tested.warehouse.credentials
    schema = f"{credentials.get('schema') or credentials.get('dataset') or 'main'}_dbt_test__audit"
    stored: dict[str, set[tuple[str | None, str]]] = {}
    keys = {"batch_identifier": "custom_id", "events": "custom_id", "batch_event_id": "event_id"}
    for test in (*TESTS.values(), *keys, "batch_event_name"):
        rows = tested.query(f'select * from "{schema}"."found_by_{test}"')
        assert f"Got {len(rows)} result" in failed.messages
        stored[test] = {(row[keys.get(test, "value")], row["reason"]) for row in rows}
    rows = tested.query(f'select * from "{schema}"."found_by_batch_similar_identifiers"')
    stored["batch_similar_identifiers"] = {(row["custom_id"], "alike") for row in rows}
    return stored


class DbtTests:
    """`dbt test` finds all bad values, and nothing else."""

    @pytest.mark.parametrize("name", sorted(TESTS))
    def test_a_test_finds_what_the_renderer_holds_back(self, found: Found, name: str) -> None:
        column = name if name == "string" else f"batch__{name}"
        values = list(dict.fromkeys(VALUES[name]))
        rows = rows_of(delta({column: pa.array(values, pa.string())}), typed(**{column: "string"}))
        withheld = {
            (value, row.rejected[column]) for value, row in zip(values, rows, strict=True) if row.rejected
        }
        assert found[TESTS[name]] == withheld
        assert 0 < len(withheld) < len(values)

    def test_invalid_identifiers_are_found(self, tested: Project, found: Found) -> None:
        rows = tested.delta("sync")
        invalid = {
            (row["custom_id"], row["_batch_reason"]) for row in rows if row["_batch_change"] == "invalid"
        }
        assert found["batch_identifier"] == invalid
        reasons = {reason for _, reason in invalid}
        assert len(reasons) == 7
        assert len({row["custom_id"] for row in rows}) > len(invalid) / 2

    def test_invalid_events_are_found(self, found: Found) -> None:
        assert found["batch_event_id"] == {
            (None, "null_event_id"), ("b", "duplicate_event_id"), ("c", "event_id_of_two_profiles"),
        }  # fmt: skip
        assert found["events"] == {(None, "null_identifier")}, "a profile may have several events"
        good = {"a", "_", "null", "bought", "a" * 30, "a_1"}
        assert found["batch_event_name"] == {(name, "invalid_name") for name in NAMES if name not in good}

    def test_similar_identifiers_are_warnings(self, tested: Project, found: Found) -> None:
        expected = {*ALIKE[:4], *(ALIKE_WHERE_TOLD if tested.warehouse.adapter in TELL else ())}
        assert {value for value, _ in found["batch_similar_identifiers"]} == expected

    def test_good_values_pass(self, tested: Project, found: Found) -> None:
        """Without the bad values, all tests pass."""
        bad = {value for name, test in found.items() if "similar" not in name for value, _ in test}
        good = {name: [value for value in values if value not in bad] for name, values in VALUES.items()}
        count = max(map(len, good.values()))
        rows = [
            {"id": str(n), **{name: values[n] if n < len(values) else None for name, values in good.items()}}
            for n in range(count)
        ]
        tested.set_rows({"id": "varchar", **dict.fromkeys(VALUES, "varchar")}, rows, "people")
        kept = [{"id": value} for value in IDENTIFIERS if value not in bad]
        tested.set_rows({"id": "varchar"}, kept, "ids")
        tested.set_rows({"id": "varchar", "person": "varchar"}, [{"id": "a", "person": "ann"}], "events")
        tested.set_rows({"name": "varchar"}, [{"name": "bought"}], "names")
        tested.dbt("test")
