"""All statements that dbt runs, recorded in `statements/<dialect>/<scenario>.sql`.

DuckDB's are recorded in full. Other dialects record only lines that differ in more than quotes, type names
and the functions in `normalized`. `RENEW_GOLDEN=1` updates the files; review the diff before you commit it.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from pathlib import Path

import pytest
from harness.goldens import DIALECTS, SCENARIOS, dbt, statements_of

STATEMENTS = Path(__file__).parent / "statements"
SAME = "-- as on DuckDB"
MAX_LINES = 5000

TYPES = (
    (r"varchar\(\d+\)|character varying\(\d+\)|varchar|string|text", "text"),
    (r"timestamp_ntz\(6\)|timestamp_ntz|datetime", "timestamp"),
    (r"double precision|float64|float", "double"),
    (r"int64", "bigint"),
    (r"boolean", "bool"),
    (r"number\(|numeric\(", "decimal("),
)


def normalized(line: str, dialect: str) -> str:
    """A line without quotes, case, blanks and collations, with DuckDB's type and function names."""
    text = line
    for function, name in functions_of(dialect):
        text = text.replace(function, name)
    text = re.sub(r"''+([^']+)''+", r"'\1'", text) if dialect == "bigquery" else text
    text = re.sub(r"\bshop\.", "", re.sub(r'["`]', "", text.lower()))
    text = re.sub(r"collate\((\w+), ''\)", r"cast(\1 as text)", re.sub(" collate (c|posix)", "", text))
    text = re.sub(r"collate\((cast\(.+? as varchar\(\d+\)\)), 'case_sensitive'\)", r"\1", text)
    text = re.sub(r"strpos\(((?:[^(),]|\([^()]*\))*), ('[^']*'|chr\(\d+\))\)", r"position(\2 in \1)", text)
    for pattern, name in TYPES:
        text = re.sub(rf"\b(?:{pattern})(?!\w)", name, text)
    return re.sub(r"\s+", "", text)


@functools.cache
def functions_of(dialect: str) -> tuple[tuple[str, str], ...]:
    it = dbt(dialect)
    past = [(it.seconds_ago(seconds), "past") for seconds in (60, 90)]
    return (*past, (it.utc_now(), "now"), (it.page_expression(it.column("custom_id")), "page"))


@functools.cache
def lines_of(dialect: str, scenario: str) -> tuple[str, ...]:
    text = ";\n".join(statements_of(dialect, scenario)) + ";\n"
    text = re.sub(r"position\(\s+(.+)\s+\)", r"position(\1)", text)
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())


def written(scenario: str, dialect: str) -> str:
    """A file's content; empty if nothing differs from DuckDB."""
    lines = lines_of(dialect, scenario)
    if dialect == "duckdb":
        return "\n".join(lines) + "\n"
    first = [normalized(line, "duckdb") for line in lines_of("duckdb", scenario)]
    own = [normalized(line, dialect) for line in lines]
    found = []
    for kind, _, _, begin, end in difflib.SequenceMatcher(None, first, own, autojunk=False).get_opcodes():
        found += (
            [f"{SAME} ({end - begin} lines)"]
            if kind == "equal"
            else lines[begin:end] or ["-- without some lines of DuckDB"]
        )
    return "" if first == own else "\n".join(found) + "\n"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_statements(scenario: str, dialect: str) -> None:
    path = STATEMENTS / dialect / f"{scenario}.sql"
    text = written(scenario, dialect)
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text, encoding="utf-8")
    assert (path.read_text(encoding="utf-8") if path.exists() else "") == text


def test_every_file_belongs_to_a_scenario_and_is_small() -> None:
    paths = list(STATEMENTS.glob("*/*"))
    assert {path.stem for path in paths} == SCENARIOS.keys()
    assert {path.parent.name for path in paths} == set(DIALECTS)
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths) <= MAX_LINES


@pytest.mark.parametrize(
    ("dialect", "given"),
    [
        ("postgres", {"indexes": [{"columns": ["nick"]}]}),
        ("snowflake", {"transient": True, "cluster_by": ["custom_id"]}),
        ("bigquery", {"cluster_by": ["nick"], "partition_by": {"field": "_batch_sent_at"}}),
        ("redshift", {"sort": "nick", "dist": "all"}),
        ("databricks", {"liquid_clustered_by": "nick"}),
        ("databricks", {"partition_by": "nick"}),
        ("databricks", {"auto_liquid_cluster": True}),
    ],
)
def test_configs_of_the_project_are_kept(dialect: str, given: dict[str, object]) -> None:
    it = dbt(dialect, configs={**given, "file_format": "delta"})
    it.sent_snapshot("people")
    configs = dict(it._configs)
    assert {name: configs[name] for name in given} == given
    if dialect == "databricks":
        clustered = {"partition_by", "liquid_clustered_by", "auto_liquid_cluster"}
        assert configs.keys() & clustered == given.keys()


def test_databricks_accepts_delta_only() -> None:
    it = dbt("databricks")
    problems = {
        kind: it.storage_problem({"name": "m", "config": {"file_format": kind}})
        for kind in (None, "delta", "iceberg", "parquet")
    }
    assert [kind for kind, problem in problems.items() if not problem] == [None, "delta"]


@pytest.mark.parametrize(
    ("dialect", "exact", "collated", "answer", "found"),
    [
        ("snowflake", "VARCHAR(16777216)", "VARCHAR(16777216) COLLATE 'en-ci'", "", "'en-ci'"),
        ("databricks", "string", "string collate UTF8_LCASE", "", "utf8_lcase"),
        ("redshift", "varchar(256)", "varchar(256)", "select db_collation()", "case_insensitive"),
        ("bigquery", "STRING", "STRING", "INFORMATION_SCHEMA.COLUMNS", "und:ci"),
    ],
)
def test_a_snapshot_is_not_created_with_a_collation(
    dialect: str, exact: str, collated: str, answer: str, found: str
) -> None:
    name = "people_sent_snapshot"
    it = dbt(dialect, tables={name: [("custom_id", exact)]})
    it.check_collation(it.relation(name))
    assert not [statement for statement in it.statements if statement.startswith("drop")]
    answers = [(answer, [{"collation": found}])] if answer else []
    it = dbt(dialect, *answers, tables={name: [("custom_id", collated)]})
    with pytest.raises(AssertionError, match=f"get the collation {found}, "):
        it.check_collation(it.relation(name))
    assert it.statements[-1] == f"drop {it.relation(name)}"


@pytest.mark.parametrize(
    ("dialect", "dtype", "exact"),
    [
        ("duckdb", "VARCHAR", 'cast("Id" as VARCHAR) collate posix'),
        ("postgres", "text", 'cast("Id" as text) collate "C"'),
        ("snowflake", "VARCHAR(9) COLLATE 'en-ci'", """collate(cast("Id" as VARCHAR), '')"""),
        ("bigquery", "STRING", "collate(cast(`Id` as STRING), '')"),
        ("redshift", "varchar(9)", """collate(cast("Id" as varchar(2048)), 'case_sensitive')"""),
        ("databricks", "string collate UTF8_LCASE", "cast(`Id` collate utf8_binary as string)"),
    ],
)
def test_identifiers_are_compared_exactly(dialect: str, dtype: str, exact: str) -> None:
    found = dbt(dialect).identifier_expression({"column": "Id", "column_type": dtype})
    assert str(found).strip() == exact
