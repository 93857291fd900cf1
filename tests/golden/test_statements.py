"""Every statement that dbt runs, as recorded in `statements/<dialect>/<occasion>.sql`.

DuckDB's are recorded in full. Of another dialect only the lines are that differ in more than quotes, names of types and the
functions that `normalised` lists. `RENEW_GOLDEN=1` writes the files anew; look at their difference before it is committed.
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


def normalised(line: str, dialect: str) -> str:
    """A line without quotes, case, blanks and collations, with DuckDB's names of types and functions."""
    text = line
    for function, name in functions_of(dialect):
        text = text.replace(function, name)
    text = re.sub(r"''+([^']+)''+", r"'\1'", text) if dialect == "bigquery" else text
    text = re.sub(r"\bshop\.", "", re.sub(r'["`]', "", text.lower()))
    text = re.sub(r"collate\((\w+), ''\)", r"cast(\1 as text)", text.replace(" collate c", ""))
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
def lines_of(dialect: str, occasion: str) -> tuple[str, ...]:
    text = ";\n".join(statements_of(dialect, occasion)) + ";\n"
    text = re.sub(r"position\(\s+(.+)\s+\)", r"position(\1)", text)
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())


def written(occasion: str, dialect: str) -> str:
    """The content of a file; nothing where all is as on DuckDB."""
    lines = lines_of(dialect, occasion)
    if dialect == "duckdb":
        return "\n".join(lines) + "\n"
    first = [normalised(line, "duckdb") for line in lines_of("duckdb", occasion)]
    own = [normalised(line, dialect) for line in lines]
    found = []
    for kind, _, _, begin, end in difflib.SequenceMatcher(None, first, own, autojunk=False).get_opcodes():
        found += (
            [f"{SAME} ({end - begin} lines)"]
            if kind == "equal"
            else lines[begin:end] or ["-- without some lines of DuckDB"]
        )
    return "" if first == own else "\n".join(found) + "\n"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("occasion", SCENARIOS)
def test_statements(occasion: str, dialect: str) -> None:
    path = STATEMENTS / dialect / f"{occasion}.sql"
    text = written(occasion, dialect)
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text, encoding="utf-8")
    assert (path.read_text(encoding="utf-8") if path.exists() else "") == text


def test_every_file_is_of_an_occasion_and_all_can_be_read() -> None:
    paths = list(STATEMENTS.glob("*/*"))
    assert {path.stem for path in paths} == SCENARIOS.keys()
    assert {path.parent.name for path in paths} == set(DIALECTS)
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths) <= MAX_LINES
