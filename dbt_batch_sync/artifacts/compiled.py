"""The columns of models and attributes and where they come from, read from the compiled SQL with sqlglot.

Nothing is guessed. What the SQL doesn't tell is None, or an origin of kind `unknown` with a reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlglot import Dialect, exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

from dbt_batch_sync.artifacts.json_files import Catalog
from dbt_batch_sync.artifacts.manifest import Manifest, Model, SourceTable
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.kinds.attributes import CUSTOM_ID
from dbt_batch_sync.mapping.mapping import ALL
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.results.look import AttributeLineage, SyncLineage

# SQL that sqlglot can't read is reported as unknown; sqlglot's own warnings would only add noise.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_PLAIN = ("view", "table", "incremental", "ephemeral", "materialized_view", "dynamic_table")
"""Materializations whose relation has the columns of its SQL."""

_MANY_COLUMNS = (exp.Columns, exp.Pivot, exp.Unnest, exp.Explode, exp.Inline)
"""Expressions that may produce several columns, so that their number is unknown."""

_UNNAMED = "_col_"
"""sqlglot's name for an unnamed expression; each warehouse has another."""

_NAMED_BY_COLUMN = ("postgres", "redshift")
"""Dialects that name the cast of a column like the column."""

_FAILURES = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""Errors of sqlglot for SQL that it can't resolve."""


@dataclass(frozen=True)
class Origin:
    """A column from which another one is computed. `kind`: `source`, `seed` or `snapshot`; `table` if dbt
    doesn't know it; `unknown`, with a reason, if tracing stopped.
    """

    kind: str
    table: str
    column: str
    reason: str | None = None


@dataclass(frozen=True)
class _Query:
    """A model's qualified SQL, all names in lower case. `inputs` are the nodes behind its table names."""

    model: Model
    tree: exp.Query
    scope: Scope
    schema: MappingSchema
    inputs: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.tree.named_selects)

    def unknown(self, column: str, reason: str) -> Origin:
        return Origin("unknown", self.model.name, column, f"{self.model.name} {reason}")


