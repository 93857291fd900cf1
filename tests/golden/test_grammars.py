"""All statements that dbt runs are valid in grammars other than sqlglot's: sqlfluff's, and Google's analyzer
for BigQuery.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import pytest
import sqlglot
from harness.goldens import DIALECTS, SCENARIOS, statements_of, tables_of
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.dialects import dialect_selector
from sqlglot import exp
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.core.exceptions import ServerError
from zetasql.types import (
    AnalyzerOptions,
    ArrayType,
    LanguageOptions,
    Type,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

pytestmark = pytest.mark.grammars

GRAMMARS = {**{dialect: dialect for dialect in DIALECTS}, "spark": "sparksql"}

# Documented syntax that sqlfluff's grammars lack: expressions in `position(a in b)`, and column compression.
_SEARCHED = (r"position\((\s*(?:'[^']*'|chr\(\d+\)|',' \|\| r\.attribute \|\| ',')) in", r"position(\1,")
GAPS = {
    "snowflake": [_SEARCHED],
    "spark": [_SEARCHED],
    "duckdb": [(" using compression zstd", "")],
}

PLACEHOLDER = re.compile(r"(?<![\w:'])[:$@][a-z_]+\b|%\([a-z_]+\)s")

KINDS = {
    "STRING": TypeKind.TYPE_STRING,
    "BIGINT": TypeKind.TYPE_INT64,
    "INT64": TypeKind.TYPE_INT64,
    "NUMERIC": TypeKind.TYPE_NUMERIC,
    "BIGNUMERIC": TypeKind.TYPE_BIGNUMERIC,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "BOOL": TypeKind.TYPE_BOOL,
    "DATE": TypeKind.TYPE_DATE,
    "DATETIME": TypeKind.TYPE_DATETIME,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    "JSON": TypeKind.TYPE_JSON,
}


def distinct(dialect: str) -> Iterator[tuple[str, str]]:
    """Every distinct statement, with the first scenario that runs it."""
    seen = set()
    for scenario in SCENARIOS:
        for statement in statements_of(dialect, scenario):
            if statement not in seen:
                seen.add(statement)
                yield scenario, statement


@functools.cache
def linter(dialect: str) -> Linter:
    return Linter(config=FluffConfig(overrides={"dialect": GRAMMARS[dialect]}))


def unparsable(statement: str, dialect: str) -> list[str]:
    return [str(violation.desc()) for violation in linter(dialect).parse_string(statement).violations]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sqlfluff_parses_every_statement(dialect: str) -> None:
    used = set()
    for scenario, statement in distinct(dialect):
        text = PLACEHOLDER.sub("1", statement)
        for gap in GAPS.get(dialect, []):
            text, times = re.subn(*gap, text)
            used |= {gap} if times else set()
        assert unparsable(text, dialect) == [], (scenario, statement)
    assert used == set(GAPS.get(dialect, [])), "sqlfluff no longer needs this workaround"


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("redshift", "select 1 from (select 1 as x) as delta"),
        ("spark", "update t set a = d.a from d where t.x = d.x"),
        ("databricks", "update t set a = d.a from d where t.x = d.x"),
        ("postgres", "select * from t where"),
    ],
)
def test_sqlfluff_rejects_invalid_statements(dialect: str, statement: str) -> None:
    assert unparsable(statement, dialect)


def analyzed(statement: str) -> str:
    """The statement adapted to the analyzer, which knows neither COLLATE nor the alias of INT64 nor datasets."""
    text = statement.replace("`shop`.`marts`.", "").replace("INFORMATION_SCHEMA.", "INFORMATION_SCHEMA_")
    text = re.sub(r"\bcollate\(((?:[^()]|\([^()]*\))*), ''\)", r"(\1)", text)
    return re.sub(r"\bbigint\b", "INT64", text)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    language = LanguageOptions.maximum_features()
    catalog = CatalogBuilder("shop")
    texts = Type(
        type_kind=TypeKind.TYPE_ARRAY,
        array_type=ArrayType(element_type=Type(type_kind=TypeKind.TYPE_STRING)),
    )
    described = {"INFORMATION_SCHEMA_COLUMNS": {"table_name": "STRING", "collation_name": "STRING"}}
    for name, columns in {**tables_of("bigquery"), **described}.items():
        table = TableBuilder(name)
        for column, kind in columns.items():
            table.add_column(column, texts if kind == "ARRAY<STRING>" else KINDS[kind.upper()])
        catalog.add_table(table.build())
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    built = catalog.with_builtin_functions(functions).build()
    return Analyzer(AnalyzerOptions(language_options=language, allow_undeclared_parameters=True), built)


def test_googles_analyzer_resolves_every_statement(analyzer: Analyzer) -> None:
    for scenario, statement in distinct("bigquery"):
        try:
            analyzer.analyze_statement(analyzed(statement))
        except ServerError as error:
            pytest.fail(f"{scenario}: {error}\n{statement}")
    with pytest.raises(ServerError, match="Unrecognized name"):
        analyzer.analyze_statement("select unknown from people")
    with pytest.raises(ServerError, match="No matching signature"):
        analyzer.analyze_statement("select nick = 1 from people")


def reserved(dialect: str) -> set[str]:
    """Words that can't be unquoted names, according to both."""
    ours = dialect_selector(GRAMMARS[dialect]).sets("reserved_keywords")
    theirs = sqlglot.Dialect.get_or_raise(dialect).generator_class.RESERVED_KEYWORDS
    return {word.lower() for word in {*ours, *theirs}}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unquoted_names_are_not_reserved_words(dialect: str) -> None:
    found = {}
    for scenario, statement in distinct(dialect):
        for tree in sqlglot.parse(statement.replace(" using compression zstd", ""), dialect=dialect):
            assert tree is not None
            for name in tree.find_all(exp.Identifier):
                if not name.quoted:
                    found[name.name.lower()] = scenario
    assert "recorded_at" in found
    assert "batch_sync_journal" in found or dialect not in ("snowflake", "spark")
    assert {name: scenario for name, scenario in found.items() if name in reserved(dialect)} == {}


def test_every_bigquery_update_and_delete_has_a_where() -> None:
    trees = [sqlglot.parse_one(statement, dialect="bigquery") for _, statement in distinct("bigquery")]
    changes = [tree for tree in trees if isinstance(tree, (exp.Update, exp.Delete))]
    assert len(changes) > 3
    assert all(tree.args.get("where") for tree in changes)
