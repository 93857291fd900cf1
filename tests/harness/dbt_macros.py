"""The package's macros, rendered for any warehouse without connecting to one. Uses dbt's Jinja and macros,
and a fake adapter.

All statements run by a macro are kept, in order. `dbt_macros.sql` has the overrides from the adapters'
packages.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dbt.include.duckdb
import dbt.include.global_project
import dbt.include.postgres
import jinja2
import pytz
from dbt_common.clients.jinja import get_environment
from dbt_common.exceptions.macros import MacroReturn

ROOT = Path(__file__).parents[2]
PACKAGE = "dbt_batch_sync"
ID = "00000000-0000-4000-8000-000000000002"
"""The id of the delta being built."""
NOW = datetime.datetime(2024, 5, 6, 7, 8, 9)
FAMILIES = {"databricks": ("databricks", "spark"), "redshift": ("redshift", "postgres")}
BACKTICKS = ("bigquery", "databricks", "spark")
TEXTS = {"bigquery": "string", "databricks": "string", "spark": "string"}
"""Names of the text type; on other adapters it is TEXT."""
ADDED = {
    "duckdb": {"VARCHAR": "character varying(256)"},
    "snowflake": {"VARCHAR": "character varying(16777216)"},
}
"""How an adapter writes a type in `add column`, if different."""

Row = Mapping[str, object]
Answer = tuple[str, Sequence[Row]]
"""A part of a statement and the rows to return for it. The first match counts."""


def quoted(dialect: str, name: str) -> str:
    return f"`{name}`" if dialect in BACKTICKS else f'"{name}"'


class Answered(tuple[Any, ...]):
    """A result row, accessible by index and by name."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, row: Row) -> Answered:
        answered = cls(row.values())
        answered.names = tuple(row)
        return answered

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)


@dataclass(frozen=True)
class Column:
    """A column as an adapter reports it."""

    dialect: str
    name: str
    dtype: str
    mode: str = "NULLABLE"

    @property
    def data_type(self) -> str:
        return ADDED.get(self.dialect, {}).get(self.dtype, self.dtype)

    expanded_data_type = data_type

    @property
    def quoted(self) -> str:
        return quoted(self.dialect, self.name)


@dataclass(frozen=True)
class Relation:
    """A table or view, rendered as the dialect's adapter does."""

    dialect: str
    database: str | None
    schema: str
    identifier: str
    type: str | None = None

    def render(self) -> str:
        parts = [self.database, self.schema, self.identifier]
        if self.dialect == "spark":
            return ".".join(part for part in parts[1:] if part)
        if self.dialect == "snowflake":
            return ".".join(part for part in parts if part)
        return ".".join(quoted(self.dialect, part) for part in parts if part)

    __str__ = render

    def incorporate(self, path: Mapping[str, str] | None = None, type: str | None = None) -> Relation:
        return replace(self, **(path or {}), type=type or self.type)

    def include(self, **kinds: bool) -> Relation:
        return self

    def without_identifier(self) -> str:
        return replace(self, identifier="").render()