class CompiledSql:
    """The compiled models of a manifest.

    Columns of sources, seeds and dbt snapshots come from the catalog. Columns declared in YAML may be
    incomplete and are ignored, except for a model's contract.
    """

    def __init__(self, manifest: Manifest, catalog: Catalog) -> None:
        self.dialect = manifest.adapter_type or ""
        self._known = bool(self.dialect) and Dialect.get(self.dialect) is not None
        self._catalog = catalog
        self._models = {each.unique_id: each for each in manifest.models}
        self._sources = {each.unique_id: each for each in manifest.sources}
        self._queries: dict[str, _Query | str] = {}
        self._columns: dict[str, tuple[str, ...] | None] = {}
        self._origins: dict[tuple[str, str], frozenset[Origin]] = {}

    def columns(self, unique_id: str) -> tuple[str, ...] | None:
        """The columns of a model, source, seed or dbt snapshot in order, in lower case; None if unknown."""
        if unique_id not in self._columns:
            self._columns[unique_id] = None  # the model depends on itself, which dbt doesn't allow
            model, table = self._models.get(unique_id), self._catalog.get(unique_id)
            if model is not None:
                self._columns[unique_id] = self._model_columns(model)
            elif table is not None:
                self._columns[unique_id] = tuple(map(str.lower, table.columns))
        return self._columns[unique_id]

    def origins(self, unique_id: str, column: str) -> frozenset[Origin]:
        """The columns outside the models from which this one is computed. Empty for a constant or a row
        count.
        """
        key = (unique_id, column.lower())
        if key not in self._origins:
            self._origins[key] = frozenset()
            self._origins[key] = frozenset(self._find_origins(*key))
        return self._origins[key]

    @property
    def not_compiled(self) -> tuple[str, ...]:
        """The names of the requested models that have no compiled SQL."""
        asked = map(self._models.__getitem__, self._queries)
        return tuple(
            sorted(each.name for each in asked if each.compiled_code is None and each.language == "sql")
        )

    def _model_columns(self, model: Model) -> tuple[str, ...] | None:
        if model.contract:
            return tuple(map(str.lower, model.columns))
        if model.materialized not in _PLAIN:
            return None
        query = self._query(model)
        if not isinstance(query, _Query):
            return None
        tree, names = query.tree, query.names
        unclear = (
            tree.find(*_MANY_COLUMNS)
            or any(each.args.get("by_name") for each in tree.find_all(exp.SetOperation))
            or any(each.alias_column_names for each in tree.find_all(exp.Table))
            or any(name == "*" or not name or name.startswith(_UNNAMED) for name in names)
        )
        # A warehouse rejects or renames the second of two columns with the same name.
        return None if unclear or len(set(names)) < len(names) else names

    def _query(self, model: Model) -> _Query | str:
        """A model's SQL, or the reason that it can't be used."""
        if model.unique_id not in self._queries:
            self._queries[model.unique_id] = self._read(model)
        return self._queries[model.unique_id]

    def _read(self, model: Model) -> _Query | str:
        if model.language != "sql" or not self._known:
            return f"the SQL of {model.name} is not of a kind that can be read"
        if model.compiled_code is None:
            return f"{model.name} has no compiled SQL: run `dbt compile`"
        try:
            tree = parse_one(model.compiled_code, dialect=self.dialect)
            _take_names_away(tree, self.dialect)
            inputs = self._name_inputs(tree, model)
            columns = {name: self.columns(node) for name, node in inputs.items()}
            schema = MappingSchema(
                {name: dict.fromkeys(found, "text") for name, found in columns.items() if found},
                dialect=self.dialect,
                normalize=False,
            )
            qualified = qualify(
                tree,
                dialect=self.dialect,
                schema=schema,
                allow_partial_qualification=True,
                validate_qualify_columns=False,
                identify=False,
            )
            scope = build_scope(qualified) if isinstance(tree, exp.Query) else None
            for each in scope.traverse() if scope is not None else ():
                _take_from_the_only_table(each)
        except _FAILURES:
            scope = None
        if scope is None or not isinstance(scope.expression, exp.Query):
            return f"the SQL of {model.name} is not a query that can be read"
        return _Query(model, scope.expression, scope, schema, inputs)

    def _name_inputs(self, tree: exp.Expr, model: Model) -> dict[str, str]:
        """Replaces the names of dbt's tables by single words and lower-cases all names. Returns the nodes."""
        for identifier in tree.find_all(exp.Identifier):
            identifier.set("this", str(identifier.this).lower())
            identifier.set("quoted", True)
        relations = dict(self._relations(model))
        inputs: dict[str, str] = {}
        moved: set[tuple[str, str]] = set()
        for table in list(tree.find_all(exp.Table)):
            node = relations.get(_parts(table))
            if node is None:
                continue
            name = f"_dbt_{list(relations.values()).index(node)}"
            inputs[name] = node
            moved.add((table.db, table.name))
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
            table.set("this", exp.to_identifier(name, quoted=True))
            table.set("db", None)
            table.set("catalog", None)
        for column in tree.find_all(exp.Column):
            if (column.db, column.table) in moved:
                column.set("db", None)
                column.set("catalog", None)
        return inputs

    def _relations(self, model: Model) -> Iterator[tuple[tuple[str, ...], str]]:
        for unique_id in model.depends_on:
            node: Model | SourceTable | None = self._models.get(unique_id) or self._sources.get(unique_id)
            if node is not None and node.relation_name:
                try:
                    yield _parts(exp.to_table(node.relation_name, dialect=self.dialect)), unique_id
                except _FAILURES:
                    continue  # an external source whose relation is a function

    def _find_origins(self, unique_id: str, column: str) -> Iterator[Origin]:
        source, model = self._sources.get(unique_id), self._models.get(unique_id)
        if source is not None:
            yield Origin(source.kind, source.name, column)
            return
        if model is None:
            yield Origin("unknown", unique_id, column, f"{unique_id} is not in the manifest")
            return
        query = self._query(model)
        if isinstance(query, str):
            yield Origin("unknown", model.name, column, query)
            return
        wanted = column if column in query.names else "*"
        if wanted not in query.names:
            reason = f"the SQL of {model.name} has no column `{column}`"
            yield Origin("unknown", model.name, column, reason)
            return
        try:
            node = lineage(
                exp.column(exp.to_identifier(wanted, quoted=True)) if wanted != "*" else "*",
                query.tree,
                query.schema,
                dialect=self.dialect,
                scope=query.scope,
                trim_selects=False,
                copy=False,
            )
        except _FAILURES:
            yield Origin("unknown", model.name, column, f"the SQL of {model.name} can't be followed")
            return
        yield from self._leaves(node, query, column, set())

    def _leaves(self, node: Node, query: _Query, wanted: str, seen: set[int]) -> Iterator[Origin]:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node.expression, exp.Star):
            name = node.name.rpartition(".")[2].strip('"')
            yield from self._behind_star(node, query, wanted if name == "*" else name)
            return
        if isinstance(node.expression, exp.Table):
            yield from self._behind(node.expression, exp.to_column(node.name).name, query)
        elif isinstance(node.expression, exp.Placeholder):
            column = exp.to_column(node.name).name
            yield query.unknown(column, f"has several tables that `{column}` could be of")
        for each in node.downstream:
            yield from self._leaves(each, query, wanted, seen)

    def _behind_star(self, node: Node, query: _Query, column: str) -> Iterator[Origin]:
        """With one table, a star passes on every column. With several, the table of a column is unknown."""
        tables = [each.expression for each in node.downstream]
        if len(tables) == 1 and isinstance(tables[0], exp.Table) and not column.isdigit():
            yield from self._behind(tables[0], column, query)
            return
        reason = (
            "selects * from tables whose columns are not known: run `dbt docs generate`, or name the columns"
        )
        # Parts of a union have no names.
        yield query.unknown("" if column.isdigit() else column, reason)

    def _behind(self, table: exp.Table, column: str, query: _Query) -> Iterator[Origin]:
        if table.alias_column_names:
            yield query.unknown(column, "renames the columns of a table by their places")
        elif table.name in query.inputs:
            yield from self.origins(query.inputs[table.name], column)
        else:
            yield Origin("table", ".".join(_parts(table)), column)


def trace(sync: Sync, compiled: CompiledSql) -> SyncLineage:
    """The origins of the identifier and of each attribute, in the mapping's order."""
    node, mapping = sync.model.unique_id, sync.mapping
    columns = compiled.columns(node)
    attributes, resolved = mapping.attributes, False
    if columns is not None:
        with suppress(MappingError):  # `validate` reports the errors, and an origin the column
            attributes, resolved = mapping.resolve(columns), True

    def origins(column: str) -> tuple[Origin, ...]:
        found = compiled.origins(node, column)
        return tuple(sorted(found, key=lambda each: (each.kind == "unknown", each.table, each.column)))

    identifier = CUSTOM_ID if sync.kind.per_operation else sync.kind.key
    named = [(identifier, mapping.identifier), *((each.name, each.column) for each in attributes)]
    found = [
        AttributeLineage(name, column or None, origins(column) if column else ()) for name, column in named
    ]
    if mapping.membership is not None and not resolved:
        found.append(AttributeLineage(mapping.membership, None, ()))
    if mapping.all_columns and not resolved:
        reason = f"which columns {sync.name} has is not known: run `dbt compile` and `dbt docs generate`"
        found.append(AttributeLineage(ALL, None, (Origin("unknown", sync.name, "", reason),)))
    return SyncLineage(sync.name, tuple(found), sync.kind.name)


def _take_names_away(tree: exp.Expr, dialect: str) -> None:
    """Warehouses name an expression without an alias differently from sqlglot. A column in parentheses keeps
    its name, and so does its cast in some warehouses.
    """
    inside = (exp.Paren, exp.Cast) if dialect in _NAMED_BY_COLUMN else (exp.Paren,)
    for select in tree.find_all(exp.Select):
        for place, each in enumerate(select.expressions):
            named = each
            while isinstance(named, inside):
                named = named.this
            if not isinstance(named, exp.Alias | exp.Column | exp.Dot | exp.Star):
                each.replace(exp.alias_(each.copy(), f"{_UNNAMED}{place}"))


def _take_from_the_only_table(scope: Scope) -> None:
    """An unqualified column belongs to the query's only table, if that table's columns are unknown."""
    if len(scope.selected_sources) == 1:
        (name,) = scope.selected_sources
        for column in scope.unqualified_columns:
            column.set("table", exp.to_identifier(name, quoted=True))


def _parts(table: exp.Table) -> tuple[str, ...]:
    return tuple(part.lower() for part in (table.catalog, table.db, table.name) if part)