class Macros:
    """One dbt command on one warehouse.

    `tables`: the existing tables by name, each with its columns' names and types. A table without columns
    doesn't exist. `answers`: searched in order. A query without a match returns no rows.
    """

    def __init__(
        self,
        dialect: str,
        *,
        nodes: Iterable[Mapping[str, Any]] = (),
        tables: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        answers: Sequence[Answer] = (),
        configs: Mapping[str, Any] | None = None,
    ) -> None:
        self.dialect = dialect
        self.statements: list[str] = []
        self.lookups: list[str] = []
        self._families = FAMILIES.get(dialect, (dialect,))
        self.tables = {name: list(columns) for name, columns in (tables or {}).items()}
        self._answers = list(answers)
        self._configs = dict(configs or {})
        self._results: dict[str, Any] = {}
        self._modules: dict[Path, Any] = {}
        self._context = self._make_context({str(node["unique_id"]): _Node(node) for node in nodes})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.macro(name)

    def macro(self, name: str) -> Callable[..., Any]:
        """One of our macros as a function. None and strings are passed on as dbt does."""
        return self._named(name, PACKAGE)

    def run(self, name: str, *args: Any) -> None:
        """Run the statements that a macro renders, as dbt runs a hook."""
        text = str(self.macro(name)(*args)).strip()
        if text:
            self._execute(text)

    def relation(self, identifier: str, type: str | None = "table") -> Relation:
        shown = (
            identifier.upper()
            if self.dialect == "snowflake" and identifier.startswith("batch_")
            else identifier
        )
        database = None if self.dialect == "spark" else "shop"
        return Relation(self.dialect, database, "marts", shown, type)

    def materialize(self, relation: Relation, sql: str) -> None:
        self.knowing(this=relation, sql=sql, pre_hooks=[], post_hooks=[])
        self._named("materialization_sent_snapshot_default", PACKAGE)()

    def at(self, relation: Relation) -> Macros:
        """The same command, in a hook of this model."""
        self.knowing(this=relation)
        return self

    def knowing(self, **more: object) -> None:
        """Set variables of dbt's context."""
        self._context = {**self._context, **more}
        self._modules.clear()

    def _named(self, name: str, package: str) -> Callable[..., Any]:
        file = self._macros(package)[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            if file not in self._modules:
                self._modules[file] = _template(file).make_module(vars=self._context)
            try:
                return getattr(self._modules[file], f"dbt_macro__{name}")(*args, **kwargs)
            except MacroReturn as answer:
                return answer.value

        return call

    def _macros(self, package: str) -> Mapping[str, Path]:
        return _package_macros() if package == PACKAGE else _dbt_macros(self._families[-1])

    def _dispatch(self, name: str, package: str) -> Callable[..., Any]:
        for prefix in (*self._families, "default"):
            if f"{prefix}__{name}" in self._macros(package):
                return self._named(f"{prefix}__{name}", package)
        raise LookupError(f"no {name} for {self.dialect}")

    def _execute(self, sql: str, **how: object) -> tuple[str, Result]:
        statement = sql.strip().removesuffix(";").rstrip()
        rows = self._described(statement)
        if rows is not None:
            self.lookups.append(statement)
        else:
            self.statements.append(statement)
            rows = next((rows for part, rows in self._answers if part in statement), [])
        return "", Result([Answered.of(row) for row in rows])

    def _described(self, statement: str) -> Sequence[Row] | None:
        """The result of a query for a table's columns."""
        pattern = r"describe table \S+\.(\w+)$|c\.relname = '(\w+)'"
        found = re.search(pattern, statement)
        if not found:
            return None
        columns = self.tables.get((found[1] or found[2]).lower(), [])
        return [{"name": name, "type": dtype} for name, dtype in columns]

    def _columns_of(self, relation: Relation) -> list[Column]:
        return [self._column(*column) for column in self.tables.get(relation.identifier.lower(), [])]

    def _column(self, name: str, dtype: str) -> Column:
        if self.dialect == "bigquery" and dtype.startswith("ARRAY<"):
            return Column(self.dialect, name, dtype[6:-1], "REPEATED")
        return Column(self.dialect, name, dtype)

    def _get_relation(self, database: str | None, schema: str, identifier: str) -> Relation | None:
        found = identifier.lower() in self.tables
        return Relation(self.dialect, database, schema, identifier, "table") if found else None

    def _config(self, *args: Any, **values: Any) -> str:
        self._configs.update({**(args[0] if args else {}), **values})
        return ""

    def _make_context(self, nodes: Mapping[str, Any]) -> dict[str, Any]:
        config = _Callable(self._config)
        config.get = lambda name, default=None, **how: self._configs.get(name, default)
        column = SimpleNamespace(
            create=self._column, translate_type=lambda kind: TEXTS.get(self.dialect, "TEXT")
        )
        relation = SimpleNamespace(create=self._create)
        named: dict[str, Any] = {name: self._named(name, "dbt") for name in self._macros("dbt")}
        return {
            **named,
            "dbt": _Namespace(self, "dbt"),
            PACKAGE: _Namespace(self, PACKAGE),
            "adapter": SimpleNamespace(
                dispatch=self._dispatch,
                type=lambda: self.dialect,
                quote=lambda name: quoted(self.dialect, name),
                execute=self._execute,
                get_relation=self._get_relation,
                parse_index=lambda index: SimpleNamespace(
                    **{"type": None, "unique": False, **index}, render=lambda relation: "index_1"
                ),
                get_columns_in_relation=self._columns_of,
                cache_added=lambda relation: "",
                drop_relation=lambda relation: self.statements.append(f"drop {relation}"),
                commit=lambda: "",
            ),
            "api": SimpleNamespace(Column=column, Relation=relation),
            "config": config,
            "model": _Node(
                {
                    "name": "people_sent_snapshot",
                    "unique_id": "model",
                    "config": self._configs,
                    "depends_on": {"nodes": list(nodes)},
                }
            ),
            "execute": True,
            "flags": SimpleNamespace(WHICH="run"),
            "graph": SimpleNamespace(nodes=nodes),
            "selected_resources": list(nodes),
            "invocation_id": ID,
            "invocation_args_dict": {},
            "target": {"name": "prod"},
            "ref": lambda name, v=None: self.relation(name),
            "builtins": SimpleNamespace(ref=lambda name, v=None: self.relation(name)),
            "modules": SimpleNamespace(datetime=_Clock, pytz=pytz, re=re),
            "local_md5": lambda text: hashlib.md5(text.encode()).hexdigest(),
            "tojson": lambda value, sort_keys=False: json.dumps(value, sort_keys=sort_keys),
            "exceptions": SimpleNamespace(raise_compiler_error=_fail),
            "return": _return,
            "log": lambda *args, **how: "",
            "write": lambda *args: "",
            "store_result": self._store,
            "load_result": lambda name: SimpleNamespace(table=self._results[name]),
            "load_cached_relation": lambda relation: None,
            "run_hooks": lambda hooks, **how: "",
            "should_revoke": lambda *args, **how: False,
            "apply_grants": lambda *args, **how: "",
            "persist_docs": lambda *args, **how: "",
        }

    def _create(
        self, database: str | None = None, schema: str = "", identifier: str = "", type: str | None = None
    ) -> Relation:
        return Relation(self.dialect, database, schema, identifier, type)

    def _store(self, name: str, response: str, agate_table: Any) -> str:
        self._results[name] = agate_table
        return ""


class _Namespace:
    def __init__(self, macros: Macros, package: str) -> None:
        self._macros, self._package = macros, package

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._macros._macros(self._package):
            raise AttributeError(name)
        return self._macros._named(name, self._package)


class _Callable(SimpleNamespace):
    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__(call=call)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


class _Node(dict[str, Any]):
    """A node of dbt's graph. Its keys are attributes too."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        value = self[name]
        return _Node(value) if type(value) is dict else value


class _Clock:
    """`modules.datetime` with a stopped clock."""

    timedelta = datetime.timedelta

    class datetime(datetime.datetime):
        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return NOW


@dataclass(frozen=True)
class Result:
    """The rows of a query, as dbt passes them to macros."""

    rows: Sequence[Answered]


def _fail(message: str) -> None:
    raise AssertionError(message)


def _return(value: Any = None) -> None:
    raise MacroReturn(value)


@functools.cache
def _package_macros() -> Mapping[str, Path]:
    return _read(sorted((ROOT / "macros").rglob("*.sql")))


@functools.cache
def _dbt_macros(family: str) -> Mapping[str, Path]:
    """dbt's own macros, and those of the installed adapters."""
    modules = [dbt.include.global_project, *([dbt.include.postgres] if family == "postgres" else [])]
    modules += [dbt.include.duckdb] if family == "duckdb" else []
    folders = [Path(next(iter(module.__path__))) / "macros" for module in modules]
    files = [file for folder in folders for file in sorted(folder.rglob("*.sql"))]
    return _read([*files, Path(__file__).with_name("dbt_macros.sql")])


def _read(files: Iterable[Path]) -> Mapping[str, Path]:
    """The file of every macro, by name. Later files override earlier ones."""
    found = {}
    for file in files:
        for kind, name in re.findall(
            r"{%-?\s*(macro|test|materialization)\s+(\w+)", file.read_text(encoding="utf-8")
        ):
            prefix = "" if kind == "macro" else f"{kind}_"
            found[f"{prefix}{name}" + ("_default" if kind == "materialization" else "")] = file
    return found


@functools.cache
def _template(file: Path) -> jinja2.Template:
    return get_environment().from_string(file.read_text(encoding="utf-8"))
